"""Rates of failures, with overdispersion between runs."""

import numpy as np

from simbudget.arrays import Floats

_JEFFREYS = 0.5


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
    """Return an excess shrunk by its standard error: the positive-part James-Stein estimator."""
    return excess * (1.0 - (error / excess) ** 2) if excess > error else 0.0
