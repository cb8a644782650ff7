"""Money: costs that accrue, the budget, spending by time, and what one agent has used and may use."""

import math
from typing import Final

from simbudget.compilation import compiled
from simbudget.engine.laws.draws import Floats, nanoseconds
from simbudget.ledger.entry import COMPONENTS

# What money is spent on.
TOKENS: Final = COMPONENTS.index("tokens")
GPU: Final = COMPONENTS.index("gpu")
SCORER: Final = COMPONENTS.index("scorer")
SANDBOX: Final = COMPONENTS.index("sandbox")
REVIEW: Final = COMPONENTS.index("review")
GATES: Final = COMPONENTS.index("gates")
STAFF: Final = COMPONENTS.index("staff")
FIXED: Final = COMPONENTS.index("fixed")

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
    """Return whether a budget is used up, to within a millionth of a dollar.

    Args:
        budget_usd: the budget, in US dollars.
        spent_and_accrued_usd: what has been spent and has accrued, in US dollars.
    """
    return spent_and_accrued_usd >= budget_usd - _A_MILLIONTH_USD


@compiled
def bin_of(at_ns: int, bin_ns: float) -> int:
    """Return the index of the span that contains an instant; the horizon belongs to the last span.

    Args:
        at_ns: the instant, in nanoseconds.
        bin_ns: length of a span, in nanoseconds.
    """
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


# Places of what has been used, and of limits.
TIME_NS: Final = 0
SPENT_USD: Final = 1
USED_TOKENS: Final = 2
TURNS: Final = 3
USES: Final = 4

# Further places of an agent's account: what costs it money by the hour.
RUNNING: Final = 4  # how many things do
USD_PER_HOUR: Final = 5  # of all of them
STARTS: Final = 6  # the sum of price times start, in $/h × ns
ACCOUNT: Final = 7

UNLIMITED: Final = math.inf


@compiled
def settle_limits(rows: Floats, time: int, spend: int, tokens: int, turns: int, limits: Floats) -> None:
    """Write the limits that hold in this world.

    Args:
        rows: [quantities, 8] the world's quantities; see `laws.draws`.
        time: the row of the limit on time, or -1.
        spend: the row of the limit on spending, or -1.
        tokens: the row of the limit on tokens, or -1.
        turns: the row of the limit on turns, or -1.
        limits: [USES] is written: nanoseconds, US dollars, tokens, turns; infinite where there is no limit.
    """
    limits[TIME_NS] = float(nanoseconds(rows[time, 1])) if time >= 0 else UNLIMITED
    limits[SPENT_USD] = rows[spend, 1] if spend >= 0 else UNLIMITED
    limits[USED_TOKENS] = rows[tokens, 1] if tokens >= 0 else UNLIMITED
    limits[TURNS] = rows[turns, 1] if turns >= 0 else UNLIMITED


@compiled
def count_call(account: Floats, cost_usd: float, tokens: int, is_turn: bool) -> None:
    """Count a call that begins, with its tokens of all classes; the call of a turn also counts as a turn.

    Args:
        account: [ACCOUNT] use and running charges of one agent.
        cost_usd: cost of the call.
        tokens: tokens of all classes together.
        is_turn: whether it is the call of a turn.
    """
    account[SPENT_USD] += cost_usd
    account[USED_TOKENS] += float(tokens)
    if is_turn:
        account[TURNS] += 1.0


@compiled
def begin_to_cost(account: Floats, usd_per_hour: float, now_ns: int) -> None:
    """Start a charge by the hour to an agent's account.

    Args:
        account: [ACCOUNT] use and running charges of one agent.
        usd_per_hour: price in $/h.
        now_ns: the current time, in nanoseconds.
    """
    account[RUNNING] += 1.0
    account[USD_PER_HOUR] += usd_per_hour
    account[STARTS] += usd_per_hour * float(now_ns)


@compiled
def cease_to_cost(account: Floats, usd_per_hour: float, started_ns: int, cost_usd: float) -> None:
    """Stop a charge by the hour, and book its total.

    Args:
        account: [ACCOUNT] use and running charges of one agent.
        usd_per_hour: price in $/h, as at its start.
        started_ns: its start, in nanoseconds.
        cost_usd: its total.
    """
    account[SPENT_USD] += cost_usd
    account[RUNNING] -= 1.0
    account[USD_PER_HOUR] -= usd_per_hour
    account[STARTS] -= usd_per_hour * float(started_ns)
    if account[RUNNING] == 0.0:  # clear what rounding has left
        account[USD_PER_HOUR] = account[STARTS] = 0.0


@compiled
def spent_by_now(account: Floats, now_ns: int) -> float:
    """Return what an agent has spent in US dollars, including charges that are still accruing.

    Args:
        account: [ACCOUNT] the agent's account.
        now_ns: the current time, in nanoseconds.
    """
    if account[RUNNING] == 0.0:
        return account[SPENT_USD]
    return account[SPENT_USD] + (account[USD_PER_HOUR] * float(now_ns) - account[STARTS]) / HOUR_NS


@compiled
def mark(account: Floats, now_ns: int, marks: Floats) -> None:
    """Write the current use into the marks, from which the limits of an attempt are counted.

    Args:
        account: [ACCOUNT] use and running charges of one agent.
        now_ns: the current time, in nanoseconds.
        marks: [USES] is written, except for the time, which callers count themselves.
    """
    marks[SPENT_USD] = spent_by_now(account, now_ns)
    marks[USED_TOKENS] = account[USED_TOKENS]
    marks[TURNS] = account[TURNS]


@compiled
def is_at_limit(account: Floats, marks: Floats, limits: Floats, now_ns: int, elapsed_ns: int) -> bool:
    """Return whether one of the limits is reached.

    Args:
        account: [ACCOUNT] use and running charges of one agent.
        marks: [USES] use at the start of the attempt.
        limits: [USES] the limits; infinite where there is none.
        now_ns: the current time, in nanoseconds.
        elapsed_ns: time since the start of the agent or the attempt, in nanoseconds.
    """
    return (
        float(elapsed_ns) >= limits[TIME_NS]
        or account[USED_TOKENS] - marks[USED_TOKENS] >= limits[USED_TOKENS]
        or account[TURNS] - marks[TURNS] >= limits[TURNS]
        or is_reached(limits[SPENT_USD], spent_by_now(account, now_ns) - marks[SPENT_USD])
    )
