"""What holds of jobs side by side in every run: each is counted once, none is forgotten, and nobody waits for ever."""

from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simbudget.engine.reference import simulate
from simbudget.errors import UserError
from simbudget.ledger.entry import COMPONENTS
from simbudget.scenario.scenario import Scenario
from simbudget.testing import scenarios, tied_scenarios
from tests.running import scenario

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
quick = settings(max_examples=60, deadline=None, suppress_health_check=SLOW, derandomize=True)


def played(which: Scenario, seed: int) -> tuple[dict[str, float], pd.DataFrame]:
    outcome = simulate(which, seed)
    assert outcome.ledger is not None
    return outcome.totals, outcome.ledger


def holds_of_jobs(totals: dict[str, float], ledger: pd.DataFrame) -> None:
    """Check that what was counted of jobs is what their entries say."""
    jobs = ledger[ledger["kind"] == "experiment"]
    assert (jobs["outcome"] == "ok").sum() == totals["experiments"]
    # A job that was broken off has one entry that says so, unless it was only about to ask anew.
    broken_off = jobs["outcome"].isin(["cut", "unserved"]).sum()
    assert totals["experiments"] <= totals["jobs"]
    assert (
        broken_off
        <= totals["jobs_cancelled"]
        <= broken_off + (jobs["outcome"] == "failed").sum() + (jobs["outcome"] == "preempted").sum()
    )
    assert (jobs["gpus"] * jobs["duration_s"]).sum() / 3600 == pytest.approx(totals["gpu_hours_used"])
    of_pools = [
        totals[name] for name in totals if name.startswith("gpu_pool_") and name.endswith("_used_hours")
    ]
    assert sum(of_pools) == pytest.approx(totals["gpu_hours_used"])
    billed = [
        totals[name] for name in totals if name.startswith("gpu_pool_") and name.endswith("_billed_hours")
    ]
    assert sum(billed) == pytest.approx(totals["gpu_hours_billed"])


@quick
@given(scenarios(beyond=True), st.integers(0, 1000))
def test_the_ledger_adds_up_with_jobs_side_by_side(which: Scenario, seed: int) -> None:
    totals, ledger = played(which, seed)
    holds_of_jobs(totals, ledger)
    by_component = ledger.groupby(ledger["component"].astype(str))["cost_usd"].sum()
    for component in COMPONENTS:
        assert by_component.get(component, 0.0) == pytest.approx(totals[f"spend_{component}_usd"], abs=1e-7)
    shares = [value for name, value in totals.items() if name.startswith("share_")]
    assert sum(shares) == pytest.approx(1.0) or not any(shares)


@quick
@given(tied_scenarios(beyond=True), st.integers(0, 1000))
def test_they_are_counted_where_much_happens_at_one_instant(which: Scenario, seed: int) -> None:
    try:
        holds_of_jobs(*played(which, seed))
    except UserError as never_ends:
        assert "would never end" in str(never_ends)


@quick
@given(scenarios(beyond=True), st.integers(0, 1000))
def test_no_pool_gives_more_gpus_than_it_has(which: Scenario, seed: int) -> None:
    _, ledger = played(which, seed)
    for pool in which.pools:
        is_job = (ledger["kind"] == "experiment") & (ledger["duration_s"] > 0)
        if len(which.pools) > 1:
            is_job &= ledger["name"] == pool.name
        assert most_held(ledger[is_job]) <= pool.count


def most_held(jobs: pd.DataFrame) -> int:
    """Return the largest number of GPUs that these jobs held at one time."""
    changes = pd.concat(
        [
            pd.DataFrame({"at": jobs["started_s"], "gpus": jobs["gpus"].astype(int)}),
            pd.DataFrame({"at": jobs["started_s"] + jobs["duration_s"], "gpus": -jobs["gpus"].astype(int)}),
        ]
    )
    changes["at"] = changes["at"].round(6)
    held = changes.groupby("at")["gpus"].sum().cumsum()
    return 0 if held.empty else int(held.max())


BASE: dict[str, Any] = {"crashes": "{every: 5 h, restart: 10 min}", "gpus": "{count: 2, price: 1 $/h}"}


def one_job(experiment: str) -> str:
    return (
        "models: {claude-opus-4-6: {first_token: 2 s, output_speed: 50 tokens/s}}\nprices: {on: 2026-06-01}\n"
        f"fleet: [{{agents: 4, crashes: {BASE['crashes']}}}]\ngpus: {BASE['gpus']}\nstop: {{after: 20 h}}\n"
        f"cycle: [think: {{turns: 1 to 5}}, experiment: {{time: 5 min to 50 min, fails: 20%, {experiment}}}, score]\n"
    )


@pytest.mark.parametrize(
    "says_nothing_new",
    ["at_once: 1", "wait_for: all", "wait_for: 1", "attempts: 3", "on_failure: go on", "if: 100%"],
)
@pytest.mark.parametrize("polls", ["", "polls: {every: 4 min}, "])
def test_what_says_nothing_new_changes_nothing(says_nothing_new: str, polls: str) -> None:
    plain = simulate(scenario(one_job(f"{polls}gpus: 1")), 5)
    said = simulate(scenario(one_job(f"{polls}gpus: 1, {says_nothing_new}")), 5)
    assert said.totals == pytest.approx(plain.totals, rel=0, abs=0, nan_ok=True)
    assert plain.ledger is not None
    assert said.ledger is not None
    pd.testing.assert_frame_equal(said.ledger, plain.ledger, check_exact=True)


def test_more_jobs_side_by_side_take_no_longer_to_get_as_many_results() -> None:
    """With as many GPUs as jobs, waiting for the first of more jobs never takes longer: common random numbers."""
    times = []
    for at_once in (1, 2, 4, 8):
        text = (
            f"fleet: [{{agents: 1}}]\ncycle: [experiment: {{time: 1 h to 9 h, at_once: {at_once}, wait_for: 1}}]\n"
            "gpus: {count: 8, price: 1 $/h}\nstop: {cycles_per_agent: 1, after: 5 days}"
        )
        times.append(simulate(scenario(text), 3).totals["wall_clock_hours"])
    assert times == sorted(times, reverse=True)
    assert times[-1] < times[0]
