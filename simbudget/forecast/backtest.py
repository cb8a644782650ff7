"""Backtests: projecting what is known already, through the path that a user takes, and scoring the projections."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from simbudget.arrays import Floats
from simbudget.calibration.observed.sessions import Session, sessions_of
from simbudget.calibration.observed.totals import calls_within, truths
from simbudget.errors import Problem, UserError, argument, check_range
from simbudget.forecast.campaigns import campaign_forecasts
from simbudget.forecast.cases import KNOWN_RUNS, Case, known_runs, naive_rest
from simbudget.forecast.conformal import PastCase, Stretch, conformal
from simbudget.forecast.new_runs import across_runs
from simbudget.forecast.past_days import across_days
from simbudget.forecast.past_runs import Library
from simbudget.forecast.remaining_run import Horizon, remaining_session
from simbudget.forecast.scores import score
from simbudget.ledger.imported import ImportedLedger

Progress = Callable[[int, int], None]

BY: Final = ("calls", "time", "unknown", "runs", "days")
"""What is known of the future: how many calls, how much time, nothing; or some runs, of which others are forecast."""
_FOLDS: Final = 10
"""A session is forecast from the nine tenths of the others that are not in its own fold: each tenth teaches once."""
FEWEST_CALLS: Final = 15
"""Shorter sessions have no beginning and no rest to speak of."""
FEWEST_KNOWN: Final = 3
SEEN: Final = (5, 10, 20, 40, 80, 160)
"""Calls after which a run of unknown length is forecast, if it goes on. After a share of the calls the remaining run is
always the same multiple of what was, which nobody who asks knows; a forecast that covers that is no honest one."""
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

    def __post_init__(self) -> None:
        """Check what is asked for.

        Raises:
            UserError: nothing is known by that name, or a number is out of its bounds.
        """
        if self.by not in BY:
            raise UserError(
                Problem(f"{argument('by')} is {self.by!r}", remedy=f"write one of {', '.join(BY)}")
            )
        check_range("cut", self.cut, 0.01, 0.99)
        check_range("replications", self.replications, 20)


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
    if plan.by == "runs":
        yield from across_runs(ledger, plan.cut, plan.replications, plan.seed)
        return
    if plan.by == "days":
        yield from across_days(ledger, plan.replications, plan.seed)
        return
    yield from _rests(sessions_of(ledger), plan, progress)
    yield from campaign_forecasts(ledger, plan.cut, plan.replications, plan.seed)


def _rests(sessions: Sequence[Session], plan: Plan, progress: Progress) -> Iterator[Case]:
    """Yield the forecasts of the remaining run of each session that is long enough, the others known."""
    long = [session for session in sessions if len(session) >= _fewest_calls(plan)]
    if plan.most_cases is not None:
        long = long[:: -(-len(long) // plan.most_cases) or 1]
    folds = min(_FOLDS, len(sessions))
    fold = {session.run: number % folds for number, session in enumerate(sessions)}
    libraries: dict[int, Library] = {}
    for done, session in enumerate(sorted(long, key=lambda session: fold[session.run])):
        progress(done, len(long))
        mine = fold[session.run]
        if mine not in libraries:
            libraries = {mine: Library([other for other in sessions if fold[other.run] != mine])}
        for first in _firsts(session, plan):
            yield from _rest(session, first, libraries[mine], plan)
    progress(len(long), len(long))


def _fewest_calls(plan: Plan) -> int:
    """Return how many calls a run has at least; a longer minimum would tell how long runs of unknown length are."""
    return SEEN[0] + 1 if plan.by == "unknown" else FEWEST_CALLS


def _firsts(session: Session, plan: Plan) -> list[int]:
    """Return of how many calls the beginnings of a session are that are forecast from."""
    if plan.by == "unknown":
        return [first for first in SEEN if first < len(session)]
    if plan.by == "time":
        first = calls_within(session, plan.cut, FEWEST_KNOWN)
        return [] if first is None else [first]
    return [min(max(FEWEST_KNOWN, int(np.ceil(plan.cut * len(session)))), len(session) - 1)]


def _rest(session: Session, first: int, library: Library, plan: Plan) -> Iterator[Case]:
    begun, truth = session.part(0, first), truths(session, first)
    seconds = truth.get("wall_time_s") if plan.by == "time" else None
    if plan.by == "time" and seconds is None:
        return
    known = len(session) - first if plan.by == "calls" else None
    horizon = Horizon(calls=known, seconds=seconds)
    samples = remaining_session(begun, library, horizon, plan.replications, plan.seed)
    rng = np.random.default_rng([plan.seed, session.run])
    left = known or _calls_by_rate(begun, seconds) or _usual_calls(first, library.like(begun).lengths)
    naive = naive_rest(begun, left, plan.replications, rng)
    if plan.by != "time":
        others = library.like(begun).sessions
        for quantity, sample in known_runs(others, first, known, plan.replications, rng).items():
            naive.setdefault(quantity, {})[KNOWN_RUNS] = sample
    for quantity, value in truth.items():
        if quantity in samples and quantity in naive:
            yield Case(
                plan.by,
                session.source,
                session.project,
                session.name,
                quantity,
                value,
                samples[quantity],
                naive[quantity],
            )


def _usual_calls(so_far: int, lengths: Floats) -> int:
    """Return the mean remaining calls of other sessions that went on: what a straight line takes for granted."""
    longer = lengths[lengths > so_far] - so_far
    return max(1, round(float(longer.mean()))) if len(longer) else so_far


def _calls_by_rate(begun: Session, seconds_left: float | None) -> int | None:
    """Return how many calls a straight line makes in the time that is left."""
    if seconds_left is None:
        return None
    lasted_s = float(begun.started_s[-1] + np.nan_to_num(begun.duration_s[-1]) - begun.started_s[0])
    return max(1, round(len(begun) / max(lasted_s, 1.0) * seconds_left))
