"""Calendar months: what the model's provider is paid in each, against the monthly cap of a usage tier."""

import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from simbudget.ledger.entry import COMPONENTS
from simbudget.prices.tiers import monthly_spend_cap_usd, smallest_tier_for
from simbudget.projection.projection import Projection

_TOKENS = COMPONENTS.index("tokens")
_LONGEST_MONTH_HOURS = 31 * 24.0


def check_spend_cap(projection: Projection) -> tuple[list[dict[str, Any]], list[str]]:
    """Return whether the usage tier allows the spend on tokens, as a limit, and notes about it.

    What counts is the p90 of the spend in the dearest calendar month. Where the scenario does not say on which
    date the run begins, the dearest 31 days in a row.
    """
    most_usd = float(np.quantile(dearest_month_usd(projection), 0.9))
    tier = projection.scenario.api.tier
    needed = smallest_tier_for(most_usd)
    if tier is None:
        return [], [_note(needed, most_usd)] if most_usd > 0 else []
    cap_usd = monthly_spend_cap_usd(tier)
    if cap_usd is None:
        return [], []
    holds = most_usd <= cap_usd
    limit = f"usage tier {tier}: tokens in a calendar month p90 <= ${cap_usd:,.0f}"
    notes = [] if holds else [f"{_note(needed, most_usd)}; tier {tier} ends at ${cap_usd:,.0f}"]
    return [{"limit": limit, "holds": holds, "value": most_usd}], notes


def _note(tier: str, most_usd: float) -> str:
    return f"tokens need usage tier {tier} (p90 ${most_usd:,.0f} in the dearest month)"


def dearest_month_usd(projection: Projection) -> npt.NDArray[np.float64]:
    """Return the [replications] spend on tokens in the dearest calendar month of each."""
    spend_usd = projection.spend_by_time_usd[:, _TOKENS, :]
    starts_hours = projection.bin_edges_hours[:-1]
    begins = projection.scenario.stop.begins_on
    if begins is not None:
        months = _months(begins, projection.scenario.stop.begins_s % 86_400, starts_hours)
        windows = [months == month for month in np.unique(months)]
    else:
        ends_hours = starts_hours + _LONGEST_MONTH_HOURS
        windows = [
            (starts_hours >= start) & (starts_hours < end)
            for start, end in zip(starts_hours, ends_hours, strict=True)
        ]
    dearest: npt.NDArray[np.float64] = np.array([spend_usd[:, w].sum(axis=1) for w in windows]).max(axis=0)
    return dearest


def _months(begins: datetime.date, begins_s: float, hours: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return the number of the calendar month in which each hour of the run falls."""
    midnight = datetime.datetime.combine(begins, datetime.time())
    instants = [midnight + datetime.timedelta(seconds=begins_s, hours=float(hour)) for hour in hours]
    return np.array([instant.year * 12 + instant.month for instant in instants], dtype=np.int64)
