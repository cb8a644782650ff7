"""The statistics of a projection's columns, each with its Monte-Carlo error."""

from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

STATISTICS: Final = ("mean", "p10", "p50", "p90")

_QUANTILES: Final = (0.1, 0.5, 0.9)
_RESAMPLES: Final = 200


def statistics(values: Floats) -> Floats:
    """Return the [statistics, columns] mean, p10, p50 and p90 of [replications, columns] values.

    Quantiles interpolate linearly between order statistics (Hyndman and Fan, "Sample quantiles in statistical
    packages", The American Statistician 50 (1996), definition 7).
    """
    return np.vstack([_mean(values), np.quantile(values, _QUANTILES, axis=0)])


def monte_carlo_errors(values: Floats, worlds: Integers) -> Floats:
    """Return the [statistics, columns] standard errors that come from having made so few replications.

    A cluster bootstrap: whole worlds are drawn with replacement, since the replications of a world share what
    is unknown (Davison and Hinkley, "Bootstrap methods and their application", 1997, section 3.8). Where there
    is one world, its replications are drawn.
    """
    if len(values) < 2:
        return np.full((len(STATISTICS), values.shape[1]), np.nan)
    names, members = np.unique(worlds, return_inverse=True)
    if len(names) == 1:
        members = np.arange(len(values))
    clusters = [np.flatnonzero(members == cluster) for cluster in range(members.max() + 1)]
    random = np.random.default_rng(0)  # the error's own error is small, and has to be the same each time
    resampled = []
    for _ in range(_RESAMPLES):
        drawn = random.integers(len(clusters), size=len(clusters))
        resampled.append(statistics(values[np.concatenate([clusters[cluster] for cluster in drawn])]))
    errors: Floats = np.std(resampled, axis=0, ddof=1)
    return errors


def _mean(values: Floats) -> Floats:
    """Return the mean of each column; a constant column's mean is that constant to the last bit."""
    first = values[0]
    mean: Floats = first + (values - first).mean(axis=0)
    return mean
