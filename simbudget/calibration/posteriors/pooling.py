"""Partial pooling of runs.

The model is the hierarchical normal one of the logarithms (Gelman et al., Bayesian Data Analysis, 3rd edition,
section 5.4): the j-th value of run i is y = level_i + residual, levels are normal around a common mean with
standard deviation tau. A level is estimated from values cut to the middle 90 % of all, since a few huge ones would say
little about the next. Runs yet to come: see `runs_to_come`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from simbudget.arrays import Floats
from simbudget.calibration.posteriors.shapes import Shape
from simbudget.distributions.posteriors import score_grid

_PARTS: Final = 400
_FARTHEST: Final = 7.0
_PRIOR_SIGMA: Final = 0.9


@dataclass(frozen=True, eq=False)
class Levels:
    """Runs' levels: of each its mean logarithm, its number of values and the variance of one."""

    means: Floats
    counts: Floats
    sigma2: float
    """Variance of a value around its run's level, cut values."""


def log_of(values: Floats, floor: float) -> Floats:
    """Return logarithms, of values below `floor` (as of zeros) that of `floor`.

    Args:
        values: of any shape.
        floor: smallest value whose logarithm is taken.
    """
    return np.asarray(np.log(np.maximum(values, floor)))


def levels_of(runs: Sequence[Floats], cut: tuple[float, float]) -> Levels:
    """Return the levels of [runs] arrays of logarithms, each with a value at least, cut to two bounds.

    Args:
        runs: [runs] arrays of logarithms.
        cut: bounds for single values.
    """
    cut_runs = [np.clip(run, *cut) for run in runs]
    means = np.array([run.mean() for run in cut_runs])
    counts = np.array([float(len(run)) for run in cut_runs])
    squares = sum(float(((run - run.mean()) ** 2).sum()) for run in cut_runs)
    freedom = float((counts - 1).sum())
    sigma2 = (squares + _PRIOR_SIGMA**2) / (freedom + 1.0)
    return Levels(means, counts, sigma2)


def residuals_of(runs: Sequence[Floats], levels: Levels) -> tuple[list[Floats], float, float]:
    """Return [runs] residuals of which a shape can be told, and their mean and standard deviation; tails are not cut.

    Args:
        runs: [runs] arrays of logarithms.
        levels: theirs.
    """
    residuals = [run - mean for run, mean in zip(runs, levels.means, strict=True)]
    longer = [part for part in residuals if len(part) >= 10] or residuals
    together = np.concatenate(longer)
    if len(together) < 2:
        return [], 0.0, _PRIOR_SIGMA
    count = len(together)
    scatter = np.sqrt((together.var() * count + _PRIOR_SIGMA**2) / (count + 1.0))
    return longer, float(together.mean()), float(scatter)


def mean_of_draws(shape: Shape, scatters: Floats, between: Floats, factor: float) -> float:
    """Return the mean of draws over exp(location), with scatter and levels multiplied by a factor.

    Args:
        shape: of the scatter.
        scatters: [worlds] standard deviations within runs.
        between: [worlds] standard deviations between runs.
        factor: by which both are multiplied.
    """
    scores, chances = _scores()
    t = scores if shape.table is None else np.interp(scores, score_grid(), shape.table)
    few = scatters[:: max(1, len(scatters) // 40)]
    levels = between[:: max(1, len(between) // 40)]
    inner = float((np.exp(np.minimum(factor * few[:, None] * t, 50.0)) @ chances).mean())
    return inner * float(np.exp((factor * levels) ** 2 / 2).mean())


def _scores() -> tuple[Floats, Floats]:
    """Return normal scores far into the tails, which dominate means of heavy-tailed quantities, and their weights."""
    scores = np.linspace(-_FARTHEST, _FARTHEST, _PARTS)
    density = np.exp(-(scores**2) / 2)
    return scores, density / density.sum()
