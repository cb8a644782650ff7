"""Fits to sessions: turns, contexts, speeds of models, errors and caches."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from simbudget.arrays import Floats
from simbudget.calibration.observed.caches import cache_life, misses_of
from simbudget.calibration.observed.call_habits import KeptThinking, kept_thinking
from simbudget.calibration.observed.limits import compaction_limit
from simbudget.calibration.observed.observations import FLOORS, NO_SPEED, Observed, observe, settled
from simbudget.calibration.observed.sessions import Session
from simbudget.calibration.observed.speeds import Slope, slope_of, under_slopes
from simbudget.calibration.posteriors.durations import new_durations
from simbudget.calibration.posteriors.moving import Move, move_of
from simbudget.calibration.posteriors.openings import Opening, learnt_opening
from simbudget.calibration.posteriors.pooling import log_of
from simbudget.calibration.posteriors.runs_to_come import pool
from simbudget.calibration.posteriors.shapes import Shape
from simbudget.calibration.posteriors.survival import censored_lognormal
from simbudget.calibration.posteriors.tasks import Components, components_of
from simbudget.calibration.scenarios.fit import (
    FEWEST,
    Fit,
    fit_as_text,
    fit_of_fact,
    fit_of_rate,
    fit_of_setting,
    fit_of_varying,
)
from simbudget.calibration.scenarios.wording import highest_of
from simbudget.distributions.posteriors import Posterior
from simbudget.scenario.calibration_file import LearntFrom
from simbudget.scenario.language.blocks import keys_of
from simbudget.scenario.provider import OTHERS
from simbudget.scenario.scenario import Turn
from simbudget.units import Dimension

_FEWEST_COMPACTIONS: Final = 8
_OPENING_EVIDENCE: Final = 2.0
_FEWEST_OPENINGS: Final = 8
"""Fewest sessions for an opening; with fewer, its prior would dominate."""
_MOST_OF_LIMIT: Final = 0.5
_CYCLES_SCATTER: Final = 0.4
"""Prior of the scatter of turns between an agent's cycles: nine in ten have at most 1.7 times the median."""
_LESS_SCATTER: Final = 0.8
_MOST_TRIES: Final = 25
_FEWEST_SPEAKING: Final = 30
"""Fewest calls with outputs for learning a speed."""

_MOST_SLOWED: Final = 1.1
"""An assumed speed may lengthen logged calls by a tenth; with more, the log contradicts it."""

_SEED: Final = 20_261_129
"""For resampling that is kept apart from other draws, so that adding it leaves these as they are."""
_YES_NO: Final = {True: "yes", False: "no"}
KEEPS: Final = "context.keeps_thinking"
ASSUMED_OUTPUT: Final = str(getattr(keys_of(Turn)["output_tokens"], "default", "0"))
"""Output of a turn, in tokens, where logs give none: the language's default."""

_FEWEST_DRIFTING: Final = 8
_FEWEST_IN_ORDER: Final = 12
_NOTABLE_DRIFT: Final = 0.15
_CERTAIN_DRIFT: Final = 3.0
"""Threshold of a drift in standard errors: about one false alarm in 400 quantities."""

ALL_THAT_JOINED: Final = "output counts are not known: whatever joined the context stands here"
"""Remark on tool results learnt from sessions without output counts."""


@dataclass(frozen=True)
class _Place:
    """The place of an observed quantity in a scenario."""

    name: str
    dimension: Dimension
    remark: str = ""


_LEVELLED: Final = ("output", "thinking", "tool_result", "tool_time")
"""Quantities for which the engine draws a level per context; contexts have no levels of the others."""

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
"""Heavy-tailed quantities whose sums matter; see `durations`."""


def fit_sessions(
    sessions: Sequence[Session],
    models: Sequence[str],
    worlds: int,
    people: bool,
    rng: np.random.Generator,
    callers: Sequence[Session] | None = None,
) -> Iterator[Fit]:
    """Yield the fits to sessions: outputs from those with known outputs, contexts and times from all.

    Args:
        sessions: of callers of one kind, such as agents without their sub-agents.
        models: those whose speeds are learnt.
        worlds: number of joint draws.
        people: whether waiting for people counts as tool time.
        rng: what the draws are made from.
        callers: sessions of all callers, from which models' speeds and errors are learnt; by default `sessions`.
    """
    if not sessions:
        return
    callers = sessions if callers is None else callers
    of_turns = telling_outputs(sessions)
    kept = kept_thinking(of_turns, np.random.default_rng(_SEED))
    seen = observe(of_turns, people, keeps=kept.keeps if kept else None)
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
    yield from _keeps(seen, of_turns, kept)
    if limit is not None and compactions >= _FEWEST_COMPACTIONS:
        evidence = evidence_of_sessions(sessions, compactions, "median of Kaplan and Meier's estimator")
        limit = float(round(limit))
        yield fit_of_setting("context.limit_tokens", limit, f"{limit:.12g}", evidence, worlds)
    yield from _opening_fits(opening, evidence_of_sessions(of_turns, sum(map(len, seen.ages))), worlds)
    own = [model for model in models if has_own_speed(model, callers)]
    for model in [*own, *([OTHERS] if len(own) < len(models) else [])]:
        yield from fit_speeds(model, callers, people, worlds, rng)
    yield from _errors(callers, worlds, rng)
    yield from fit_misses(sessions, worlds, rng)


def telling_outputs(sessions: Sequence[Session]) -> Sequence[Session]:
    """Return the sessions that outputs and results are learnt from: those with known outputs, unless they are few."""
    knowing = [session for session in sessions if session.knows_output]
    return knowing if len(knowing) >= max(1, len(sessions) // 10) else sessions


def _keeps(seen: Observed, sessions: Sequence[Session], kept: KeptThinking | None) -> Iterator[Fit]:
    """Yield whether thinking stays in contexts, where logs tell or what was learnt presupposes it."""
    calls = sum(map(len, sessions))
    if kept is not None and kept.keeps is not None:
        share, low, high = kept.share
        remark = f"at least {share:.0%} of thinking stays (80 %: {low:.0%} to {high:.0%})"
        yield fit_as_text(KEEPS, _YES_NO[kept.keeps], evidence_of_sessions(sessions, kept.calls, remark))
    elif seen.keeps_thinking is False:
        remark = "output that did not join the context is learnt as thinking"
        yield fit_as_text(KEEPS, "no", evidence_of_sessions(sessions, calls, remark))


def _opening(seen: Observed) -> Opening:
    """Return the opening of contexts; none if there are few sessions."""
    telling = sum(len(values) >= FEWEST for values in seen.values["tool_result"])
    if telling < _FEWEST_OPENINGS:
        return Opening()
    return learnt_opening(seen.values["tool_result"], seen.ages, _OPENING_EVIDENCE)


def _opening_fits(opening: Opening, evidence: LearntFrom, worlds: int) -> Iterator[Fit]:
    if opening.times != 1.0:
        for key, value in (("times", opening.times), ("turns", opening.turns)):
            yield fit_of_setting(f"turn.opening.{key}", float(value), f"{value:.12g}", evidence, worlds)


def _varying(
    name: str,
    place: _Place,
    values: Sequence[Floats],
    sessions: Sequence[Session],
    worlds: int,
    rng: np.random.Generator,
) -> Iterator[Fit]:
    """Yield the fit of a varying quantity, if there are enough values."""
    having = [(v, s) for v, s in zip(values, sessions, strict=True) if len(v)]
    count = sum(len(v) for v, _ in having)
    if count < FEWEST:
        return
    logs = [log_of(v, FLOORS[name]) for v, _ in having]
    if name == "compacted":  # few each, and hardly a run's own
        logs = [value for run in logs for value in np.split(run, len(run))]
    summing, has_levels = None, name in _LEVELLED
    if name in _SUMMED:
        summing = new_durations([v for v, _ in having], worlds, rng, has_levels=has_levels)
    posterior, shape = summing or pool(logs, worlds, rng, has_levels)
    if name == "turns":
        posterior, shape = _of_cut_cycles(sessions, worlds, rng) or (posterior, shape)
    remarks = [place.remark, _drift_words([v for v, _ in having])]
    if (move := _move(having)) is not None:
        posterior = move.applied(posterior, rng)
        remarks.append(str(move))
    levels = {s.run: float(log_of(v, FLOORS[name]).mean()) for v, s in having}
    if (by_task := _by_task(levels, [s for _, s in having])) is not None:
        posterior = by_task.widened(posterior)
        remarks.append(str(by_task))
    evidence = evidence_of_sessions([s for _, s in having], count, "; ".join(filter(None, remarks)))
    observed = np.concatenate([v for v, _ in having])
    fit = fit_of_varying(place.name, place.dimension, (posterior, shape), evidence, observed)
    yield replace(fit, levels=levels)


def _of_cut_cycles(
    sessions: Sequence[Session], worlds: int, rng: np.random.Generator
) -> tuple[Posterior, Shape] | None:
    """Return the posterior of turns per cycle if the end of the log cut some cycles off (censored); otherwise None."""
    told = [session.steps for session in sessions if session.steps is not None]
    if len(told) < len(sessions) or not any(len(steps.turns_cut) for steps in told):
        return None
    counts = np.concatenate([part for steps in told for part in (steps.turns, steps.turns_cut)])
    is_cut = np.concatenate(
        [np.repeat((False, True), (len(steps.turns), len(steps.turns_cut))) for steps in told]
    )
    return censored_lognormal([(counts, is_cut)], worlds, rng, FLOORS["turns"], _CYCLES_SCATTER)


def _by_task(levels: Mapping[int, float], sessions: Sequence[Session]) -> Components | None:
    """Return how much runs' levels differ between tasks and within them, if logs name the tasks of all runs."""
    task = {session.run: session.task for session in sessions}
    if not all(task.values()):
        return None
    return components_of(np.array(list(levels.values())), np.array([task[run] for run in levels]))


def _move(having: Sequence[tuple[Floats, Session]]) -> Move | None:
    """Return the movement of a quantity along runs that record contexts, if any."""
    in_order = sorted(having, key=lambda one: one[1].started_s[0])
    telling = [(values, session.run) for values, session in in_order if session.steps is not None]
    return move_of([values for values, _ in telling], [run for _, run in telling]) if telling else None


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
    return fit.redrawn(posterior, Dimension.NUMBER)


def _growth(
    seen: Observed, sessions: Sequence[Session], worlds: int, rng: np.random.Generator
) -> Iterator[Fit]:
    """Yield the tool result of sessions without known outputs: all growth of the context.

    Outputs then join nothing: they stand in `thinking_tokens`, as assumed, lest they be counted twice.
    """
    place = replace(_TURN["tool_result"], remark=ALL_THAT_JOINED)
    yield from _varying("tool_result", place, seen.values["tool_result"], sessions, worlds, rng)


def fit_speeds(
    model: str, sessions: Sequence[Session], people: bool, worlds: int, rng: np.random.Generator
) -> Iterator[Fit]:
    """Yield first token and output speed of a model, from its sessions; from all if none has its name.

    Args:
        model: the model's name, or `others`.
        sessions: of all callers.
        people: whether waiting for people counts as tool time.
        worlds: number of joint draws.
        rng: what the draws are made from.
    """
    whose = _telling_speed(model, sessions)
    knows = all(session.knows_output for session in whose)
    slope = slope_of(whose) if knows else None
    remark = "" if knows else "output counts are not known: the whole duration of calls stands here"
    place = _Place(f"models[{model}].first_token", Dimension.DURATION, remark)
    speed = max(1.0 / slope.seconds, 1.0) if slope else NO_SPEED
    seen = observe(whose, people, speed)
    at = slope.drawn(worlds, rng) if slope else np.zeros(worlds)
    fits = list(_varying("first_token", place, seen.values["first_token"], whose, worlds, rng))
    if not fits:  # without a first token, a call of no speed would take no time at all
        return
    yield from (_under_slopes(fit, whose, slope, at) if slope else fit for fit in fits)
    evidence = evidence_of_sessions(whose, sum(map(len, whose)), remark)
    yield _speed(f"models[{model}].output_speed", slope, at, evidence)


def fit_first_token(
    model: str, sessions: Sequence[Session], speed: float, worlds: int, rng: np.random.Generator
) -> Fit | None:
    """Return the fit of what calls took beyond their output at a given speed; None if their output alone took longer.

    For logs whose durations do not tell the speed, such as those of calls with equal outputs.

    Args:
        model: the model's name, or `others`.
        sessions: of all callers.
        speed: tokens per second.
        worlds: number of joint draws.
        rng: what the draws are made from.
    """
    whose = [session for session in _telling_speed(model, sessions) if session.knows_output]
    if not whose:
        return None
    output_s = np.concatenate([session.output for session in whose]) / speed
    duration_s = np.concatenate([session.duration_s for session in whose])
    known = np.isfinite(output_s) & np.isfinite(duration_s)
    taken_s = np.maximum(output_s, duration_s)[known].sum()
    if not known.any() or taken_s > _MOST_SLOWED * duration_s[known].sum():
        return None
    place = _Place(f"models[{model}].first_token", Dimension.DURATION, "at the default output speed")
    values = observe(whose, speed=speed).values["first_token"]
    return next(_varying("first_token", place, values, whose, worlds, rng), None)


def _telling_speed(model: str, sessions: Sequence[Session]) -> list[Session]:
    """Return the sessions that a model's speed is learnt from: its own if they say outputs, else those of all models.

    Without outputs a duration says nothing of a model's speed: how much a session put out is all in it.
    """
    for whose in ([s for s in sessions if s.model.startswith(model)], sessions):
        knowing = [s for s in whose if s.knows_output]
        if sum(map(len, knowing)) >= _FEWEST_SPEAKING:
            return knowing
    return list(sessions)


def has_own_speed(model: str, sessions: Sequence[Session]) -> bool:
    """Return whether sessions identify a model's speed; models without an identified speed share one.

    Args:
        model: its name in the scenario.
        sessions: of all callers.
    """
    own = [s for s in sessions if s.model.startswith(model) and s.knows_output]
    return model != OTHERS and sum(map(len, own)) >= _FEWEST_SPEAKING


def _under_slopes(fit: Fit, sessions: Sequence[Session], slope: Slope, at: Floats) -> Fit:
    """Return the fit of times to first token, given each world's slope."""
    assert fit.quantity is not None
    return fit.redrawn(under_slopes(fit.quantity.posterior, sessions, slope, at), Dimension.DURATION)


def _speed(name: str, slope: Slope | None, at: Floats, evidence: LearntFrom) -> Fit:
    """Return the fit of the output speed: one number, which few calls leave uncertain."""
    worlds = len(at)
    speeds = np.full(worlds, NO_SPEED)
    if slope is not None:
        speeds = np.clip(1.0 / (slope.seconds + at * slope.error), 1.0, NO_SPEED)
    low, high = (
        f"{value:.3g}" if value < 1000 else f"{value:.0f}" for value in np.quantile(speeds, (0.1, 0.9))
    )
    written = f"{low} tokens/s" if low == high else f"{{unknown: {low} tokens/s to {high} tokens/s}}"
    return fit_of_fact(name, speeds, written, evidence)


def _errors(sessions: Sequence[Session], worlds: int, rng: np.random.Generator) -> Iterator[Fit]:
    """Yield the error rate of calls, where logs show errors."""
    failures = np.array([s.failures for s in sessions], dtype=np.float64)
    tries = failures + np.array([len(s) for s in sessions])
    if failures.sum() > 0:
        yield fit_of_rate(
            "api.error_rate", failures, tries, evidence_of_sessions(sessions, int(tries.sum())), worlds, rng
        )


def fit_misses(
    sessions: Sequence[Session], worlds: int, rng: np.random.Generator, people: bool = True
) -> Iterator[Fit]:
    """Yield the rate of misses of young caches, if logs have caches and misses.

    Args:
        sessions: of callers of one kind.
        worlds: number of joint draws.
        rng: what the draws are made from.
        people: whether waiting for people ages caches; see `misses_of`.
    """
    whose = [session for session in sessions if session.knows_input and np.nansum(session.read) > 0]
    misses = [misses_of(session, cache_life(sessions, session), people) for session in whose]
    missed, calls = np.array([of.missed for of in misses]), np.array([of.calls for of in misses])
    if missed.sum() > 0:
        remark = "calls that found a part of their cache count as a part"
        if not people:
            remark += "; so do calls whose cache expired while a person was waited for"
        evidence = evidence_of_sessions(whose, int(calls.sum()), remark)
        yield fit_of_rate("context.cache_misses", missed, calls, evidence, worlds, rng)


def evidence_of_sessions(sessions: Sequence[Session], count: int, remark: str = "") -> LearntFrom:
    """Return sessions as the evidence for a fit to the given number of observations.

    Args:
        sessions: those that tell.
        count: number of observations.
        remark: what a reader should know.
    """
    sources = ", ".join(sorted({session.source for session in sessions}))
    days = [session.ended for session in sessions if session.ended]
    return LearntFrom(count, len({s.run for s in sessions}), sources, max(days, default=""), 0, remark)


def _drift_words(runs: Sequence[Floats]) -> str:
    """Return in words how a quantity drifts from the first third of a run to the last; empty if it does not.

    Args:
        runs: [runs] arrays of values in the order in which they came.
    """
    ratios = []
    for values in runs:
        if len(values) >= _FEWEST_IN_ORDER:
            first, _, last = np.array_split(values, 3)
            if first.mean() > 0 and last.mean() > 0:
                ratios.append(np.log(last.mean() / first.mean()))
    if len(ratios) < _FEWEST_DRIFTING:
        return ""
    drift, error = float(np.mean(ratios)), float(np.std(ratios, ddof=1) / np.sqrt(len(ratios)))
    if abs(drift) < _NOTABLE_DRIFT or abs(drift) < _CERTAIN_DRIFT * error:
        return ""
    return f"drifts: the last third of a run has {np.exp(drift):.2f} times the first's; not simulated"
