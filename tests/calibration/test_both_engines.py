"""Calibrated quantities and contexts under way mean the same to both engines, to the last bit."""

import numpy as np
import pandas as pd
import pytest

from simbudget.distributions.posteriors import Posterior, score_grid
from simbudget.engine import compiled, reference
from simbudget.engine.lowering import lower
from simbudget.scenario.calibration_file import CalibratedQuantity, Calibration, LearntFrom
from simbudget.scenario.loading import loads_scenario
from simbudget.scenario.scenario import Scenario

WORLDS = 5
EVIDENCE = LearntFrom(10, 2, "claude-code", "2026-02-01")

TEXT = """
fleet: [{agents: 3, model: m, start: {context_tokens: 50000, cached_tokens: 48000, then_every: 1 min},
         crashes: {every: 3 h, restart: 1 min}}]
cycle: [{think: {turns: 30}}, {experiment: {time: 5 min to 20 min, fails: 10%}}, score, share]
turn: {output_tokens: 100 to 900, thinking_tokens: 1, tool_result_tokens: 1, tool_time: 1 s}
context: {limit_tokens: 90000, lasts: LASTS}
models: {m: {first_token: 1 s}}
prices: {m: {input: 3 $/Mtok, cache_write: 3.75 $/Mtok, cache_read: 0.3 $/Mtok, output: 15 $/Mtok}}
api: {error_rate: 1%}
gpus: {count: 2, price: 2 $/h}
stop: {after: 8 h}
"""


def calibration() -> Calibration:
    """Return one whose quantities differ from world to world, some between contexts, one with a shape."""
    rng = np.random.default_rng(4)

    def draws(location: float, scatter: float, between: float) -> np.ndarray:
        noise = 0.3 * rng.standard_normal((WORLDS, 1))
        return np.hstack([location + noise, np.full((WORLDS, 1), scatter), np.full((WORLDS, 1), between)])

    shape = np.sign(score_grid()) * np.abs(score_grid()) ** 1.2
    posteriors = {
        "turn.thinking_tokens": ("1", Posterior(draws(5.0, 1.0, 0.0))),
        "turn.tool_result_tokens": ("1", Posterior(draws(6.5, 1.1, 0.4), shape)),
        "turn.tool_time": ("1 s", Posterior(draws(1.5, 1.5, 0.8), shape)),
        "models[m].first_token": ("1 s", Posterior(draws(0.5, 0.5, 0.0))),
        "api.error_rate": ("1%", Posterior(0.02 + 0.01 * rng.random((WORLDS, 3)), is_fact=True)),
    }
    return Calibration(
        {
            name: CalibratedQuantity(name, text, "lognormal", posterior, EVIDENCE)
            for name, (text, posterior) in posteriors.items()
        }
    )


def scenario(lasts: str) -> Scenario:
    return loads_scenario(TEXT.replace("LASTS", lasts), calibration=calibration()).scenario


@pytest.mark.parametrize("lasts", ["think", "cycle", "life"])
def test_both_engines_give_the_same_ledger_of_a_calibrated_scenario(lasts: str) -> None:
    program = lower(scenario(lasts))
    for world in (0, 1, WORLDS + 1):
        one = reference.simulate(program, 7, world, 0)
        other = compiled.simulate(program, 7, world, 0)
        np.testing.assert_equal(other.totals, one.totals)
        assert one.ledger is not None and other.ledger is not None
        pd.testing.assert_frame_equal(one.ledger, other.ledger)


def test_a_world_is_a_row_of_the_joint_draws_modulo_their_number() -> None:
    program = lower(scenario("life"))
    first, again, other = (program.world(3, world, 0) for world in (1, 1 + WORLDS, 2))
    calibrated = program.kinds >= 5
    assert (first[calibrated] == again[calibrated]).all()
    assert (first[calibrated] != other[calibrated]).any()


def test_the_first_context_begins_as_the_scenario_says() -> None:
    ledger = reference.simulate(lower(scenario("life")), 7, 0, 0).ledger
    assert ledger is not None
    calls = ledger[(ledger["kind"] == "call") & (ledger["outcome"] == "ok")]
    for _, of_agent in calls.groupby("agent"):
        first = of_agent.iloc[0]
        assert (first["cache_read_tokens"], first["cache_write_tokens"]) == (48_000, 2_000)
