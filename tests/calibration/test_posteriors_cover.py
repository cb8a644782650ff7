"""Intervals of what is learnt hold the truth as often as they say, over random worlds.

An 80 % interval over `WORLDS` independent worlds covers binomially: with 200 of them a sound one falls outside 0.70
to 0.90 with probability below 0.001. The full study is benchmarks/synthetic_truth.py.
"""

import numpy as np
import numpy.typing as npt

from simbudget.calibration.observed.sessions import Session
from simbudget.calibration.observed.speeds import slope_of
from simbudget.calibration.posteriors.rates import pooled_rate
from simbudget.calibration.posteriors.runs_to_come import draw_scatter, pool
from simbudget.calibration.posteriors.survival import censored_lognormal

Floats = npt.NDArray[np.float64]

WORLDS = 200
LOW, HIGH = 0.70, 0.90
DRAWS = 200


def covers(sample: Floats, truth: float) -> bool:
    low, high = np.quantile(sample, (0.1, 0.9))
    return bool(low <= truth <= high)


def world(rng: np.random.Generator) -> tuple[float, float, float, list[Floats]]:
    """Return a true mean, scatter and difference between runs, and logarithms that runs show of them."""
    mean, scatter, between = rng.normal(5, 1), rng.uniform(0.4, 1.2), rng.uniform(0.0, 0.7)
    runs = rng.integers(4, 16)
    levels = mean + between * rng.standard_normal(runs)
    return (
        mean,
        scatter,
        between,
        [level + scatter * rng.standard_normal(rng.integers(8, 60)) for level in levels],
    )


def coverage_of_median(pooled: bool) -> float:
    rng = np.random.default_rng(1)
    held = []
    for _ in range(WORLDS):
        mean, _, _, runs = world(rng)
        seen = runs if pooled else np.array_split(rng.permutation(np.concatenate(runs)), len(runs))
        posterior, _ = pool(seen, DRAWS, rng)
        held.append(covers(posterior.draws[:, 0], mean))
    return float(np.mean(held))


def test_the_typical_value_lies_in_its_interval_as_often_as_it_says() -> None:
    assert LOW <= coverage_of_median(pooled=True) <= HIGH


def test_values_shuffled_between_runs_as_if_these_did_not_differ_give_intervals_that_are_too_narrow() -> None:
    assert coverage_of_median(pooled=False) < LOW


def test_totals_of_runs_to_come_lie_in_their_interval_as_often_as_it_says() -> None:
    rng = np.random.default_rng(2)
    held = []
    for _ in range(WORLDS):
        mean, scatter, between, runs = world(rng)
        posterior, _ = pool(runs, DRAWS, rng)
        levels, values = (5, 1), (5, 40)
        truth = np.exp(
            mean + between * rng.standard_normal(levels) + scatter * rng.standard_normal(values)
        ).sum()
        shape = (DRAWS, *values)
        drawn = posterior.sample(
            rng.standard_normal(shape), np.broadcast_to(rng.standard_normal((DRAWS, *levels)), shape)
        )
        held.append(covers(drawn.sum(axis=(1, 2)), truth))
    assert LOW <= float(np.mean(held)) <= HIGH


def coverage_of_durations(censored_is_known: bool) -> float:
    rng = np.random.default_rng(3)
    held = []
    for _ in range(WORLDS):
        mean, scatter = rng.normal(7, 1), rng.uniform(0.3, 0.9)
        durations = np.exp(mean + scatter * rng.standard_normal(120))
        seen_for = np.exp(mean - 0.2 + 0.5 * rng.standard_normal(120))
        censored = durations > seen_for
        values = np.minimum(durations, seen_for)
        if not censored_is_known:
            values, censored = values[~censored], censored[~censored]
        posterior, _ = censored_lognormal(
            [(values[k::10], censored[k::10]) for k in range(10)], DRAWS, rng, 0.1
        )
        held.append(covers(posterior.draws[:, 0], mean))
    return float(np.mean(held))


def test_jobs_that_still_ran_when_the_log_ended_do_not_bias_durations() -> None:
    assert LOW <= coverage_of_durations(censored_is_known=True) <= HIGH


def test_dropping_jobs_that_still_ran_makes_durations_too_short() -> None:
    assert coverage_of_durations(censored_is_known=False) < 0.5 * LOW


def test_rates_of_runs_that_differ_lie_in_their_interval_at_least_as_often_as_it_says() -> None:
    rng = np.random.default_rng(4)
    held = []
    for _ in range(WORLDS):
        rate = rng.uniform(0.05, 0.4)
        of_runs = rng.beta(30 * rate, 30 * (1 - rate), 12)
        tries = rng.integers(20, 80, 12)
        hits = rng.binomial(tries, of_runs)
        held.append(covers(pooled_rate(hits.astype(float), tries.astype(float), DRAWS, rng), rate))
    assert LOW <= float(np.mean(held)) <= HIGH


def coverage_of_scatter(freedom: int) -> float:
    rng = np.random.default_rng(5)
    held = []
    for _ in range(WORLDS):
        scatter = float(np.exp(rng.uniform(np.log(0.05), np.log(1.0))))
        values = scatter * rng.standard_normal(5)
        held.append(covers(draw_scatter(float(values.std(ddof=1)), freedom, DRAWS, rng), scatter))
    return float(np.mean(held))


def test_the_scatter_of_five_values_lies_in_its_interval_as_often_as_it_says_however_small_it_is() -> None:
    assert LOW <= coverage_of_scatter(freedom=4) <= HIGH


def test_the_scatter_of_five_values_taken_for_fifty_has_intervals_that_are_too_narrow() -> None:
    assert coverage_of_scatter(freedom=49) < LOW


def speeds(errors_known: bool) -> float:
    rng = np.random.default_rng(6)
    held = []
    for _ in range(WORLDS):
        seconds = float(rng.uniform(0.01, 0.05))
        output = np.round(np.exp(5.5 + 0.8 * rng.standard_normal(120)))
        duration_s = np.exp(0.8 + 0.7 * rng.standard_normal(120)) + seconds * output
        slope = slope_of([session(output, duration_s)])
        assert slope is not None
        error = slope.error if errors_known else 0.2 * slope.error
        held.append(covers(slope.seconds + error * slope.drawn(DRAWS, rng), seconds))
    return float(np.mean(held))


def session(output: Floats, duration_s: Floats) -> Session:
    nothing = np.zeros(len(output))
    arrays = dict.fromkeys(("uncached", "write", "read", "thinking", "list_cost_usd", "write_1h"), nothing)
    return Session(
        run=0,
        source="",
        project="",
        model="m",
        output=output,
        duration_s=duration_s,
        started_s=np.cumsum(duration_s),
        person_s=nothing,
        **arrays,
    )


def test_the_seconds_a_token_lie_in_their_interval_as_often_as_it_says() -> None:
    assert LOW <= speeds(errors_known=True) <= HIGH


def test_a_slope_that_is_believed_too_well_has_intervals_that_are_too_narrow() -> None:
    assert speeds(errors_known=False) < LOW


def test_a_run_of_short_calls_with_a_few_long_ones_does_not_make_everyones_calls_last_for_days() -> None:
    rng = np.random.default_rng(5)
    usual = [rng.lognormal(np.log(4.0), 0.5, 100) for _ in range(7)]
    odd = np.concatenate([np.full(95, 0.05), np.full(5, 300.0)])
    runs = [np.log(values) for values in (*usual, odd)]
    posterior, _ = pool(runs, 400, rng, has_levels=False)
    drawn_s = posterior.sample(rng.standard_normal((400, 2000)))
    observed_s = np.exp(np.concatenate(runs)).mean()
    assert 0.4 < drawn_s.mean() / observed_s < 2.5
    assert not posterior.draws[:, 2].any()
