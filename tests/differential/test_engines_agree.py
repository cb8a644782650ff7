"""The compiled engine plays every scenario as the reference engine does: the same totals and entries, bit by bit."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simbudget.engine import compiled, reference
from simbudget.engine.lowering import lower
from simbudget.engine.outcome import Outcome
from simbudget.engine.program import Program
from simbudget.engine.totals import SPENT_USD
from simbudget.errors import UserError
from simbudget.scenario.loading import load_scenario
from simbudget.scenario.scenario import Scenario
from simbudget.testing import scenarios, tied_scenarios
from tests.running import PRICES, SPEED, scenario

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
many = settings(max_examples=300, deadline=None, suppress_health_check=SLOW, derandomize=True)


def differences(one: Outcome, other: Outcome) -> list[str]:
    """Return in what two outcomes differ, be it by one bit."""
    found = [
        f"{name}: {one.totals[name]!r} {other.totals[name]!r}"
        for name in one.totals
        if not np.array_equal(one.totals[name], other.totals[name], equal_nan=True)
    ]
    if not np.array_equal(one.by_time_usd, other.by_time_usd):
        found.append("spend over time")
    assert one.ledger is not None
    assert other.ledger is not None
    try:
        pd.testing.assert_frame_equal(one.ledger, other.ledger, check_exact=True)
    except AssertionError as error:
        found.append(str(error))
    return found


def both(program: Program, seed: int, replication: int = 0) -> tuple[Outcome, Outcome]:
    return (
        reference.simulate(program, seed, 3, replication),
        compiled.simulate(program, seed, 3, replication),
    )


@many
@given(scenarios(beyond=True, calls=True), st.integers(0, 1000))
def test_both_engines_give_the_same_totals_and_the_same_entries_to_the_last_bit(
    which: Scenario, seed: int
) -> None:
    assert differences(*both(lower(which), seed)) == []


@many
@given(tied_scenarios(beyond=True, calls=True), st.integers(0, 1000))
def test_they_agree_on_what_comes_first_where_much_happens_at_the_same_instant(
    which: Scenario, seed: int
) -> None:
    assert differences(*both(lower(which), seed)) == []


@pytest.mark.parametrize("path", sorted(Path("scenarios").glob("*.yaml")), ids=lambda path: path.stem)
def test_they_agree_on_the_scenarios_that_come_with_simbudget(path: Path) -> None:
    program = lower(load_scenario(path).scenario)
    assert not program.not_compiled, "only steps written in Python are left to the reference engine"
    assert differences(*both(program, seed=1)) == []


def test_a_run_that_never_ends_is_told_by_both_in_the_same_words() -> None:
    program = lower(scenario("fleet: [{agents: 1}]\ncycle: [think: {turns: 1, if: 0%}]"))
    with pytest.raises(UserError) as of_reference:
        reference.simulate(program)
    with pytest.raises(UserError) as of_compiled:
        compiled.simulate(program)
    assert str(of_compiled.value) == str(of_reference.value)


def test_many_runs_at_once_are_what_they_are_one_by_one() -> None:
    program = lower(load_scenario(Path("scenarios/reserved-pool.yaml")).scenario)
    worlds, replications = np.array([4, 0, 4]), np.array([0, 2, 1])
    many = compiled.simulate_many(program, 5, worlds, replications)
    for number, (world, replication) in enumerate(zip(worlds, replications, strict=True)):
        alone = compiled.simulate(program, 5, int(world), int(replication), record=False)
        assert alone.totals["spend_usd"] == many.sums[number, SPENT_USD]
        assert np.array_equal(alone.by_time_usd, many.by_time_usd[number])


def test_posts_beyond_what_the_forum_holds_at_first_are_read() -> None:
    cycle = "[think: {turns: 1}, share: {}]"
    forum = "forum: {post_tokens: 1, reads_at_most: 1000000}\nstop: {after: 1 day}"
    late = "{group: reader, agents: 1, start: {first: 20 h}, context: {limit_tokens: 900000}}"
    text = f"{SPEED}\n{PRICES}\nturn: {{output_tokens: 1, tool_time: 1 s}}\n{forum}\ncycle: {cycle}\n"
    text += f"fleet:\n  - {{group: writers, agents: 3}}\n  - {late}\n"
    assert differences(*both(lower(scenario(text)), seed=1)) == []
