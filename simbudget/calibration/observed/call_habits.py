"""How sessions call their models: from what cache they begin, whether thinking stays in the context, by which service.

Each is one number or setting for all sessions. Since calls of one session are alike, intervals come from resampling
sessions (bootstrap: Efron and Tibshirani, An Introduction to the Bootstrap, chapter 6), those of services from a pooled
rate.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from simbudget.arrays import Floats
from simbudget.calibration.observed.sessions import Session
from simbudget.calibration.posteriors.rates import pooled_rate

_RESAMPLED: Final = 200
"""Bootstrap samples: enough for the 10 % and 90 % quantiles that are shown."""
_FEWEST_BEGINNINGS: Final = 8
"""Fewest first calls for saying that nothing is shared: eight in a row without any bound the share below 30 %."""
_FEWEST_FOUND: Final = 3
"""Fewest first calls with reads for learning the length of a shared prefix."""
_SELDOM: Final = 0.1
"""Where a smaller share of first calls reads from a cache, these are resumed sessions, and no shared prefix."""
_SOME_THINKING: Final = 50
"""Tokens; calls with less thinking say nothing of whether it stays."""
_FEWEST_THINKING: Final = 30
"""Fewest calls with thinking for a judgement."""
_TELLING: Final = 0.05
"""The share of turns that grow by less than another turn's thinking has to be at least this: otherwise tool results are
so long that thinking could hide in them."""
_SHUFFLES: Final = 20
_ROUNDING: Final = 0.95
"""Providers' counts of thinking and of context differ by a few percent."""


@dataclass(frozen=True, eq=False)
class SharedPrefix:
    """What first calls found in a cache that another context had filled."""

    draws: Floats
    """Resampled length of the prefix in tokens; zeros where nothing is shared."""
    beginnings: int
    """Number of first calls."""
    found: int
    """Number of these that read from a cache."""
    share: tuple[float, float, float]
    """Share of first prompts' tokens that was read: as observed, and p10 and p90."""


@dataclass(frozen=True, eq=False)
class KeptThinking:
    """Whether thinking stays in the context."""

    share: tuple[float, float, float]
    """Share of thinking that stayed, exact for none and all, else a lower bound: as observed, and p10 and p90."""
    calls: int
    """Number of calls with thinking, and known growth after them."""

    @property
    def keeps(self) -> bool | None:
        """Return whether it stays; None if the interval does not exclude either."""
        _, low, high = self.share
        return True if low > 0.5 else False if high < 0.5 else None


@dataclass(frozen=True)
class UsedService:
    """The service of most calls."""

    name: str
    share: tuple[float, float, float]
    """Share of calls by this service: as observed, and p10 and p90."""
    calls: int


def shared_prefix(contexts: Sequence[Session], rng: np.random.Generator) -> SharedPrefix | None:
    """Return the prefix that contexts share with others; None if logs do not tell.

    Args:
        contexts: those of one model and role.
        rng: for resampling.
    """
    whose = [s for s in contexts if s.knows_input and np.isfinite(s.read[0]) and np.nansum(s.read) > 0]
    if len(whose) < _FEWEST_FOUND:
        return None
    read = np.array([session.read[0] for session in whose])
    context = np.array([session.context[0] for session in whose])
    found = int((read > 0).sum())
    picked = rng.integers(0, len(whose), (_RESAMPLED, len(whose)))
    share = _interval(read.sum() / context.sum(), read[picked].sum(axis=1) / context[picked].sum(axis=1))
    if found < max(_FEWEST_FOUND, _SELDOM * len(whose)):
        if len(whose) < _FEWEST_BEGINNINGS:
            return None
        return SharedPrefix(np.zeros(_RESAMPLED), len(whose), found, share)
    having = read[read > 0]
    draws = np.median(having[rng.integers(0, found, (_RESAMPLED, found))], axis=1)
    return SharedPrefix(np.asarray(draws), len(whose), found, share)


def kept_thinking(sessions: Sequence[Session], rng: np.random.Generator) -> KeptThinking | None:
    """Return which share of thinking stays in the context; None if logs do not tell.

    Thinking that stays bounds a context's growth from below: a turn never grows by less than it. Thinking that is
    dropped is independent of the growth, so that turns grow by less than their thinking as often as by less than
    another turn's. The ratio of both frequencies is the share that is dropped, or more: turns that keep their thinking
    are seldom that short by chance.

    Args:
        sessions: of any kind; those without separate counts of thinking say nothing.
        rng: for shuffling and resampling.
    """
    parts = [part for part in map(_thought, sessions) if len(part)]
    if sum(map(len, parts)) < _FEWEST_THINKING:
        return None
    dropped = _dropped_share(np.concatenate(parts), rng)
    if dropped is None:
        return None
    resampled = [
        _dropped_share(np.concatenate([parts[k] for k in rng.integers(0, len(parts), len(parts))]), rng)
        for _ in range(_RESAMPLED // 4)
    ]
    known = np.array([share for share in resampled if share is not None])
    return KeptThinking(_interval(1.0 - dropped, 1.0 - known), sum(map(len, parts)))


def _thought(session: Session) -> Floats:
    """Return [turns, 2] what joined the context beside visible output, and the thinking, of turns with thinking."""
    thinking, output = session.thinking[:-1], session.output[:-1]
    joined = session.growth - (output - thinking)
    known = np.isfinite(joined) & (thinking >= _SOME_THINKING)
    return np.column_stack([joined[known], thinking[known]])


def _dropped_share(turns: Floats, rng: np.random.Generator) -> float | None:
    """Return the share of thinking that is dropped; None if results are too long to tell."""
    joined, thinking = turns[:, 0], _ROUNDING * turns[:, 1]
    less = float((joined < thinking).mean())
    by_chance = np.mean([(joined < rng.permutation(thinking)).mean() for _ in range(_SHUFFLES)])
    return None if by_chance < _TELLING else min(less / float(by_chance), 1.0)


def used_service(sessions: Sequence[Session], rng: np.random.Generator) -> UsedService | None:
    """Return the service of most calls, if it is another than the standard one; None otherwise.

    Logs that name no service may come from a provider that does not report it.

    Args:
        sessions: those of one role.
        rng: for the interval.
    """
    calls = np.array([float(len(session)) for session in sessions])
    names = sorted({session.service for session in sessions} - {"", "standard"})
    if not names:
        return None
    by_name = {name: calls * [session.service == name for session in sessions] for name in names}
    name = max(names, key=lambda each: by_name[each].sum())
    shares = pooled_rate(by_name[name], calls, _RESAMPLED, rng)
    share = _interval(by_name[name].sum() / calls.sum(), shares)
    return UsedService(name, share, int(calls.sum())) if share[1] > 0.5 else None


def _interval(value: float, resampled: Floats) -> tuple[float, float, float]:
    low, high = np.quantile(resampled, (0.1, 0.9)) if len(resampled) else (value, value)
    return float(value), float(low), float(high)
