"""What the last day of a run cost: of a run that is shorter than a day, all of it."""

import pytest

from simbudget.projection.run import Options, project
from tests.running import one_agent, scenario

GATE = "gates: [{name: held out, keeps: 100%}]\nfixed: $5\nresearch: {transfers: 100%, explores: 100%}"


def test_of_a_run_that_ends_long_before_its_horizon_the_last_day_is_the_run() -> None:
    stop = "stop: {after: 30 days, cycles_per_agent: 2}"
    text = one_agent(
        "[experiment: {time: 1 h}, score: {}]", f"{stop}\n{GATE}\ngpus: {{count: 1, price: 1 $/h}}"
    )
    summary = project(scenario(text), Options(1, 4)).as_json()
    assert summary["wall_clock_hours"]["mean"] == pytest.approx(2 + 2 / 60)
    assert summary["research"]["last_day"]["hours"] == pytest.approx(2 + 2 / 60)
