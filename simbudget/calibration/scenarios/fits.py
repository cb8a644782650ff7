"""Fits: for each quantity of a scenario that a ledger speaks to, what was learnt of it and on what evidence."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from simbudget.calibration.observed.drift import drift_words
from simbudget.calibration.observed.observations import FLOORS, NO_SPEED, Observed, observe, settled
from simbudget.calibration.observed.sessions import Session, sessions_of
from simbudget.calibration.observed.speeds import Slope, slope_of, under_slopes
from simbudget.calibration.observed.steps import scoring_times
from simbudget.calibration.posteriors.caches import cache_life, misses_of
from simbudget.calibration.posteriors.durations import new_durations
from simbudget.calibration.posteriors.joint import jointly
from simbudget.calibration.posteriors.limits import compaction_limit
from simbudget.calibration.posteriors.openings import Opening, learnt_opening
from simbudget.calibration.posteriors.pooling import log_of
from simbudget.calibration.posteriors.rates import pooled_rate
from simbudget.calibration.posteriors.runs_to_come import pool, without_levels
from simbudget.calibration.posteriors.survival import censored_lognormal
from simbudget.calibration.scenarios.experiments import Jobs, jobs_of
from simbudget.calibration.scenarios.wording import highest_of, written_fact, written_varying
from simbudget.distributions.posteriors import Posterior
from simbudget.ledger.imported import ImportedLedger
from simbudget.scenario.calibration_file import CalibratedQuantity, Evidence
from simbudget.units import Dimension

Floats = npt.NDArray[np.float64]

WORLDS: Final = 500
"""Joint draws in a calibration."""

_SEED: Final = 20_260_301
_FEWEST: Final = 3
"""With fewer values a quantity stays as it was."""
_FEWEST_COMPACTIONS: Final = 8
_OPENING_EVIDENCE: Final = 2.0
_FEWEST_OPENINGS: Final = 8
"""With fewer sessions an opening would be what is assumed of it."""
_MOST_OF_LIMIT: Final = 0.5
_LESS_SCATTER: Final = 0.8
_MOST_TRIES: Final = 25

ALL_THAT_JOINED: Final = "output counts are not known: whatever joined the context stands here"
"""The remark on tool results that were learnt from sessions without output counts."""


@dataclass(frozen=True)
class Fit:
    """What was learnt of one quantity."""

    name: str
    quantity: CalibratedQuantity | None
    """None for a setting, which is one exact number."""
    written: str
    evidence: Evidence
    log_scores: dict[str, float] = field(default_factory=dict)
    """Families' leave-one-run-out log scores."""
    observed: Floats = field(default_factory=lambda: np.zeros(0), repr=False, compare=False)
    """The values themselves; of a rate, each run's."""
    rate: float = float("nan")
    """Of a rate: that of all runs together."""
    levels: Mapping[int, float] = field(default_factory=dict, repr=False, compare=False)
    """By run: its mean logarithm, of what varies within runs."""


@dataclass(frozen=True)
class _Place:
    """Where an observed quantity stands in a scenario."""

    name: str
    dimension: Dimension
    remark: str = ""


_LEVELLED: Final = ("output", "thinking", "tool_result", "tool_time")
"""What the engine draws at a level of its context; of all else, contexts differ by chance alone."""

_TURN: Final = {
    "output": _Place("turn.output_tokens", Dimension.NUMBER),
    "thinking": _Place("turn.thinking_tokens", Dimension.NUMBER),
    "tool_result": _Place("turn.tool_result_tokens", Dimension.NUMBER),
    "tool_time": _Place("turn.tool_time", Dimension.DURATION),
    "first_prompt": _Place("context.first_prompt_tokens", Dimension.NUMBER),
    "compacted": _Place("context.compacted_to_tokens", Dimension.NUMBER),
    "turns": _Place("cycle.think.turns", Dimension.NUMBER),
    "post": _Place("forum.post_tokens", Dimension.NUMBER),
}


_SUMMED: Final = ("tool_time", "turns")
"""Of these the sum matters and tails are heavy: see `durations`."""


def fit_ledger(
    ledger: ImportedLedger, models: Sequence[str] = (), worlds: int = WORLDS, people: bool = False
) -> list[Fit]:
    """Return what a ledger says of a scenario's quantities, in the order of the scenario's blocks.

    Args:
        ledger: logs of real runs.
        models: the scenario's models, whose speeds are learnt.
        worlds: how many joint draws.
        people: whether waiting for people counts as tool time.
    """
    rng = np.random.default_rng(_SEED)
    sessions = sessions_of(ledger)
    fits = [*fit_sessions(sessions, models, worlds, people, rng)]
    fits.extend(_fit_jobs(jobs_of(ledger), worlds, rng))
    fits.extend(_fit_scorer(ledger, sessions, worlds, rng))
    return jointly(fits, worlds, rng)


def fit_sessions(
    sessions: Sequence[Session], models: Sequence[str], worlds: int, people: bool, rng: np.random.Generator
) -> Iterator[Fit]:
    """Yield what sessions say; those with known outputs speak of outputs, all of contexts and times."""
    if not sessions:
        return
    knowing = [session for session in sessions if session.knows_output]
    of_turns = knowing if len(knowing) >= max(1, len(sessions) // 10) else sessions
    seen = observe(of_turns, people)
    opening = _opening(seen)
    seen = settled(seen, opening)
    everyone = observe(sessions, people)
    limit, compactions = compaction_limit(sessions)
    for name, place in _TURN.items():
        if name == "compacted" and compactions < _FEWEST_COMPACTIONS:
            continue
        source = seen if name in ("output", "thinking", "tool_result") else everyone
        whose = of_turns if source is seen else sessions
        if name == "tool_result" and not seen.knows_output:
            continue  # what the context grew by is output and tool result; see `_growth`
        for fit in _varying(name, place, source.values[name], whose, worlds, rng):
            yield _below(fit, limit) if name == "compacted" and limit is not None else fit
    if not seen.knows_output:
        yield from _growth(seen, of_turns, worlds, rng)
    if limit is not None and compactions >= _FEWEST_COMPACTIONS:
        evidence = _evidence(sessions, compactions, "median of Kaplan and Meier's estimator")
        yield _setting("context.limit_tokens", round(limit), evidence, worlds)
    yield from _opening_fits(opening, _evidence(of_turns, sum(map(len, seen.ages))), worlds)
    for model in models:
        yield from _speeds(model, sessions, people, worlds, rng)
    yield from _errors(sessions, worlds, rng)
    yield from _misses(sessions, worlds, rng)


def _opening(seen: Observed) -> Opening:
    """Return how contexts open; that they do not, where few sessions show it."""
    telling = sum(len(values) >= _FEWEST for values in seen.values["tool_result"])
    if telling < _FEWEST_OPENINGS:
        return Opening()
    return learnt_opening(seen.values["tool_result"], seen.ages, _OPENING_EVIDENCE)


def _opening_fits(opening: Opening, evidence: Evidence, worlds: int) -> Iterator[Fit]:
    if opening.times != 1.0:
        yield _setting("turn.opening.times", opening.times, evidence, worlds)
        yield _setting("turn.opening.turns", opening.turns, evidence, worlds)


def _setting(name: str, value: float, evidence: Evidence, worlds: int) -> Fit:
    """Return the fit of what is one exact number."""
    draws = np.column_stack([np.full(worlds, float(value)), np.zeros((worlds, 2))])
    written = f"{value:.12g}"
    quantity = CalibratedQuantity(name, written, "exact", Posterior(draws, is_fact=True), evidence)
    return Fit(name, quantity, written, evidence)


def _varying(
    name: str,
    place: _Place,
    values: Sequence[Floats],
    sessions: Sequence[Session],
    worlds: int,
    rng: np.random.Generator,
) -> Iterator[Fit]:
    """Yield the fit of what varies, if there are enough values."""
    having = [(v, s) for v, s in zip(values, sessions, strict=True) if len(v)]
    count = sum(len(v) for v, _ in having)
    if count < _FEWEST:
        return
    logs = [log_of(v, FLOORS[name]) for v, _ in having]
    if name == "compacted":  # few each, and hardly a run's own
        logs = [value for run in logs for value in np.split(run, len(run))]
    summing = None
    if name in _SUMMED:
        summing = new_durations([v for v, _ in having], worlds, rng, has_levels=name in _LEVELLED)
    posterior, shape = summing or pool(logs, worlds, rng)
    if name not in _LEVELLED:
        posterior = without_levels(posterior)
    remark = "; ".join(filter(None, (place.remark, drift_words([v for v, _ in having]))))
    evidence = _evidence([s for _, s in having], count, remark)
    written = written_varying(posterior, place.dimension)
    quantity = CalibratedQuantity(place.name, written, shape.family, posterior, evidence)
    observed = np.concatenate([v for v, _ in having])
    levels = {s.run: float(log_of(v, FLOORS[name]).mean()) for v, s in having}
    yield Fit(place.name, quantity, written, evidence, shape.log_scores, observed, levels=levels)


def _below(fit: Fit, limit: float) -> Fit:
    """Return the fit of compacted sizes with so little scatter that nine in ten are well below the limit."""
    assert fit.quantity is not None
    draws, shape = fit.quantity.posterior.draws.copy(), fit.quantity.posterior.shape
    posterior = Posterior(draws, shape)
    for _ in range(_MOST_TRIES):
        if highest_of(posterior) <= _MOST_OF_LIMIT * limit:
            break
        draws = draws * np.array([1.0, _LESS_SCATTER, _LESS_SCATTER])
        posterior = Posterior(draws, shape)
    written = written_varying(posterior, Dimension.NUMBER)
    return replace(fit, written=written, quantity=replace(fit.quantity, posterior=posterior, written=written))


def _growth(
    seen: Observed, sessions: Sequence[Session], worlds: int, rng: np.random.Generator
) -> Iterator[Fit]:
    """Yield the tool result of sessions whose outputs are not known: all that the context grew by.

    Outputs then join nothing: they stand in `thinking_tokens`, as assumed, lest they be counted twice.
    """
    place = replace(_TURN["tool_result"], remark=ALL_THAT_JOINED)
    yield from _varying("tool_result", place, seen.values["tool_result"], sessions, worlds, rng)


def _speeds(
    model: str, sessions: Sequence[Session], people: bool, worlds: int, rng: np.random.Generator
) -> Iterator[Fit]:
    """Yield first token and output speed of a model, from its sessions; from all if none has its name."""
    own = [s for s in sessions if s.model.startswith(model)] or list(sessions)
    knowing = [s for s in own if s.knows_output]
    whose = knowing if sum(map(len, knowing)) >= 30 else own
    knows = all(session.knows_output for session in whose)
    slope = slope_of(whose) if knows else None
    remark = "" if knows else "output counts are not known: the whole duration of calls stands here"
    place = _Place(f"models[{model}].first_token", Dimension.DURATION, remark)
    speed = max(1.0 / slope.seconds, 1.0) if slope else NO_SPEED
    seen = observe(whose, people, speed)
    at = slope.drawn(worlds, rng) if slope else np.zeros(worlds)
    for fit in _varying("first_token", place, seen.values["first_token"], whose, worlds, rng):
        yield _under_slopes(fit, whose, slope, at) if slope else fit
    evidence = _evidence(whose, sum(map(len, whose)), remark)
    yield _speed(f"models[{model}].output_speed", slope, at, evidence)


def _under_slopes(fit: Fit, sessions: Sequence[Session], slope: Slope, at: Floats) -> Fit:
    """Return the fit of first tokens, each world's under its own slope."""
    assert fit.quantity is not None
    posterior = under_slopes(fit.quantity.posterior, sessions, slope, at)
    written = written_varying(posterior, Dimension.DURATION)
    return replace(fit, written=written, quantity=replace(fit.quantity, posterior=posterior, written=written))


def _speed(name: str, slope: Slope | None, at: Floats, evidence: Evidence) -> Fit:
    """Return the fit of the output speed: one number, which few calls leave uncertain."""
    worlds = len(at)
    speeds = np.full(worlds, NO_SPEED)
    if slope is not None:
        speeds = np.clip(1.0 / (slope.seconds + at * slope.error), 1.0, NO_SPEED)
    low, high = (
        f"{value:.4g}" if value < NO_SPEED else "1000000" for value in np.quantile(speeds, (0.1, 0.9))
    )
    written = f"{low} tokens/s" if low == high else f"{{unknown: {low} tokens/s to {high} tokens/s}}"
    posterior = Posterior(np.column_stack([speeds, np.zeros((worlds, 2))]), is_fact=True)
    quantity = CalibratedQuantity(name, written, "fact", posterior, evidence)
    return Fit(name, quantity, written, evidence)


def _errors(sessions: Sequence[Session], worlds: int, rng: np.random.Generator) -> Iterator[Fit]:
    """Yield the error rate of calls, where logs show errors."""
    failures = np.array([s.failures for s in sessions], dtype=np.float64)
    tries = failures + np.array([len(s) for s in sessions])
    if failures.sum() > 0:
        yield _rate("api.error_rate", failures, tries, _evidence(sessions, int(tries.sum())), worlds, rng)


def _misses(sessions: Sequence[Session], worlds: int, rng: np.random.Generator) -> Iterator[Fit]:
    """Yield how often calls missed a cache that was young, where logs show caches, and calls that missed them."""
    whose = [session for session in sessions if session.knows_input and np.nansum(session.read) > 0]
    misses = [misses_of(session, cache_life(sessions, session)) for session in whose]
    missed, calls = np.array([of.missed for of in misses]), np.array([of.calls for of in misses])
    if missed.sum() > 0:
        evidence = _evidence(
            whose, int(calls.sum()), "calls that found a part of their cache count as a part"
        )
        yield _rate("context.cache_misses", missed, calls, evidence, worlds, rng)


def _rate(
    name: str, hits: Floats, tries: Floats, evidence: Evidence, worlds: int, rng: np.random.Generator
) -> Fit:
    draws = pooled_rate(hits, tries, worlds, rng)
    posterior = Posterior(np.column_stack([draws, np.zeros((worlds, 2))]), is_fact=True)
    written = written_fact(draws, Dimension.FRACTION)
    quantity = CalibratedQuantity(name, written, "fact", posterior, evidence)
    return Fit(
        name,
        quantity,
        written,
        evidence,
        observed=hits / np.maximum(tries, 1),
        rate=float(hits.sum() / max(tries.sum(), 1)),
    )


def _fit_jobs(jobs: Jobs | None, worlds: int, rng: np.random.Generator) -> Iterator[Fit]:
    """Yield the time and the failures of experiments, and the scorer's time."""
    if jobs is None:
        return
    evidence = Evidence(len(jobs), jobs.runs, jobs.source, jobs.date, int(jobs.censored.sum()))
    times = jobs.duration_s[~jobs.failed]
    if np.isfinite(times).sum() >= _FEWEST:
        posterior, shape = censored_lognormal(
            jobs.by_run(~jobs.failed), worlds, rng, FLOORS["experiment_time"]
        )
        posterior = without_levels(posterior)
        written = written_varying(posterior, Dimension.DURATION)
        name = "cycle.experiment.time"
        quantity = CalibratedQuantity(name, written, shape.family, posterior, evidence)
        yield Fit(name, quantity, written, evidence, shape.log_scores, times[np.isfinite(times)])
    hits, tries = jobs.failures_by_run()
    if hits.sum() > 0:  # a log without any may be one that does not tell
        yield _rate("cycle.experiment.fails", hits, tries, evidence, worlds, rng)


def _fit_scorer(
    ledger: ImportedLedger, sessions: Sequence[Session], worlds: int, rng: np.random.Generator
) -> Iterator[Fit]:
    """Yield the scorer's time, where a ledger tells it."""
    times = scoring_times(ledger.entries)
    count = sum(map(len, times))
    if count < _FEWEST:
        return
    posterior, shape = pool([log_of(values, FLOORS["scoring_time"]) for values in times], worlds, rng)
    posterior = without_levels(posterior)
    written = written_varying(posterior, Dimension.DURATION)
    evidence = _evidence([session for session in sessions if session.steps is not None], count)
    quantity = CalibratedQuantity("scorer.time", written, shape.family, posterior, evidence)
    yield Fit("scorer.time", quantity, written, evidence, shape.log_scores, np.concatenate(times))


def _evidence(sessions: Sequence[Session], count: int, remark: str = "") -> Evidence:
    sources = ", ".join(sorted({session.source for session in sessions}))
    days = [session.ended for session in sessions if session.ended]
    return Evidence(count, len({s.run for s in sessions}), sources, max(days, default=""), 0, remark)
