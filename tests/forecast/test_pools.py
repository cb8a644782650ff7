"""What is pooled and when: the mean call so far, other sessions, and the time that is given."""

from dataclasses import replace

import numpy as np
import pytest
import scoringrules

from simbudget.calibration.observed.sessions import Session
from simbudget.forecast.backtest import SEEN, Plan, forecasts_of
from simbudget.forecast.calls_left import calls_to_come
from simbudget.forecast.past_runs import Library
from simbudget.forecast.remaining_run import Horizon, remaining_session
from simbudget.forecast.scores import log_crps
from tests.forecast.test_forecast import growing, ledger_of


def steady(run: int, call_s: float, usd: float, calls: int = 60) -> Session:
    """Return a session whose calls all take as long and cost as much, one after the other."""
    session = growing(run, np.random.default_rng(run), calls)
    return replace(
        session,
        duration_s=np.full(calls, call_s),
        started_s=np.arange(calls) * call_s,
        list_cost_usd=np.full(calls, usd),
    )


def median_cost_usd(begun: Session, others: list[Session]) -> float:
    found = remaining_session(begun, Library(others), Horizon(calls=40), 400, 1)
    return float(np.median(found["cost_usd"]))


def test_the_mean_call_so_far_counts_the_less_the_more_sessions_are_known() -> None:
    """All others cost a cent a call, and this one five: the forecast moves from its own pace to theirs."""
    begun = steady(99, 5.0, 0.05).part(0, 20)
    few, many = ([steady(run, 5.0, 0.01) for run in range(count)] for count in (1, 40))
    assert 0.01 * 40 < median_cost_usd(begun, many) < median_cost_usd(begun, few) <= 0.06 * 40


def test_a_run_of_which_only_the_time_is_known_spends_it_as_it_did() -> None:
    """Calls follow each other at once, so that the model works all the time, however many calls fit in."""
    others = [steady(run, float(seconds), 0.01) for run, seconds in enumerate(np.linspace(2.0, 20.0, 20))]
    begun = steady(99, 5.0, 0.01).part(0, 20)
    found = remaining_session(begun, Library(others), Horizon(seconds=600.0), 400, 1)
    assert "wall_time_s" not in found
    assert "active_time_s" not in found  # nobody is waited for, so it is the time that was given
    low, high = np.quantile(found["model_time_s"], (0.1, 0.9))
    assert low > 300.0
    assert high <= 600.0


def coverage_of_calls_left(first_of: dict[str, float], runs: int = 600) -> float:
    """Return how often 80 % intervals hold, of runs of geometric length, cut after calls or a share of them."""
    rng = np.random.default_rng(4)
    lengths = rng.geometric(1 / 30, runs).astype(float)
    held = []
    for run, length in enumerate(lengths):
        first = int(first_of.get("calls", first_of.get("share", 0.0) * length))
        if not 3 <= first < length:
            continue
        low, high = np.quantile(calls_to_come(first, np.delete(lengths, run), 300, rng), (0.1, 0.9))
        held.append(low <= length - first <= high)
    return float(np.mean(held))


def test_calls_left_are_calibrated_after_a_number_of_calls_and_cannot_be_after_a_share() -> None:
    """After a fifth of its calls a run always makes four times as many, which an honest forecast does not know."""
    assert 0.75 <= coverage_of_calls_left({"calls": 10}) <= 0.88
    assert not 0.75 <= coverage_of_calls_left({"share": 0.2}) <= 0.88


def test_runs_of_unknown_length_are_forecast_after_numbers_of_calls() -> None:
    rng = np.random.default_rng(2)
    runs = [growing(run, rng, calls) for run, calls in enumerate((6, 11, 12, 25, 30, 50, 90, 200))]
    found = list(forecasts_of(ledger_of(runs), Plan(by="unknown", replications=30)))
    calls = [case for case in found if case.quantity == "calls"]
    assert sorted(case.truth for case in calls) == sorted(
        len(run) - first for run in runs for first in SEEN if first < len(run)
    )
    assert [case.truth for case in calls if "known_runs" not in case.naive] == [
        40.0
    ]  # 160 of 200: none is longer


@pytest.mark.parametrize(
    ("uncached", "known"),
    [
        ([2972.0] * 9 + [2.0], False),  # what was read from the cache is left out: contexts do not grow
        (list(np.arange(10) * 900.0 + 3000.0), True),
        (list(np.random.default_rng(1).integers(2000, 4000, 10).astype(float)), True),
    ],
)
def test_contexts_that_do_not_grow_are_not_known_if_no_log_names_the_cache(
    uncached: list[float], known: bool
) -> None:
    nothing = np.full(10, np.nan)
    session = growing(0, np.random.default_rng(1), 10)
    session = replace(session, uncached=np.array(uncached), write=nothing, read=nothing)
    assert session.knows_input is known
    assert session.part(0, 4).knows_input is known


def test_the_crps_of_logarithms_is_that_of_the_sample_of_logarithms() -> None:
    sample = np.exp(np.random.default_rng(1).standard_normal(400))
    theirs = scoringrules.crps_ensemble(0.7, np.log(sample), estimator="qd", backend="numpy")
    assert log_crps(sample, float(np.exp(0.7))) == pytest.approx(float(theirs), rel=0.01)
    assert log_crps(sample * 1000.0, float(np.exp(0.7)) * 1000.0) == pytest.approx(
        log_crps(sample, float(np.exp(0.7)))
    )
