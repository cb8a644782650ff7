"""Time and queues: the heap of scheduled events, in the order of `reference.scheduling`, and pools with their lines.

A slot is something that can happen to one agent or to one job: what it waits for itself, the end of an agent's jobs, a
crash, an interruption, and the end that an agent's own limit of time sets. An event is ordered by its time, then by its
priority, then by when it was scheduled; the last two are one number, its rank. An event that will not come is taken
out, so the heap never has more events than slots.

A pool is units of something that is held for a while, first come, first served. Its line is a chain through the places
of those who stand in it, so that joining, leaving and being served take the same time however long it is.
"""

from typing import Final

from simbudget.compilation import internal
from simbudget.engine.compiled.tables import Record, Site

ITSELF: Final = 0
JOBS_OVER: Final = 1
CRASH: Final = 2
INTERRUPTION: Final = 3
STOP: Final = 4
SLOTS: Final = 5
"""Slots of each agent and sub-agent."""

LAST_TASK: Final = 2
MONTH: Final = 3
OVER: Final = 4
SLOTS_OF_RUN: Final = 5
"""Slots after those of the agents: the horizon, a stop before it, the end of the last task, the begin of a month of the
subscription, and that all that was waited for has ended."""

JOB_ITSELF: Final = 0
JOB_INTERRUPTION: Final = 1
JOB_SLOTS: Final = 2
"""Slots of each job, after those of the run."""

NOWHERE: Final = -1

URGENT: Final = 0
AT_ONCE: Final = 1
_OWN_PRIORITIES: Final = 2
# Phases of an instant, as in `reference.scheduling`.
END: Final = 0
CRASHES: Final = 1
HORIZON: Final = 2
ASK: Final = 3

_PRIORITY_UNIT: Final = 1 << 36
"""Ranks count priorities in this unit, and below it what has been scheduled so far: some seventy billion events."""


@internal
def is_due(run: Record, site: Site) -> bool:
    """Return whether anything else is to happen at this instant."""
    return run.heap_size > 0 and site.heap[0].at <= run.now


@internal
def after(site: Site, run: Record, slot: int, delay_ns: int, phase: int, rank: int) -> None:
    """Schedule a slot's event `delay_ns` from now, in its place among those of that instant.

    Args:
        site: the arrays of the run.
        run: the run's record.
        slot: the number of the slot.
        delay_ns: the time until then, in nanoseconds.
        phase: END, CRASHES, HORIZON or ASK.
        rank: the order of what happens in one phase, see `rank_of`.
    """
    priority = _OWN_PRIORITIES + phase * run.agents * run.places_of_agent + rank
    schedule(site, run, slot, run.now + delay_ns, priority)


@internal
def own_slot(agent: Record) -> int:
    """Return the slot of what an agent waits for itself."""
    return SLOTS * agent.number + ITSELF


@internal
def wakes_after(site: Site, run: Record, agent: Record, delay_ns: int, phase: int) -> None:
    """Schedule an agent's own event `delay_ns` from now, in its place among those of that instant.

    Args:
        site: the arrays of the run.
        run: the run's record.
        agent: the agent's record.
        delay_ns: the time until then, in nanoseconds.
        phase: END, CRASHES, HORIZON or ASK.
    """
    after(site, run, own_slot(agent), delay_ns, phase, agent.rank)


@internal
def rank_of(run: Record, agent: int, place: int) -> int:
    """Return in which order things happen at one instant: by agents, and for each by its jobs or sub-agents.

    Args:
        run: the run's record.
        agent: the number of the agent.
        place: which of its jobs or sub-agents it is, from 0.
    """
    rank: int = agent * run.places_of_agent + place
    return rank


@internal
def first_slot_of_job(run: Record, job: Record) -> int:
    """Return the first of a job's slots."""
    return SLOTS * run.callers + SLOTS_OF_RUN + JOB_SLOTS * (job.agent * run.jobs_of_agent + job.number)


@internal
def after_of_job(site: Site, run: Record, job: Record, delay_ns: int, phase: int) -> None:
    """Schedule a job's event `delay_ns` from now: in its agent's place, and there in its own.

    Args:
        site: the arrays of the run.
        run: the run's record.
        job: the job's record.
        delay_ns: the time until then, in nanoseconds.
        phase: END, CRASHES, HORIZON or ASK.
    """
    rank = rank_of(run, job.agent, job.number)
    after(site, run, first_slot_of_job(run, job) + JOB_ITSELF, delay_ns, phase, rank)


@internal
def at_once(site: Site, run: Record, slot: int, priority: int) -> None:
    """Schedule a slot's event before everything else that is due at this instant, as a message between processes.

    Args:
        site: the arrays of the run.
        run: the run's record.
        slot: the number of the slot.
        priority: URGENT or AT_ONCE, or that of a phase.
    """
    schedule(site, run, slot, run.now, priority)


@internal
def schedule(site: Site, run: Record, slot: int, at: int, priority: int) -> None:
    """Put a slot's event into the heap; it must not be there.

    Args:
        site: the arrays of the run.
        run: the run's record.
        slot: the number of the slot.
        at: when it comes, in nanoseconds.
        priority: URGENT or AT_ONCE, or that of a phase.
    """
    heap, places = site.heap, site.places
    # Among equal priorities, who was scheduled first comes first.
    rank = priority * _PRIORITY_UNIT + run.scheduled
    run.scheduled += 1
    place = run.heap_size
    run.heap_size += 1
    _rise(heap, places, place, at, rank, slot)


@internal
def cancel(site: Site, run: Record, slot: int) -> None:
    """Take a slot's event out of the heap, if it is there.

    Args:
        site: the arrays of the run.
        run: the run's record.
        slot: the number of the slot.
    """
    place = site.places[slot]
    if place != NOWHERE:
        _take_out(site, run, place)


@internal
def next_slot(site: Site, run: Record) -> int:
    """Remove the next event, advance the clock to it, and return its slot."""
    heap = site.heap
    slot = heap[0].slot
    run.now = heap[0].at
    _take_out(site, run, 0)
    return slot


@internal
def _take_out(site: Site, run: Record, place: int) -> None:
    heap, places = site.heap, site.places
    places[heap[place].slot] = NOWHERE
    last = run.heap_size - 1
    run.heap_size = last
    if place == last:
        return
    at, rank, slot = heap[last].at, heap[last].rank, heap[last].slot
    parent = (place - 1) // 2
    # The last event takes the gap, and may have to move either way from there.
    if place > 0 and _is_before(at, rank, heap[parent].at, heap[parent].rank):
        _rise(heap, places, place, at, rank, slot)
    else:
        _sink(heap, places, place, at, rank, slot, last)


@internal
def _is_before(at: int, rank: int, other_at: int, other_rank: int) -> bool:
    return at < other_at or (at == other_at and rank < other_rank)


@internal
def _put(heap: Record, places: Record, place: int, at: int, rank: int, slot: int) -> None:
    event = heap[place]
    event.at = at
    event.rank = rank
    event.slot = slot
    places[slot] = place


@internal
def _rise(heap: Record, places: Record, place: int, at: int, rank: int, slot: int) -> None:
    """Put an event at a place, or above it where it belongs."""
    while place > 0:
        parent = (place - 1) // 2
        above = heap[parent]
        if not _is_before(at, rank, above.at, above.rank):
            break
        _put(heap, places, place, above.at, above.rank, above.slot)
        place = parent
    _put(heap, places, place, at, rank, slot)


@internal
def _sink(heap: Record, places: Record, place: int, at: int, rank: int, slot: int, size: int) -> None:  # noqa: PLR0913, PLR0917
    """Put an event at a place of a heap of this size, or below it where it belongs."""
    while True:
        child = 2 * place + 1
        if child >= size:
            break
        right = child + 1
        if right < size and _is_before(heap[right].at, heap[right].rank, heap[child].at, heap[child].rank):
            child = right
        below = heap[child]
        if not _is_before(below.at, below.rank, at, rank):
            break
        _put(heap, places, place, below.at, below.rank, below.slot)
        place = child
    _put(heap, places, place, at, rank, slot)


_NOBODY: Final = -1


@internal
def open_pools(site: Site) -> None:
    """Begin with all units free and empty lines."""
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
    """Return whether all units of a pool are free.

    Args:
        site: the arrays of the run.
        number: the number of the pool.
    """
    pool = site.pools[number]
    return pool.free == pool.units


@internal
def ask(site: Site, run: Record, place: int, number: int, units: int) -> None:
    """Join the queue of a pool for `units`; granting them is an event of the agent or job at `place`.

    Args:
        site: the arrays of the run.
        run: the run's record.
        place: the place, see `tables.PLACE`.
        number: the number of the pool.
        units: units that are wanted.
    """
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
    """Give back what was got, or leave the line.

    Args:
        site: the arrays of the run.
        run: the run's record.
        place: the place, see `tables.PLACE`.
        number: the number of the pool.
    """
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
        # First come, first served: nobody passes the head of the line, even if there were enough for it.
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
