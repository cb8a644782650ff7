"""Conditioning on a real run: intervals hold what they say for runs that were not simulated, whatever their number."""

from dataclasses import replace

import numpy as np
import pytest

from simbudget.arrays import Floats
from simbudget.forecast.conditioning import Likeness, conditioned, likeness

CASES = 50


def world(rng: np.random.Generator, runs: int) -> tuple[Floats, Floats]:
    """Return [runs, statistics] and [runs] outcomes that depend on them neither linearly nor with an even scatter."""
    unknown = rng.standard_normal((runs, 3))
    statistics = np.exp(np.repeat(unknown, 2, axis=1) + 0.3 * rng.standard_normal((runs, 6)))
    noise = 0.3 * np.exp(0.5 * unknown[:, 0]) * rng.standard_normal(runs)
    return statistics, np.exp(unknown[:, 0] * unknown[:, 1] + unknown[:, 2] + noise)


def held(values: Floats, like: Likeness, truth: float) -> bool:
    order = np.argsort(values)
    reach = like.weights[order].cumsum()
    low, high = values[order][np.searchsorted(reach, (0.1, 0.9))]
    return bool(low <= truth <= high)


@pytest.mark.parametrize("runs", [100, 300])
def test_eighty_percent_intervals_hold_four_in_five_runs_that_were_not_simulated(runs: int) -> None:
    """|z| < 4 of a true 80 %; the twin, whose scatter is a third, fails the same check."""
    rng = np.random.default_rng(3)
    right, wrong = [], []
    for _ in range(CASES):
        statistics, outcomes = world(rng, runs + 1)
        like = likeness(statistics[1:], statistics[0])
        values = conditioned(outcomes[1:], like)
        logs = np.log(np.maximum(values, 1e-6))
        middle = np.median(logs)
        right.append(held(values, like, outcomes[0]))
        wrong.append(held(np.exp(middle + (logs - middle) / 3.0), like, outcomes[0]))
    error = np.sqrt(0.8 * 0.2 / CASES)
    assert abs(np.mean(right) - 0.8) < 4.0 * error
    assert abs(np.mean(wrong) - 0.8) > 4.0 * error


def test_a_scatter_that_would_hold_too_few_trials_is_widened() -> None:
    statistics, outcomes = world(np.random.default_rng(5), 301)
    like = likeness(statistics[1:], statistics[0])
    trials = tuple((row, replace(beside, widening=0.5)) for row, beside in like.trials)
    narrow = replace(like, trials=trials)
    unchecked = conditioned(outcomes[1:], replace(narrow, trials=()))
    checked = conditioned(outcomes[1:], narrow)
    spread = [
        np.ptp(np.quantile(np.log(np.maximum(values, 1e-6))[like.weights > 0], (0.4, 0.6)))
        for values in (unchecked, checked)
    ]
    assert spread[1] > 1.2 * spread[0]


def test_trials_as_typical_as_the_run_count_most() -> None:
    statistics, outcomes = world(np.random.default_rng(5), 301)
    like = likeness(statistics[1:], statistics[0])
    trials = tuple(
        (row, replace(beside, widening=0.4 if beside.surprise < 0.3 else 1.0)) for row, beside in like.trials
    )
    spread = [
        np.ptp(
            conditioned(outcomes[1:], replace(like, trials=trials, surprise=surprise))[like.weights > 0],
        )
        for surprise in (0.05, 0.9)
    ]
    assert spread[0] > 1.5 * spread[1]


def test_no_trial_is_forecast_from_itself() -> None:
    statistics, _ = world(np.random.default_rng(6), 200)
    like = likeness(statistics[1:], statistics[0])
    assert like.trials
    assert all(beside.weights[row] == 0.0 for row, beside in like.trials)
