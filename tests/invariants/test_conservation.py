"""What holds in every run of every scenario: sums add up, nothing is in two places, budgets hold."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simbudget.engine.reference import simulate
from simbudget.ledger.entry import ACTIVITIES, COMPONENTS
from simbudget.projection.run import Options, project
from simbudget.scenario.scenario import Scenario
from simbudget.testing import documents, load, scenarios
from tests.running import scenario

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
quick = settings(max_examples=40, deadline=None, suppress_health_check=SLOW, derandomize=True)

TOKENS = ("uncached_input", "cache_write", "cache_read", "output")


def ledger_of(which: Scenario, seed: int) -> tuple[dict[str, float], pd.DataFrame]:
    outcome = simulate(which, seed)
    assert outcome.ledger is not None
    return outcome.totals, outcome.ledger


@quick
@given(scenarios(), st.integers(0, 1000))
def test_the_ledger_adds_up_to_the_totals(which: Scenario, seed: int) -> None:
    totals, ledger = ledger_of(which, seed)
    assert ledger["cost_usd"].sum() == pytest.approx(totals["spend_usd"], abs=1e-7)
    by_component = ledger.groupby(ledger["component"].astype(str))["cost_usd"].sum()
    for component in COMPONENTS:
        assert by_component.get(component, 0.0) == pytest.approx(totals[f"spend_{component}_usd"], abs=1e-7)
    for token_class in TOKENS:
        assert ledger[f"{token_class}_tokens"].sum() == totals[f"tokens_{token_class}"]
    jobs = ledger[ledger["kind"] == "experiment"]
    assert (jobs["gpus"] * jobs["duration_s"]).sum() / 3600 == pytest.approx(totals["gpu_hours_used"])
    assert (jobs["outcome"] == "ok").sum() == totals["experiments"]
    served = ledger["outcome"] != "unserved"
    assert ((ledger["kind"] == "score") & served).sum() == totals["scorer_calls"]
    queued = jobs["queued_s"].sum() / 3600
    assert queued == pytest.approx(totals["queued_gpu_hours"], abs=1e-6)


@quick
@given(scenarios(), st.integers(0, 1000))
def test_spend_over_time_adds_up_to_the_spend(which: Scenario, seed: int) -> None:
    outcome = simulate(which, seed, record=False)
    for component, spent in zip(COMPONENTS, outcome.by_time_usd.sum(axis=1), strict=True):
        assert spent == pytest.approx(outcome.totals[f"spend_{component}_usd"], abs=1e-7)
    assert (outcome.by_time_usd >= 0).all()


@quick
@given(scenarios(), st.integers(0, 1000))
def test_at_every_moment_of_its_life_an_agent_does_one_thing(which: Scenario, seed: int) -> None:
    totals, _ = ledger_of(which, seed)
    lived = totals["agent_hours"] + totals["share_down"] > 0
    assert sum(totals[f"share_{activity}"] for activity in ACTIVITIES) == pytest.approx(1.0 if lived else 0.0)
    assert totals["run_hours"] <= which.stop.after.exact_value / 3600 + 1e-12


@quick
@given(scenarios(), st.integers(0, 1000))
def test_the_clock_stops_when_the_last_agent_review_and_gate_have_ended(which: Scenario, seed: int) -> None:
    totals, ledger = ledger_of(which, seed)
    late = ledger[ledger["kind"].isin(["review", "gate"])]
    last_s = (late["started_s"] + late["duration_s"]).max() if len(late) else 0.0
    assert totals["wall_clock_hours"] == pytest.approx(max(totals["run_hours"], last_s / 3600), abs=1e-9)


@quick
@given(scenarios(), st.integers(0, 1000))
def test_nothing_is_in_two_places(which: Scenario, seed: int) -> None:
    _, ledger = ledger_of(which, seed)
    own = ledger[ledger["kind"].isin(["call", "compaction", "post", "poll", "tool", "score", "wait", "down"])]
    for _, entries in own.groupby("agent"):
        ends = (entries["started_s"] + entries["duration_s"]).to_numpy()
        assert (entries["started_s"].to_numpy()[1:] >= ends[:-1] - 1e-6).all()
    assert most_at_once(ledger[ledger["kind"] == "experiment"], "gpus") <= which.gpus.count
    assert most_at_once(ledger[ledger["kind"] == "score"], None) <= which.scorer.servers


def most_at_once(entries: pd.DataFrame, weight: str | None) -> float:
    """Return the largest weight of entries that run at one moment; ends go before starts."""
    entries = entries[entries["duration_s"] > 0]
    weights = entries[weight].to_numpy() if weight else np.ones(len(entries))
    starts = np.round(entries["started_s"].to_numpy(), 6)
    ends = np.round((entries["started_s"] + entries["duration_s"]).to_numpy(), 6)
    changes = sorted([*zip(ends, -weights, strict=True), *zip(starts, weights, strict=True)])
    return float(np.cumsum([0.0, *[change for _, change in changes]]).max())


@quick
@given(scenarios(), st.integers(0, 1000))
def test_spend_passes_the_budget_by_no_more_than_what_was_in_flight(which: Scenario, seed: int) -> None:
    if which.stop.budget is None:
        return
    totals, ledger = ledger_of(which, seed)
    budget = which.stop.budget
    assert totals["overrun_usd"] == pytest.approx(max(0.0, totals["spend_usd"] - budget))
    if totals["spend_usd"] <= budget:
        return
    # Everything that was started when the budget was already spent was free.
    starts = ledger[ledger["kind"].isin(["call", "compaction", "post", "poll", "experiment", "score"])]
    for at in np.unique(starts["started_s"]):
        before = ledger[ledger["started_s"] < at]
        over_by_then = (before["started_s"] + before["duration_s"]) <= at
        at_once = (
            ["tokens", "scorer", "fixed"] if which.stop.budget_counts == "when begun" else ["scorer", "fixed"]
        )
        calls = before["component"].astype(str).isin(at_once)
        spent = before.loc[calls | over_by_then, "cost_usd"].sum()
        if spent > budget + 1e-6:
            assert not ((starts["started_s"] == at) & (starts["cost_usd"] > 0)).any()


@quick
@given(scenarios(), st.integers(0, 1000))
def test_the_same_seed_gives_the_same_bits(which: Scenario, seed: int) -> None:
    first, second = ledger_of(which, seed), ledger_of(which, seed)
    assert first[1].equals(second[1])
    assert repr(first[0]) == repr(second[0])


@quick
@given(st.integers(1, 4), st.lists(st.integers(1, 300), min_size=1, max_size=4), st.integers(1, 5))
def test_more_gpus_never_make_a_deterministic_scenario_slower(
    gpus: int, minutes: list[int], agents: int
) -> None:
    steps = ", ".join(f"experiment: {{time: {length} min}}" for length in minutes)

    def hours(count: int) -> float:
        text = f"fleet: [{{agents: {agents}}}]\ncycle: [{steps}]\ngpus: {{count: {count}, price: 1 $/h}}"
        return simulate(scenario(f"{text}\nstop: {{cycles_per_agent: 3, after: 100 days}}")).totals[
            "wall_clock_hours"
        ]

    assert hours(gpus + 1) <= hours(gpus) + 1e-9


@quick
@given(documents(), st.integers(0, 1000))
def test_another_group_leaves_the_luck_of_the_first_as_it_was(document: dict[str, Any], seed: int) -> None:
    first = document["fleet"][0]
    alone = {"fleet": [first], "prices": document["prices"], "stop": {"cycles_per_agent": 2, "after": "30 h"}}
    alone["gpus"] = {"count": 50, "price": "1 $/h"}
    alone["scorer"] = {"servers": 50}
    more = {
        "group": "more",
        "agents": 2,
        "cycle": [{"think": {"turns": 3}}, {"experiment": {"time": "9 min"}}],
    }
    which, both = load(alone), load({**alone, "fleet": [first, more]})
    if which is None or both is None:
        return
    _, mine = ledger_of(which, seed)
    _, ours = ledger_of(both, seed)
    shared = [step for step in first["cycle"] if "share" in step]
    if not shared:
        pd.testing.assert_frame_equal(
            mine.reset_index(drop=True),
            ours[ours["agent"] < first["agents"]].reset_index(drop=True),
            check_categorical=False,
        )


@pytest.mark.parametrize("workers", [2, 4])
def test_the_result_is_the_same_for_any_number_of_workers(workers: int) -> None:
    text = (
        "fleet: [{agents: 3}]\ncycle: [think: {turns: 5 to 20}, "
        "experiment: {time: 10 min to 1 h}]\nstop: {after: 6 h}"
    )
    alone = project(scenario(text), Options(replications=20, workers=1))
    together = project(scenario(text), Options(replications=20, workers=workers))
    assert alone.replications.equals(together.replications)
    assert np.array_equal(alone.spend_by_time_usd, together.spend_by_time_usd)
    assert alone.as_json() == together.as_json()


def test_a_shorter_projection_is_the_beginning_of_a_longer_one() -> None:
    text = "fleet: [{agents: 2}]\ncycle: [think: {turns: {typical: 5 to 20, varies: 2x}}]\nstop: {after: 2 h}"
    short, long = (project(scenario(text), Options(replications=n, workers=1)) for n in (6, 14))
    assert short.replications.equals(long.replications.iloc[:6])


def test_two_replications_of_a_world_share_what_is_unknown_and_two_worlds_do_not() -> None:
    text = (
        "f"
        "leet: [{agents: 1}]\ncycle: [think: {turns: {unknown: 2 to 40}}]\n"
        "turn: {tool_time: 1 s}\nstop: {cycles_per_agent: 1}"
    )
    frame = project(scenario(text), Options(replications=12, worlds=6, workers=1)).replications
    calls = frame.groupby("world")["model_calls"]
    assert (calls.nunique() == 1).all()
    assert calls.first().nunique() > 3


def test_a_scenario_without_chance_is_one_replication_whatever_it_does_not_use() -> None:
    text = "fleet: [{agents: 2}]\ncycle: [experiment: {time: 10 min}]\nstop: {after: 2 h}"  # the defaults of turns vary
    summary = project(scenario(text), Options()).summary
    assert summary.replications == 1
    assert summary.spend_usd.p10 == summary.spend_usd.p90
    varied = project(scenario(text.replace("10 min", "5 min to 10 min")), Options(replications=3, workers=1))
    assert varied.summary.replications == 3
