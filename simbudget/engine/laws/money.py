"""Costs of time in use, and how spending is spread over the run."""

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
    """Return the cost of units in use for some time, in US dollars.

    Args:
        usd_per_hour: price of one unit, in $/h.
        units: number of units.
        duration_ns: time in use, in nanoseconds.
    """
    return usd_per_hour * (units * duration_ns / HOUR_NS)


@compiled
def accrued_usd(usd_per_hour: float, units: float, sum_of_starts_ns: float, reading_ns: float) -> float:
    """Return the cost so far of units that are still in use, in US dollars.

    Args:
        usd_per_hour: price of one unit, in $/h.
        units: number of units in use.
        sum_of_starts_ns: sum over the units of the time at which each began, in nanoseconds.
        reading_ns: the current time. n units have been in use for n × reading - sum of starts together, so that no
            list of them is needed.
    """
    if units == 0.0:
        return 0.0
    return usd_per_hour * ((units * reading_ns - sum_of_starts_ns) / HOUR_NS)


@compiled
def is_reached(budget_usd: float, spent_and_accrued_usd: float) -> bool:
    """Return whether a budget is used up, to within a millionth of a dollar."""
    return spent_and_accrued_usd >= budget_usd - _A_MILLIONTH_USD


@compiled
def bin_of(at_ns: int, bin_ns: float) -> int:
    """Return the index of the span that contains an instant; the horizon belongs to the last span."""
    return min(int(at_ns / bin_ns), BINS - 1)


@compiled
def spread(spans_usd: Floats, cost_usd: float, started_ns: int, ended_ns: int, bin_ns: float) -> None:
    """Add money that accrued evenly over some time to the spans of the run.

    Args:
        spans_usd: [BINS] is added to.
        cost_usd: the money.
        started_ns: when it began to accrue.
        ended_ns: when it ended; at the same instant all of it goes to one span.
        bin_ns: length of a span, in nanoseconds.
    """
    first, last = bin_of(started_ns, bin_ns), bin_of(ended_ns, bin_ns)
    if ended_ns == started_ns:
        spans_usd[last] += cost_usd
        return
    duration_ns = float(ended_ns - started_ns)
    for span in range(first, last + 1):
        begins = max(span * bin_ns, float(started_ns))
        ends = float(ended_ns) if span == last else min((span + 1) * bin_ns, float(ended_ns))
        spans_usd[span] += cost_usd * (max(0.0, ends - begins) / duration_ns)
