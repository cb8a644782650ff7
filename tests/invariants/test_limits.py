"""Limits, discounts and tasks that make no difference make none, to the last bit; and what they bound is bounded."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simbudget.engine.reference import simulate
from simbudget.scenario.scenario import Scenario
from simbudget.testing import documents, load, scenarios, tasks
from tests.running import scenario

quick = settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def totals(document: dict[str, Any], seed: int) -> dict[str, float] | None:
    which = load(document)
    return None if which is None else simulate(which, seed, record=False).totals


def without(document: dict[str, Any]) -> dict[str, Any]:
    """Return a scenario without tasks and limits of agents."""
    fleet = [{key: value for key, value in group.items() if key != "stop"} for group in document["fleet"]]
    return {key: value for key, value in document.items() if key != "tasks"} | {"fleet": fleet}


@quick
@given(documents(), st.integers(0, 1000))
def test_limits_that_are_never_reached_change_nothing(document: dict[str, Any], seed: int) -> None:
    plain = without(document)
    far = {"after": "3650 days", "spend": "$1000000", "tokens": "1e12", "turns": "1e9"}
    fleet = [group | ({} if group.get("kind") == "people" else {"stop": far}) for group in plain["fleet"]]
    assert repr(totals(plain | {"fleet": fleet}, seed)) == repr(totals(plain, seed))


@quick
@given(documents(), st.integers(0, 1000))
def test_more_tasks_than_are_ever_taken_change_nothing(document: dict[str, Any], seed: int) -> None:
    plain = without(document)
    found, expected = totals(plain | {"tasks": {"count": 100_000, "solved": "0%"}}, seed), totals(plain, seed)
    if expected is None or found is None:
        return
    # Who takes a task looks at the budget, so that an agent ends before a cycle and not at its first call.
    if document["stop"].get("budget") is None:
        assert {name: repr(found[name]) for name in expected} == {
            name: repr(value) for name, value in expected.items()
        }


@quick
@given(documents(), st.integers(0, 1000), st.sampled_from(["tokens", "gpu", "scorer", "sandbox", "fixed"]))
def test_a_discount_lowers_its_component_by_its_part_and_no_other(
    document: dict[str, Any], seed: int, component: str
) -> None:
    plain = without(document)
    plain["stop"] = {key: value for key, value in plain["stop"].items() if key != "budget"}
    plain["prices"] = {"on": "2026-03-01"}
    less = plain | {"prices": {"on": "2026-03-01", "discount": {component: "30%"}}}
    before, after = totals(plain, seed), totals(less, seed)
    if before is None or after is None:
        return
    for name, value in before.items():
        if name.startswith("spend_") and name != "spend_usd":
            part = 0.7 if name == f"spend_{component}_usd" else 1.0
            assert after[name] == pytest.approx(part * value, abs=1e-9)


@quick
@given(documents(), st.integers(0, 1000))
def test_tasks_add_up(document: dict[str, Any], seed: int) -> None:
    terms = {"count": 5, "attempts": 3, "solved": "40%", "difficulty": "2", "limit": {"turns": 6}}
    found = totals(document | {"tasks": terms}, seed)
    if found is None:
        return
    assert found["tasks_solved"] + found["tasks_unsolved"] == 5
    assert found["tasks_solved"] <= found["tasks_attempts"] <= 15
    assert found["cycles"] <= found["tasks_attempts"]
    tenths = sum(found[f"task_usd_tenth_{tenth:02d}"] for tenth in range(1, 11)) * 5 / 10
    assert tenths == pytest.approx(found["attempts_usd"], abs=1e-9)
    assert found["attempts_usd"] <= found["spend_usd"] + 1e-9


@quick
@given(scenarios(beyond=True, calls=True), tasks(), st.integers(0, 1000))
def test_what_entries_say_of_their_task_adds_up_to_what_attempts_cost(
    which: Scenario, terms: dict[str, Any], seed: int
) -> None:
    if which.tasks is None:
        which = which.replace(tasks=terms)
    sandboxes = tuple(
        group if group.kind == "people" else group.replace(sandbox={"price": "0 $/h"})
        for group in which.fleet
    )  # which cost money by the hour, and are paid in one
    outcome = simulate(which.replace(fleet=sandboxes), seed)
    ledger = outcome.ledger
    assert ledger is not None
    at_tasks = ledger[ledger["task_number"].notna()]
    assert at_tasks["cost_usd"].sum() == pytest.approx(outcome.totals["attempts_usd"], abs=1e-7)
    by_attempt = at_tasks.groupby(["task_number", "attempt"])[["agent", "cycle"]].nunique()
    assert (by_attempt == 1).all(axis=None)
    assert len(by_attempt) <= outcome.totals["tasks_attempts"]


FIFTY = """
fleet: [{{agents: 50, start: {{then_every: 1 s}}}}]
models: {{claude-opus-4-6: {{first_token: 1 s, output_speed: {speed}}}}}
prices: {{claude-opus-4-6: {{input: 5 $/Mtok, cache_write: 6.25, cache_read: 0.5, output: 25}}}}
context: {{first_prompt_tokens: {prompt}, lasts: think, cache: off, limit_tokens: 900000}}
turn: {{output_tokens: {output}, tool_time: {tool}, tool_result_tokens: 0}}
cycle: [think: {{turns: 1}}]
stop: {{after: 2 h, budget: $60, budget_counts: {counts}}}
"""


def test_fifty_agents_pass_a_cap_by_the_calls_in_flight_if_these_count_when_billed() -> None:
    """Each call is 80,000 tokens of prompt and 8,000 of output, $0.60, and takes 80 s; all agents always have one."""

    def overrun_usd(counts: str) -> float:
        calls = {"prompt": "80000", "output": "8000", "speed": "101.265822784810126 tokens/s", "tool": "0 s"}
        return simulate(scenario(FIFTY.format(counts=counts, **calls)), record=False).totals["overrun_usd"]

    assert overrun_usd("when begun") == pytest.approx(0.0, abs=1e-9)
    assert overrun_usd("when billed") == pytest.approx(
        49 * 0.60, abs=1e-9
    )  # of the 50, one has just been billed


@pytest.mark.parametrize("seed", range(5))
def test_a_cap_is_never_passed_by_more_than_was_in_flight_when_it_was_reached(seed: int) -> None:
    calls = {
        "prompt": "20k to 90k",
        "output": "1000 to 9000",
        "speed": "50 to 90 tokens/s",
        "tool": "1 s to 90 s",
    }
    overruns = {}
    for counts in ("when begun", "when billed"):
        outcome = simulate(scenario(FIFTY.format(counts=counts, **calls)), seed)
        assert outcome.ledger is not None
        made = outcome.ledger[outcome.ledger["kind"] == "call"].copy()
        made["ended_s"] = made["started_s"] + made["duration_s"]
        made["counted_s"] = made["ended_s"] if counts == "when billed" else made["started_s"]
        made = made.sort_values("counted_s")
        reached_s = made.loc[made["cost_usd"].cumsum() >= 60, "counted_s"].iloc[0]
        assert (made["started_s"] <= reached_s).all()
        in_flight = made[made["counted_s"] >= reached_s]
        overruns[counts] = outcome.totals["overrun_usd"]
        assert 0 < overruns[counts] <= in_flight["cost_usd"].sum()
        assert len(in_flight) == 1 or counts == "when billed"
    assert overruns["when billed"] > 10 * overruns["when begun"]
