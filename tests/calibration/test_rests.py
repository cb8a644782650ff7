"""What the beginning of a session and other sessions say of its rest holds, over simulated sessions.

An 80 % interval over 200 independent cases covers binomially: a sound one falls outside 0.70 to 0.90 with probability
below 0.001.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from simbudget.calibration.observed.caches import (
    FIVE_MINUTES,
    ONE_HOUR,
    Misses,
    cache_life,
    misses_of,
    remaining_rate,
)
from simbudget.calibration.observed.limits import compaction_limit, limit_draws
from simbudget.calibration.observed.session_prices import fitted_rates
from simbudget.calibration.observed.sessions import Session
from simbudget.calibration.posteriors.openings import ages_of, learnt_opening
from simbudget.forecast import counts as rest_counts
from simbudget.forecast.counts import Usual, count_history, remaining_counts

Floats = npt.NDArray[np.float64]

CASES = 200
LOW, HIGH = 0.70, 0.90
WORLDS = 100
USUAL = Usual(6.5, 0.5)


def session(
    context: Sequence[float] | Floats,
    read: Sequence[float] | Floats = (),
    apart_s: float = 30.0,
    source: str = "claude-code",
    write_1h: float = 0.0,
) -> Session:
    """Return a session whose calls sent so much, and found so much of it in the cache: all that was sent before."""
    context = np.asarray(context, np.float64)
    read = np.asarray(
        read if len(read) else np.append(0.0, np.minimum(context[:-1], context[1:])), np.float64
    )
    zeros = np.zeros(len(context))
    return Session(
        run=0,
        source=source,
        project="p",
        model="m",
        uncached=zeros,
        write=context - read,
        read=read,
        output=zeros,
        thinking=zeros,
        duration_s=zeros + 1.0,
        started_s=np.arange(len(context)) * apart_s,
        list_cost_usd=zeros,
        write_1h=zeros + write_1h,
        person_s=zeros,
    )


def bursty(rng: np.random.Generator, level: float) -> Floats:
    """Return counts of one run: three times as large or as small for about eight in a row."""
    length = int(rng.integers(20, 90))
    bursts = np.repeat(rng.normal(0, 0.8, length), rng.integers(1, 16, length))[:length]
    return np.asarray(np.exp(6 + level + bursts + 0.7 * rng.standard_normal(length)))


def coverage_of_totals() -> float:
    rng = np.random.default_rng(1)
    held = []
    for _ in range(CASES):
        *others, run = (bursty(rng, 0.2 * rng.standard_normal()) for _ in range(21))
        first = int(np.ceil(0.2 * len(run)))
        posterior = remaining_counts(
            USUAL, count_history(others, 0.2), run[:first], len(run) - first, WORLDS, rng
        )
        totals = posterior.sample(rng.standard_normal((WORLDS, len(run) - first))).sum(axis=1)
        low, high = np.quantile(totals, (0.1, 0.9))
        held.append(low <= run[first:].sum() <= high)
    return float(np.mean(held))


def test_totals_of_rests_lie_in_their_intervals_as_often_as_these_say_though_calls_come_in_bursts() -> None:
    assert LOW <= coverage_of_totals() <= HIGH


def test_intervals_are_too_narrow_if_calls_are_taken_for_independent(monkeypatch: pytest.MonkeyPatch) -> None:
    def independent(
        left_over: Floats, counts: Floats, worlds: int, rng: np.random.Generator
    ) -> tuple[Floats, Floats]:
        return np.full(worlds, 0.04), np.zeros(worlds)

    monkeypatch.setattr(rest_counts, "_draw_variances", independent)
    assert coverage_of_totals() < LOW


def test_without_other_runs_the_beginning_is_what_is_known_and_that_is_little() -> None:
    rng = np.random.default_rng(2)
    begun = np.exp(rng.normal(6, 0.7, 20))
    alone = remaining_counts(USUAL, count_history([], 0.2, begun), begun, 80, 400, rng)
    others = count_history([np.exp(rng.normal(6, 0.7, 100)) for _ in range(30)], 0.2)
    with_others = remaining_counts(USUAL, others, begun, 80, 400, rng)
    assert alone.draws[:, 0].std() > 1.5 * with_others.draws[:, 0].std()


def test_a_rest_of_nothing_stays_nothing() -> None:
    rng = np.random.default_rng(2)
    posterior = remaining_counts(USUAL, count_history([np.zeros(30)] * 9, 0.2), np.zeros(8), 30, 50, rng)
    assert np.median(posterior.sample(rng.standard_normal((50, 30)))) < 3


def growing(rng: np.random.Generator, times: float, turns: float) -> tuple[Floats, Floats]:
    ages = np.arange(float(rng.integers(20, 120)))
    level = np.exp(rng.normal(7, 0.4))
    return level * (1 + (times - 1) * np.exp(-ages / turns)) * rng.gamma(0.8, 1.25, len(ages)), ages


@pytest.mark.parametrize(("times", "turns"), [(8.0, 3.0), (4.0, 8.0), (1.0, 4.0)])
def test_the_opening_of_many_sessions_is_learnt(times: float, turns: float) -> None:
    rng = np.random.default_rng(3)
    values, ages = zip(*(growing(rng, times, turns) for _ in range(150)), strict=True)
    found = learnt_opening(values, ages)
    assert found.times == pytest.approx(times, rel=0.35)
    assert times == 1.0 or found.turns == pytest.approx(turns, rel=0.35)


def test_sessions_whose_turns_are_shuffled_show_no_opening() -> None:
    rng = np.random.default_rng(3)
    values, ages = zip(*(growing(rng, 8.0, 3.0) for _ in range(150)), strict=True)
    assert learnt_opening([rng.permutation(v) for v in values], ages).times <= 1.5


def test_a_context_is_as_old_as_the_turns_since_it_was_compacted() -> None:
    compacts = np.array([False, False, True, False, False])
    assert ages_of(compacts).tolist() == [0, 1, 2, 0, 1]
    assert ages_of(np.zeros(0, dtype=bool)).tolist() == []


FULL = session([40e3, 100e3, 155e3, 50e3, 90e3])
CLEARED = session([40e3, 45e3, 20e3, 60e3])


def test_the_limit_is_where_contexts_were_full_not_where_one_was_cleared() -> None:
    assert compaction_limit([FULL, FULL, CLEARED]) == (155e3, 2)
    assert compaction_limit([session([40e3, 90e3])]) == (None, 0)


def test_the_limit_of_a_session_lies_beyond_what_it_has_reached() -> None:
    rng = np.random.default_rng(5)
    drawn = limit_draws(
        [FULL] * 5 + [session([40e3, 120e3, 180e3, 50e3])] * 5, session([30e3, 160e3]), 200, rng
    )
    assert drawn.min() > 160e3
    assert np.median(drawn) == 180e3


def test_a_limit_that_none_has_reached_is_beyond_the_largest_context_and_hardly_known() -> None:
    drawn = limit_draws([session([9e3, 250e3])], session([9e3, 30e3]), 500, np.random.default_rng(5))
    full = drawn[drawn >= 250e3]
    assert len(full) > 0.8 * len(drawn)  # the others: contexts that were cleared before they were full
    assert drawn.min() >= 30e3
    assert np.quantile(full, 0.9) > 1.5 * np.quantile(full, 0.1)


def test_contexts_are_cleared_before_they_are_full_as_often_as_others_were() -> None:
    cleared = [session([40e3, 100e3, 155e3, 50e3, 90e3, 30e3])] * 10 + [FULL] * 10
    begun, rng = session([30e3, 80e3]), np.random.default_rng(5)
    early, seldom = (
        (limit_draws(others, begun, 2000, rng) < 150e3).mean() for others in (cleared, [FULL] * 20)
    )
    assert 0.3 < early < 0.5
    assert seldom < 0.05


def test_a_call_that_finds_a_part_of_its_cache_misses_by_the_rest() -> None:
    context = np.arange(1.0, 12.0) * 10e3
    read = np.append(0.0, context[:-1])
    read[[6, 8]] = 0.0, 40e3  # of 60,000 and of 80,000 sent before
    found = misses_of(session(context, read), FIVE_MINUTES)
    assert found.calls == 7  # ten pairs, of which the first three are a session's warming up
    assert found.missed == pytest.approx(1.5)
    assert misses_of(session(context, read, apart_s=400.0), FIVE_MINUTES).calls == 0


def test_a_cache_that_is_found_after_ten_minutes_lives_for_an_hour() -> None:
    context = np.arange(1.0, 12.0) * 10e3
    lost = np.zeros(11)
    assert cache_life([], session(context, apart_s=600.0)) == ONE_HOUR
    assert cache_life([], session(context, lost, apart_s=600.0)) == FIVE_MINUTES
    assert cache_life([], session(context, apart_s=30.0)) == FIVE_MINUTES
    assert cache_life([], session(context, lost, apart_s=600.0, write_1h=1e6)) == ONE_HOUR


def coverage_of_misses(pooled: bool) -> float:
    rng = np.random.default_rng(4)
    held = []
    for _ in range(CASES):
        rates = rng.beta(1.0, 6.0, 31)
        others = [Misses(40.0, float(rng.binomial(40, rate))) for rate in rates[1:]]
        if not pooled:
            others = [Misses(40.0, float(np.mean([of.missed for of in others])))] * 30
        begun = Misses(10.0, float(rng.binomial(10, rates[0])))
        missed = rng.binomial(60, remaining_rate(0.1, others, begun, 400, rng))
        low, high = np.quantile(missed, (0.1, 0.9))
        held.append(low <= rng.binomial(60, rates[0]) <= high)
    return float(np.mean(held))


def test_misses_in_rests_lie_in_their_intervals_as_often_as_these_say() -> None:
    assert (
        LOW <= coverage_of_misses(pooled=True) <= HIGH + 0.03
    )  # whole numbers: intervals hold a little more


def test_they_do_not_if_sessions_are_taken_to_miss_alike() -> None:
    assert coverage_of_misses(pooled=False) < LOW


def priced(rng: np.random.Generator, growth: float) -> Session:
    """Return a session at $0.30 a million tokens read, $3 written and $15 put out, its prices not told."""
    context = 20_000.0 + np.cumsum(rng.uniform(0.0, 2.0 * growth, 40))
    read = np.append(0.0, context[:-1])
    output = np.exp(rng.normal(6.0, 1.0, 40))
    cost_usd = (0.3 * read + 3.0 * (context - read) + 15.0 * output) / 1e6
    return replace(session(context, read), output=output, list_cost_usd=cost_usd)


def test_prices_of_an_unlisted_model_are_learnt_from_several_sessions() -> None:
    rng = np.random.default_rng(6)
    found = fitted_rates([priced(rng, growth) for growth in (300.0, 1000.0, 3000.0)])
    assert found.read == pytest.approx(0.3, rel=0.1)
    assert found.new == pytest.approx(3.0, rel=0.1)
    assert found.output == pytest.approx(15.0, rel=0.15)


def test_no_price_is_believed_that_no_listed_model_asks() -> None:
    few = replace(priced(np.random.default_rng(7), 300.0), list_cost_usd=np.full(40, 20.0))
    found = fitted_rates([few])
    assert (found.read, found.new, found.output) <= (15.0, 150.0, 600.0)
