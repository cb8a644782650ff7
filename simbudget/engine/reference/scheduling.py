"""Time and queues: the clock of a run, and pools of things that agents wait for and hold.

The clock is a SimPy environment in whole nanoseconds that keeps the order of what happens at one instant. What ends
goes before what crashes, then comes the horizon, then what asks; within each, the agents in the order of their numbers,
each one's sub-agents and jobs in theirs. SimPy's own events (a resource granted, a process interrupted) are not things
that happen but messages between processes; they go first.
"""

from collections import deque
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import Any, cast

from simpy.core import Environment
from simpy.events import Event, EventPriority

Happens = Generator[Event, Any, None]
"""What a process does: it yields the events that it waits for."""

_OWN_PRIORITIES = 2
_PLACES = 1 << 14
"""Places of an agent in the order of an instant: its own, which its first job or sub-agent shares, then the others'."""


class Phase(IntEnum):
    """The order of what happens at one instant."""

    END = 0
    CRASH = 1
    HORIZON = 2
    ASK = 3


class Clock(Environment):
    """The time of one run, in whole nanoseconds."""

    def __init__(self, agents: int) -> None:
        super().__init__(initial_time=0)
        self._agents = agents

    @property
    def now(self) -> int:
        """Return the time, in nanoseconds from the start."""
        return int(self._now)

    def after(
        self, delay_ns: int, phase: Phase, agent: int = 0, place: int = 0, event: Event | None = None
    ) -> Event:
        """Return the event that comes `delay_ns` from now, in its place among those of that instant.

        `event` is one that is waited for already, and comes then; else it is a new one.

        Args:
            delay_ns: the time until then, in nanoseconds.
            phase: its phase of that instant.
            agent: the number of the agent.
            place: which of the agent's jobs or sub-agents it is for, from 0.
            event: one that is waited for already, and comes then; None: a new one.
        """
        event = Event(self) if event is None else event
        event._ok, event._value = True, None  # as SimPy's own Timeout: it will happen, and cannot fail
        priority = _OWN_PRIORITIES + (phase * self._agents + agent) * _PLACES + place
        self.schedule(event, cast(EventPriority, priority), delay_ns)
        return event

    def asks(self, agent: int, place: int = 0) -> Happens:
        """Wait until it is the turn of the agent, or of one of its jobs, to ask for something at this instant.

        Args:
            agent: the number of the agent.
            place: which of the agent's jobs or sub-agents asks, from 0.
        """
        if self.peek() <= self.now:  # else nothing else happens now, and the turn has come
            yield self.after(0, Phase.ASK, agent, place)


class Pool:
    """A number of units, and the queue for them.

    The head of the line is served as soon as there is enough for it, whatever made that so: what was given back,
    or one before it that gave up. (SimPy's own resources do not look again when the head of their queue leaves.)
    """

    def __init__(self, clock: Clock, units: int) -> None:
        self._clock = clock
        self._free = self._units = units
        self._line: deque[tuple[Event, int]] = deque()

    @property
    def is_idle(self) -> bool:
        """Return whether all units are free."""
        return self._free == self._units

    def ask(self, units: int = 1) -> Event:
        """Join the queue for a number of units; return the event of getting them.

        Args:
            units: units that are wanted.
        """
        grant = Event(self._clock)
        self._line.append((grant, units))
        self._serve()
        return grant

    def leave(self, grant: Event, units: int = 1) -> None:
        """Give back what was got, or leave the line.

        Args:
            grant: the event that `ask` returned.
            units: the units that were asked for.
        """
        # An agent may give up at the very instant at which it is served: what it got goes back.
        if grant.triggered:
            self._free += units
        else:
            self._line.remove((grant, units))
        self._serve()

    def _serve(self) -> None:
        while self._line and self._line[0][1] <= self._free:
            grant, units = self._line.popleft()
            self._free -= units
            grant.succeed()


@contextmanager
def holding(pool: Pool, units: int = 1) -> Iterator[Event]:
    """Queue for units and hold them until the end of the block, however it ends.

    Args:
        pool: the pool.
        units: number of units.
    """
    grant = pool.ask(units)
    try:
        yield grant
    finally:
        pool.leave(grant, units)
