"""ReferenceRuns: simulated runs of a scenario, each known at the moment at which a real run stands, and at its end.

The same worlds and the same luck are run three times: up to half the time that has passed, up to all of it, and to
the planned end. A shorter run is the beginning of a longer one, since a draw depends on its stream and on nothing
else (`engine.streams`). The budget stops none of them: when it would be reached is read off afterwards.
"""

import math
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from simbudget.arrays import Floats
from simbudget.distributions.base import CONSTANT
from simbudget.engine.laws.accounts import BINS, HOUR_NS
from simbudget.engine.laws.draws import ONE_A_WORLD, TYPICAL_A_WORLD
from simbudget.engine.lowering import lower
from simbudget.engine.program import Program
from simbudget.engine.streams import named_purpose
from simbudget.projection.aggregate import Aggregate
from simbudget.projection.engines import engine_for
from simbudget.projection.executors import blocks_in_order
from simbudget.projection.months import Calendar
from simbudget.projection.schedule import DEFAULT_REPLICATIONS, WORLD_EACH, Options, Schedule
from simbudget.scenario.scenario import Scenario

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class ReferenceRuns:
    """Simulated runs, a row each, the same run in the same row of every table."""

    halfway: pd.DataFrame
    so_far: pd.DataFrame
    whole: pd.DataFrame
    spent_usd: Floats
    """[runs, bins + 1] what each has spent by each time."""
    hours: Floats
    """[bins + 1] those times, from 0 to the planned end."""
    unknowns: dict[str, Floats]
    """By name: [runs] the value of each unknown in the run's world."""


def simulate_reference_runs(
    scenario: Scenario,
    names: Sequence[str],
    elapsed_s: float,
    options: Options,
    progress: Progress,
) -> ReferenceRuns:
    """Return so many runs of a scenario.

    Args:
        scenario: what was planned.
        names: of the quantities that are unknown in it.
        elapsed_s: where the real run stands; below the planned end.
        options: how many, each in a world of its own, by which seed, and where they are made.
        progress: called with the runs done and those to do.
    """
    runs, seed = options.replications or DEFAULT_REPLICATIONS, options.seed
    program = replace(lower(scenario), budget_usd=math.inf, agents_budget_usd=math.inf)
    frames, by_time, hours = [], np.zeros((0, BINS)), np.zeros(0)
    ends_ns = (round(elapsed_s * 5e8), round(elapsed_s * 1e9), program.settings.horizon_ns)
    for number, end_ns in enumerate(ends_ns):
        until = replace(program, settings=program.settings._replace(horizon_ns=max(1, end_ns)))
        hours = np.linspace(0.0, until.settings.horizon_ns / HOUR_NS, BINS + 1)
        aggregate = Aggregate(until, Calendar.of(scenario, hours))
        with closing(
            blocks_in_order(
                Schedule(until, seed, runs, WORLD_EACH, engine_for(until).name), options.workers, options.on
            )
        ) as blocks:
            for block in blocks:
                aggregate.add(block)
                progress(number * runs + aggregate.replications, len(ends_ns) * runs)
        frames.append(aggregate.frame())
        by_time = aggregate.kept().spend_by_time_usd
    spent = np.concatenate([np.zeros((runs, 1)), by_time.cumsum(axis=1)], axis=1)
    halfway, so_far, whole = frames
    return ReferenceRuns(halfway, so_far, whole, spent, hours, _unknowns(program, names, runs, seed))


def _unknowns(program: Program, names: Sequence[str], runs: int, seed: int) -> dict[str, Floats]:
    """Return the value of each unknown in each run's world: of one that draws scatter around, their median."""
    numbers = {
        name: int(found[0])
        for name in names
        if len(
            found := np.flatnonzero(
                (program.purposes == named_purpose(name))
                & np.isin(program.kinds, (ONE_A_WORLD, TYPICAL_A_WORLD))
            )
        )
    }
    values = {name: np.empty(runs) for name in numbers}
    for run in range(runs):
        rows = program.world(seed, run, 0)
        for name, number in numbers.items():
            row = rows[number]
            values[name][run] = row[1] if row[0] == CONSTANT else math.exp(row[1])
    return values
