"""Pools: units of something that is held for a while, first come, first served; see `reference.pool`.

A line is a chain through the places of those who stand in it, so that joining, leaving and being served take the same
time however long it is.
"""

from typing import Final

from simbudget.compilation import internal
from simbudget.engine.compiled.events import AT_ONCE, at_once
from simbudget.engine.compiled.state import Record, Site

_NOBODY: Final = -1


@internal
def open_pools(site: Site) -> None:
    """Begin with everything free and nobody waiting."""
    for number in range(len(site.pools)):
        pool = site.pools[number]
        pool.free = pool.units
        pool.head = pool.tail = _NOBODY
        pool.used_ns = 0.0
        pool.waited_ns = 0
    for number in range(len(site.standing)):
        site.standing[number].waits = 0


@internal
def place_before_server(caller: Record) -> int:
    """Return the place of an agent in the scorer's line, or of a model's review in that of the reviewers."""
    number: int = caller.number
    return number


@internal
def place_before_provider(run: Record, agent: Record) -> int:
    """Return the place of an agent in the provider's line."""
    number: int = run.callers + agent.number
    return number


@internal
def place_of_job(run: Record, job: Record) -> int:
    """Return the place of a job in its pool's line."""
    number: int = 2 * run.callers + job.agent * run.jobs_of_agent + job.number
    return number


@internal
def is_idle(site: Site, number: int) -> bool:
    """Return whether nobody holds anything of a pool."""
    pool = site.pools[number]
    return pool.free == pool.units


@internal
def ask(site: Site, run: Record, place: int, number: int, units: int) -> None:
    """Join the queue of a pool for `units`; granting them is an event of the agent or job at `place`."""
    standing, pool = site.standing[place], site.pools[number]
    last = pool.tail
    standing.wants = units
    standing.waits = 1
    standing.next = _NOBODY
    standing.previous = last
    if last == _NOBODY:
        pool.head = place
    else:
        site.standing[last].next = place
    pool.tail = place
    _serve(site, run, pool)


@internal
def leave(site: Site, run: Record, place: int, number: int) -> None:
    """Give back what was got, or leave the line."""
    standing, pool = site.standing[place], site.pools[number]
    if standing.waits:
        _step_out(site, standing, pool)
    else:
        pool.free += standing.wants
    _serve(site, run, pool)


@internal
def _serve(site: Site, run: Record, pool: Record) -> None:
    while pool.head != _NOBODY:
        standing = site.standing[pool.head]
        if standing.wants > pool.free:
            return
        _step_out(site, standing, pool)
        pool.free -= standing.wants
        at_once(site, run, standing.slot, AT_ONCE)


@internal
def _step_out(site: Site, standing: Record, pool: Record) -> None:
    before, behind = standing.previous, standing.next
    if before == _NOBODY:
        pool.head = behind
    else:
        site.standing[before].next = behind
    if behind == _NOBODY:
        pool.tail = before
    else:
        site.standing[behind].previous = before
    standing.waits = 0
