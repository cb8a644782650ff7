"""Caches: for how long a provider's cache keeps what is sent, and how often a call misses it though it is young.

A call that finds only a part of the context that the call before it sent misses the cache by the rest. Sessions
differ: their rates are beta distributed, with the strength of highest likelihood (the beta-binomial model; Gelman et
al., Bayesian Data Analysis, 3rd edition, section 5.3).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from weakref import WeakKeyDictionary

import numpy as np

from simbudget.arrays import Flags, Floats
from simbudget.calibration.observed.sessions import Session
from simbudget.scenario.context import CACHE_LIFE_S

FIVE_MINUTES: Final = "5 min"
ONE_HOUR: Final = "1 h"

_WARMS_UP: Final = 3
"""The first calls of a session find nothing yet that is worth keeping: they miss more often, and cost little."""
_MOSTLY: Final = 0.5
_FEWEST_OLD: Final = 3
_STRENGTHS: Final = np.array([0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0])
_USUAL_MISSES: Final = {"claude": 0.01}
_MISSES_ELSEWHERE: Final = 0.1
"""The chance of a miss before any call was seen, by what stands in the model's name; elsewhere caches promise less."""
_PRIOR_CALLS: Final = 10.0
"""So many calls that is worth."""


@dataclass(frozen=True)
class Misses:
    """Calls of one session whose cache was young, and how many of them missed it, parts counted as parts."""

    calls: float
    missed: float


def cache_life(sessions: Sequence[Session], begun: Session) -> str:
    """Return for how long a session's cache keeps what is written to it.

    An hour, if most writes say so, or if most calls of this model between five minutes and an hour after the call
    before them found the cache.

    Args:
        sessions: sessions whose late calls tell.
        begun: the session whose cache it is.
    """
    hour, written = np.nansum(begun.write_1h), np.nansum(begun.write)
    if written > 0 and hour > 0:
        return ONE_HOUR if hour > _MOSTLY * written else FIVE_MINUTES
    missed = [_missed_late(session) for session in [*sessions, begun] if session.model == begun.model]
    together = np.concatenate(missed)
    return ONE_HOUR if len(together) >= _FEWEST_OLD and together.mean() < _MOSTLY else FIVE_MINUTES


_LATE: Final[WeakKeyDictionary[Session, Floats]] = WeakKeyDictionary()
"""What each session says of the life of caches, worked out once: every session asks all others of its model."""


def _missed_late(session: Session) -> Floats:
    """Return which part of the context was missed by calls that only an hour's cache could have served.

    A session whose writes say that they are for an hour says nothing here.
    """
    if session not in _LATE:
        late = _aged(session, CACHE_LIFE_S[FIVE_MINUTES], CACHE_LIFE_S[ONE_HOUR])
        _LATE[session] = _missed(session)[late] if np.nansum(session.write_1h) == 0 else np.zeros(0)
    return _LATE[session]


def misses_of(session: Session, life: str, people: bool = True) -> Misses:
    """Return how often a session's calls missed a cache that was young enough.

    Args:
        session: its calls, the first three apart.
        life: of its cache, `5 min` or `1 h`.
        people: whether waiting for people ages a cache; without, what was lost in the meantime is a miss.
    """
    missed = _missed(session)[_aged(session, 0.0, CACHE_LIFE_S[life], people)]
    return Misses(float(len(missed)), float(missed.sum()))


def pauses_of(session: Session, life_s: float) -> Misses:
    """Return in how many of a session's gaps its cache outlived its life: calls that began later than that.

    Args:
        session: its calls.
        life_s: life of a cache in seconds.
    """
    apart_s = np.diff(session.started_s)
    known = np.isfinite(apart_s)
    return Misses(float(known.sum()), float((apart_s[known] > life_s).sum()))


def remaining_rate(
    usual: float, others: Sequence[Misses], begun: Misses, worlds: int, rng: np.random.Generator
) -> Floats:
    """Return [worlds] draws of a rate per call in the remaining run, by the beta-binomial model.

    Args:
        usual: the rate before any call was seen.
        others: trials and hits of other whole sessions.
        begun: those of its beginning.
        worlds: how many draws.
        rng: what they are made from.
    """
    from scipy.special import betaln  # noqa: PLC0415  slow to import

    calls = np.array([of.calls for of in others])
    missed = np.array([of.missed for of in others])
    mean = (missed.sum() + begun.missed + usual * _PRIOR_CALLS) / (calls.sum() + begun.calls + _PRIOR_CALLS)
    a, b = mean * _STRENGTHS[:, None], (1 - mean) * _STRENGTHS[:, None]
    scores = (betaln(a + missed, b + calls - missed) - betaln(a, b)).sum(axis=1)
    scores -= 0.5 * np.log(_STRENGTHS)  # flat in the differences between sessions, not in their inverse
    chances = np.exp(scores - scores.max())
    strength = rng.choice(_STRENGTHS, size=worlds, p=chances / chances.sum())
    return np.asarray(
        rng.beta(mean * strength + begun.missed, (1 - mean) * strength + begun.calls - begun.missed)
    )


def usual_misses(model: str) -> float:
    """Return the chance that a call misses a young cache before any call of this model was seen."""
    return next((rate for name, rate in _USUAL_MISSES.items() if name in model), _MISSES_ELSEWHERE)


_MISSED: Final[WeakKeyDictionary[Session, Floats]] = WeakKeyDictionary()


def _missed(session: Session) -> Floats:
    """Return [calls - 1] which part of the context that the call before sent was not found in the cache."""
    if session not in _MISSED:
        before = np.minimum(session.context[:-1], session.context[1:])
        found = np.nan_to_num(session.read)[1:] / np.maximum(before, 1.0)
        _MISSED[session] = np.clip(1.0 - found, 0.0, 1.0)
    return _MISSED[session]


def _aged(session: Session, youngest_s: float, oldest_s: float, people: bool = True) -> Flags:
    """Return [calls - 1] which calls began so long after the one before, in a context that went on."""
    apart_s = np.nan_to_num(np.diff(session.started_s))
    if not people:
        apart_s -= np.minimum(session.person_s[:-1], session.gap_s)
    warm = np.arange(len(apart_s)) >= _WARMS_UP
    return (apart_s >= youngest_s) & (apart_s <= oldest_s) & ~session.compacts & warm
