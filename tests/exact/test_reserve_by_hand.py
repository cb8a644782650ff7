"""A budget with a reserve: the whole budget is kept, and yet the agents may be stopped by their part of it."""

import pytest

from simbudget.projection.run import Options, project
from tests.running import one_agent, scenario


@pytest.mark.parametrize(("budget", "stopped_at_h"), [(10, 4.0), (20, None)])
def test_a_part_of_the_budget_that_stops_the_agents_is_told_though_the_budget_is_kept(
    budget: int, stopped_at_h: float | None
) -> None:
    stop = f"stop: {{after: 10 h, budget: ${budget}, reserve: $6}}\ngpus: {{count: 1, price: 1 $/h}}"
    projection = project(scenario(one_agent("[experiment: {time: 1 h}]", stop)), Options(1))
    summary = projection.as_json()
    assert summary["probability_within_budget"] == 1.0
    assert summary["wall_clock_hours"]["mean"] == pytest.approx(stopped_at_h or 10.0)
    assert summary["probability_cut_short"] == (1.0 if stopped_at_h else 0.0)
    assert ("stops the agents early" in projection.answer()) == (stopped_at_h is not None)
