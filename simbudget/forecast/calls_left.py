"""How many calls a session still makes: as many as are known, as fit into a time, or as others of its length made."""

from typing import Final

import numpy as np

from simbudget.arrays import Floats, Integers
from simbudget.calibration.observed.sessions import Session
from simbudget.forecast.durations import CALLS_LEFT, predictive
from simbudget.forecast.past_runs import PastRuns

_LINDY_SESSIONS: Final = 3.0
"""The scale-free prior counts as this many other sessions: with it a session may outlast all that were seen."""
_BANDWIDTH: Final = 0.25
"""Spread of the logarithm around another session's remaining calls: how alike two sessions of one kind are at most."""
_MOST_TIMES: Final = 20.0
"""The prior stops at this many times the calls so far, which one session in twenty of a 1/x law passes."""
_DEFAULT_MEDIAN: Final = 40.0
"""Calls of a session before any was seen: the median of the sessions that the models were built on."""
_DAY_SHARE: Final = 0.02


def known_calls(calls: int, worlds: int) -> Integers:
    """Return [worlds] the number of calls that is known."""
    return np.full(worlds, max(calls, 0), dtype=np.int64)


def calls_to_come(so_far: int, lengths: Floats, worlds: int, rng: np.random.Generator) -> Integers:
    """Return [worlds] draws of how many calls a session still makes, of which nothing is known but its calls so far.

    Other sessions that were longer say how they went on, weighted as in the Bayesian bootstrap (Rubin, Annals of
    Statistics 9 (1981), 130-134). Beside them stands the scale-free law that the remaining calls exceed x times those
    so far with probability 1 / (1 + x) (Gott, Nature 363 (1993), 315-319), which is all that is left once a session
    is longer than all others.

    Args:
        so_far: calls of the session.
        lengths: [sessions] calls of other whole sessions.
        worlds: how many draws.
        rng: what they are made from.
    """
    longer = lengths[lengths > so_far] - so_far
    weights = rng.dirichlet(np.append(np.ones(len(longer)), _LINDY_SESSIONS), worlds)
    picked = (weights.cumsum(axis=1) < rng.random((worlds, 1))).sum(axis=1)
    start = float(so_far) if so_far else _DEFAULT_MEDIAN
    uniform = rng.uniform(1.0 / (1.0 + _MOST_TIMES), 1.0, worlds)
    lindy = start * (1.0 / uniform - 1.0)
    like_others = np.append(longer, 0.0)[np.minimum(picked, len(longer))]
    like_others = like_others * np.exp(_BANDWIDTH * rng.standard_normal(worlds))
    drawn = np.where(picked >= len(longer), lindy, like_others)
    return np.maximum(1, np.rint(drawn)).astype(np.int64)


def calls_within_time(
    session: Session, past: PastRuns, seconds: float, worlds: int, rng: np.random.Generator
) -> Integers:
    """Return [worlds] draws of how many calls a session makes in a time.

    Over other sessions, the calls of a beginning, the seconds that the remaining run takes and its calls are jointly
    normal in their logarithms: a run that goes on for days has long gaps more often than many calls.

    Args:
        session: its calls so far.
        past: other sessions.
        seconds: how long it goes on, from its last call.
        worlds: how many draws.
        rng: what they are made from.
    """
    lasted_s = max(float(session.started_s[-1] - session.started_s[0]), 1.0)
    cut = float(np.clip(lasted_s / (lasted_s + seconds), _DAY_SHARE, 0.95))
    seen = past.calls_in_time(round(cut, 2))
    own = np.log([max(len(session) - 1.0, 1.0), max(seconds, 1.0)])
    location, scale, freedom = predictive(CALLS_LEFT, seen, own)
    drawn = np.exp(np.minimum(location + scale * rng.standard_t(freedom, worlds), 10.0))
    return np.maximum(1, np.rint(drawn)).astype(np.int64)
