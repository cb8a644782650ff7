"""Durations with censoring: jobs still running at the end of the log count with their durations so far.

The posterior of mean and standard deviation of the logarithm is computed on a grid from the likelihood: densities
of completed jobs, survival probabilities of the others (Klein and Moeschberger, Survival Analysis, section 3.5).
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from simbudget.arrays import Flags, Floats
from simbudget.calibration.posteriors.pooling import log_of
from simbudget.calibration.posteriors.runs_to_come import pool
from simbudget.calibration.posteriors.shapes import LOGNORMAL, Shape, choose_shape
from simbudget.distributions.posteriors import Posterior

_MEANS: Final = 121
_SCATTERS: Final = 81
EXPERIMENTS_SCATTER: Final = 0.9
"""Prior for experiments: a few of one kind say little about other kinds."""


def censored_lognormal(
    runs: Sequence[tuple[Floats, Flags]],
    worlds: int,
    rng: np.random.Generator,
    floor: float,
    assumed_scatter: float = EXPERIMENTS_SCATTER,
) -> tuple[Posterior, Shape]:
    """Return the posterior of durations, and their shape.

    Args:
        runs: [runs] durations in seconds, and which of them are lower bounds.
        worlds: how many joint draws.
        rng: what the draws are made from.
        floor: the shortest duration whose logarithm is taken.
        assumed_scatter: the scatter of one value that is assumed beforehand; 0 for none.
    """
    logs = [(log_of(values, floor), censored) for values, censored in runs]
    if not any(censored.any() for _, censored in logs):
        having = [values for values, _ in logs if len(values)]
        return pool(having, worlds, rng, has_levels=False)
    values = np.concatenate([v for v, _ in logs])
    censored = np.concatenate([c for _, c in logs])
    ended, still = values[~censored], values[censored]
    means, scatters, log_likelihood = _grid(ended, still, assumed_scatter)
    chances = np.exp(log_likelihood - log_likelihood.max())
    drawn = rng.choice(chances.size, size=worlds, p=(chances / chances.sum()).ravel())
    rows, columns = np.unravel_index(drawn, chances.shape)
    step = means[1] - means[0]
    location = means[rows] + step * (rng.random(worlds) - 0.5)
    draws = np.column_stack([location, scatters[columns], np.zeros(worlds)])
    shape = choose_shape([ended - ended.mean()]) if not len(still) else Shape(LOGNORMAL, None, {})
    return Posterior(draws, shape.table), shape


def _grid(ended: Floats, still: Floats, assumed_scatter: float) -> tuple[Floats, Floats, Floats]:
    """Return means, scatters, and [means, scatters] the logarithm of the posterior."""
    from scipy.special import log_ndtr  # noqa: PLC0415  slow to import

    everything = np.concatenate([ended, still])
    centre, spread = float(everything.mean()), max(float(everything.std()), 0.2)
    wide = spread * (4.0 / np.sqrt(max(len(ended), 1)) + 2.0 * len(still) / len(everything) + 0.5)
    means = np.linspace(centre - wide, centre + 2 * wide, _MEANS)
    scatters = np.geomspace(spread / 5, spread * 5, _SCATTERS)
    count, mean = len(ended), ended.mean() if len(ended) else 0.0
    squares = ((ended - mean) ** 2).sum() + count * (mean - means[:, None]) ** 2
    log_posterior = -(count + 1) * np.log(scatters) - (squares + assumed_scatter**2) / (2 * scatters**2)
    for value in still:
        log_posterior += log_ndtr((means[:, None] - value) / scatters)
    return means, scatters, log_posterior
