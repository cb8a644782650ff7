"""Running a projection: replication after replication, until there are enough."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from simbudget.engine.laws.money import BINS, HOUR_NS
from simbudget.engine.laws.worlds import UNKNOWN_KINDS
from simbudget.engine.lowering import lower
from simbudget.engine.program import Program
from simbudget.engine.reference import simulate
from simbudget.errors import Problem, UserError
from simbudget.projection.blocks import BlockOfOutcomes, Plan
from simbudget.projection.executors import cores, outcomes_in_order
from simbudget.projection.projection import Projection
from simbudget.projection.statistics import monte_carlo_errors, statistics
from simbudget.projection.summary import summarise
from simbudget.scenario.model import Scenario

DEFAULT_REPLICATIONS: Final = 100
MOST_FOR_PRECISION: Final = 10_000
"""Replications at most when a precision is asked for and no number."""

PER_WORLD: Final = 1
"""Replications in a world, unless asked otherwise: a new world tells more than another run in the same one."""

ENGINES: Final = ("reference",)

_ONE_WORLD: Final = 1 << 62
_FIRST_LOOK: Final = 40
_LOOK_EVERY: Final = 20


@dataclass(frozen=True)
class Options:
    """How a projection is made."""

    seed: int = 1
    replications: int | None = None
    """At most so many; by default `DEFAULT_REPLICATIONS`, and one where nothing is left to chance."""
    worlds: int | None = None
    """Over so many worlds; by default a world for each replication, and one where nothing is unknown."""
    workers: int | None = None
    """Processes; by default one for each core. The result does not depend on it."""
    precision: float | None = None
    """Stop when the Monte-Carlo errors of spend are below this part of each of its figures."""
    engine: str = "reference"


def project(
    scenario: Scenario, options: Options | None = None, progress: Callable[[int, int], None] | None = None
) -> Projection:
    """Return the projection of a scenario. An interrupt (Ctrl-C) gives the projection of what has been done.

    Args:
        scenario: what is projected.
        options: how; see `Options`.
        progress: called with the replications done and those to do.

    Raises:
        UserError: an option makes no sense, or the scenario cannot be simulated.
        KeyboardInterrupt: interrupted before the first replication was done.
    """
    options = options or Options()
    _require_sense(options)
    program = lower(scenario)
    plan = _plan(program, options)
    progress = progress or (lambda done, total: None)
    blocks, interrupted = _run(plan, options, progress)
    frame = _frame(blocks)
    by_time_usd = np.concatenate([block.by_time_usd for block in blocks])[: len(frame)]
    worlds = int(frame["world"].nunique())
    edges_hours = np.linspace(0.0, program.settings.horizon_ns / HOUR_NS, BINS + 1)
    projection = Projection(
        scenario, options.seed, options.engine, worlds, frame, by_time_usd, edges_hours, {}
    )
    summary = summarise(projection, interrupted)
    return Projection(
        scenario, options.seed, options.engine, worlds, frame, by_time_usd, edges_hours, summary
    )


def trace(scenario: Scenario, seed: int = 1, replication: int = 0) -> pd.DataFrame:
    """Return the ledger of the `replication`-th replication of a projection with this seed.

    Raises:
        UserError: the scenario cannot be simulated.
    """
    program = lower(scenario)
    plan = _plan(program, Options(seed=seed))
    outcome = simulate(program, seed, plan.world_of(replication), replication % plan.per_world)
    assert outcome.ledger is not None
    return outcome.ledger


def _require_sense(options: Options) -> None:
    counts = {"replications": options.replications, "worlds": options.worlds, "workers": options.workers}
    problems = [
        Problem(f"--{name} is {count}", remedy="write a whole number of at least 1")
        for name, count in counts.items()
        if count is not None and count < 1
    ]
    if options.precision is not None and not 0.0 < options.precision < 1.0:
        problems.append(Problem(f"--precision is {options.precision:g}", remedy="write a part such as 2%"))
    if not 0 <= options.seed < 1 << 63:
        problems.append(
            Problem(f"--seed is {options.seed}", remedy="write a whole number from 0 to 2^63 - 1")
        )
    if options.engine not in ENGINES:
        problems.append(
            Problem(f"engine {options.engine!r} does not exist", remedy=f"write one of {ENGINES}")
        )
    if problems:
        raise UserError(*problems)


def _plan(program: Program, options: Options) -> Plan:
    default = DEFAULT_REPLICATIONS if options.precision is None else MOST_FOR_PRECISION
    replications = options.replications or default
    if program.is_deterministic():
        return Plan(program, options.seed, 1, 1)
    if options.worlds is not None:
        return Plan(program, options.seed, replications, -(-replications // options.worlds))
    has_unknown = bool(np.isin(program.kinds, UNKNOWN_KINDS).any())
    return Plan(program, options.seed, replications, PER_WORLD if has_unknown else _ONE_WORLD)


def _run(
    plan: Plan, options: Options, progress: Callable[[int, int], None]
) -> tuple[list[BlockOfOutcomes], bool]:
    """Return the blocks that were simulated, and whether an interrupt ended that."""
    blocks: list[BlockOfOutcomes] = []
    done, next_look = 0, _FIRST_LOOK
    progress(0, plan.replications)
    try:
        for block in outcomes_in_order(plan, options.workers or cores()):
            blocks.append(block)
            done += len(block.worlds)
            progress(done, plan.replications)
            if options.precision is not None and done >= next_look:
                next_look += _LOOK_EVERY
                if _is_precise(_frame(blocks), options.precision):
                    break
    except KeyboardInterrupt:
        if not blocks:
            raise
        return blocks, True
    return blocks, False


def _frame(blocks: list[BlockOfOutcomes]) -> pd.DataFrame:
    totals = [total for block in blocks for total in block.totals]
    frame = pd.DataFrame(totals).astype(np.float64)
    frame.insert(0, "world", np.array([world for block in blocks for world in block.worlds], dtype=np.int64))
    return frame


def _is_precise(frame: pd.DataFrame, precision: float) -> bool:
    """Return whether the Monte-Carlo error of every figure of spend is below a part of that figure."""
    spend, worlds = frame[["spend_usd"]].to_numpy(), frame["world"].to_numpy()
    return bool((monte_carlo_errors(spend, worlds) <= precision * np.abs(statistics(spend))).all())
