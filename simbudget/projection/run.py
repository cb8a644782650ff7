"""Running a projection: replication after replication, until there are enough.

Precision is checked at fixed numbers of replications that are further and further apart, since each check costs a
bootstrap, and a single replication matters less and less.
"""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import fields
from typing import Final

import numpy as np
import pandas as pd

from simbudget.engine.laws.accounts import BINS, HOUR_NS
from simbudget.engine.lowering import lower
from simbudget.interrupts import showing
from simbudget.projection.aggregate import Aggregate
from simbudget.projection.blocks import SimulatedBlock
from simbudget.projection.executors import blocks_in_order
from simbudget.projection.months import Calendar
from simbudget.projection.projection import Projection
from simbudget.projection.schedule import Options, Schedule
from simbudget.projection.simulated import Simulated
from simbudget.projection.summary import summarise
from simbudget.scenario.scenario import Scenario

__all__ = ["Options", "project", "replications_of"]

_ENOUGH: Final = -1
"""In place of the number of replications at the next check: there is none."""

_FIRST_LOOK: Final = 40
"""Replications at the first check: fewer give no usable estimate of the error of p10 and p90."""
_LEAST_STEP: Final = 20
_STEP_PART: Final = 10
"""A check comes after a tenth more replications, which narrows the error by a twentieth, and at least 20 more."""


def project(
    scenario: Scenario,
    options: Options | None = None,
    progress: Callable[[int, int], None] | None = None,
    notes: Sequence[str] = (),
) -> Projection:
    """Return the projection of a scenario. An interrupt (Ctrl-C) gives the projection of what has been done.

    Args:
        scenario: what is projected.
        options: how; see `Options`.
        progress: called with the replications done and those to do.
        notes: what was to be said of the scenario when it was read; the projection says it too.

    Raises:
        UserError: an option makes no sense, or the scenario cannot be simulated.
        KeyboardInterrupt: interrupted before the first replication was done.
    """
    options = options or Options()
    options.require_sense()
    schedule = Schedule.of(lower(scenario), options)
    edges_hours = np.linspace(0.0, schedule.program.settings.horizon_ns / HOUR_NS, BINS + 1)
    aggregate = Aggregate(schedule.program, Calendar.of(scenario, edges_hours))
    interrupted = _run(schedule, options, aggregate, progress or (lambda done, total: None))
    simulated = Simulated(
        scenario=scenario,
        seed=options.seed,
        engine=schedule.engine,
        worlds=aggregate.worlds,
        statistics=aggregate.statistics(),
        replications=aggregate.frame(),
        spend_by_time_usd=aggregate.kept().spend_by_time_usd,
        bin_edges_hours=edges_hours,
        interrupted=interrupted,
    )
    summary, own_notes = summarise(simulated)
    values = {field.name: getattr(simulated, field.name) for field in fields(Simulated)}
    return Projection(**values, summary=summary, notes=(*own_notes, *notes))


def replications_of(scenario: Scenario, options: Options, first: int = 0) -> pd.DataFrame:
    """Return a scenario's replications from number `first` on, a row each, and nothing that follows from them.

    They are the rows that `project` has with the same options: what extends a comparison by a few replications
    does not repeat the earlier ones.

    Args:
        scenario: what is simulated.
        options: how; see `Options`.
        first: number of the first replication.

    Raises:
        UserError: an option makes no sense, or the scenario cannot be simulated.
        KeyboardInterrupt: interrupted.
    """
    options.require_sense()
    schedule = Schedule.of(lower(scenario), options)
    edges_hours = np.linspace(0.0, schedule.program.settings.horizon_ns / HOUR_NS, BINS + 1)
    aggregate = Aggregate(schedule.program, Calendar.of(scenario, edges_hours))
    with closing(blocks_in_order(schedule, options.workers, options.on, first)) as blocks:
        for block in blocks:
            aggregate.add(block)
    return aggregate.frame()


def _run(
    schedule: Schedule, options: Options, aggregate: Aggregate, progress: Callable[[int, int], None]
) -> bool:
    """Aggregate the schedule's replications until they are enough; return whether an interrupt ended that."""
    look = _FIRST_LOOK
    progress(0, schedule.replications)
    try:
        with closing(blocks_in_order(schedule, options.workers, options.on)) as blocks:
            for block in blocks:
                if options.precision is None:
                    aggregate.add(block)
                elif (look := _add_and_look(aggregate, block, look, options.precision)) == _ENOUGH:
                    break
                progress(aggregate.replications, schedule.replications)
    except KeyboardInterrupt:
        if not aggregate.replications:
            raise
        showing()
        return True
    return False


def _add_and_look(aggregate: Aggregate, block: SimulatedBlock, look: int, precision: float) -> int:
    """Aggregate a block, looking where it is due whether that is enough; return when to look next, or `_ENOUGH`.

    Looks are after numbers of replications that do not depend on the blocks, and nothing is added after the last.
    """
    first = 0
    while first < len(block):
        end = min(len(block), first + look - aggregate.replications)
        aggregate.add(block.part(first, end))
        first = end
        if aggregate.replications == look:
            if _is_precise(aggregate, precision):
                return _ENOUGH
            look = _next_look(look)
    return look


def _next_look(look: int) -> int:
    """Return the number of replications at the next check."""
    return look + max(_LEAST_STEP, look // _STEP_PART)


def _is_precise(aggregate: Aggregate, precision: float) -> bool:
    """Return whether the Monte-Carlo error of every figure of spend is at most this fraction of the figure."""
    spend = aggregate.statistics("spend_usd")
    return bool((spend.errors <= precision * np.abs(spend.values)).all())
