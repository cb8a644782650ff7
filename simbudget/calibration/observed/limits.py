"""Limits: the context size at which sessions are compacted, which differs between sessions, models and tools.

Compactions are observations of the limit, and contexts that were not compacted are censored: the Kaplan-Meier
estimator. A context far below the others' limit was cleared by a person, and counts as censored.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from simbudget.arrays import Floats
from simbudget.calibration.observed.sessions import Session

_CLEARED: Final = 0.8
"""Compactions below this fraction of the median count as clearing of a context that was not full."""
_USUAL: Final = (150_000.0, 170_000.0)
"""Claude Code's compaction point for contexts of 200,000 tokens: 153,000 to 168,000 in the logs examined."""
_PRIOR_CLEARED: Final = 0.5
_PRIOR_SESSIONS: Final = 5.0
"""Prior for clearing a context that is not full: one session in ten, with the weight of this many sessions."""
_ROOM: Final = 1.5
"""Smallest cleared context, in first prompts; smaller ones would be cleared repeatedly."""
_WIDEST: Final = 2.5
"""Without observed compactions, the limit is at most this many times the largest context."""


def compaction_points(sessions: Sequence[Session]) -> tuple[Floats, Floats]:
    """Return the contexts at which sessions compacted, and the largest that they reached without."""
    seen = [session.context[:-1][session.compacts] for session in sessions]
    points = np.concatenate([*seen, np.zeros(0)])
    least = _CLEARED * float(np.median(points)) if len(points) else 0.0
    without: list[float] = []
    for session, at in zip(sessions, seen, strict=True):
        last = np.flatnonzero(session.compacts)
        without.append(float(session.context[last[-1] + 1 if len(last) else 0 :].max()))
        without.extend(at[at < least].tolist())
    return points[points >= least], np.array(without)


def compaction_limit(sessions: Sequence[Session]) -> tuple[float | None, int]:
    """Return the median limit and the number of compactions; None without compactions."""
    points, without = compaction_points(sessions)
    if not len(points):
        return None, 0
    values, chances, _ = _estimated(points, without)
    reached = np.flatnonzero(np.cumsum(chances) >= 0.5)
    return float(values[reached[0]] if len(reached) else points.max()), len(points)


def limit_draws(sessions: Sequence[Session], begun: Session, worlds: int, rng: np.random.Generator) -> Floats:
    """Return [worlds] draws of the limit of a session that has begun, given the context that it has reached.

    Args:
        sessions: other sessions, whose compactions tell.
        begun: the session that has begun; its context is a lower bound.
        worlds: number of joint draws.
        rng: what the draws are made from.
    """
    points, without = compaction_points([*sessions, begun])
    values, chances, beyond = _estimated(points, without)
    reached = float(begun.context[-1])
    possible = values > reached
    weights = np.append(chances[possible], beyond)
    if weights.sum() <= 0.0:
        weights[-1] = 1.0
    drawn = rng.choice(len(weights), size=worlds, p=weights / weights.sum())
    largest = max(float(without.max()), float(points.max()) if len(points) else 0.0, reached)
    unseen = _unseen(largest, begun.source, worlds, rng)
    limits = np.append(values[possible], 0.0)[drawn] + np.where(drawn == len(weights) - 1, unseen, 0.0)
    return _some_cleared(limits, points, sessions, begun, rng)


def _estimated(points: Floats, without: Floats) -> tuple[Floats, Floats, float]:
    """Return the sorted points, their probabilities, and the probability of a limit beyond all observations."""
    values = np.append(points, without)
    compacted = np.append(np.ones(len(points)), np.zeros(len(without)))
    order = np.lexsort((-compacted, values))
    values, compacted = values[order], compacted[order]
    survival = np.cumprod(1.0 - compacted / (len(values) - np.arange(len(values))))
    chances = -np.diff(survival, prepend=1.0)
    told = compacted > 0
    return values[told], chances[told], float(survival[-1])


def _some_cleared(
    limits: Floats, points: Floats, sessions: Sequence[Session], begun: Session, rng: np.random.Generator
) -> Floats:
    """Return limits of which some are lowered, as often as other contexts were cleared before they were full."""
    full = _CLEARED * float(np.median(points)) if len(points) else np.inf
    cleared = sum(bool((session.context[:-1][session.compacts] < full).any()) for session in sessions)
    cleared = cleared if len(points) else 0
    chance = (_PRIOR_CLEARED + cleared) / (_PRIOR_SESSIONS + len(sessions))
    low = max(float(begun.context[-1]), _ROOM * float(begun.context[0]))
    lower = np.exp(rng.uniform(np.log(low), np.log(np.maximum(limits, low))))
    return np.where(rng.random(len(limits)) < chance, lower, limits)


def _unseen(largest: float, source: str, worlds: int, rng: np.random.Generator) -> Floats:
    """Return [worlds] draws of a limit that no observed session has reached."""
    low = max(largest, _USUAL[0])
    high = _USUAL[1] if source == "claude-code" and low < _USUAL[1] else _WIDEST * low
    return np.asarray(np.exp(rng.uniform(np.log(low), np.log(high), worlds)))
