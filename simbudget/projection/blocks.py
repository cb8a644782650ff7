"""Blocks: a few replications of one program, simulated by one worker and returned as arrays.

A replication does not depend on the block that it is part of, so blocks may have any size. They are cut so that each
takes long enough to be worth distributing.
"""

import time
from dataclasses import dataclass, field
from typing import Final

from simbudget.arrays import Floats, Integers
from simbudget.projection.engines import engine_named
from simbudget.projection.schedule import Schedule

_MOST_IN_BLOCK: Final = 256
"""Replications in a block: keeps the memory of its rows small, however fast the replications are."""
_GROWTH: Final = 4
"""Factor by which a block may exceed the one before, since the first ones are too short to measure speed well."""


@dataclass(frozen=True)
class SimulatedBlock:
    """The simulated replications of a block."""

    worlds: Integers
    """[replications] the world of each replication."""
    sums: Floats
    """[replications, sums] sums over the run, see `engine.totals`."""
    by_time_usd: Floats
    """[replications, components, bins] spend within each span of time, in US dollars."""
    seconds: float
    """Duration of the simulation."""

    def __len__(self) -> int:
        """Return the number of replications."""
        return len(self.worlds)

    def part(self, first: int, end: int) -> "SimulatedBlock":
        """Return the replications from `first` up to before `end`.

        Args:
            first: index of the first replication, within the block.
            end: index after the last one.
        """
        return SimulatedBlock(
            self.worlds[first:end], self.sums[first:end], self.by_time_usd[first:end], self.seconds
        )


def simulate_block(schedule: Schedule, numbers: range) -> SimulatedBlock:
    """Return the simulated replications with these numbers.

    Args:
        schedule: the replications of the projection and their engine.
        numbers: numbers of the replications to simulate.
    """
    began = time.perf_counter()
    worlds, replications = schedule.keys_of(numbers)
    made = engine_named(schedule.engine).simulate_many(schedule.program, schedule.seed, worlds, replications)
    return SimulatedBlock(worlds, made.sums, made.by_time_usd, time.perf_counter() - began)


@dataclass
class Cutter:
    """Cuts a schedule into consecutive blocks that should each take about `seconds`, judging by the previous ones."""

    schedule: Schedule
    first: int = 0
    """The first replication that is cut."""
    seconds: float = 0.3
    """Target duration of a block: long enough to be worth distributing, short enough for a person to wait."""
    most: int = _MOST_IN_BLOCK
    _next: int = field(init=False)
    _size: int = field(default=1, init=False)

    def __post_init__(self) -> None:
        """Start at the first replication."""
        self._next = self.first

    def cut(self) -> range | None:
        """Return the numbers of the next block's replications; None if none are left."""
        if self._next >= self.schedule.replications:
            return None
        numbers = range(self._next, min(self._next + self._size, self.schedule.replications))
        self._next = numbers.stop
        return numbers

    def learn(self, replications: int, seconds: float) -> None:
        """Adapt the block size to the duration of a block with this number of replications.

        Args:
            replications: replications of a block that is done.
            seconds: how long they took.
        """
        fitting = int(self.seconds * replications / max(seconds, 1e-6))
        self._size = max(1, min(fitting, _GROWTH * self._size, self.most))
