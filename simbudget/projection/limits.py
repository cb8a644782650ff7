"""The limits of a scenario, held against a projection."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from simbudget.projection.economics import cost_per_result
from simbudget.projection.statistics import STATISTICS, statistics
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
    "transferable_results": "transferable_true",
}
_HOUR_S: Final = 3600.0


def check_limits(
    limits: Sequence[Limit], frame: pd.DataFrame, budget_usd: float | None
) -> list[dict[str, Any]]:
    """Return each limit as written, whether it holds, and the value that it is about."""
    return [_check(limit, frame, budget_usd) for limit in limits]


def _check(limit: Limit, frame: pd.DataFrame, budget_usd: float | None) -> dict[str, Any]:
    value = _value(limit, frame, budget_usd)
    allowed = limit.value / _HOUR_S if limit.figure == "wall_clock" else limit.value
    holds = value <= allowed if limit.at_most else value >= allowed
    return {"limit": limit.text, "holds": bool(holds), "value": value if np.isfinite(value) else None}


def _value(limit: Limit, frame: pd.DataFrame, budget_usd: float | None) -> float:
    if limit.figure == "probability_within_budget":
        assert budget_usd is not None  # checked when the scenario was read
        return float((frame["spend_usd"] <= budget_usd).mean())
    if limit.figure == "probability_of_any_transferable_result":
        return float((frame["transferable_true"] > 0).mean())
    if limit.figure == "cost_per_transferable_result":
        return _price(limit.statistic, frame)
    column = frame[[_COLUMNS[limit.figure]]].to_numpy()
    return float(statistics(column)[STATISTICS.index(limit.statistic), 0])


def _price(statistic: str, frame: pd.DataFrame) -> float:
    """Return what a transferable result costs: the estimate, or an end of its interval; infinite for none."""
    columns = (frame[name].to_numpy() for name in ("spend_usd", "transferable_true", "world"))
    price = cost_per_result(*columns)
    return {"p10": price.p10, "p90": price.p90}.get(statistic, price.estimate)
