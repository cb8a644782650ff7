"""Backtests: projecting what is known already, through the path that a user takes, and scoring the projections."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from simbudget.calibration.observed.sessions import Session, sessions_of
from simbudget.calibration.observed.totals import calls_within, session_samples, truths
from simbudget.forecast.campaigns import campaign_forecasts
from simbudget.forecast.cases import Case, naive_rest
from simbudget.forecast.conformal import PastCase, Stretch, conformal
from simbudget.forecast.new_runs import across_runs, across_summed_runs
from simbudget.forecast.remaining_run import RestOfSession, rest_scenario
from simbudget.forecast.scores import score
from simbudget.ledger.imported import ImportedLedger
from simbudget.projection.run import Options, project

Floats = npt.NDArray[np.float64]
Progress = Callable[[int, int], None]

BY: Final = ("calls", "time", "runs")
FEWEST_CALLS: Final = 15
"""Shorter sessions have no beginning and no rest to speak of."""
FEWEST_KNOWN: Final = 3
DEFAULT_REPLICATIONS: Final = 200


@dataclass(frozen=True)
class Plan:
    """How a backtest is made."""

    cut: float = 0.2
    by: str = "calls"
    replications: int = DEFAULT_REPLICATIONS
    seed: int = 1
    most_cases: int | None = None
    """So many sessions of a ledger are projected at most, evenly taken; None: all."""
    past: dict[str, list[PastCase]] = field(default_factory=dict)
    """By quantity: cases of other backtests, of the same task; see `conformal`."""


@dataclass(frozen=True)
class Backtest:
    """What a backtest found: three lists of one length."""

    forecasts: list[Case]
    """As they are reported: stretched by what other runs showed."""
    raw: list[Case]
    stretches: list[Stretch]


def backtest(ledger: ImportedLedger, plan: Plan, progress: Progress | None = None) -> Backtest:
    """Return the backtest of a ledger."""
    progress = progress or (lambda done, total: None)
    return calibrated(list(forecasts_of(ledger, plan, progress)), plan.past)


def calibrated(raw: Sequence[Case], past: Mapping[str, Sequence[PastCase]]) -> Backtest:
    """Return forecasts of one task stretched by what others of them, and past cases, showed."""
    found = Backtest([], [], [])
    for quantity in dict.fromkeys(f.quantity for f in raw):
        of_quantity = [f for f in raw if f.quantity == quantity]
        wide, stretches = conformal(of_quantity, past.get(quantity, ()))
        found.raw.extend(of_quantity)
        found.forecasts.extend(wide)
        found.stretches.extend(stretches)
    return found


def summary(found: Backtest, group: Callable[[Case], str] = lambda f: f.source) -> dict[str, dict[str, Any]]:
    """Return the scores by group (by default the log's source) and quantity: what `backtest --json` prints."""
    result: dict[str, dict[str, Any]] = {}
    cases = list(zip(found.forecasts, found.raw, found.stretches, strict=True))
    for name in sorted({group(f) for f in found.forecasts}):
        mine = [case for case in cases if group(case[0]) == name]
        result[name] = {}
        for quantity in dict.fromkeys(wide.quantity for wide, _, _ in mine):
            wide, raw, stretches = zip(*[case for case in mine if case[0].quantity == quantity], strict=True)
            scores = score(wide, raw)
            scores["widened_by"] = float(np.mean([stretch.factor for stretch in stretches]))
            result[name][quantity] = scores
    return result


def forecasts_of(
    ledger: ImportedLedger, plan: Plan, progress: Progress = lambda done, total: None
) -> Iterator[Case]:
    """Yield the forecasts of a ledger, not yet stretched by what others showed.

    Campaigns of experiments have no calls: their rests are always those of time.
    """
    sessions = sessions_of(ledger)
    if plan.by == "runs":
        yield from across_runs(sessions, plan.cut, plan.replications, plan.seed)
        yield from across_summed_runs(ledger, plan.cut, plan.replications, plan.seed)
        return
    yield from _rests(sessions, plan, progress)
    yield from campaign_forecasts(ledger, plan.cut, plan.replications, plan.seed)


def _rests(sessions: Sequence[Session], plan: Plan, progress: Progress) -> Iterator[Case]:
    """Yield the forecasts of the rest of each session that is long enough, the others known."""
    long = [session for session in sessions if len(session) >= FEWEST_CALLS]
    if plan.most_cases is not None:
        long = long[:: -(-len(long) // plan.most_cases) or 1]
    for done, session in enumerate(long):
        progress(done, len(long))
        first = _first(session, plan)
        if first is not None:
            others = [other for other in sessions if other.run != session.run]
            yield from _rest(session, first, others, plan)
    progress(len(long), len(long))


def _first(session: Session, plan: Plan) -> int | None:
    """Return how many calls of a session are its beginning; None if it has no beginning or no rest."""
    if plan.by == "calls":
        return min(max(FEWEST_KNOWN, int(np.ceil(plan.cut * len(session)))), len(session) - 1)
    return calls_within(session, plan.cut, FEWEST_KNOWN)


def _rest(session: Session, first: int, others: Sequence[Session], plan: Plan) -> Iterator[Case]:
    begun, truth = session.part(0, first), truths(session, first)
    calls_left, seconds_left = len(session) - first, None
    if plan.by == "time":
        seconds_left = truth.get("wall_time_s")
        if seconds_left is None:
            return
    case = RestOfSession(
        begun,
        others,
        None if seconds_left else calls_left,
        seconds_left,
        plan.cut,
        plan.replications,
        plan.seed,
    )
    options = Options(seed=plan.seed, replications=plan.replications, workers=1)
    samples = session_samples(project(rest_scenario(case), options).replications)
    rng = np.random.default_rng([plan.seed, session.run])
    naive = naive_rest(begun, _calls_by_rate(begun, seconds_left) or calls_left, plan.replications, rng)
    for quantity, value in truth.items():
        if quantity == ("calls" if plan.by == "calls" else "wall_time_s") or quantity not in naive:
            continue
        name = f"{session.name}"
        yield Case(
            plan.by,
            session.source,
            session.project,
            name,
            quantity,
            value,
            samples[quantity],
            naive[quantity],
        )


def _calls_by_rate(begun: Session, seconds_left: float | None) -> int | None:
    """Return how many calls a straight line makes in the time that is left."""
    if seconds_left is None:
        return None
    lasted_s = float(begun.started_s[-1] + np.nan_to_num(begun.duration_s[-1]) - begun.started_s[0])
    return max(1, round(len(begun) / max(lasted_s, 1.0) * seconds_left))
