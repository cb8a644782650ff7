"""Limits of a subscription: a window of some hours, and a week, each with a limit on use at list prices.

Both are held as arrays of [SPANS] numbers: their length (nanoseconds; 0: there is no such limit), the end of the
current one, its use so far and its allowance (US dollars). A span begins with the first call after the previous one
has ended.
"""

from typing import Final

from simbudget.compilation import compiled
from simbudget.engine.laws.draws import NANOSECOND, Floats, Integers
from simbudget.engine.laws.money import is_reached

SPANS: Final = 2
"""The window and the week."""

WEEK_NS: Final = 7 * 86_400 * NANOSECOND

MONTH_NS: Final = 30 * 86_400 * NANOSECOND
"""A month of a subscription's price."""


@compiled
def allowed_from_ns(
    lengths_ns: Integers, ends_ns: Integers, used_usd: Floats, allows_usd: Floats, now_ns: int
) -> int:
    """Return the first time, from `now_ns` on, at which neither the current window nor the current week is used up.

    Args:
        lengths_ns: [SPANS] lengths; 0 where there is no limit.
        ends_ns: [SPANS] ends of the current window and week.
        used_usd: [SPANS] use in them, at list prices.
        allows_usd: [SPANS] what they allow.
        now_ns: the current time, in nanoseconds.
    """
    from_ns = now_ns
    for span in range(SPANS):
        is_under_way = lengths_ns[span] > 0 and now_ns < ends_ns[span]
        if is_under_way and is_reached(allows_usd[span], used_usd[span]):
            from_ns = max(from_ns, ends_ns[span])
    return from_ns


@compiled
def use(lengths_ns: Integers, ends_ns: Integers, used_usd: Floats, cost_usd: float, now_ns: int) -> None:
    """Count a call that begins now, which begins a window or a week if the last one has ended.

    Args:
        lengths_ns: [SPANS] lengths; 0 where there is no limit.
        ends_ns: [SPANS] ends of the current window and week; is written.
        used_usd: [SPANS] use in them, at list prices; is written.
        cost_usd: cost of the call at list prices.
        now_ns: the current time, in nanoseconds.
    """
    for span in range(SPANS):
        if lengths_ns[span] > 0:
            if now_ns >= ends_ns[span]:
                ends_ns[span] = now_ns + lengths_ns[span]
                used_usd[span] = 0.0
            used_usd[span] += cost_usd
