"""Blocks: what a worker gets, a few replications of one program, and gives back as arrays.

A replication does not depend on the block that it is made in, so blocks may be of any size: they are cut to take
about as long as is worth handing out.
"""

import time
from dataclasses import dataclass, field
from typing import Final

from simbudget.engine.laws.draws import Floats, Integers
from simbudget.projection.engines import engine_named
from simbudget.projection.schedule import Schedule

_MOST_IN_BLOCK: Final = 256
_GROWTH: Final = 4


@dataclass(frozen=True)
class Block:
    """What the replications of a block came to."""

    worlds: Integers
    """[replications] the world of each."""
    sums: Floats
    """[replications, sums] see `engine.totals`."""
    by_time_usd: Floats
    """[replications, components, bins] what was spent within each span of time."""
    seconds: float
    """How long it took to make."""

    def __len__(self) -> int:
        """Return how many replications these are."""
        return len(self.worlds)

    def part(self, first: int, end: int) -> "Block":
        """Return the replications from `first` up to before `end`."""
        return Block(self.worlds[first:end], self.sums[first:end], self.by_time_usd[first:end], self.seconds)


def simulate_block(schedule: Schedule, numbers: range) -> Block:
    """Return what the replications with these numbers come to."""
    began = time.perf_counter()
    worlds, replications = schedule.keys_of(numbers)
    made = engine_named(schedule.engine).simulate_many(schedule.program, schedule.seed, worlds, replications)
    return Block(worlds, made.sums, made.by_time_usd, time.perf_counter() - began)


@dataclass
class Cutter:
    """Cuts a schedule into blocks, in order, each as long as the last ones let expect to take `seconds`."""

    schedule: Schedule
    first: int = 0
    """The first replication that is cut."""
    seconds: float = 0.3
    """What a block should take: long against handing it out, short against a person's patience."""
    most: int = _MOST_IN_BLOCK
    _next: int = field(init=False)
    _size: int = field(default=1, init=False)

    def __post_init__(self) -> None:
        """Start at the first replication."""
        self._next = self.first

    def cut(self) -> range | None:
        """Return the numbers of the next block's replications; None if all are handed out."""
        if self._next >= self.schedule.replications:
            return None
        numbers = range(self._next, min(self._next + self._size, self.schedule.replications))
        self._next = numbers.stop
        return numbers

    def learn(self, replications: int, seconds: float) -> None:
        """Take note of how long a block of so many replications took."""
        fitting = int(self.seconds * replications / max(seconds, 1e-6))
        self._size = max(1, min(fitting, _GROWTH * self._size, self.most))
