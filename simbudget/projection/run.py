"""Running a projection: replication after replication, until there are enough."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd

from simbudget.engine.laws.money import BINS, HOUR_NS
from simbudget.engine.laws.worlds import UNKNOWN_KINDS
from simbudget.engine.lowering import lower
from simbudget.engine.program import Program
from simbudget.engine.reference import simulate
from simbudget.errors import Problem, UserError
from simbudget.projection.aggregate import Aggregate
from simbudget.projection.blocks import WORLD_EACH, Block, Plan
from simbudget.projection.engines import DEFAULT_ENGINE, FOR_OWN_STEPS, engine_named
from simbudget.projection.executors import blocks_in_order
from simbudget.projection.months import Calendar
from simbudget.projection.precision import FIRST_LOOK, is_precise, next_look
from simbudget.projection.projection import Projection
from simbudget.projection.summary import summarise
from simbudget.scenario.model import Scenario

DEFAULT_REPLICATIONS: Final = 100
MOST_FOR_PRECISION: Final = 10_000
"""Replications at most when a precision is asked for and no number."""

_ENOUGH: Final = -1
_TO_TELL_LUCK: Final = 2
"""Replications in each world where results are counted: two runs in a world tell luck from what is unknown."""


@dataclass(frozen=True)
class Options:
    """How a projection is made."""

    seed: int = 1
    replications: int | None = None
    """At most so many; by default `DEFAULT_REPLICATIONS`, and one where nothing is left to chance."""
    worlds: int | None = None
    """Over so many worlds; by default a world for each replication (for two where results are counted), and one where
    nothing is unknown."""
    workers: int | None = None
    """Threads or processes; by default one for each core. The result does not depend on it."""
    precision: float | None = None
    """Stop when the Monte-Carlo errors of spend are below this part of each of its figures."""
    engine: str = DEFAULT_ENGINE
    on: str | None = None
    """A Dask cluster in place of this machine's cores: `local:4`, or a scheduler such as `tcp://host:8786`."""


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
    plan = _plan(lower(scenario), options)
    edges_hours = np.linspace(0.0, plan.program.settings.horizon_ns / HOUR_NS, BINS + 1)
    aggregate = Aggregate(plan.program, Calendar.of(scenario, edges_hours))
    interrupted = _run(plan, options, aggregate, progress or (lambda done, total: None))
    projection = Projection(
        scenario=scenario,
        seed=options.seed,
        engine=plan.engine,
        worlds=aggregate.worlds,
        figures=aggregate.figures(),
        replications=aggregate.frame(),
        spend_by_time_usd=aggregate.kept().spend_by_time_usd,
        bin_edges_hours=edges_hours,
        summary={},
    )
    return replace(projection, summary=summarise(projection, interrupted))


def trace(scenario: Scenario, seed: int = 1, replication: int = 0) -> pd.DataFrame:
    """Return the ledger of the `replication`-th replication of a projection with this seed.

    Raises:
        UserError: the scenario cannot be simulated.
    """
    program = lower(scenario)
    worlds, replications = _plan(program, Options(seed=seed)).keys_of(range(replication, replication + 1))
    outcome = simulate(program, seed, int(worlds[0]), int(replications[0]))
    assert outcome.ledger is not None
    return _with_gates_named(outcome.ledger, program.gate_names)


def _with_gates_named(ledger: pd.DataFrame, names: tuple[str, ...]) -> pd.DataFrame:
    """Return a ledger whose tries at gates say at which."""
    tries = ledger["turn"].where(ledger["kind"] == "gate")
    named = tries.map(dict(enumerate(names))).where(tries.notna(), ledger["name"])
    return ledger.assign(name=pd.Categorical(named.to_list()))


def _require_sense(options: Options) -> None:
    engine_named(options.engine)
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
    if options.on is not None and options.workers is not None:
        problems.append(
            Problem("--on and --workers are given", remedy="a cluster has its own workers: leave one out")
        )
    if problems:
        raise UserError(*problems)


def _plan(program: Program, options: Options) -> Plan:
    default = DEFAULT_REPLICATIONS if options.precision is None else MOST_FOR_PRECISION
    replications = options.replications or default
    engine = FOR_OWN_STEPS if program.own_steps else options.engine
    if program.is_deterministic():
        return Plan(program, options.seed, 1, 1, engine)
    has_unknown = bool(np.isin(program.kinds, UNKNOWN_KINDS).any())
    worlds = options.worlds or (WORLD_EACH if has_unknown else 1)
    counts_results = program.research.is_on and len(program.gates) > 0
    in_a_row = _TO_TELL_LUCK if counts_results and has_unknown and options.worlds is None else 1
    return Plan(program, options.seed, replications, worlds, engine, in_a_row)


def _run(plan: Plan, options: Options, aggregate: Aggregate, progress: Callable[[int, int], None]) -> bool:
    """Aggregate the plan's replications until they are enough; return whether an interrupt ended that."""
    look = FIRST_LOOK
    progress(0, plan.replications)
    try:
        with closing(blocks_in_order(plan, options.workers, options.on)) as blocks:
            for block in blocks:
                if options.precision is None:
                    aggregate.add(block)
                elif (look := _add_and_look(aggregate, block, look, options.precision)) == _ENOUGH:
                    break
                progress(aggregate.replications, plan.replications)
    except KeyboardInterrupt:
        if not aggregate.replications:
            raise
        return True
    return False


def _add_and_look(aggregate: Aggregate, block: Block, look: int, precision: float) -> int:
    """Aggregate a block, looking where it is due whether that is enough; return when to look next, or `_ENOUGH`.

    Looks are after numbers of replications that do not depend on the blocks, and nothing is added after the last.
    """
    first = 0
    while first < len(block):
        end = min(len(block), first + look - aggregate.replications)
        aggregate.add(block.part(first, end))
        first = end
        if aggregate.replications == look:
            if is_precise(aggregate, precision):
                return _ENOUGH
            look = next_look(look)
    return look
