"""Durations and prices of reviews and of tries at gates, if a ledger has them.

Reviews are done in office hours, so the work of a review is the part of its duration within the scenario's office
hours. If all values are the same, the scenario gets that number; otherwise a price is one unknown value, and times
vary.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
import pandas as pd

from simbudget.arrays import Floats, Integers
from simbudget.calibration.observed.trials import places_of_gates
from simbudget.calibration.posteriors.pooling import log_of
from simbudget.calibration.posteriors.runs_to_come import pool
from simbudget.calibration.scenarios.fit import FEWEST, Fit, fit_of_fact, fit_of_setting, fit_of_varying
from simbudget.calibration.scenarios.logs import evidence_of_ledger
from simbudget.calibration.scenarios.wording import written_exact, written_fact
from simbudget.engine.laws.hours import open_ns
from simbudget.engine.laws.work import DAY_NS
from simbudget.engine.lowering.quantities import office_hours
from simbudget.ledger.imported import ImportedLedger
from simbudget.scenario.scenario import Review, Scenario, gate_names
from simbudget.units import HOUR_S, Dimension

_SEED: Final = 20_260_305
_SAME: Final = 1e-6
_SHORTEST_S: Final = 1.0
_NANOSECONDS: Final = 1e9


def fit_trials(ledger: ImportedLedger, scenario: Scenario, worlds: int) -> Iterator[Fit]:
    """Yield time and price of reviews and of tries at each gate, as far as a ledger has them.

    Args:
        ledger: logs of real runs.
        scenario: for the names of its gates and the hours of its reviewers.
        worlds: number of joint draws.
    """
    rng = np.random.default_rng(_SEED)
    entries = ledger.entries
    ended = ~entries["outcome"].astype(str).isin(("cut", "unserved"))
    reviews = entries[(entries["kind"] == "review") & ended]
    if scenario.review is not None and len(reviews) >= FEWEST:
        work_s = _work_s(reviews, ledger.runs, scenario.review, scenario.stop.begins_s)
        per_hour = reviews["cost_usd"].to_numpy(np.float64) / np.maximum(work_s, _SHORTEST_S) * HOUR_S
        told = _Told("review", ledger, reviews, worlds, rng)
        yield from told.time("review.time", work_s)
        yield from told.price("review.price", per_hour, Dimension.USD_PER_HOUR)
    tries = entries[(entries["kind"] == "gate") & ended]
    places = places_of_gates(tries, gate_names(scenario.gates))
    for place in range(len(scenario.gates)):
        own = tries[(places == place).to_numpy(np.bool_, na_value=False)]
        if len(own) >= FEWEST:
            told = _Told("gate", ledger, own, worlds, rng)
            yield from told.time(f"gates[{place}].time", own["duration_s"].to_numpy(np.float64))
            usd = own["cost_usd"].to_numpy(np.float64)
            yield from told.price(f"gates[{place}].price", usd, Dimension.USD_PER_TRY)


class _Told:
    """Entries of a ledger with one value each."""

    def __init__(
        self, kind: str, ledger: ImportedLedger, rows: pd.DataFrame, worlds: int, rng: np.random.Generator
    ) -> None:
        self._kind, self._ledger, self._run = kind, ledger, rows["run"].to_numpy(np.int64)
        self._worlds, self._rng = worlds, rng

    def time(self, name: str, values_s: Floats) -> Iterator[Fit]:
        """Yield the fit of a time."""
        runs = self._by_run(values_s, _SHORTEST_S)
        if not runs:
            return
        values = np.concatenate(runs)
        evidence = evidence_of_ledger(self._ledger, (self._kind,), len(values))
        if _same(values):
            value = float(values[0])
            written = written_exact(value, Dimension.DURATION)
            yield fit_of_setting(name, value, written, evidence, self._worlds)
            return
        learnt = pool([log_of(of, _SHORTEST_S) for of in runs], self._worlds, self._rng, has_levels=False)
        yield fit_of_varying(name, Dimension.DURATION, learnt, evidence, values)

    def price(self, name: str, values_usd: Floats, dimension: Dimension) -> Iterator[Fit]:
        """Yield the fit of a price, one number with the uncertainty of a Bayesian bootstrap over runs."""
        runs = self._by_run(values_usd, 0.0)
        if not runs:
            return
        values = np.concatenate(runs)
        evidence = evidence_of_ledger(self._ledger, (self._kind,), len(values))
        if _same(values):
            value = float(f"{values[0]:.6g}")
            yield fit_of_setting(name, value, written_exact(value, dimension), evidence, self._worlds)
            return
        parts = np.array([of.mean() for of in runs]) if len(runs) > 1 else values
        draws = self._rng.dirichlet(np.ones(len(parts)), self._worlds) @ parts
        yield fit_of_fact(name, draws, written_fact(draws, dimension), evidence)

    def _by_run(self, values: Floats, above: float) -> list[Floats]:
        """Return each run's values above a bound; nothing if there are few."""
        told = np.isfinite(values) & (values > above)
        runs = [values[told & (self._run == run)] for run in np.unique(self._run[told])]
        return runs if told.sum() >= FEWEST else []


def _same(values: Floats) -> bool:
    return bool(np.ptp(values) <= _SAME * np.abs(values).max())


def _work_s(reviews: pd.DataFrame, runs: pd.DataFrame, review: Review, begins_s: int) -> Floats:
    """Return [reviews] seconds within office hours; a run without a date starts at the scenario's start."""
    hours = np.array(office_hours(review), dtype=np.int64)
    week_s = {int(run): _week_s(at, begins_s) for run, at in zip(runs["run"], runs["began_at"], strict=True)}
    starts_s = reviews["started_s"] + reviews["run"].map(week_s)
    spans = zip(starts_s, starts_s + reviews["duration_s"], strict=True)
    return np.array([_open_s(hours, start, end) for start, end in spans])


def _week_s(began_at: pd.Timestamp, begins_s: int) -> float:
    if pd.isna(began_at):
        return float(begins_s)
    return float((began_at.weekday() * DAY_NS + (began_at - began_at.normalize()).value) / _NANOSECONDS)


def _open_s(hours: Integers, start_s: float, end_s: float) -> float:
    if not np.isfinite(end_s - start_s):
        return float("nan")
    return float(open_ns(hours, round(start_s * _NANOSECONDS), round(end_s * _NANOSECONDS)) / _NANOSECONDS)
