"""Joint draws: ordering draws so that correlations between runs also hold between worlds."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from simbudget.arrays import Floats

if TYPE_CHECKING:
    from simbudget.calibration.scenarios.fit import Fit


_FEWEST_FOR_ORDER: Final = 10
"""Fewest runs for estimating correlations."""


def jointly(fits: Sequence["Fit"], worlds: int, rng: np.random.Generator) -> list["Fit"]:
    """Return the fits with draws reordered to have the rank correlations of the runs.

    Means of runs that are correlated are so in the posterior of their common mean; draws are put into the order of
    ranks of correlated normal scores (Iman and Conover, Communications in Statistics B11 (1982), 311-334).

    Args:
        fits: those of one ledger; fits with the levels of ten runs or more take part.
        worlds: number of joint draws.
        rng: what the draws are made from.
    """
    joint = [k for k, fit in enumerate(fits) if len(fit.levels) >= _FEWEST_FOR_ORDER]
    if len(joint) < 2:
        return list(fits)
    correlation = _correlation([fits[k].levels for k in joint])
    scores = rng.standard_normal((worlds, len(joint))) @ np.linalg.cholesky(correlation).T
    result = list(fits)
    for column, k in enumerate(joint):
        quantity = fits[k].quantity
        assert quantity is not None
        draws = quantity.posterior.draws
        ordered = draws[np.argsort(draws[:, 0], kind="stable")]
        ranks = np.argsort(np.argsort(scores[:, column], kind="stable"), kind="stable")
        posterior = replace(quantity.posterior, draws=ordered[ranks])
        result[k] = replace(fits[k], quantity=replace(quantity, posterior=posterior))
    return result


def _correlation(levels: Sequence[Mapping[int, float]]) -> Floats:
    """Return the correlations of runs' levels, shrunk towards zero for few runs; positive definite."""
    count = len(levels)
    matrix = np.eye(count)
    for a in range(count):
        for b in range(a):
            runs = sorted(levels[a].keys() & levels[b].keys())
            first, second = (np.array([levels[k][run] for run in runs]) for k in (a, b))
            if len(runs) >= _FEWEST_FOR_ORDER and first.std() > 0 and second.std() > 0:
                r = np.corrcoef(first, second)[0, 1] * len(runs) / (len(runs) + _FEWEST_FOR_ORDER)
                matrix[a, b] = matrix[b, a] = r
    values, vectors = np.linalg.eigh(matrix)
    near = vectors @ np.diag(np.maximum(values, 0.02)) @ vectors.T
    scale = np.sqrt(np.diag(near))
    return np.asarray(near / np.outer(scale, scale))
