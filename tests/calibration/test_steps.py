"""Ledgers that tell cycles and contexts: what is learnt of them, whatever attempts failed on the way."""

import numpy as np
import pandas as pd
import pytest

from simbudget.calibration.observed.sessions import Session, sessions_of
from simbudget.calibration.posteriors.survival import censored_lognormal
from simbudget.engine.lowering import lower
from simbudget.engine.reference import simulate
from simbudget.ledger.frame import DTYPES
from simbudget.ledger.imported import ImportedLedger
from simbudget.scenario.loading import loads_scenario
from tests.calibration.logs import runs_table

CYCLES = """
fleet: [{group: agents, agents: 2, model: m}]
cycle: [{think: {turns: 4}}, {experiment: {gpus: 1, time: 1 h}}]
turn: {output_tokens: 100, tool_result_tokens: 300, tool_time: 3 s}
context: {first_prompt_tokens: 5000, limit_tokens: 900000, lasts: cycle}
models: {m: {first_token: 2 s, output_speed: 60 tokens/s}}
prices: {m: {input: 3 $/Mtok, cache_write: 3.75 $/Mtok, cache_read: 0.3 $/Mtok, output: 15 $/Mtok}}
gpus: {count: 2, price: 2 $/h, billing: on demand}
stop: {after: 30 days, cycles_per_agent: 5}
"""


@pytest.fixture(scope="module")
def entries() -> pd.DataFrame:
    ledger = simulate(lower(loads_scenario(CYCLES).scenario), 1, 0, 0).ledger
    assert ledger is not None
    return ledger.assign(run=0).astype(DTYPES)


def told(entries: pd.DataFrame) -> list[Session]:
    return sessions_of(ImportedLedger(entries, runs_table(1)))


def failed_attempt(entries: pd.DataFrame, at_s: float) -> pd.DataFrame:
    """Return an attempt as a pilot writes it down: apart, so without cycle, context or turn."""
    call = entries[entries["kind"] == "call"].iloc[[0]]
    nothing = {
        "uncached_input_tokens": 0,
        "cache_write_tokens": 0,
        "cache_read_tokens": 0,
        "output_tokens": 0,
    }
    return call.assign(
        cycle=-1, session=-1, turn=-1, started_s=at_s, duration_s=1.0, outcome="failed", **nothing
    )


def test_an_experiment_between_calls_is_neither_a_turn_nor_time_with_tools(entries: pd.DataFrame) -> None:
    sessions = told(entries)
    assert len(sessions) == 10
    for session in sessions:
        assert session.steps is not None
        assert session.steps.turns.tolist() == [4.0]
        assert session.steps.tool_s.max() == pytest.approx(3.0)


@pytest.mark.parametrize(
    "at_s", [-1.0, 0.5, 4000.0, 1e6], ids=["before all", "in a call", "later", "after all"]
)
def test_a_failed_attempt_that_belongs_to_no_cycle_counts_once_and_changes_nothing_else(
    entries: pd.DataFrame, at_s: float
) -> None:
    attempt = failed_attempt(entries, at_s)
    before, after = told(entries), told(pd.concat([entries, attempt], ignore_index=True).astype(DTYPES))
    assert sum(session.failures for session in after) == 1
    assert len(before) == len(after)
    for one, other in zip(before, after, strict=True):
        assert other.steps is not None and one.steps is not None
        assert np.array_equal(one.context, other.context)
        assert np.array_equal(one.steps.turns, other.steps.turns)
        assert np.array_equal(one.steps.tool_s, other.steps.tool_s)


def test_thinking_that_the_end_cuts_off_is_not_taken_for_a_short_cycle(entries: pd.DataFrame) -> None:
    calls = entries[(entries["kind"] == "call") & (entries["agent"] == 0)].sort_values("started_s")
    sixth = calls.iloc[4 * 2 + 1]  # the second turn of the third cycle
    until = entries[entries["started_s"] <= sixth["started_s"]]
    steps = [session.steps for session in told(until.reset_index(drop=True)) if session.steps is not None]
    turns = np.concatenate([one.turns for one in steps])
    cut = np.concatenate([one.turns_cut for one in steps])
    assert set(turns) == {4.0}
    assert 1 <= len(cut) <= 2 and cut.max() < 4


def test_cycles_cut_off_make_turns_more_not_fewer() -> None:
    few, many = (np.array([3.0, 3, 4, 4, 5, 5]), np.array([9.0, 9.0]))
    ended = censored_lognormal([(few, np.zeros(6, np.bool_))], 400, np.random.default_rng(1), 1.0)[0]
    with_cut = censored_lognormal(
        [(np.concatenate([few, many]), np.repeat((False, True), (6, 2)))], 400, np.random.default_rng(1), 1.0
    )[0]
    assert np.median(with_cut.draws[:, 0]) > np.median(ended.draws[:, 0]) + 0.15


def test_a_ledger_made_by_hand_without_some_columns_is_read_as_not_telling_them(
    entries: pd.DataFrame,
) -> None:
    few = entries.drop(columns=["cycle", "session", "turn", "service", "list_cost_usd"])
    ledger = ImportedLedger(few, pd.DataFrame({"run": [0]}))
    assert [len(session) for session in sessions_of(ledger)] == [20, 20]
    assert (ledger.entries["cycle"] == -1).all()
