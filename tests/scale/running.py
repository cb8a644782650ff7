"""A small scenario with everything that engines share, and how projections of it are compared."""

from functools import cache

from simbudget.projection.projection import Projection
from simbudget.projection.run import Options, project
from tests.running import scenario

SCENARIO = scenario(
    """
fleet: [{agents: 3, crashes: {every: 2 h to 9 h, restart: 1 min}}]
cycle: [think: {turns: {typical: 5 to 20, varies: 2x}}, experiment: {time: 10 min to 1 h}, score, share]
api: {output_tokens_per_min: 20k, error_rate: 1% to 5%}
stop: {after: 6 h, budget: $60, begins: 2026-06-29 9:00}
prices: {on: 2026-06-01}
"""
)

NEVER_ENDS = scenario(
    """
fleet: [{agents: 1}]
cycle: [experiment: {time: 1 h, if: 0%}]
"""
)
"""Its only step is never done, which no check sees."""


@cache
def alone() -> Projection:
    """Return 48 replications made by one thread."""
    return project(SCENARIO, Options(replications=48, workers=1))


def assert_same(one: Projection, other: Projection) -> None:
    """Assert that two projections are the same to the last bit, whichever engine made them."""
    assert one.replications.equals(other.replications)
    assert one.spend_by_time_usd.tobytes() == other.spend_by_time_usd.tobytes()
    assert one.statistics.values.tobytes() == other.statistics.values.tobytes()
    assert one.statistics.errors.tobytes() == other.statistics.errors.tobytes()
    assert {**one.as_json(), "engine": None} == {**other.as_json(), "engine": None}
