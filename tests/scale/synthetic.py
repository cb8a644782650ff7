"""Replications that no engine made: any number of them, at once, with distributions that are known."""

from collections.abc import Iterator

import numpy as np

from simbudget.engine.laws.accounts import BINS
from simbudget.engine.lowering import lower
from simbudget.engine.program import Program
from simbudget.engine.totals import (
    COMPONENT_USD,
    CONCLUDED_NS,
    CYCLES,
    ENDED_NS,
    LIFE_NS,
    MODEL_CALLS,
    SPENT_USD,
    sums_length,
)
from simbudget.ledger.entry import COMPONENTS
from simbudget.projection.aggregate import Aggregate
from simbudget.projection.blocks import SimulatedBlock
from simbudget.projection.months import Calendar
from tests.running import scenario

BUDGET_USD = 9000.0
SCENARIO = scenario(
    f"fleet: [{{agents: 2}}]\ncycle: [think: {{turns: 3 to 9}}]\nstop: {{after: 5 days, budget: ${BUDGET_USD:.0f}}}"
)
PROGRAM: Program = lower(SCENARIO)


def replications(count: int, seed: int = 1, worlds: int = 1 << 62) -> SimulatedBlock:
    """Return replications in one block: lognormal spend that a budget stops, Poisson counts, a constant."""
    random = np.random.default_rng(seed)
    numbers = np.arange(count) % worlds
    luck = random.standard_normal(min(worlds, count))[numbers] if worlds < count else 0.0
    spend = np.exp(9.0 + 0.3 * random.standard_normal(count) + 0.2 * luck)
    spend = np.minimum(spend, BUDGET_USD + random.exponential(5.0, count))
    sums = np.zeros((count, sums_length(PROGRAM)))
    sums[:, SPENT_USD] = sums[:, COMPONENT_USD] = spend
    sums[:, MODEL_CALLS] = random.poisson(300, count)
    sums[:, CYCLES] = random.poisson(2, count)
    sums[:, ENDED_NS] = sums[:, CONCLUDED_NS] = 5 * 86_400e9
    sums[:, LIFE_NS] = 2 * 86_400e9 * random.uniform(1, 5, count)
    by_time_usd = np.zeros((count, len(COMPONENTS), BINS))
    by_time_usd[:, 0] = spend[:, np.newaxis] * random.dirichlet(np.ones(BINS), count)
    return SimulatedBlock(numbers.astype(np.int64), sums, by_time_usd, seconds=0.0)


def in_blocks(block: SimulatedBlock, *sizes: int) -> Iterator[SimulatedBlock]:
    """Yield a block in parts of these sizes, again and again."""
    first = 0
    while first < len(block):
        for size in sizes:
            if first < len(block):
                yield block.part(first, first + size)
                first += size


def aggregate(blocks: Iterator[SimulatedBlock]) -> Aggregate:
    """Return the aggregate of blocks of `PROGRAM`."""
    edges_hours = np.linspace(0.0, 120.0, BINS + 1)
    whole = Aggregate(PROGRAM, Calendar.of(SCENARIO, edges_hours))
    for block in blocks:
        whole.add(block)
    return whole
