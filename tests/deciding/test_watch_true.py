"""Watching runs of which the scenario is true: intervals hold what they say, from the entries that a log would have."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from simbudget.engine.compiled import simulate
from simbudget.engine.lowering import lower
from simbudget.forecast.outlook import Outlook
from simbudget.forecast.reference_runs import ReferenceRuns
from simbudget.forecast.run_state import RunState, run_state_of
from simbudget.forecast.watch import Watching, outlook_of, reference_runs_for
from simbudget.ledger.imported import ImportedLedger
from simbudget.scenario.loading import LoadedScenario, loads_scenario

QUEUE = """
fleet: [{agents: 4, model: claude-sonnet-5}]
cycle:
  - think: {turns: {typical: 3 to 10, varies: 2x}}
  - experiment: {gpus: 1, time: {typical: 20 min to 1 h, varies: 2x}}
gpus: {count: 1, price: 3 $/h, billing: reserved}
prices: {on: 2026-11-01}
stop: {after: 2 days}
"""
HALF_S = 86_400.0
RUNS = 50


@dataclass(frozen=True)
class Watched:
    """A true run at half its time."""

    loaded: LoadedScenario
    state: RunState
    runs: ReferenceRuns
    whole: dict[str, float]

    def outlook(self, state: RunState | None = None) -> Outlook:
        """Return its outlook from where it stands, or is said to stand."""
        return outlook_of(self.loaded, state or self.state, self.runs, Watching(runs=300))


def watched() -> list[Watched]:
    loaded = loads_scenario(QUEUE)
    runs = reference_runs_for(loaded, HALF_S, Watching(runs=300))
    nowhere = pd.DataFrame({"run": [0], "began_at": pd.to_datetime([None], utc=True)})
    found = []
    for world in range(RUNS):
        run = simulate(lower(loaded.scenario), 4_000_037, world, 0, record=True)
        assert run.ledger is not None
        state = run_state_of(ImportedLedger(run.ledger, nowhere), HALF_S, gpus_are_paid_when_due=False)
        found.append(Watched(loaded, state, runs, run.totals))
    return found


def test_runs_that_queue_for_reserved_gpus_are_no_surprise_and_their_intervals_hold() -> None:
    held, surprised, widths = [], 0, []
    for run in watched():
        outlook = run.outlook()
        surprised += outlook.surprise < 0.02
        for name in ("experiments", "spend_usd"):
            low, high = np.quantile(outlook.samples[name], (0.1, 0.9))
            held.append(low <= run.whole[name] <= high)
            widths.append((high - low) / run.whole[name])
    assert abs(np.mean(held) - 0.8) < 4 * np.sqrt(0.8 * 0.2 / RUNS)  # the two of a run may hold together
    assert surprised <= 6  # more than 6 of 50 at 2 % each: once in 10,000
    assert np.median(widths) < 0.5


def test_waiting_in_a_queue_taken_for_gpu_time_would_be_a_surprise() -> None:
    run = watched()[0]
    wrong = {**run.state.so_far, "gpu_hours_used": 1.15 * run.state.so_far["gpu_hours_used"]}
    assert run.outlook(replace(run.state, so_far=wrong, in_flight={})).surprise < 0.02
