"""Openings: agents look around before they work, so a context grows faster in its first turns than later.

What joins in a context's k-th turn, from 0 and anew after a compaction, is taken to be
1 + (times - 1) exp(-k / turns) times as large as what joins later (`turn.opening` of a scenario). Both numbers are
the mode of a gamma quasi-likelihood, each session with its own level (McCullagh and Nelder, Generalized Linear
Models, chapters 8 and 9), under a prior: the opening of agents that nobody has seen is moderate.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from simbudget.arrays import Flags, Floats

_TIMES: Final = np.array([1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 11.0, 15.0, 20.0, 28.0, 40.0])
_TURNS: Final = np.array([1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0])
_PRIOR_TIMES: Final = (4.0, 0.7)
"""Median, and standard deviation of the logarithm."""
_PRIOR_TURNS: Final = (4.0, 0.5)
_DISPERSION: Final = 5.0
"""Variance over squared mean of one turn's growth; large, since large results come in bursts."""
_FEWEST: Final = 5
"""Fewest values of a session for estimating its opening."""
_CUT: Final = 0.99


@dataclass(frozen=True)
class Opening:
    """How a context's first turns differ from later ones."""

    times: float = 1.0
    turns: float = 1.0

    def factor(self, ages: Floats) -> Floats:
        """Return the ratio of results after this many turns of the context to later ones."""
        return np.asarray(1.0 + (self.times - 1.0) * np.exp(-ages / self.turns))


def ages_of(compacts: Flags, begins_at: int = 0) -> Floats:
    """Return [calls - 1] how many turns old the context is at each turn, by where it was compacted afterwards.

    Args:
        compacts: [calls - 1] whether the context was compacted after each call.
        begins_at: age at the first call.
    """
    turns = np.arange(len(compacts), dtype=np.float64)
    last = (
        np.maximum.accumulate(np.where(np.append(False, compacts[:-1]), turns, 0.0)) if len(turns) else turns
    )
    return np.asarray(turns - last + np.where(last == 0.0, begins_at, 0))


def learnt_opening(values: Sequence[Floats], ages: Sequence[Floats], evidence: float = -np.inf) -> Opening:
    """Return the opening that sessions show.

    Args:
        values: [sessions] what joined the context in each turn.
        ages: [sessions] how many turns old the context was.
        evidence: by how much an opening has to raise the logarithm of the quasi-likelihood to be believed; 2 is
            Akaike's criterion for its two numbers; by default the prior is believed too.
    """
    said = [(v, a) for v, a in zip(values, ages, strict=True) if len(v) >= _FEWEST]
    most = np.quantile(np.concatenate([v for v, _ in said]), _CUT) if said else 0.0
    scores = _log_prior(_TIMES, _PRIOR_TIMES)[:, None] + _log_prior(_TURNS, _PRIOR_TURNS)[None, :]
    fading = {k: np.exp(-np.concatenate([a for _, a in said] or [np.zeros(0)]) / k) for k in _TURNS}
    together = np.concatenate([np.minimum(v, most) + 1.0 for v, _ in said] or [np.zeros(0)])
    member = np.repeat(np.arange(len(said)), [len(v) for v, _ in said])
    counts = np.bincount(member, minlength=len(said))
    shown = np.zeros(scores.shape)
    for i, times in enumerate(_TIMES):
        for j, turns in enumerate(_TURNS):
            factor = 1.0 + (times - 1.0) * fading[turns]
            levels = np.bincount(member, together / factor, minlength=len(said)) / np.maximum(counts, 1)
            # At its own level, a session's terms of value over expectation add up to their number.
            deviance = np.log(factor).sum() + (counts * np.log(np.maximum(levels, 1e-9))).sum()
            shown[i, j] = -deviance / _DISPERSION
    scores += shown
    best_times, best_turns = np.unravel_index(int(scores.argmax()), scores.shape)
    if shown[best_times, best_turns] - shown[0, 0] < evidence:
        return Opening()
    return Opening(float(_TIMES[best_times]), float(_TURNS[best_turns]))


def _log_prior(values: Floats, prior: tuple[float, float]) -> Floats:
    median, deviation = prior
    return np.asarray(-0.5 * (np.log(values / median) / deviation) ** 2)
