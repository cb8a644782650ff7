"""The laws of buckets, caches, office hours and prices at their edges."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from simbudget.engine.laws.calls import (
    NEVER,
    back_off_ns,
    call_cost_usd,
    limited_input_tokens,
    split_tokens,
)
from simbudget.engine.laws.hours import closes_ns, is_open, open_ns, opens_ns
from simbudget.engine.laws.provider import call_starts_ns, level_at, take

SECOND = 1_000_000_000
HOUR = 3600 * SECOND
OFFICE = np.array([9 * HOUR, 17 * HOUR, 1, 1, 1, 1, 1, 0, 0])


def buckets(requests: float, tokens_in: float, tokens_out: float) -> np.ndarray:
    limits = np.array([requests, tokens_in, tokens_out])
    return np.column_stack([limits, limits, np.zeros(3)])


@given(
    st.lists(
        st.tuples(st.integers(0, 5000), st.integers(0, 5000), st.integers(0, 90)), min_size=1, max_size=30
    )
)
def test_no_minute_lets_through_more_than_two_buckets(calls: list[tuple[int, int, int]]) -> None:
    """A bucket of one minute's worth and a minute's refill bound what any minute sees, but for one in debt."""
    state, now, let_through = buckets(60, 3000, 2000), 0, []
    for tokens_in, tokens_out, pause_s in calls:
        context = np.array([tokens_in, 0, -1, -1])
        starts, _ = call_starts_ns(state, context, 0, NEVER, tokens_out, now + pause_s * SECOND)
        assert starts >= now
        now = starts
        take(state, tokens_in, tokens_out, now)
        let_through.append((now, tokens_in))
        assert level_at(state[1], now) <= 3000
    for start, _ in let_through:
        minute = [tokens for at, tokens in let_through if start <= at < start + 60 * SECOND]
        assert sum(minute) <= 2 * 3000 + max(minute)


def test_a_call_whose_cache_is_lost_while_it_waits_counts_as_a_whole() -> None:
    state = buckets(0, 60_000, 0)
    take(state, 60_000, 0, 0)
    # 1,000 a second: the 10,000 new tokens would be paid after 10 s, when the cache has died: 50,000 then.
    context = np.array([50_000, 40_000, -295 * SECOND, 300 * SECOND])
    assert call_starts_ns(state, context, 0, NEVER, 0, 0)[0] == 50 * SECOND


def test_back_offs_double_up_to_eight_seconds() -> None:
    assert [back_off_ns(failures) / SECOND for failures in range(1, 8)] == [0.5, 1, 2, 4, 8, 8, 8]


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.sampled_from([-1, 300 * SECOND]))
def test_token_classes_add_up_to_context_and_output(cached: int, more: int, life: int) -> None:
    tokens = np.zeros(4, dtype=np.int64)
    split_tokens(tokens, cached + more, cached, life, 7)
    assert tokens.sum() == cached + more + 7
    assert limited_input_tokens(tokens) == (cached + more if life < 0 else more)


def test_the_long_tier_begins_above_its_threshold() -> None:
    prices = np.array([1000.0, 1, 1, 1, 1, 2, 2, 2, 2])
    assert call_cost_usd(prices, np.array([400, 300, 300, 100])) == 1100 / 1e6
    assert call_cost_usd(prices, np.array([400, 301, 300, 100])) == 2 * 1101 / 1e6


@given(st.integers(0, 14 * 24 * HOUR), st.integers(0, 14 * 24 * HOUR))
def test_open_hours_add_up(start: int, length: int) -> None:
    end, walked, at = start + length, 0, start
    while at < end:
        opens = opens_ns(OFFICE, at)
        assert is_open(OFFICE, opens)
        closes = closes_ns(OFFICE, opens)
        assert not is_open(OFFICE, closes)
        walked += max(0, min(closes, end) - min(opens, end))
        at = closes
    assert open_ns(OFFICE, start, end) == walked
