"""What the last day of a run cost: of a run that is shorter than a day, all of it."""

import pytest

from simbudget.projection.run import Options, project
from tests.running import one_agent, scenario

ALL_HOLD = "research: {transfers: 100%, explores: 100%, hacks: 0%, blames: 0%, first_quality: 0.5}"
GATE = "gates: [{name: held out, keeps: 100%}]\nfixed: $5\nresearch: {transfers: 100%, explores: 100%}"


def test_of_a_run_that_ends_long_before_its_horizon_the_last_day_is_the_run() -> None:
    stop = "stop: {after: 30 days, cycles_per_agent: 2}"
    text = one_agent(
        "[experiment: {time: 1 h}, score: {}]", f"{stop}\n{GATE}\ngpus: {{count: 1, price: 1 $/h}}"
    )
    summary = project(scenario(text), Options(1, 4)).as_json()
    assert summary["wall_clock_hours"]["mean"] == pytest.approx(2 + 2 / 60)
    assert summary["research"]["last_day"]["hours"] == pytest.approx(2 + 2 / 60)


def test_what_the_first_and_only_day_buys_counts_what_trying_its_finalists_cost() -> None:
    stop = f"stop: {{after: 4 h}}\n{ALL_HOLD}"
    gate = "gates: [{keeps: 100%, price: 7 $/try}]\ngpus: {count: 1, price: 1 $/h}"
    text = one_agent("[experiment: {time: 50 min}, score: {}]", f"{stop}\n{gate}\nscorer: {{time: 10 min}}")
    projection = project(scenario(text), Options(1, 4))
    last = projection.as_json()["research"]["last_day"]
    assert last["results"] == pytest.approx(3.0)  # three finalists, each with a core
    assert last["spend_usd"] == pytest.approx(projection.replications["spend_usd"].mean())
    assert last["spend_usd"] > 3 * 7


def test_another_look_at_the_same_finalists_costs_no_gate_money() -> None:
    stop = f"stop: {{after: 4 days}}\n{ALL_HOLD}"
    gate = "gates: [{keeps: 100%, price: 7 $/try}]\ngpus: {count: 1, price: 1 $/h}"
    text = one_agent("[experiment: {time: 50 min}, score: {}]", f"{stop}\n{gate}\nscorer: {{time: 10 min}}")
    last = project(scenario(text), Options(1, 4)).as_json()["research"]["last_day"]
    assert last["spend_usd"] == pytest.approx(24 * 50 / 60)  # experiments of 50 minutes
    assert last["results"] == 0.0
    assert last["cost_per_result_usd"] is None
