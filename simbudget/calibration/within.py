"""The rest of a session, from its beginning: the scenario that a user would write for it, calibrated.

One agent, whose context is under way, makes the calls that are left. What is not known of this session comes
from others; see `pooling.rest_of_run`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from simbudget.calibration.caches import cache_life, misses_of, rest_misses
from simbudget.calibration.forecasts import calls_within, wall_time_s
from simbudget.calibration.limits import limit_draws
from simbudget.calibration.observations import FLOORS, NO_SPEED, TURN_QUANTITIES, Observed, observe
from simbudget.calibration.openings import Opening, ages_of, learnt_opening
from simbudget.calibration.pooling import log_of
from simbudget.calibration.rest_durations import (
    PRIORS,
    call_level_s,
    part_of,
    rest_durations,
    rest_gaps,
    telling,
)
from simbudget.calibration.rests import Usual, rest_of_counts
from simbudget.calibration.session_prices import session_prices
from simbudget.calibration.sessions import Session
from simbudget.distributions.posteriors import Posterior
from simbudget.scenario.calibration_file import CalibratedQuantity, Calibration, Evidence
from simbudget.scenario.loading import loads_scenario
from simbudget.scenario.model import Scenario

Floats = npt.NDArray[np.float64]

_GROUP: Final = "session"

NAMES: Final = {
    "output": "turn.output_tokens",
    "thinking": "turn.thinking_tokens",
    "tool_result": "turn.tool_result_tokens",
    "tool_time": "turn.tool_time",
    "first_token": "models[M].first_token",
    "first_prompt": "context.first_prompt_tokens",
    "compacted": "context.compacted_to_tokens",
    "limit": "context.limit_tokens",
    "cache_misses": "context.cache_misses",
    "under_way": f"fleet[{_GROUP}].start.context_tokens",
}
"""Where each observed quantity stands in a scenario of one group whose model is called M."""

_FEW_OTHERS: Final = 8
"""With fewer other sessions of its own project, a session is compared with all there are."""
_USUAL: Final = {"output": Usual(5.5, 0.5), "thinking": Usual(5.0, 4.0), "tool_result": Usual(6.5, 0.5)}
"""Tokens a turn of agents that nobody has seen, rounded from the projects that the models were built on."""
_COMPACTED: Final = (15_000.0, 0.8, 2.0)
"""What is assumed of a compacted context beyond its first prompt: median, scatter of the logarithm, worth so many."""
_HOUR_S: Final = 3600.0


@dataclass(frozen=True, eq=False)
class RestOfSession:
    """A session that is known up to a point, and what others are known to have done."""

    begun: Session
    others: Sequence[Session]
    calls_left: int | None
    """How many calls are still to come; None: as many as fit in `seconds_left`."""
    seconds_left: float | None
    cut: float
    """Which part of the whole the beginning is."""
    worlds: int
    seed: int


def rest_scenario(case: RestOfSession) -> Scenario:
    """Return the calibrated scenario of the rest of a session."""
    begun = case.begun
    others = _comparable(begun, case.others)
    rng = np.random.default_rng([case.seed, begun.run, len(begun)])
    seen = observe([*others, begun], people=True)
    mine = observe([begun], people=True, speed=seen.output_speed)
    course = _course(begun, seen)
    quantities = {q.name: q for q in _quantities(case, others, seen, mine, course, rng)}
    under_way = _quantity("under_way", begun, _under_way(begun, course, quantities, rng))
    quantities[under_way.name] = under_way
    text = _text(case, others, seen, mine, course)
    return loads_scenario(text, "rest of a session", calibration=Calibration(quantities)).scenario


@dataclass(frozen=True)
class _Course:
    """How a context grows, and how far on its way it is."""

    opening: Opening
    turns: int
    """How many turns' results it holds, that of the last call included."""

    def evenness(self, left: int) -> float:
        """Return the share of `left` results that sent tokens vary with as if all counted alike (Kish's design effect).

        A result counts in all later calls, and the first ones are larger.
        """
        counts = np.arange(left, 0.0, -1.0) * self.opening.factor(self.turns + np.arange(float(left)))
        return float(counts.sum() ** 2 / (left * (counts**2).sum()))


def _course(begun: Session, seen: Observed) -> _Course:
    ages = ages_of(np.append(begun.compacts, False))
    return _Course(learnt_opening(seen.values["tool_result"], seen.ages), int(ages[-1]) + 1)


def _comparable(begun: Session, others: Sequence[Session]) -> list[Session]:
    """Return the other sessions that a session is compared with: those of its project, if there are enough."""
    alike = [other for other in others if other.knows_output == begun.knows_output and len(other) >= 5]
    own = [other for other in alike if (other.source, other.project) == (begun.source, begun.project)]
    if len(own) >= _FEW_OTHERS:
        return own
    same = [other for other in alike if other.source == begun.source]
    return same if len(same) >= _FEW_OTHERS else alike


def _quantities(
    case: RestOfSession,
    others: Sequence[Session],
    seen: Observed,
    mine: Observed,
    course: _Course,
    rng: np.random.Generator,
) -> Iterator[CalibratedQuantity]:
    """Yield the calibrated quantities of the rest of a session."""
    begun = case.begun
    for name in TURN_QUANTITIES:
        is_count = name in _USUAL
        posterior = (
            _count(name, case, seen, course, rng) if is_count else _time(name, case, others, seen, mine, rng)
        )
        if posterior is not None:
            yield _quantity(name, begun, posterior)
    yield _quantity("compacted", begun, _compacted(seen, case.worlds, rng))
    yield _quantity("limit", begun, _fact(limit_draws(others, begun, case.worlds, rng)))
    life = cache_life(others, begun)
    misses = rest_misses(
        [misses_of(o, life) for o in others if o.model == begun.model],
        misses_of(begun, life),
        case.worlds,
        rng,
    )
    yield _quantity("cache_misses", begun, _fact(misses))


def _count(
    name: str, case: RestOfSession, seen: Observed, course: _Course, rng: np.random.Generator
) -> Posterior | None:
    """Return the posterior of one of a turn's counts; None if no one says anything."""
    *others, begun = seen.values[name]
    if name == "tool_result":
        factors = [course.opening.factor(ages) for ages in seen.ages]
        *others, begun = (values / factor for values, factor in zip(seen.values[name], factors, strict=True))
    if not any(map(len, others)) and len(begun) < 2:
        return None
    if name in ("output", "thinking"):
        others = [others[k] for k in telling([len(values) for values in others])]
    left = case.calls_left or int(len(case.begun) * (1.0 / case.cut - 1.0))
    evenness = course.evenness(left) if name == "tool_result" else 1.0
    return rest_of_counts(_USUAL[name], others, begun, case.cut, left, case.worlds, rng, evenness)


def _time(
    name: str,
    case: RestOfSession,
    others: Sequence[Session],
    seen: Observed,
    mine: Observed,
    rng: np.random.Generator,
) -> Posterior | None:
    """Return the posterior of one of a turn's times; None if no one says anything."""
    values, begun = seen.values[name][:-1], mine.values[name][0]
    if not any(map(len, values)) and len(begun) < 2:
        return None
    if case.seconds_left is None:
        courses = [part_of(of_session, case.cut) for of_session in values if len(of_session) > 1]
        return rest_durations(PRIORS[name], courses, begun, case.worlds, rng)
    firsts = [calls_within(session, case.cut) for session in others]
    cut = [
        (part_of(of_session, first / len(session)), session, first)
        for session, first, of_session in zip(others, firsts, values, strict=True)
        if first is not None and len(of_session) > 1
    ]
    courses = [course for course, _, _ in cut]
    if name != "tool_time":
        return rest_durations(PRIORS[name], courses, begun, case.worlds, rng)
    gaps = [replace(course, rest_s=wall_time_s(session, first)) for course, session, first in cut]
    call_s = call_level_s(
        [part_of(_known(session.duration_s), first / len(session)) for _, session, first in cut],
        _known(case.begun.duration_s),
    )
    return rest_gaps(gaps, begun, case.seconds_left, call_s, case.worlds, rng)


def _known(values: Floats) -> Floats:
    return values[np.isfinite(values)]


def _compacted(seen: Observed, worlds: int, rng: np.random.Generator) -> Posterior:
    """Return the posterior of what a context is compacted to, beyond its first prompt."""
    median, scatter, worth = _COMPACTED
    logs = log_of(np.concatenate([*seen.values["compacted"], np.zeros(0)]), FLOORS["compacted"])
    count = len(logs) + worth
    mean = (logs.sum() + worth * np.log(median)) / count
    variance = (((logs - mean) ** 2).sum() + worth * (scatter**2 + (np.log(median) - mean) ** 2)) / count
    location = mean + np.sqrt(variance / count) * rng.standard_normal(worlds)
    return Posterior(np.column_stack([location, np.full(worlds, np.sqrt(variance)), np.zeros(worlds)]))


def _fact(values: Floats) -> Posterior:
    return Posterior(np.column_stack([values, np.zeros((len(values), 2))]), is_fact=True)


def _quantity(name: str, begun: Session, posterior: Posterior) -> CalibratedQuantity:
    place = NAMES[name].replace("[M]", f"[{_MODEL}]")
    written = str(int(begun.context[-1])) if name == "under_way" else _WRITTEN[name]
    return CalibratedQuantity(
        place, written, "", posterior, Evidence(len(begun), 1, begun.source, begun.ended)
    )


_MODEL: Final = "model"
_WRITTEN: Final = {
    "output": "1",
    "thinking": "1",
    "tool_result": "1",
    "tool_time": "1 s",
    "first_token": "1 s",
    "compacted": "20000",
    "limit": "1000000000",
    "cache_misses": "0%",
}
"""Stand-ins in the scenario's text, which the calibration replaces."""


def _text(
    case: RestOfSession,
    others: Sequence[Session],
    seen: Observed,
    mine: Observed,
    course: _Course,
) -> str:
    """Return the scenario as a user would write it."""
    begun, opening = case.begun, course.opening
    last = int(begun.context[-1])
    turns = case.calls_left or 1_000_000
    hours = "3650 days" if case.seconds_left is None else f"{max(case.seconds_left, 1.0):.3f} s"
    known = {
        name: any(len(v) for v in seen.values[name]) or len(mine.values[name][0]) for name in TURN_QUANTITIES
    }
    written = {name: _WRITTEN[name] if known[name] else "0" for name in TURN_QUANTITIES}
    life = cache_life(others, begun)
    lines = [
        f"fleet: [{{group: {_GROUP}, agents: 1, model: {_MODEL}, "
        f"start: {{context_tokens: {last}, cached_tokens: {last}, "
        f"context_turns: {course.turns}}}}}]",
        f"cycle: [{{think: {{turns: {turns}}}}}]",
        f"turn: {{output_tokens: {written['output']}, thinking_tokens: {written['thinking']}, "
        f"tool_result_tokens: {written['tool_result']}, tool_time: {written['tool_time']}, "
        f"opening: {{times: {opening.times}, turns: {opening.turns}}}}}",
        f"context: {{first_prompt_tokens: {int(begun.context[0])}, limit_tokens: {_WRITTEN['limit']}, "
        f"compacted_to_tokens: {_WRITTEN['compacted']}, lasts: life, cache: {life}, "
        f"cache_misses: {_WRITTEN['cache_misses']}}}",
        f"models: {{{_MODEL}: {{first_token: {written['first_token'] if written['first_token'] != '0' else '0 s'}, "
        f"output_speed: {min(seen.output_speed, NO_SPEED):.4f} tokens/s}}}}",
        f"prices: {{{_MODEL}: {session_prices(begun, seen.knows_output, life)}}}",
        f"stop: {{after: {hours}, cycles_per_agent: 1}}",
    ]
    return "\n".join(lines)


def _under_way(
    begun: Session, course: _Course, quantities: Mapping[str, CalibratedQuantity], rng: np.random.Generator
) -> Posterior:
    """Return the posterior of the context of the next call: the last one, its output and its tool results."""
    context = np.array([float(begun.context[-1])])
    last = float(course.opening.factor(np.array(course.turns - 1.0)))
    for name, factor in (("output", 1.0), ("tool_result", last)):
        if NAMES[name] in quantities:
            posterior = quantities[NAMES[name]].posterior
            context = context + factor * posterior.sample(rng.standard_normal(len(posterior.draws)))
    return _fact(context)


def session_samples(replications: pd.DataFrame) -> dict[str, Floats]:
    """Return a projection's replications by the names of a session's quantities."""
    column = {name: replications[name].to_numpy(np.float64) for name in replications}
    new = column["tokens_uncached_input"] + column["tokens_cache_write"]
    hours = column["agent_hours"]
    return {
        "input_tokens": new + column["tokens_cache_read"],
        "new_input_tokens": new,
        "cache_read_tokens": column["tokens_cache_read"],
        "output_tokens": column["tokens_output"],
        "cost_usd": column["spend_tokens_usd"],
        "model_time_s": np.nan_to_num(column["share_model"]) * hours * _HOUR_S,
        "wall_time_s": hours * _HOUR_S,
        "calls": column["model_calls"],
    }
