"""Rates: how often something fails, when runs differ more than chance alone would make them."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_JEFFREYS = 0.5
_PRIOR_RUNS = 3.0
_PRIOR_DRIFT = 0.4
"""How much log odds drift between the beginning and the rest of a run, before any run was seen."""


def pooled_rate(hits: Floats, tries: Floats, worlds: int, rng: np.random.Generator) -> Floats:
    """Return [worlds] draws of the rate that all runs have in common.

    Beta posterior under Jeffreys' prior; hits and tries count less where runs differ by more than binomial
    chance, by Pearson's dispersion (McCullagh and Nelder, Generalized Linear Models, section 4.5), as far as that is
    more than chance would show.

    Args:
        hits: [runs] how often it happened.
        tries: [runs] how often it could have.
        worlds: how many draws.
        rng: what they are made from.
    """
    dispersion = 1.0
    rate = hits.sum() / max(tries.sum(), 1.0)
    having = tries > 0
    if having.sum() > 1 and 0.0 < rate < 1.0:
        expected = tries[having] * rate
        squares = ((hits[having] - expected) ** 2 / (expected * (1 - rate))).sum()
        dispersion = 1.0 + _beyond_chance(
            squares / (having.sum() - 1) - 1.0, np.sqrt(2.0 / (having.sum() - 1))
        )
    a = hits.sum() / dispersion + _JEFFREYS
    b = (tries.sum() - hits.sum()) / dispersion + _JEFFREYS
    return np.asarray(rng.beta(a, b, worlds))


def _beyond_chance(excess: float, error: float) -> float:
    """Return an excess as far as its standard error does not explain it: James and Stein's positive part."""
    return excess * (1.0 - (error / excess) ** 2) if excess > error else 0.0


def drifting_rate(
    begun: npt.NDArray[np.bool_],
    others: Sequence[npt.NDArray[np.bool_]],
    cut: float,
    worlds: int,
    rng: np.random.Generator,
) -> Floats:
    """Return [worlds] draws of the rate in the rest of a run, from its beginning and from how others' rates went on.

    Args:
        begun: which of the run's tries so far were hits.
        others: the same of other runs, whole.
        cut: the part of a run that its beginning is.
        worlds: how many draws.
        rng: what they are made from.
    """
    drifts = []
    for run in others:
        first = max(1, round(cut * len(run)))
        if run.any() and len(run) - first > 0:
            drifts.append(_log_odds(run[first:]) - _log_odds(run[:first]))
    seen = np.array(drifts)
    count = _PRIOR_RUNS + len(seen)
    centre = float(seen.sum() / count) if len(seen) else 0.0
    squares = _PRIOR_RUNS * _PRIOR_DRIFT**2 + (float(((seen - centre) ** 2).sum()) if len(seen) else 0.0)
    drift = centre + np.sqrt(squares / count) * rng.standard_normal(worlds)
    rate = rng.beta(begun.sum() + _JEFFREYS, (~begun).sum() + _JEFFREYS, worlds)
    odds = np.log(rate / (1 - rate)) + drift
    return np.asarray(1.0 / (1.0 + np.exp(-odds)))


def _log_odds(hits: npt.NDArray[np.bool_]) -> float:
    return float(np.log((hits.sum() + _JEFFREYS) / ((~hits).sum() + _JEFFREYS)))
