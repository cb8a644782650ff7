"""Pools: units of something that agents hold for a while, first come, first served; see `reference.pool`.

A line is a chain through the records of the agents that stand in it, so that joining, leaving and being served take the
same time however long it is.
"""

from typing import Final

from simbudget.compilation import internal
from simbudget.engine.compiled.events import AT_ONCE, ITSELF, JOB, SLOTS, at_once
from simbudget.engine.compiled.state import GPUS, POOLS, Record, Site

_NOBODY: Final = -1


@internal
def open_pools(run: Record, gpus: int, servers: int) -> None:
    """Begin with everything free and nobody waiting."""
    for pool in range(POOLS):
        units = 1
        if pool == GPUS:
            units = gpus
        elif pool == GPUS + 1:
            units = servers
        run.units[pool] = run.free[pool] = units
        run.head[pool] = run.tail[pool] = _NOBODY


@internal
def is_idle(run: Record, pool: int) -> bool:
    """Return whether nobody holds anything of a pool."""
    return run.free[pool] == run.units[pool]


@internal
def ask(site: Site, run: Record, agent: Record, pool: int, units: int) -> None:
    """Join the line for so many units; getting them is an event of the agent, or of its job."""
    number, last = agent.number, run.tail[pool]
    agent.wants[pool] = units
    agent.waits_in[pool] = 1
    agent.next[pool] = _NOBODY
    agent.previous[pool] = last
    if last == _NOBODY:
        run.head[pool] = number
    else:
        site.agents[last].next[pool] = number
    run.tail[pool] = number
    _serve(site, run, pool)


@internal
def leave(site: Site, run: Record, agent: Record, pool: int) -> None:
    """Give back what was got, or leave the line."""
    if agent.waits_in[pool]:
        _step_out(site, run, agent, pool)
    else:
        run.free[pool] += agent.wants[pool]
    _serve(site, run, pool)


@internal
def _serve(site: Site, run: Record, pool: int) -> None:
    while run.head[pool] != _NOBODY:
        agent = site.agents[run.head[pool]]
        if agent.wants[pool] > run.free[pool]:
            return
        _step_out(site, run, agent, pool)
        run.free[pool] -= agent.wants[pool]
        slot = SLOTS * agent.number + (JOB if pool == GPUS else ITSELF)
        at_once(site, run, slot, AT_ONCE)


@internal
def _step_out(site: Site, run: Record, agent: Record, pool: int) -> None:
    before, behind = agent.previous[pool], agent.next[pool]
    if before == _NOBODY:
        run.head[pool] = behind
    else:
        site.agents[before].next[pool] = behind
    if behind == _NOBODY:
        run.tail[pool] = before
    else:
        site.agents[behind].previous[pool] = before
    agent.waits_in[pool] = 0
