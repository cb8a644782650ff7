"""What agents wait for is named, with the hours that they wait."""

import pytest

from simbudget.projection.run import Options, project
from simbudget.projection.tables import projection_tables
from tests.running import one_agent, scenario

PLAN = "api: {plan: {price: 200 $/month, window: {every: 5 h, allows: $0.05}}}"


def test_an_agent_that_waits_for_its_subscription_has_it_as_its_bottleneck() -> None:
    text = one_agent("[think: {turns: 3}]", f"stop: {{cycles_per_agent: 1}}\n{PLAN}")
    summary = project(scenario(text), Options(1, 1, engine="reference")).summary
    assert summary.bottleneck == "plan"
    waited = summary.waiting_hours["plan"]
    assert waited is not None
    # Each call uses more than a window allows: the second waits until 5 h and the third until 10 h, from 10 s after
    # the call before has begun.
    assert waited.mean == pytest.approx(2 * (5 - 10 / 3600))
    table = projection_tables(summary)["resources"]
    assert table.title.endswith("bottleneck: subscription")
    assert [row[0] for row in table.rows] == ["waiting for: subscription"]


@pytest.mark.parametrize(
    ("limits", "bottleneck", "named"),
    [
        (
            "models: {claude-opus-4-6: {requests_per_min: 2}}",
            "api_requests claude-opus-4-6",
            "API requests of claude-opus-4-6",
        ),
        ("requests_per_min: 2", "api_requests", "API requests"),
        (
            "requests_per_min: 900, models: {claude-opus-4-6: {requests_per_min: 2}}",
            "api_requests",
            "API requests",
        ),
    ],
)
def test_a_limit_that_one_model_alone_has_is_named_by_it(limits: str, bottleneck: str, named: str) -> None:
    text = one_agent("[think: {turns: 6}]", f"stop: {{cycles_per_agent: 1}}\napi: {{{limits}}}")
    summary = project(scenario(text), Options(1, 1, engine="reference")).summary
    assert summary.bottleneck == bottleneck
    assert projection_tables(summary)["resources"].title.endswith(f"bottleneck: {named}")
