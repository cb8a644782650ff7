"""The limits of a scenario, held against a projection."""

import math
from collections.abc import Sequence
from typing import Any, Final

from simbudget.projection.statistics import Figures
from simbudget.scenario.limits import NEEDS_RESEARCH, Limit

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
}
_HOUR_S: Final = 3600.0


def check_limits(
    limits: Sequence[Limit], figures: Figures, research: dict[str, Any] | None
) -> list[dict[str, Any]]:
    """Return each limit as written, whether it holds, and the value that it is about; None for an infinite one.

    `research` is the summary's.
    """
    return [_check(limit, figures, research) for limit in limits]


def _check(limit: Limit, figures: Figures, research: dict[str, Any] | None) -> dict[str, Any]:
    value = _value(limit, figures, research)
    allowed = limit.value / _HOUR_S if limit.figure == "wall_clock" else limit.value
    holds = value <= allowed if limit.at_most else value >= allowed
    return {"limit": limit.text, "holds": bool(holds), "value": value if math.isfinite(value) else None}


def _value(limit: Limit, figures: Figures, research: dict[str, Any] | None) -> float:
    if limit.figure == "probability_within_budget":
        return figures.within_budget
    if limit.figure in NEEDS_RESEARCH and limit.figure not in _COLUMNS:
        assert research is not None  # checked when the scenario was read
        return _of_research(limit, research)
    return figures.value(_COLUMNS[limit.figure], limit.statistic)


def _of_research(limit: Limit, research: dict[str, Any]) -> float:
    """Return a probability, or what a transferable result costs: the estimate, or an end of its interval."""
    if limit.figure == "probability_of_any_transferable_result":
        return float(research[limit.figure])
    price = research["cost_per_transferable_result_usd"]
    value = price[limit.statistic if limit.statistic in ("p10", "p90") else "estimate"]
    return math.inf if value is None else float(value)
