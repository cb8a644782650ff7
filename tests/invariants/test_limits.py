"""Limits, discounts and tasks that make no difference make none, to the last bit; and what they bound is bounded."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simbudget.engine.reference import simulate
from simbudget.testing import documents, load

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
