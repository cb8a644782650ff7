"""Figures on tasks: attempts, tasks solved, and the cost of a task, of an attempt and of a solved task."""

from dataclasses import dataclass

import numpy as np

from simbudget.projection.research import Price
from simbudget.projection.simulated import Simulated
from simbudget.projection.statistics import Spread


@dataclass(frozen=True)
class PriceOfSolvedTask(Price):
    """Mean spend over the mean number of tasks solved, and its quantiles over worlds; None where none is solved."""

    p50: float | None


@dataclass(frozen=True)
class TaskFigures:
    """What comes of the tasks of a run."""

    count: int
    attempts: Spread
    """Those begun."""
    solved: Spread
    unsolved: Spread
    spend_per_task_usd: Spread
    """All spend of a run over its number of tasks."""
    spend_per_attempt_usd: Spread | None
    """All spend of a run over the attempts begun; None where there is none."""
    cost_per_solved_usd: PriceOfSolvedTask
    dearest_tenth_share: Spread | None
    """The share of the cost of attempts due to the most expensive tenth of the tasks; None if they cost nothing."""


def summarise_tasks(simulated: Simulated) -> TaskFigures | None:
    """Return what comes of the tasks; None where there are none.

    Args:
        simulated: the simulated replications.
    """
    tasks = simulated.scenario.tasks
    if tasks is None:
        return None
    return TaskFigures(
        count=tasks.count,
        attempts=_spread(simulated, "tasks_attempts"),
        solved=_spread(simulated, "tasks_solved"),
        unsolved=_spread(simulated, "tasks_unsolved"),
        spend_per_task_usd=_spread(simulated, "spend_per_task_usd"),
        spend_per_attempt_usd=simulated.spread("spend_per_attempt_usd"),
        cost_per_solved_usd=cost_per_solved(simulated),
        dearest_tenth_share=simulated.spread("dearest_tenth_share"),
    )


def cost_per_solved(simulated: Simulated) -> PriceOfSolvedTask:
    """Return mean spend over mean tasks solved: over all runs, and its p10, p50 and p90 over worlds.

    A mean of ratios would be infinite where a run solves nothing. Quantiles are order statistics, since those of
    worlds in which nothing is solved are infinite.

    Args:
        simulated: the simulated replications.
    """
    runs, statistics = simulated.replications, simulated.statistics
    sums = runs.groupby("world")[["spend_usd", "tasks_solved"]].sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        by_world = (sums["spend_usd"] / sums["tasks_solved"]).fillna(np.inf).to_numpy()
    solved = statistics.value("tasks_solved")
    estimate = statistics.value("spend_usd") / solved if solved > 0.0 else np.inf
    p10, p50, p90 = np.quantile(by_world, (0.1, 0.5, 0.9), method="nearest")
    return PriceOfSolvedTask(
        *(float(value) if np.isfinite(value) else None for value in (estimate, p10, p90, p50))
    )


def _spread(simulated: Simulated, column: str) -> Spread:
    found = simulated.spread(column)
    assert found is not None  # every run has the figure
    return found
