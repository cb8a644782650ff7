"""Watching: what is conditioned on counts, intervals hold what they say, and a run past its limits is told."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from simbudget.errors import UserError
from simbudget.forecast.conditioning import conditioned, likeness
from simbudget.forecast.following import Look, looks
from simbudget.forecast.reference_runs import simulate_reference_runs
from simbudget.forecast.run_state import run_state_of
from simbudget.forecast.watch import Watching, watch
from simbudget.ledger.imported import ImportedLedger
from simbudget.projection.schedule import Options
from simbudget.projection.trace import trace
from simbudget.scenario.loading import loads_scenario
from tests.reporting.small import small

DAY_S = 86_400.0


def imported(entries: pd.DataFrame) -> ImportedLedger:
    runs = pd.DataFrame({"run": [0], "began_at": pd.to_datetime([None], utc=True)})
    return ImportedLedger(entries, runs)


@pytest.fixture(scope="module")
def ledger() -> pd.DataFrame:
    return trace(loads_scenario(small()).scenario, seed=77).ledger


def _coverage(use: bool) -> tuple[float, float]:
    """Return how often 80 % intervals held a rest that depends on an unknown rate, and how wide they were.

    A run's rate is lognormal; so far and rest are Poisson counts of it. The wrong twin looks at another run's start.
    """
    rng = np.random.default_rng(3)
    held, width = [], []
    for _ in range(300):
        rate = rng.lognormal(4.0, 0.8, 401)
        first, rest = rng.poisson(rate), rng.poisson(3 * rate)
        seen = first[-1] if use else first[0]
        like = likeness(first[:-1, np.newaxis].astype(float), np.array([float(seen)]))
        rows = rng.choice(400, 800, p=like.weights)
        low, middle, high = np.quantile(conditioned(rest[:-1].astype(float), like)[rows], (0.1, 0.5, 0.9))
        held.append(low <= rest[-1] <= high)
        width.append((high - low) / middle)
    return float(np.mean(held)), float(np.mean(width))


def test_eighty_percent_intervals_hold_eighty_percent():
    held, width = _coverage(use=True)
    assert abs(held - 0.8) < 4 * np.sqrt(0.8 * 0.2 / 300)
    assert width < 0.8  # before the run it is exp(2 * 1.28 * 0.8) - 1 and more


def test_looking_at_the_wrong_run_does_not():
    held, _ = _coverage(use=False)
    assert held < 0.5


def test_a_run_beyond_what_was_expected_is_a_surprise_and_widens():
    rng = np.random.default_rng(1)
    first = rng.lognormal(0.0, 0.3, (300, 1))
    usual, far = likeness(first, np.array([1.0])), likeness(first, np.array([50.0]))
    assert usual.widening == 1.0 and usual.surprise > 0.5
    assert far.widening > 2.0 and far.surprise == 0.0


def test_a_shorter_course_is_the_beginning_of_a_longer_one():
    runs = simulate_reference_runs(
        loads_scenario(small()).scenario, [], DAY_S / 2, Options(replications=20), lambda done, total: None
    )
    half = np.searchsorted(runs.hours, 12.0)
    spent = runs.spent_usd[:, half]
    so_far = runs.so_far["spend_usd"] - runs.so_far["spend_gates_usd"]
    late_jobs = 2 * 3.0  # jobs are entered when they end, and what they accrued counts at the cut
    assert runs.hours[half] == pytest.approx(12.0)
    assert ((so_far - spent) > -1e-6).all() and ((so_far - spent) < late_jobs).all()
    assert (runs.halfway["model_calls"] <= runs.so_far["model_calls"]).all()
    assert (runs.so_far["model_calls"] <= runs.whole["model_calls"]).all()


def test_what_is_known_is_the_ledgers(ledger):
    state = run_state_of(imported(ledger), DAY_S / 2)
    ended = ledger[ledger["started_s"] + ledger["duration_s"] <= DAY_S / 2]
    assert state.paid_usd["tokens"] == pytest.approx(
        ended.loc[ended["component"] == "tokens", "cost_usd"].sum()
    )
    assert state.so_far["experiments"] == ((ended["kind"] == "experiment") & (ended["outcome"] == "ok")).sum()
    assert state.elapsed_s == DAY_S / 2


def test_a_call_under_way_is_not_spent_at_its_worst_case_before_it_has_ended(ledger: pd.DataFrame) -> None:
    settled = run_state_of(imported(ledger), DAY_S / 2)
    begun = (
        ledger[ledger["kind"] == "call"]
        .tail(1)
        .assign(started_s=DAY_S / 2 - 1.0, duration_s=np.nan, output_tokens=np.nan, cost_usd=7.0)
    )
    begun["outcome"] = "open"
    entries = pd.concat([ledger.astype({"outcome": str, "output_tokens": float}), begun], ignore_index=True)
    state = run_state_of(imported(entries), DAY_S / 2)
    assert state.paid_usd["tokens"] == settled.paid_usd["tokens"]
    assert state.so_far["model_calls"] == settled.so_far["model_calls"]
    assert [note for note in state.notes if "under way (calls or jobs: 1)" in note]


def test_later_looks_are_sharper_and_the_first_is_sharper_than_the_plan(ledger):
    loaded = loads_scenario(small())
    widths = []
    for part in (0.25, 0.5, 0.9):
        outlook = watch(loaded, run_state_of(imported(ledger), part * DAY_S), Watching(runs=200))
        widths.append(outlook.spend_usd["p90"] - outlook.spend_usd["p10"])
        before = outlook.spend_before_usd["p90"] - outlook.spend_before_usd["p10"]
    assert before > widths[0] > widths[2]
    truth = ledger["cost_usd"].sum()
    assert outlook.spend_usd["p50"] == pytest.approx(truth, rel=0.05)
    assert any(each.narrower > 0.3 for each in outlook.learnt)


def test_a_budget_that_will_be_passed_is_told_with_the_hour(ledger):
    spent = ledger["cost_usd"].sum()
    tight = loads_scenario(small(budget=f"${0.6 * spent:.0f}"))
    outlook = watch(tight, run_state_of(imported(ledger), DAY_S / 4), Watching(runs=200))
    assert not outlook.is_on_track
    paid = ledger.assign(paid_s=ledger["started_s"] + ledger["duration_s"]).sort_values("paid_s")
    reached_s = paid.loc[paid["cost_usd"].cumsum() >= 0.6 * spent, "paid_s"].iloc[0]
    met = outlook.budget_met_hours
    assert 0.9 * met["p10"] <= reached_s / 3600.0 <= 1.1 * met["p90"]
    assert met["p90"] - met["p10"] < 6.0
    assert watch(
        loads_scenario(small()), run_state_of(imported(ledger), DAY_S / 4), Watching(runs=200)
    ).is_on_track


def test_without_a_budget_a_run_that_spends_more_than_its_plan_is_off_track(ledger):
    text = small().replace(", budget: $5000", "").replace("limits: [spend p90 <= $5000]\n", "")
    loaded = loads_scenario(text)
    dear = ledger.assign(cost_usd=3.0 * ledger["cost_usd"])
    outlook = watch(loaded, run_state_of(imported(dear), DAY_S / 4), Watching(runs=200))
    assert outlook.budget_usd is None and not outlook.limits
    assert outlook.spent_usd["p50"] > outlook.expected_by_now_usd["p90"]
    assert not outlook.is_on_track
    assert outlook.answer().startswith("Off track: ")
    assert "projected before the run" in outlook.answer()


def test_a_worthless_result_says_stop_and_a_precious_one_does_not(ledger):
    loaded, state = loads_scenario(small()), run_state_of(imported(ledger), DAY_S / 4)
    poor = watch(loaded, state, Watching(runs=100, worth_usd=0.01)).worthwhile
    rich = watch(loaded, state, Watching(runs=100, worth_usd=1e9)).worthwhile
    assert poor.stop_at_hours == pytest.approx(6.0)
    assert rich.stop_at_hours > 6.0
    assert poor.next_hour_brings_usd < poor.next_hour_costs_usd


def test_worth_without_a_gate_is_a_mistake(ledger):
    text = "\n".join(line for line in small().splitlines() if not line.startswith("gates"))
    with pytest.raises(UserError, match="no gate"):
        watch(loads_scenario(text), run_state_of(imported(ledger)), Watching(runs=50, worth_usd=1.0))


def test_a_run_in_which_nothing_happened_is_a_mistake(ledger):
    with pytest.raises(UserError, match="nothing has happened"):
        run_state_of(imported(ledger.iloc[:0]))


def test_a_growing_log_is_followed_to_the_planned_end(ledger, tmp_path: Path):
    path = tmp_path / "ledger.csv"
    ends = (ledger["started_s"] + ledger["duration_s"]).to_numpy()
    parts = [0.3, 0.3, 0.6, 1.0]

    def write(_: float) -> None:
        if len(parts) == 1:
            last = ledger.iloc[[-1]].assign(started_s=DAY_S, duration_s=0.0)
            pd.concat([ledger, last]).to_csv(path, index=False)
        else:
            ledger[ends <= parts[0] * DAY_S].to_csv(path, index=False)
        parts.pop(0)

    write(0.0)
    found = list(looks(Look(loads_scenario(small()), [path], None, Watching(runs=60)), 1.0, write))
    hours = [round(each.elapsed_hours) for each in found]
    assert hours[0] == 7 and hours[-1] >= 24 and sorted(hours) == hours


def test_the_command_says_so_in_its_exit_status(ledger, tmp_path: Path):
    path = tmp_path / "ledger.parquet"
    ledger.to_parquet(path, index=False)
    spent = ledger["cost_usd"].sum()
    scenario = tmp_path / "scenario.yaml"
    scenario.write_text(small(budget=f"${0.5 * spent:.0f}"), encoding="utf-8")
    command = [sys.executable, "-m", "simbudget", "watch", str(path), "--scenario", str(scenario)]
    command += ["--elapsed", "8 h", "--runs", "60", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 1, done.stderr
    told = json.loads(done.stdout)
    assert told["on_track"] is False
    assert told["verdict"].startswith("Off track")
