"""Blocks: what a worker gets, a few replications of one program, and gives back as arrays.

The replications of a projection are numbered from 0. Which world and which replication within it a number
stands for does not depend on how many are made or by whom, so any prefix of a longer projection is a shorter one.
Nor does a replication depend on the block that it is made in, so blocks may be of any size: they are cut to take
about as long as is worth handing out.
"""

import time
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from simbudget.engine.laws.draws import Floats, Integers
from simbudget.engine.program import Program
from simbudget.projection.engines import engine_named

WORLD_EACH: Final = 1 << 62
"""More worlds than there ever are replications: each has its own."""

_MOST_IN_BLOCK: Final = 256
_GROWTH: Final = 4


@dataclass(frozen=True)
class Plan:
    """Which replications a projection is made of."""

    program: Program
    seed: int
    replications: int
    worlds: int = WORLD_EACH
    """Replications take turns in so many worlds."""
    engine: str = "reference"
    in_a_row: int = 1
    """So many replications in a row are in the same world."""

    def keys_of(self, numbers: range) -> tuple[Integers, Integers]:
        """Return the worlds of the replications with these numbers, and which replication of its world each is."""
        all_numbers = np.arange(numbers.start, numbers.stop, dtype=np.int64)
        turns, within = all_numbers // self.in_a_row, all_numbers % self.in_a_row
        return turns % self.worlds, turns // self.worlds * self.in_a_row + within


@dataclass(frozen=True)
class Block:
    """What the replications of a block came to."""

    worlds: Integers
    """[replications] the world of each."""
    sums: Floats
    """[replications, `totals.SUMS`] see `engine.totals`."""
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


def simulate_block(plan: Plan, numbers: range) -> Block:
    """Return what the replications with these numbers come to."""
    began = time.perf_counter()
    worlds, replications = plan.keys_of(numbers)
    made = engine_named(plan.engine).simulate_many(plan.program, plan.seed, worlds, replications)
    return Block(worlds, made.sums, made.by_time_usd, time.perf_counter() - began)


@dataclass
class Cutter:
    """Cuts a plan into blocks, in order, each as long as the last ones let expect to take `seconds`."""

    plan: Plan
    seconds: float = 0.3
    """What a block should take: long against handing it out, short against a person's patience."""
    most: int = _MOST_IN_BLOCK
    _next: int = field(default=0, init=False)
    _size: int = field(default=1, init=False)

    def cut(self) -> range | None:
        """Return the numbers of the next block's replications; None if all are handed out."""
        if self._next >= self.plan.replications:
            return None
        numbers = range(self._next, min(self._next + self._size, self.plan.replications))
        self._next = numbers.stop
        return numbers

    def learn(self, replications: int, seconds: float) -> None:
        """Take note of how long a block of so many replications took."""
        fitting = int(self.seconds * replications / max(seconds, 1e-6))
        self._size = max(1, min(fitting, _GROWTH * self._size, self.most))
