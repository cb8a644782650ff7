"""The limits of a scenario, held against a projection."""

from collections.abc import Sequence
from typing import Any, Final

from simbudget.projection.statistics import Figures
from simbudget.scenario.limits import Limit

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
}
_HOUR_S: Final = 3600.0


def check_limits(limits: Sequence[Limit], figures: Figures) -> list[dict[str, Any]]:
    """Return each limit as written, whether it holds, and the value that it is about."""
    return [_check(limit, figures) for limit in limits]


def _check(limit: Limit, figures: Figures) -> dict[str, Any]:
    value = _value(limit, figures)
    allowed = limit.value / _HOUR_S if limit.figure == "wall_clock" else limit.value
    holds = value <= allowed if limit.at_most else value >= allowed
    return {"limit": limit.text, "holds": bool(holds), "value": value}


def _value(limit: Limit, figures: Figures) -> float:
    if limit.figure == "probability_within_budget":
        return figures.within_budget
    return figures.value(_COLUMNS[limit.figure], limit.statistic)
