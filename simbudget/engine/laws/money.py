"""What time costs, and in which span of the run money is spent."""

from typing import Final

from simbudget.compilation import compiled
from simbudget.engine.laws.draws import Floats

BINS: Final = 96
"""Spans of equal length, from 0 to the horizon, for which a run's spending is kept."""

HOUR_NS: Final = 3.6e12

_A_MILLIONTH_USD: Final = 1e-6
"""A budget that is reached to within rounding is reached."""


@compiled
def time_cost_usd(usd_per_hour: float, units: float, duration_ns: float) -> float:
    """Return what so many units cost that are used for so long."""
    return usd_per_hour * (units * duration_ns / HOUR_NS)


@compiled
def accrued_usd(usd_per_hour: float, units: float, sum_of_starts_ns: float, reading_ns: float) -> float:
    """Return what units that are still running have cost, from the sum of the readings at their starts."""
    if units == 0.0:
        return 0.0
    return usd_per_hour * ((units * reading_ns - sum_of_starts_ns) / HOUR_NS)


@compiled
def is_reached(budget_usd: float, spent_and_accrued_usd: float) -> bool:
    """Return whether a budget is used up."""
    return spent_and_accrued_usd >= budget_usd - _A_MILLIONTH_USD


@compiled
def bin_of(at_ns: int, bin_ns: float) -> int:
    """Return the span of time that an instant falls into; the horizon falls into the last."""
    return min(int(at_ns / bin_ns), BINS - 1)


@compiled
def spread(spans_usd: Floats, cost_usd: float, started_ns: int, ended_ns: int, bin_ns: float) -> None:
    """Add money that accrued evenly from `started_ns` to `ended_ns` to the [BINS] spans of time."""
    first, last = bin_of(started_ns, bin_ns), bin_of(ended_ns, bin_ns)
    if ended_ns == started_ns:
        spans_usd[last] += cost_usd
        return
    duration_ns = float(ended_ns - started_ns)
    for span in range(first, last + 1):
        begins = max(span * bin_ns, float(started_ns))
        ends = float(ended_ns) if span == last else min((span + 1) * bin_ns, float(ended_ns))
        spans_usd[span] += cost_usd * (max(0.0, ends - begins) / duration_ns)
