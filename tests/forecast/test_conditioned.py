"""What is still to come of a run: as simulated runs went on, unless the scenario did not expect what was seen."""

import numpy as np
import pandas as pd
import pytest

from simbudget.forecast.conditioned import Conditioned
from simbudget.forecast.conditioning import Likeness
from simbudget.forecast.reference_runs import ReferenceRuns
from simbudget.forecast.run_state import RunState

RUNS = 200


def given(surprise: float, to_come: float = 900.0) -> Conditioned:
    """Return a run that made 10 calls in an hour of ten; simulated runs make about 900 in the others, or fewer."""
    rng = np.random.default_rng(1)
    seen = {"model_calls": 10.0}
    so_far = pd.DataFrame({"model_calls": np.full(RUNS, 10.0)})
    whole = so_far + to_come * np.exp(0.1 * rng.standard_normal((RUNS, 1)))
    hours = np.linspace(0.0, 10.0, 11)
    spent = np.repeat(hours[np.newaxis], RUNS, axis=0)
    runs = ReferenceRuns(so_far / 2.0, so_far, whole, spent, hours, {})
    state = RunState(3600.0, seen, {"model_calls": 5.0}, {}, {}, 1, None, ())
    even = Likeness(np.zeros((RUNS, 0)), np.full(RUNS, 1.0 / RUNS), surprise, 1.0)
    return Conditioned(runs, state, even, np.arange(RUNS), rng.standard_normal(RUNS))


@pytest.mark.parametrize("surprise", [0.02, 0.05, 0.5])
def test_a_run_that_one_in_fifty_simulated_runs_is_like_goes_on_as_they_did(surprise: float) -> None:
    assert np.median(given(surprise).rest("model_calls")) == pytest.approx(900.0, rel=0.1)


def test_a_run_that_no_simulated_run_is_like_goes_on_at_its_own_rate() -> None:
    assert np.median(given(0.0).rest("model_calls")) == pytest.approx(90.0, rel=0.1)


def test_a_rate_does_not_go_on_where_simulated_runs_end() -> None:
    """Their agents are done soon: five more calls, and not ninety."""
    assert np.median(given(0.0, to_come=5.0).rest("model_calls")) == pytest.approx(5.0, rel=0.1)
