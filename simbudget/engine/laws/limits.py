"""What an agent has used, and the limits of an agent or of an attempt at a task."""

import math
from typing import Final

from simbudget.compilation import compiled
from simbudget.engine.laws.draws import Floats, nanoseconds
from simbudget.engine.laws.money import HOUR_NS, is_reached

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
    """Write the [USES] limits that hold in this world; a quantity of -1 is no limit."""
    limits[TIME_NS] = float(nanoseconds(rows[time, 1])) if time >= 0 else UNLIMITED
    limits[SPENT_USD] = rows[spend, 1] if spend >= 0 else UNLIMITED
    limits[USED_TOKENS] = rows[tokens, 1] if tokens >= 0 else UNLIMITED
    limits[TURNS] = rows[turns, 1] if turns >= 0 else UNLIMITED


@compiled
def count_call(account: Floats, cost_usd: float, tokens: int, is_turn: bool) -> None:
    """Note a call that begins, with its tokens of all classes; a turn's call counts the turn."""
    account[SPENT_USD] += cost_usd
    account[USED_TOKENS] += float(tokens)
    if is_turn:
        account[TURNS] += 1.0


@compiled
def begin_to_cost(account: Floats, usd_per_hour: float, now_ns: int) -> None:
    """Let something cost an agent money by the hour from now on."""
    account[RUNNING] += 1.0
    account[USD_PER_HOUR] += usd_per_hour
    account[STARTS] += usd_per_hour * float(now_ns)


@compiled
def cease_to_cost(account: Floats, usd_per_hour: float, started_ns: int, cost_usd: float) -> None:
    """Stop a charge by the hour that began at `started_ns`, and book the `cost_usd` that it came to."""
    account[SPENT_USD] += cost_usd
    account[RUNNING] -= 1.0
    account[USD_PER_HOUR] -= usd_per_hour
    account[STARTS] -= usd_per_hour * float(started_ns)
    if account[RUNNING] == 0.0:  # what rounding has left is nothing
        account[USD_PER_HOUR] = account[STARTS] = 0.0


@compiled
def spent_by_now(account: Floats, now_ns: int) -> float:
    """Return what an agent has spent, what accrues included, in US dollars."""
    if account[RUNNING] == 0.0:
        return account[SPENT_USD]
    return account[SPENT_USD] + (account[USD_PER_HOUR] * float(now_ns) - account[STARTS]) / HOUR_NS


@compiled
def mark(account: Floats, now_ns: int, marks: Floats) -> None:
    """Note in the [USES] marks what has been used by now, from which limits are counted; time is not among them."""
    marks[SPENT_USD] = spent_by_now(account, now_ns)
    marks[USED_TOKENS] = account[USED_TOKENS]
    marks[TURNS] = account[TURNS]


@compiled
def is_at_limit(account: Floats, marks: Floats, limits: Floats, now_ns: int, elapsed_ns: int) -> bool:
    """Return whether the time elapsed, or what has been used since the marks, is at or past one of the limits."""
    return (
        float(elapsed_ns) >= limits[TIME_NS]
        or account[USED_TOKENS] - marks[USED_TOKENS] >= limits[USED_TOKENS]
        or account[TURNS] - marks[TURNS] >= limits[TURNS]
        or is_reached(limits[SPENT_USD], spent_by_now(account, now_ns) - marks[SPENT_USD])
    )
