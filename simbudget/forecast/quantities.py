"""The quantities of the rest of a session: each one's posterior, from the session's beginning and from others.

Here all that a call puts out stands in `thinking`, which is billed and joins nothing, and all that joins the context
after it in `tool_result`, of which the answer is a part: two sums are wanted, and each is learnt as one series.

How each is learnt: see `counts`, `durations` (times), `posteriors.openings`, `limits`, `caches`, `hidden_input`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from simbudget.calibration.observed.observations import FLOORS, TURN_QUANTITIES, Observed, observe
from simbudget.calibration.observed.sessions import Session
from simbudget.calibration.observed.totals import calls_within, wall_time_s
from simbudget.calibration.posteriors.caches import cache_life, misses_of, rest_misses
from simbudget.calibration.posteriors.limits import limit_draws
from simbudget.calibration.posteriors.openings import Opening, ages_of, learnt_opening
from simbudget.calibration.posteriors.pooling import log_of
from simbudget.distributions.posteriors import Posterior
from simbudget.forecast.counts import Usual, rest_of_counts
from simbudget.forecast.durations import (
    PRIORS,
    call_level_s,
    part_of,
    rest_durations,
    rest_gaps,
    telling,
)
from simbudget.forecast.hidden_input import USUAL_TOKENS, HiddenInput, hidden_input

Floats = npt.NDArray[np.float64]

_USUAL: Final = {"output": Usual(6.2, 1.5), "thinking": Usual(6.2, 1.5), "tool_result": Usual(6.6, 0.3, 5.0)}
"""Tokens a turn of agents that nobody has seen, rounded from the projects that the models were built on."""
_COMPACTED: Final = (15_000.0, 0.8, 2.0)
"""What is assumed of a compacted context beyond its first prompt: median, scatter of the logarithm, worth so many."""


@dataclass(frozen=True, eq=False)
class Known:
    """What is known when a session has begun: the session, others to compare it with, and what both say."""

    begun: Session
    others: Sequence[Session]
    seen: Observed
    """Of the others, and at last of the session itself."""
    opening: Opening
    turns: int
    """How many turns' results its context holds, that of the last call included."""
    life: str
    """For how long its cache keeps what is written to it."""
    hidden: HiddenInput | None
    """Where a log leaves out most of what is sent: what that costs."""
    cut: float
    """Which part of the whole the beginning is."""
    left: int
    """How many calls are still to come, about."""
    worlds: int
    seconds_left: float | None = None
    """How long the rest takes, if it is known."""

    def evenness(self) -> float:
        """Return the share of the results to come that tokens sent vary with as if all counted alike.

        A result counts in all later calls, and the first ones are larger (Kish's design effect).
        """
        counts = np.arange(self.left, 0.0, -1.0) * self.opening.factor(
            self.turns + np.arange(float(self.left))
        )
        return float(counts.sum() ** 2 / (self.left * (counts**2).sum()))


def known_of(
    begun: Session,
    others: Sequence[Session],
    cut: float,
    left: int,
    worlds: int,
    seconds_left: float | None = None,
) -> Known:
    """Return what is known of a session that has begun; see `Known`."""
    seen = observe([*others, begun], people=True)
    growth, ages = zip(*map(_growth, [*others, begun]), strict=True)
    return Known(
        begun,
        others,
        seen,
        opening=learnt_opening(growth, ages),
        turns=int(ages_of(np.append(begun.compacts, False))[-1]) + 1,
        life=cache_life(others, begun),
        hidden=hidden_input([*others, begun]),
        cut=cut,
        left=max(left, 1),
        worlds=worlds,
        seconds_left=seconds_left,
    )


def rest_posteriors(known: Known, rng: np.random.Generator) -> dict[str, Posterior]:
    """Return the posteriors of the rest's quantities, by the names of `within.NAMES`."""
    found = dict(_of_turns(known, rng))
    if known.hidden is not None:
        return found | {"under_way": _hidden_tokens(known, known.hidden, rng)}
    others = [misses_of(other, known.life) for other in known.others if other.model == known.begun.model]
    misses = rest_misses(known.begun.model, others, misses_of(known.begun, known.life), known.worlds, rng)
    return found | {
        "compacted": _compacted(known.seen, known.worlds, rng),
        "limit": Posterior.of_fact(limit_draws(known.others, known.begun, known.worlds, rng)),
        "cache_misses": Posterior.of_fact(misses),
        "under_way": _under_way(known, found, rng),
    }


def _of_turns(known: Known, rng: np.random.Generator) -> Iterator[tuple[str, Posterior]]:
    """Yield the posteriors of a turn's counts and times; none of what no one says anything of."""
    for name in TURN_QUANTITIES:
        *others, begun = _values(known, name)
        if not any(map(len, others)) and len(begun) < 2:
            continue
        if name not in _USUAL:
            yield name, _time(known, name, others, begun, rng)
            continue
        if name == "thinking":  # what short sessions put out is of another kind; how contexts grow, less so
            others = [others[k] for k in telling([len(values) for values in others])]
        evenness = known.evenness() if name == "tool_result" else 1.0
        usual = _USUAL[name]
        yield name, rest_of_counts(usual, others, begun, known.cut, known.left, known.worlds, rng, evenness)


def _time(
    known: Known, name: str, others: Sequence[Floats], begun: Floats, rng: np.random.Generator
) -> Posterior:
    """Return the posterior of one of a turn's times."""
    if known.seconds_left is None:
        whole = [part_of(of_session, known.cut) for of_session in others if len(of_session) > 1]
        return rest_durations(PRIORS[name], whole, begun, known.worlds, rng)
    firsts = [calls_within(session, known.cut) for session in known.others]
    cut = [
        (part_of(of_session, first / len(session)), session, first)
        for session, first, of_session in zip(known.others, firsts, others, strict=True)
        if first is not None and len(of_session) > 1
    ]
    if name != "tool_time":
        return rest_durations(PRIORS[name], [course for course, _, _ in cut], begun, known.worlds, rng)
    gaps = [replace(course, rest_s=wall_time_s(session, first)) for course, session, first in cut]
    calls = [part_of(_finite(session.duration_s), first / len(session)) for _, session, first in cut]
    call_s = call_level_s(calls, _finite(known.begun.duration_s))
    return rest_gaps(gaps, begun, known.seconds_left, call_s, known.worlds, rng)


def _values(known: Known, name: str) -> list[Floats]:
    """Return what others and at last the session show of a quantity."""
    sessions = [*known.others, known.begun]
    if name == "thinking":
        return [_finite(session.output) for session in sessions]
    if name == "output" or (name == "tool_result" and known.hidden is not None):
        return [np.zeros(0) for _ in sessions]
    if name == "tool_result":
        return [growth / known.opening.factor(ages) for growth, ages in map(_growth, sessions)]
    return known.seen.values[name]


def _growth(session: Session) -> tuple[Floats, Floats]:
    """Return what joined a session's context, and how many turns old that was, compactions left out."""
    joined = np.isfinite(session.growth)
    return session.growth[joined], ages_of(session.compacts)[joined]


def _finite(values: Floats) -> Floats:
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


def _under_way(known: Known, found: Mapping[str, Posterior], rng: np.random.Generator) -> Posterior:
    """Return the posterior of the context of the next call: the last one, and what has joined it since."""
    context = np.full(known.worlds, float(known.begun.context[-1]))
    if "tool_result" in found:
        last = float(known.opening.factor(np.array(known.turns - 1.0)))
        context += last * found["tool_result"].sample(rng.standard_normal(known.worlds))
    return Posterior.of_fact(context)


def _hidden_tokens(known: Known, hidden: HiddenInput, rng: np.random.Generator) -> Posterior:
    """Return the posterior of a context that costs what the hidden input of a call does, one mean a world."""
    *others, begun = hidden.tokens
    calls = rest_of_counts(USUAL_TOKENS, others, begun, known.cut, known.left, known.worlds, rng)
    return Posterior.of_fact(calls.sample(rng.standard_normal((known.worlds, known.left))).mean(axis=1))
