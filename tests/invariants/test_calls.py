"""What holds of calls in every run: tokens and money add up, and keys that say nothing new make no difference."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simbudget.engine.outcome import Outcome
from simbudget.engine.reference import simulate
from simbudget.ledger.entry import ACTIVITIES, COMPONENTS
from simbudget.scenario.scenario import Scenario
from simbudget.testing import documents, load, scenarios, tied_scenarios
from tests.exact.test_calls_by_hand import ONCE, fleet
from tests.running import run

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
quick = settings(max_examples=40, deadline=None, suppress_health_check=SLOW, derandomize=True)

CALLS = ("call", "compaction", "post", "poll")


def calls_of(ledger: pd.DataFrame) -> pd.DataFrame:
    return ledger[ledger["kind"].isin(CALLS) & ~ledger["outcome"].isin(["failed", "unserved"])]


@quick
@given(scenarios(calls=True) | tied_scenarios(calls=True), st.integers(0, 1000))
def test_the_ledger_adds_up_whoever_calls(which: Scenario, seed: int) -> None:
    outcome = simulate(which, seed)
    totals, ledger = outcome.totals, outcome.ledger
    assert ledger is not None
    by_component = ledger.groupby(ledger["component"].astype(str))["cost_usd"].sum()
    for component in COMPONENTS:
        assert by_component.get(component, 0.0) == pytest.approx(totals[f"spend_{component}_usd"], abs=1e-7)
    for token_class in ("uncached_input", "cache_write", "cache_read", "output"):
        assert ledger[f"{token_class}_tokens"].sum() == totals[f"tokens_{token_class}"]
    assert totals["spend_usd"] == pytest.approx(outcome.by_time_usd.sum(), abs=1e-7)
    lived = totals["agent_hours"] + totals["share_down"] > 0
    assert sum(totals[f"share_{name}"] for name in ACTIVITIES) == pytest.approx(1.0 if lived else 0.0)


@quick
@given(scenarios(calls=True), st.integers(0, 1000))
def test_a_subscription_pays_nothing_for_calls_within_it_and_never_pays_for_a_batch_more_than_its_price(
    which: Scenario, seed: int
) -> None:
    ledger = simulate(which, seed).ledger
    assert ledger is not None
    calls = calls_of(ledger)
    if which.api.plan is not None and which.api.plan.then == "wait":
        assert (calls.loc[calls["service"] != "batch", "cost_usd"] == 0).all()
    months = ledger[ledger["kind"] == "plan"]
    assert len(months) == (1 if which.api.plan is not None else 0)


@quick
@given(scenarios(beyond=True, calls=True) | tied_scenarios(beyond=True, calls=True), st.integers(0, 1000))
def test_calls_are_paid_under_what_they_are_for_and_those_to_own_servers_cost_and_wait_nothing(
    which: Scenario, seed: int
) -> None:
    outcome = simulate(which, seed)
    ledger = outcome.ledger
    assert ledger is not None
    calls = ledger[(ledger["model"] != "") & ledger["kind"].isin([*CALLS, "judge", "review"])]
    made = calls[calls["outcome"] != "failed"]
    paid_under = made["kind"].astype(str).map({"judge": "scorer", "review": "review"}).fillna("tokens")
    assert (made["component"].astype(str) == paid_under).all()
    assert len(made) == outcome.totals["model_calls"]
    served = [model for model, speed in which.models.items() if speed.served_on is not None]
    own = calls[calls["model"].isin(served)]
    assert (own["cost_usd"] == 0).all()
    assert (own["queued_s"] == 0).all()
    assert (own["outcome"] != "failed").all()
    if which.scorer.model is not None:
        scored = ((ledger["kind"] == "score") & (ledger["outcome"] == "ok")).sum()
        assert scored <= (made["kind"] == "judge").sum()


def same(one: Outcome, other: Outcome, but: tuple[str, ...] = ()) -> bool:
    """Return whether two runs come to the same totals, some aside."""
    return all(
        np.array_equal(one.totals[name], other.totals[name], equal_nan=True)
        for name in one.totals
        if name not in but
    )


@quick
@given(documents(), st.integers(0, 1000))
def test_keys_that_say_what_holds_anyway_make_no_difference(document: dict[str, Any], seed: int) -> None:
    plain = load(document)
    if plain is None:
        return
    agents = [group for group in document["fleet"] if group.get("kind") != "people"]
    for group in agents:
        group["service"] = "standard"
        group["context"] |= {"shared_prefix_tokens": 0, "when_full": "compact", "carried_tokens": 99}
        for step in group["cycle"]:
            if "think" in step:
                step["think"]["turn"] = {}
    if agents:
        document["cycle"] = [{"think": {"turns": 1}}]
    said = load(document)
    assert said is not None
    assert same(simulate(plain, seed), simulate(said, seed))


@pytest.mark.parametrize("turns", ["3", "2 to 9"])
def test_one_sub_agent_costs_what_a_step_in_a_context_of_its_own_costs(turns: str) -> None:
    own = "context: {first_prompt_tokens: 3000}, returns_tokens: 70"
    alone = run(fleet(f"[think: {{turns: 1}}, think: {{turns: 4, {own}}}, think: {{turns: 1}}]"))
    team = run(fleet(f"[think: {{turns: 1}}, delegate: {{agents: 1, turns: 4, {own}}}, think: {{turns: 1}}]"))
    assert same(alone, team)
    # With draws of their own they differ by luck; the agents' own calls do not.
    one = run(fleet(f"[think: {{turns: 1}}, delegate: {{agents: 1, turns: {turns}, {own}}}]", ONCE))
    assert one.totals["cycles"] == 1


def test_a_plan_that_is_never_used_up_takes_no_time() -> None:
    generous = "api: {plan: {price: 0 $/month, window: {every: 5 h, allows: $1000}, week: {allows: $1000}}}"
    free = run(fleet("[think: {turns: 20}]", f"{ONCE}\n{generous}"))
    paid = run(fleet("[think: {turns: 20}]"))
    money = ("spend_usd", "spend_tokens_usd", "cost_per_agent_hour_usd")
    assert same(paid, free, money)
    assert free.totals["spend_usd"] == 0


def test_limits_of_a_model_alone_are_those_that_would_be_common() -> None:
    common = run(fleet("[think: {turns: 9}]", f"{ONCE}\napi: {{requests_per_min: 3}}"))
    limits = "api: {models: {claude-opus-4-6: {requests_per_min: 3}}}"
    own = run(fleet("[think: {turns: 9}]", f"{ONCE}\n{limits}"))
    used = "utilisation_api_requests"
    assert same(common, own, (used,))
    assert common.totals[used] == pytest.approx(own.totals[used], rel=1e-12)


@pytest.mark.parametrize("replicas", [1, 2, 5])
def test_more_replicas_never_make_calls_slower_and_none_is_faster_than_its_bound(replicas: int) -> None:
    def hours(count: int) -> float:
        speed = f"served_on: hall, replicas: {count}, throughput: 60 tokens/s, at_most: 50 tokens/s"
        models = f"models: {{own: {{first_token: 1 s, {speed}}}}}"
        hall = f"gpus: [{{name: hall, count: {count}, price: 3 $/h}}]"
        text = fleet("[think: {turns: 4}]", f"{ONCE}\n{hall}", "", models, "agents: 6, model: own")
        return run(text.replace("prices: {on: 2026-06-01}", "")).totals["wall_clock_hours"]

    assert hours(replicas + 1) <= hours(replicas) + 1e-12
    assert hours(replicas) * 3600 >= 4 * (1 + 2 + 6)
