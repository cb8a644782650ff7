"""Blocks: what a worker gets, a few replications of one program, and gives back as arrays.

The replications of a projection are numbered from 0. Which world and which replication within it a number
stands for does not depend on how many are made or by whom, so any prefix of a longer projection is a shorter one.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from simbudget.engine.program import Program
from simbudget.engine.reference import simulate

BLOCK: Final = 4
"""Replications in a block."""


@dataclass(frozen=True)
class Plan:
    """Which replications a projection is made of."""

    program: Program
    seed: int
    replications: int
    per_world: int
    """Replications in each world."""

    def blocks(self) -> list[range]:
        """Return the numbers of the replications of each block, in order."""
        return [
            range(first, min(first + BLOCK, self.replications))
            for first in range(0, self.replications, BLOCK)
        ]

    def world_of(self, number: int) -> int:
        """Return the world of the `number`-th replication."""
        return number // self.per_world


@dataclass(frozen=True)
class BlockOfOutcomes:
    """The outcomes of a block."""

    worlds: list[int]
    totals: list[dict[str, float]]
    by_time_usd: npt.NDArray[np.float64]
    """[replications, components, bins]"""


def simulate_block(plan: Plan, numbers: range) -> BlockOfOutcomes:
    """Return the outcomes of the replications with these numbers."""
    outcomes = [
        simulate(plan.program, plan.seed, plan.world_of(n), n % plan.per_world, record=False) for n in numbers
    ]
    return BlockOfOutcomes(
        worlds=[plan.world_of(n) for n in numbers],
        totals=[outcome.totals for outcome in outcomes],
        by_time_usd=np.array([outcome.by_time_usd for outcome in outcomes]),
    )
