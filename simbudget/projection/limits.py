"""The limits of a scenario, checked against a projection."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from simbudget.projection.research import Price, Research
from simbudget.projection.statistics import Statistics
from simbudget.projection.tasks import TaskFigures
from simbudget.scenario.limits import NEEDS_RESEARCH, Limit
from simbudget.units import HOUR_S

_COLUMNS: Final = {
    "spend": "spend_usd",
    "wall_clock": "wall_clock_hours",
    "agent_hours": "agent_hours",
    "cost_per_agent_hour": "cost_per_agent_hour_usd",
    "overrun": "overrun_usd",
    "gpu_hours": "gpu_hours_billed",
    "model_calls": "model_calls",
    "cycles": "cycles",
    "experiments": "experiments",
    "scorer_calls": "scorer_calls",
    "transferable_results": "transferable_true",
    "tasks.attempts": "tasks_attempts",
    "tasks.solved": "tasks_solved",
    "tasks.unsolved": "tasks_unsolved",
    "tasks.spend_per_task": "spend_per_task_usd",
}


@dataclass(frozen=True)
class LimitCheck:
    """A limit checked against a projection."""

    limit: str
    """As written in the scenario."""
    holds: bool
    value: float | None
    """The projected value of its figure; None if infinite, such as the price of a result without any result."""


def check_limits(
    limits: Sequence[Limit],
    statistics: Statistics,
    research: Research | None,
    tasks: TaskFigures | None = None,
) -> list[LimitCheck]:
    """Return the check of each limit of a scenario.

    Args:
        limits: the limits.
        statistics: of all replications.
        research: figures on research; None if nothing is scored.
        tasks: figures on tasks; None without tasks.
    """
    return [_check(limit, statistics, research, tasks) for limit in limits]


def _check(
    limit: Limit, statistics: Statistics, research: Research | None, tasks: TaskFigures | None
) -> LimitCheck:
    value = _value(limit, statistics, research, tasks)
    allowed = limit.value / HOUR_S if limit.figure == "wall_clock" else limit.value
    holds = value <= allowed if limit.at_most else value >= allowed
    return LimitCheck(limit.text, bool(holds), value if math.isfinite(value) else None)


def _value(
    limit: Limit, statistics: Statistics, research: Research | None, tasks: TaskFigures | None
) -> float:
    if limit.figure == "probability_within_budget":
        return statistics.within_budget
    if limit.figure in NEEDS_RESEARCH and limit.figure not in _COLUMNS:
        assert research is not None  # checked when the scenario was read
        return _of_research(limit, research)
    if limit.figure == "tasks.cost_per_solved":
        assert tasks is not None  # likewise
        return _of_price(limit, tasks.cost_per_solved_usd)
    return statistics.value(_COLUMNS[limit.figure], limit.statistic)


def _of_research(limit: Limit, research: Research) -> float:
    """Return a probability, or the price of a transferable result: its estimate or a bound of its interval."""
    if limit.figure == "probability_of_any_transferable_result":
        return float(getattr(research, limit.figure))
    return _of_price(limit, research.cost_per_transferable_result_usd)


def _of_price(limit: Limit, price: Price | None) -> float:
    """Return the estimate of a price, or a bound of its interval; infinite if there is nothing to pay for."""
    value = getattr(price, limit.statistic if limit.statistic in ("p10", "p90") else "estimate")
    return math.inf if value is None else float(value)
