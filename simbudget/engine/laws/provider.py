"""What a provider allows: token buckets for rate limits, and the window and week of a subscription."""

import math
from typing import Final

from simbudget.compilation import compiled
from simbudget.engine.laws.accounts import is_reached
from simbudget.engine.laws.calls import cache_lives
from simbudget.engine.laws.draws import NANOSECOND, Floats, Integers

REQUESTS: Final = 0
INPUT: Final = 1
OUTPUT: Final = 2
BUCKETS: Final = 3

_MINUTE_NS: Final = 60e9
_ROUNDING: Final = 1e-9
"""Part of a bucket that rounding may take: less than this missing is nothing missing."""


@compiled
def level_at(bucket: Floats, now_ns: int) -> float:
    """Return how much a bucket holds at `now_ns`.

    Args:
        bucket: [3] capacity, level and the time of that level in nanoseconds.
        now_ns: the current time, in nanoseconds.
    """
    return min(bucket[0], bucket[1] + bucket[0] * ((now_ns - bucket[2]) / _MINUTE_NS))


@compiled
def pays_from_ns(bucket: Floats, amount: float, now_ns: int) -> int:
    """Return the first time, from `now_ns` on, at which a bucket can pay for `amount`.

    Args:
        bucket: [3] capacity, level and the time of that level.
        amount: requests or tokens.
        now_ns: the current time, in nanoseconds.
    """
    if bucket[0] == 0.0:
        return now_ns
    missing = min(amount, bucket[0]) - level_at(bucket, now_ns)
    # The level at a computed start may fall short of the amount by a rounding error, and would never reach it.
    if missing <= bucket[0] * _ROUNDING:
        return now_ns
    return now_ns + int(math.ceil(missing / bucket[0] * _MINUTE_NS))


@compiled
def all_pay_from_ns(buckets: Floats, input_tokens: int, output_tokens: int, now_ns: int) -> tuple[int, int]:
    """Return the first time (ns) at which every bucket can pay for a call, and the bucket that decides it.

    Args:
        buckets: [BUCKETS, 3] capacity, level and the time of that level, for each bucket.
        input_tokens: input tokens that count against the limit.
        output_tokens: output tokens, including thinking.
        now_ns: the current time, in nanoseconds.
    """
    start_ns, last = pays_from_ns(buckets[REQUESTS], 1.0, now_ns), REQUESTS
    from_ns = pays_from_ns(buckets[INPUT], float(input_tokens), now_ns)
    if from_ns > start_ns:
        start_ns, last = from_ns, INPUT
    from_ns = pays_from_ns(buckets[OUTPUT], float(output_tokens), now_ns)
    if from_ns > start_ns:
        start_ns, last = from_ns, OUTPUT
    return start_ns, last


@compiled
def call_starts_ns(
    buckets: Floats,
    context: Integers,
    prefix_tokens: int,
    prefix_began_ns: int,
    output_tokens: int,
    now_ns: int,
) -> tuple[int, int]:
    """Return when the call at the head of the queue can start (ns), and the bucket that it waits for.

    Only what is not read from the cache counts as input. A call that waits until its cache has expired counts in full,
    except for the shared prefix.

    Args:
        buckets: [BUCKETS, 3] capacity, level and the time of that level, for each bucket.
        context: [4] tokens of the context, tokens of its last call, the start of that call and the life of the cache
            (ns).
        prefix_tokens: tokens that the context shares with others.
        prefix_began_ns: the start of the last call with that prefix.
        output_tokens: output tokens, including thinking.
        now_ns: the current time, in nanoseconds.
    """
    tokens, sent, began_ns, life_ns = context[0], context[1], context[2], context[3]
    if cache_lives(began_ns, now_ns, life_ns):
        start_ns, last = all_pay_from_ns(buckets, tokens - sent, output_tokens, now_ns)
        if cache_lives(began_ns, start_ns, life_ns):
            return start_ns, last
    if prefix_tokens > 0 and cache_lives(prefix_began_ns, now_ns, life_ns):
        start_ns, last = all_pay_from_ns(buckets, tokens - min(prefix_tokens, tokens), output_tokens, now_ns)
        if cache_lives(prefix_began_ns, start_ns, life_ns):
            return start_ns, last
    return all_pay_from_ns(buckets, tokens, output_tokens, now_ns)


@compiled
def take(buckets: Floats, input_tokens: int, output_tokens: int, now_ns: int) -> None:
    """Take the use of a call that starts now out of the buckets.

    Args:
        buckets: [BUCKETS, 3] capacity, level and the time of that level, for each bucket.
        input_tokens: input tokens that count against the limit.
        output_tokens: output tokens, including thinking.
        now_ns: the current time, in nanoseconds.
    """
    _take(buckets[REQUESTS], 1.0, now_ns)
    _take(buckets[INPUT], float(input_tokens), now_ns)
    _take(buckets[OUTPUT], float(output_tokens), now_ns)


@compiled
def _take(bucket: Floats, amount: float, now_ns: int) -> None:
    bucket[1] = level_at(bucket, now_ns) - amount
    bucket[2] = float(now_ns)


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
