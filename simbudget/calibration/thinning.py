"""Results that are kept thin out: how quickly, by what campaigns showed, and how many are still to come.

The n-th experiment is kept with chance c n^-a: a = 0 keeps at a constant rate, a = 1 is that of records among
equals. Each campaign's a has its maximum of likelihood; a new one's is normal around their mean, a weak prior
counting as some campaigns more.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

_GRID: Final = np.linspace(0.0, 1.5, 61)
_PRIOR: Final = (0.7, 0.3, 3.0)
"""Mean and standard deviation of a before any campaign, which count as three campaigns."""
_PRIOR_KEPT: Final = 0.5


def thinning_exponent(kept: Flags) -> float:
    """Return the exponent a of one campaign, by maximum likelihood, c at its own maximum for each a."""
    n = np.arange(1.0, len(kept) + 1)
    count = kept.sum()
    best, at = -np.inf, float(_PRIOR[0])
    for a in _GRID:
        weights = n**-a
        likelihood = float((-a * np.log(n[kept])).sum() - count * np.log(weights.sum()))
        if likelihood > best:
            best, at = likelihood, float(a)
    return at


def thinning_exponents(campaigns: Sequence[Flags], worlds: int, rng: np.random.Generator) -> Floats:
    """Return [worlds] draws of a new campaign's exponent.

    Args:
        campaigns: of each, which of its experiments were kept, in order.
        worlds: how many draws.
        rng: what they are made from.
    """
    seen = np.array([thinning_exponent(kept) for kept in campaigns])
    mean, deviation, prior = _PRIOR
    count = prior + len(seen)
    centre = (prior * mean + seen.sum()) / count
    variance = (prior * deviation**2 + ((seen - centre) ** 2).sum()) / count
    spread = np.sqrt(variance * (1 + 1 / count))
    return np.asarray(np.clip(centre + spread * rng.standard_normal(worlds), _GRID[0], _GRID[-1]))


def kept_later(begun: Flags, exponents: Floats, experiments: Floats, rng: np.random.Generator) -> Floats:
    """Return [worlds] how many of the experiments still to come are kept.

    Args:
        begun: which of the experiments so far were kept.
        exponents: [worlds] how quickly keeping thins out.
        experiments: [worlds] how many are still to come.
        rng: what the draws are made from.
    """
    known = len(begun)
    last = int(known + max(experiments.max(), 0))
    n = np.arange(1.0, last + 1)
    result = np.empty(len(exponents))
    for world, a in enumerate(exponents):
        reach = np.concatenate([[0.0], np.cumsum(n**-a)])
        level = rng.gamma(begun.sum() + _PRIOR_KEPT) / reach[known]
        result[world] = level * (reach[int(known + max(experiments[world], 0))] - reach[known])
    return np.asarray(rng.poisson(result), dtype=np.float64)
