"""Rehearsals of a pilot: the pilot is simulated, the scenario calibrated on it, and the run projected again.

The information computed by `deciding.evidence` is that of an analyst who combines the evidence with the scenario's
ranges. `calibrate` replaces these ranges by what it observed, so that its intervals after few experiments are wider; it
may also learn what a regression over few worlds misses. Its effect is therefore found by simulation.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from simbudget.calibration.scenarios.calibrate import calibrate
from simbudget.deciding.changes import Source
from simbudget.engine.lowering import lower
from simbudget.errors import UserError
from simbudget.ledger.imported import ImportedLedger
from simbudget.ledger.readers import read_logs
from simbudget.projection.engines import engine_for
from simbudget.projection.run import Options, project
from simbudget.scenario.loading import LoadedScenario
from simbudget.scenario.scenario import Scenario

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

REPLICATIONS: Final = 100
"""Replications of the projection after each rehearsal."""


@dataclass(frozen=True)
class Stage:
    """The run whose projection a rehearsal is to narrow."""

    source: Source
    seed: int
    worlds: Integers
    """Worlds of the rehearsals."""
    width_now_usd: float
    """Current width of the run's projected spend, p10 to p90."""


def stage(source: Source, seed: int, worlds: Integers, spends_usd: Floats, count: int) -> Stage:
    """Return a number of worlds, evenly spaced in the order of the run's spend.

    Args:
        source: the scenario.
        seed: that of the worlds.
        worlds: [worlds] their numbers.
        spends_usd: [worlds, replications] what the run spends in each.
        count: how many to choose.
    """
    order = np.argsort(spends_usd.mean(axis=1), kind="stable")
    count = min(count, len(worlds))
    chosen = order[((np.arange(count) + 0.5) / count * len(order)).astype(int)]
    low, high = np.quantile(spends_usd, (0.1, 0.9))
    return Stage(source, seed, worlds[chosen], float(high - low))


def narrowing(on: Stage, pilot: Scenario, replication: int) -> float:
    """Return by which part the mean interval of the spend, p10 to p90, is narrower after the pilot; may be negative.

    Args:
        on: where it is rehearsed.
        pilot: the pilot's scenario.
        replication: the number that the pilot's luck has in each world.
    """
    loaded = on.source.load()
    widths = [_width(after_pilot(loaded, on, pilot, int(world), replication)) for world in on.worlds]
    return 1.0 - float(np.mean(widths)) / on.width_now_usd if on.width_now_usd > 0.0 else 0.0


def after_pilot(loaded: LoadedScenario, on: Stage, pilot: Scenario, world: int, replication: int) -> Scenario:
    """Return the scenario calibrated on a pilot in one world; unchanged if the pilot shows no quantity of it."""
    program = lower(pilot)
    entries = engine_for(program).simulate(program, on.seed, world, replication).ledger
    assert entries is not None
    try:
        return calibrate(loaded, on.source.text, _as_read(entries), "draws.parquet").after.scenario
    except UserError:
        return loaded.scenario


def _as_read(entries: pd.DataFrame) -> ImportedLedger:
    """Return a run's entries as they are read from the file that `trace` writes."""
    with tempfile.TemporaryDirectory() as folder:
        entries.to_parquet(Path(folder) / "ledger.parquet", index=False)
        return read_logs([Path(folder)])


def _width(scenario: Scenario) -> float:
    spends = project(scenario, Options(replications=REPLICATIONS)).replications["spend_usd"]
    low, high = np.quantile(spends, (0.1, 0.9))
    return float(high - low)
