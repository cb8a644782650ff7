"""What a subscription allows: a window of some hours, and a week, each with a limit on use at list prices.

Both are held as arrays of [SPANS] numbers: how long they last (nanoseconds; 0: there is no such limit), when the one
under way ends, what has been used in it (US dollars), and what it allows. A span begins with the first call after the
last one has ended.
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
    """Return the first time, from `now_ns` on, at which neither the window nor the week under way is used up."""
    from_ns = now_ns
    for span in range(SPANS):
        is_under_way = lengths_ns[span] > 0 and now_ns < ends_ns[span]
        if is_under_way and is_reached(allows_usd[span], used_usd[span]):
            from_ns = max(from_ns, ends_ns[span])
    return from_ns


@compiled
def use(lengths_ns: Integers, ends_ns: Integers, used_usd: Floats, cost_usd: float, now_ns: int) -> None:
    """Count a call that begins now; it begins a window or a week where none is under way."""
    for span in range(SPANS):
        if lengths_ns[span] > 0:
            if now_ns >= ends_ns[span]:
                ends_ns[span] = now_ns + lengths_ns[span]
                used_usd[span] = 0.0
            used_usd[span] += cost_usd
