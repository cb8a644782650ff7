"""The evidence of a short pilot: the figures of its record, what they explain of an outcome, and rehearsals.

A record is reduced to a few figures. For quantities that scatter lognormally, the mean and the spread of the logarithms
are sufficient statistics; counts and shares stand for what happens or fails at a rate.

An outcome is regressed on these figures in two ways, and the better one counts. One is a sparse polynomial
(`deciding.emulator`), which finds dependence on few figures and includes only significant terms. The other is a ridge
regression of the outcome's logarithm on all figures, their squares and products (A. E. Hoerl and R. W. Kennard, "Ridge
regression", Technometrics 12 (1970), 55-67), since spend is a product of many factors with small influences each. It is
scored on worlds that it was not fitted to. Both can only miss information in a record, so the remaining variance is an
upper bound up to sampling error.

This is the information available to an analyst who combines the evidence with the scenario's ranges. `calibrate`
replaces these ranges by what it observed, so that its intervals after few experiments are wider; it may also learn what
a regression over few worlds misses. Its effect is therefore found by rehearsal: the pilot is simulated, the scenario
calibrated on it, and the run projected again.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from simbudget.arrays import Flags, Floats, Integers
from simbudget.calibration.scenarios.calibrate import calibrate
from simbudget.deciding.changes import Source
from simbudget.deciding.emulator import PLAIN, fit
from simbudget.engine.lowering import lower
from simbudget.errors import UserError
from simbudget.ledger.imported import ImportedLedger
from simbudget.ledger.readers import read_logs
from simbudget.projection.engines import engine_for
from simbudget.projection.run import Options, project
from simbudget.scenario.loading import LoadedScenario
from simbudget.scenario.scenario import Scenario
from simbudget.units import HOUR_S

FIGURES: Final = (
    "output per call",
    "scatter of output",
    "speed of calls",
    "tool time",
    "scatter of tool time",
    "new input per call",
    "calls per cycle",
    "calls between steps",
    "time of experiments",
    "scatter of experiments",
    "experiments ended",
    "experiments that failed",
    "experiments under way",
    "cycles begun",
    "submissions",
    "best score",
    "mean score",
    "scatter of scores",
    "time of reviews",
    "crashes",
    "cost per hour",
)
"""The figures of a record, in this order."""


def figures_of(ledger: pd.DataFrame, hours: float) -> Floats:
    """Return the [figures] `FIGURES` of the first hours of a run; NaN for figures that it does not show.

    Args:
        ledger: the entries of the run.
        hours: length of the record, in hours since the run began.
    """
    end_s = hours * HOUR_S
    seen = ledger[ledger["started_s"] < end_s]
    ended_s = (seen["started_s"] + seen["duration_s"]).to_numpy()
    kind, outcome = seen["kind"].to_numpy(), seen["outcome"].to_numpy()
    over = (ended_s <= end_s) & (outcome != "cut")
    duration_s = seen["duration_s"].to_numpy(dtype=np.float64)
    output = seen["output_tokens"].to_numpy(dtype=np.float64)
    calls, jobs = over & (kind == "call"), kind == "experiment"
    scores = seen["score"].to_numpy(dtype=np.float64)[over & (kind == "score")]
    tool_time, job_time = (
        _logs(duration_s[over & (kind == "tool")]),
        _logs(duration_s[jobs & (outcome == "ok") & over]),
    )
    spoken, fresh = _logs(output[calls]), seen["cache_write_tokens"].to_numpy(dtype=np.float64)[calls]
    per_cycle = seen[calls].groupby(["agent", "cycle"]).size().to_numpy(dtype=np.float64)
    known = scores[~np.isnan(scores)]
    spent = float(seen["cost_usd"].to_numpy(dtype=np.float64)[over].sum())
    values = (
        _mean(spoken),
        _spread(spoken),
        _mean(_logs(output[calls] / np.maximum(duration_s[calls], 1e-3))),
        _mean(tool_time),
        _spread(tool_time),
        _mean(_logs(fresh[fresh < 15_000])),
        _mean(_logs(per_cycle)),
        _mean(_logs(_calls_before(kind, seen["agent"].to_numpy(), over))),
        _mean(job_time),
        _spread(job_time),
        float(len(job_time)),
        float((jobs & over & (outcome != "ok")).sum()) / max(1.0, float((jobs & over).sum())),
        float((jobs & ~over).sum()),
        float(len(per_cycle)),
        float(len(known)),
        float(known.max()) if len(known) else np.nan,
        _mean(known),
        _spread(known),
        _mean(_logs(duration_s[over & (kind == "review")])),
        float((kind == "down").sum()),
        spent / hours,
    )
    return np.array(values)


def _calls_before(kind: npt.NDArray[np.object_], agent: Integers, over: Flags) -> Floats:
    """Return the number of calls of an agent before each experiment that it started."""
    counts: list[int] = []
    for number in np.unique(agent):
        own = kind[(agent == number) & (over | (kind == "experiment"))]
        begun = np.flatnonzero(own == "experiment")
        total = np.cumsum(own == "call")
        counts.extend(np.diff([0, *total[begun]]))
    return np.array(counts, dtype=np.float64)


def _logs(values: Floats) -> Floats:
    return np.log(values[values > 0.0])


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else np.nan


def _spread(values: Floats) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else np.nan


_FOLDS: Final = 8
"""Each fit leaves out an eighth of the worlds: nearly the accuracy of leaving out one, at a fraction of the time."""
_PENALTIES: Final = np.logspace(-1.0, 4.0, 12)
"""From almost none to one that leaves only the mean, for standardised columns of some hundred worlds."""
_FEWEST_WORLDS: Final = 40
"""With fewer worlds, a ridge regression on hundreds of columns predicts no better than the mean."""
_FEWEST_KNOWN: Final = 10
"""Fewest records that must have a figure for it to be used: with fewer, it cannot be told from noise."""
_MOSTLY_KNOWN: Final = 0.95
"""Where up to this share of the records show a figure, and at least its complement, showing it is a figure itself."""


def ranks(shown: Floats) -> Floats:
    """Return the [worlds, columns] ranks of the records' figures, from 0 to 1; one half if a record lacks a figure.

    Figures that never differ are left out. A figure that only some records show gets a second column: whether it does.

    Args:
        shown: [worlds, figures] as `figures_of` returns them; NaN where a record does not show a figure.
    """
    from scipy.stats import rankdata  # noqa: PLC0415  slow to import

    columns = []
    for figure in shown.T:
        known = ~np.isnan(figure)
        if known.sum() < _FEWEST_KNOWN or np.ptp(figure[known]) == 0.0:
            continue
        ranked = np.full(len(figure), 0.5)
        ranked[known] = (rankdata(figure[known]) - 0.5) / known.sum()
        columns.append(ranked)
        if 1.0 - _MOSTLY_KNOWN < known.mean() < _MOSTLY_KNOWN:
            columns.append(np.where(known, 0.75, 0.25))
    return np.column_stack(columns) if columns else np.empty((len(shown), 0))


def variance_left(evidence: Floats, outcome: Floats) -> float:
    """Return the expected variance of an outcome given the evidence.

    Args:
        evidence: [worlds, figures] ranks; see `ranks`.
        outcome: [worlds].
    """
    now = float(outcome.var(ddof=1)) if len(outcome) > 1 else 0.0
    if not evidence.shape[1] or now == 0.0:
        return now
    emulator = fit(evidence, outcome, PLAIN)
    left = emulator.residual_variance if emulator.terms else now
    if len(outcome) >= _FEWEST_WORLDS and outcome.min() > 0.0:
        left = min(left, float(np.mean((outcome - _by_ridge(evidence, outcome)) ** 2)))
    return min(left, now)


def _by_ridge(evidence: Floats, outcome: Floats) -> Floats:
    """Return the [worlds] outcomes as predicted by a regression on the worlds of the other folds."""
    from scipy.stats import norm  # noqa: PLC0415  slow to import
    from sklearn.linear_model import RidgeCV  # noqa: PLC0415
    from sklearn.preprocessing import PolynomialFeatures, StandardScaler  # noqa: PLC0415

    scores = norm.ppf(evidence)
    table = StandardScaler().fit_transform(PolynomialFeatures(2, include_bias=False).fit_transform(scores))
    logs, fold = np.log(outcome), np.arange(len(outcome)) % _FOLDS
    predicted = np.empty(len(outcome))
    for number in range(_FOLDS):
        held_out = fold == number
        ridge = RidgeCV(_PENALTIES).fit(table[~held_out], logs[~held_out])
        spread = float(np.var(logs[~held_out] - ridge.predict(table[~held_out])))
        predicted[held_out] = np.exp(ridge.predict(table[held_out]) + spread / 2.0)
    return predicted


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
    """Return the scenario calibrated on a pilot in one world; unchanged if the pilot shows no quantity of it.

    Args:
        loaded: the scenario of the run.
        on: where the pilot is rehearsed.
        pilot: the pilot's scenario.
        world: number of the world.
        replication: number of the pilot's replication in that world.
    """
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
