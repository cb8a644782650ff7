"""The compiled engine plays every scenario as the reference engine does: the same totals and entries, bit by bit."""

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simbudget.engine import compiled, reference
from simbudget.engine.lowering import lower
from simbudget.engine.outcome import Outcome
from simbudget.engine.program import Program
from simbudget.scenario.model import Scenario
from tests.invariants.strategies import scenarios

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
@given(scenarios(), st.integers(0, 1000))
def test_both_engines_give_the_same_totals_and_the_same_entries_to_the_last_bit(
    which: Scenario, seed: int
) -> None:
    assert differences(*both(lower(which), seed)) == []
