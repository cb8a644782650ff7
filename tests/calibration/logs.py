"""Logs of runs whose truth is known: simulated by the reference engine from a scenario without doubt in it."""

import pandas as pd

from simbudget.engine.lowering import lower
from simbudget.engine.reference import simulate
from simbudget.ledger.frame import DTYPES
from simbudget.ledger.imported import ImportedLedger, typed_runs
from simbudget.scenario.loading import loads_scenario

TRUTH = """
fleet: [{group: session, agents: 1, model: m}]
cycle: [{think: {turns: {typical: TURNS, varies: 1.5x}}}]
turn:
  output_tokens: {typical: 400, varies: 2.5x}
  tool_result_tokens: {typical: 900, varies: 3x}
  tool_time: {typical: 4 s, varies: 3x}
context: {first_prompt_tokens: {typical: 15000, varies: 1.2x}, limit_tokens: 900000, lasts: life}
models: {m: {first_token: {typical: 2 s, varies: 1.5x}, output_speed: 60 tokens/s}}
prices: {m: {input: 3 $/Mtok, cache_write: 3.75 $/Mtok, cache_read: 0.3 $/Mtok, output: 15 $/Mtok}}
stop: {after: 30 days, cycles_per_agent: 1}
"""
"""One session; every number that varies is lognormal around a typical value."""

ASSUMED = """# A scenario to calibrate.
fleet:
  - group: researchers   # two of them
    agents: 2
    model: m

cycle:
  - think: {turns: {typical: 10 to 100, varies: 2x}}   # a guess
turn:
  output_tokens: {typical: 100 to 2000, varies: 3x}  # another guess
context: {first_prompt_tokens: 20000, limit_tokens: 900000}
models: {m: {}}
prices: {m: {input: 3 $/Mtok, cache_write: 3.75 $/Mtok, cache_read: 0.3 $/Mtok, output: 15 $/Mtok}}
stop: {after: 5 days, cycles_per_agent: 10}
"""


def sessions_ledger(runs: int, turns: int = 25, seed: int = 3) -> ImportedLedger:
    """Return the ledger of so many simulated sessions, as an import would give it."""
    program = lower(loads_scenario(TRUTH.replace("TURNS", str(turns))).scenario)
    frames = []
    for run in range(runs):
        ledger = simulate(program, seed, 0, run).ledger
        assert ledger is not None
        frames.append(ledger.assign(run=run))
    entries = pd.concat(frames, ignore_index=True).astype(DTYPES)
    return ImportedLedger(entries, runs_table(runs))


def runs_table(runs: int) -> pd.DataFrame:
    """Return a table of so many runs of which nothing more is known."""
    began_at = pd.Timestamp("2026-02-01", tz="UTC")
    columns = {
        "run": range(runs),
        "source": "simulated",
        "project": "truth",
        "agents": 1,
        "began_at": began_at,
    }
    texts = dict.fromkeys(("path", "model", "metric", "better", "not_known", "oddities"), "-")
    frame = pd.DataFrame({**texts, **columns}, index=range(runs))
    return typed_runs(frame.assign(name=[f"run {run}" for run in range(runs)]))
