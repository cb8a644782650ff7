"""Further runs are like those that are known: totals by their mean, single runs as they differ."""

import numpy as np
import pandas as pd
import pytest

from simbudget.forecast.new_runs import NEW_RUNS, SPLITS, across_runs
from simbudget.forecast.whole_runs import further_runs, run_totals
from simbudget.ledger.frame import DTYPES
from simbudget.ledger.imported import ImportedLedger
from tests.calibration.logs import runs_table


def summed_ledger(runs: int, seed: int = 1) -> ImportedLedger:
    """Return a ledger with one entry a run: what a whole run took and cost, heavy tails in it."""
    rng = np.random.default_rng(seed)
    cost = rng.lognormal(-2.0, 1.0, runs)
    columns = {
        "run": np.arange(runs),
        "kind": "calls",
        "calls": rng.integers(2, 60, runs),
        "output_tokens": (cost * 20_000).round(),
        "cost_usd": cost,
        "list_cost_usd": np.nan,
        "duration_s": np.where(np.arange(runs) < runs // 2, cost * 300.0, np.nan),
    }
    frame = pd.DataFrame({name: columns.get(name, pd.NA) for name in DTYPES}, index=range(runs))
    frame = frame.astype({name: kind for name, kind in DTYPES.items() if name in columns})
    return ImportedLedger(frame, runs_table(runs))


def test_each_run_has_its_totals_and_not_what_the_log_does_not_say() -> None:
    ledger = summed_ledger(20)
    totals = run_totals(ledger)
    assert len(totals) == 20
    assert totals["cost_usd"].sum() == pytest.approx(ledger.entries["cost_usd"].sum())
    assert totals["input_tokens"].isna().all()
    assert totals["wall_time_s"].notna().sum() == 10


def test_every_split_is_forecast_as_a_total_and_run_by_run() -> None:
    found = list(across_runs(summed_ledger(60), 0.2, 100, 1))
    costs = [case for case in found if case.quantity == "total_cost_usd"]
    assert len(costs) == SPLITS
    assert sum(case.quantity == "cost_usd" for case in found) == NEW_RUNS * SPLITS
    assert all(case.truth < summed_ledger(60).entries["cost_usd"].sum() for case in costs)


def test_nine_runs_are_too_few_for_a_backtest() -> None:
    assert not list(across_runs(summed_ledger(9), 0.2, 100, 1))


def test_many_further_runs_have_the_mean_of_the_known_ones() -> None:
    known = np.random.default_rng(2).lognormal(0.0, 1.2, 200)
    found = further_runs({"cost_usd": known}, 100, 2000, np.random.default_rng(3))
    assert found.all["cost_usd"].mean() / 100 == pytest.approx(known.mean(), rel=0.08)


def coverage_of_totals(known: int, narrow: float = 1.0, cases: int = 120) -> float:
    """Return how often the 80 % interval of a total of 80 runs held it."""
    held = []
    for case in range(cases):
        rng = np.random.default_rng(case)
        runs = rng.lognormal(0.0, 0.8, known + 80)
        every = further_runs({"cost_usd": runs[:known]}, 80, 200, rng).all["cost_usd"]
        low, middle, high = np.quantile(every, (0.1, 0.5, 0.9))
        low, high = middle - narrow * (middle - low), middle + narrow * (high - middle)
        held.append(low <= runs[known:].sum() <= high)
    return float(np.mean(held))


@pytest.mark.parametrize("known", [10, 50])
def test_totals_are_held_about_four_times_in_five(known: int) -> None:
    """120 cases: a true 80 % is seen as 68 to 92 % but once in a thousand."""
    assert 0.68 <= coverage_of_totals(known) <= 0.93


def test_half_as_wide_they_would_not_be_held() -> None:
    assert coverage_of_totals(50, narrow=0.5) < 0.65


def test_whole_projects_are_drawn_so_that_two_of_them_say_less_than_forty_runs() -> None:
    rng = np.random.default_rng(5)
    costs = np.concatenate([rng.lognormal(0.0, 0.2, 20), rng.lognormal(2.0, 0.2, 20)])
    widths = []
    for groups in ([], ["a"] * 20 + ["b"] * 20):
        found = further_runs({"cost_usd": costs}, 40, 1000, np.random.default_rng(1), groups)
        widths.append(np.ptp(np.quantile(np.log(found.all["cost_usd"]), (0.1, 0.9))))
    assert 1.3 * widths[0] < widths[1]


def test_two_runs_that_agree_give_no_narrow_interval() -> None:
    found = further_runs({"calls": np.array([470.0, 476.0])}, 1, 2000, np.random.default_rng(1))
    low, high = np.quantile(found.all["calls"], (0.1, 0.9))
    assert high > 2.5 * low


def test_twenty_runs_that_agree_do() -> None:
    found = further_runs({"calls": np.linspace(470.0, 476.0, 20)}, 1, 2000, np.random.default_rng(1))
    low, high = np.quantile(found.all["calls"], (0.1, 0.9))
    assert high < 1.1 * low


def test_calls_that_a_log_does_not_count_are_left_out() -> None:
    ledger = summed_ledger(20)
    ledger.entries["calls"] = pd.array([pd.NA] * 20, dtype="Int64")
    assert run_totals(ledger)["calls"].isna().all()


def test_runs_with_a_known_cost_and_no_calls_have_totals() -> None:
    ledger = summed_ledger(20)
    jobs = ledger.entries.assign(kind="experiment", component="tokens")
    totals = run_totals(ImportedLedger(jobs, ledger.runs))
    assert totals["cost_usd"].sum() == pytest.approx(jobs["cost_usd"].sum())
    assert totals["calls"].isna().all()
