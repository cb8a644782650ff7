"""A pool: units of something that agents hold for a while, first come, first served."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from simpy.events import Event

from simbudget.engine.reference.clock import Clock


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
        """Return whether nobody holds anything."""
        return self._free == self._units

    def ask(self, units: int = 1) -> Event:
        """Join the queue for a number of units; return the event of getting them."""
        grant = Event(self._clock)
        self._line.append((grant, units))
        self._serve()
        return grant

    def leave(self, grant: Event, units: int = 1) -> None:
        """Give back what was got, or leave the line."""
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
    """Stand in line for units and hold them, until the end of the block on whatever way."""
    grant = pool.ask(units)
    try:
        yield grant
    finally:
        pool.leave(grant, units)
