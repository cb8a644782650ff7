"""Shapes of distributions: choice of a family by its predictive accuracy on held-out runs.

Residuals are logarithms minus the level of their run. A family is scored by its mean log density on the residuals of
each run when fitted to the others (leave-one-run-out); the empirical distribution, smoothed by a kernel, is one of
them, and wins where no named one fits (Gelman et al., Bayesian Data Analysis, 3rd edition, section 7.2).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from simbudget.distributions.posteriors import score_grid

Floats = npt.NDArray[np.float64]

LOGNORMAL: Final = "lognormal"
EMPIRICAL: Final = "empirical"

_FOLDS: Final = 8
_FEW: Final = 20
"""With fewer observations the lognormal is used; others could not be distinguished from it."""
_MARGIN: Final = 0.01
"""Margin in log score per observation by which a family has to beat the lognormal, to avoid choices by chance."""
_MOST_SCORED: Final = 2000
_LEAST_LOG_DENSITY: Final = -100.0


@dataclass(frozen=True, eq=False)
class Shape:
    """A family's standardised quantiles and the scores of all families."""

    family: str
    table: Floats | None
    """[`SCORE_POINTS`] of mean 0 and standard deviation 1; None for the lognormal."""
    log_scores: dict[str, float]
    """Each family's mean leave-one-run-out log score; higher is better."""


def choose_shape(residuals: Sequence[Floats]) -> Shape:
    """Return the shape of runs' residuals; [runs] arrays."""
    everything = np.concatenate(residuals) if residuals else np.zeros(0)
    if len(everything) < _FEW or np.ptp(everything) < 1e-9:
        return Shape(LOGNORMAL, None, {})
    scores = _log_scores(residuals)
    best = max(scores, key=lambda family: scores[family])
    if scores[best] < scores[LOGNORMAL] + _MARGIN:
        best = LOGNORMAL
    return Shape(best, None if best == LOGNORMAL else _table(best, everything), scores)


def observed_shape(residuals: Sequence[Floats]) -> Shape:
    """Return the empirical shape if there are enough values, otherwise the lognormal."""
    everything = np.concatenate(residuals) if residuals else np.zeros(0)
    if len(everything) < 10 * _FEW or np.ptp(everything) < 1e-9:
        return Shape(LOGNORMAL, None, {})
    return Shape(EMPIRICAL, _table(EMPIRICAL, everything), {})


def midpoint_scores(count: int) -> Floats:
    """Return normal scores at the midpoints of equal intervals of probability."""
    from scipy.special import ndtri  # noqa: PLC0415  slow to import

    return np.asarray(ndtri((np.arange(count) + 0.5) / count))


def shape_of(values: Floats) -> Floats:
    """Return [`SCORE_POINTS`] the standardised quantiles of values, whatever their number; not all alike."""
    return _table(EMPIRICAL, values)


def _families() -> dict[str, Any]:
    """Return the named families by the distribution of the logarithm."""
    from scipy import stats  # noqa: PLC0415  slow to import

    return {LOGNORMAL: stats.norm, "gamma": stats.loggamma, "weibull": stats.gumbel_l}


def _log_scores(residuals: Sequence[Floats]) -> dict[str, float]:
    """Return each family's mean log density on runs that it was not fitted to."""
    from scipy import stats  # noqa: PLC0415

    folds = _folds(residuals)
    totals: dict[str, list[float]] = {}
    for k, held in enumerate(folds):
        rest = np.concatenate([fold for j, fold in enumerate(folds) if j != k])
        for name, family in _families().items():
            with np.errstate(over="ignore"):  # far out a density is 0, and its logarithm very small
                density = family.logpdf(held, *_fitted(name, family, rest))
            totals.setdefault(name, []).append(float(np.maximum(density, _LEAST_LOG_DENSITY).sum()))
        kernel = stats.gaussian_kde(rest) if np.ptp(rest) > 0 else None
        if kernel is not None:
            density = np.maximum(kernel(held), 1e-12)
            totals.setdefault(EMPIRICAL, []).append(float(np.log(density).sum()))
    count = sum(len(fold) for fold in folds)
    return {name: sum(parts) / count for name, parts in totals.items() if len(parts) == len(folds)}


def _folds(residuals: Sequence[Floats]) -> list[Floats]:
    """Return runs' residuals in a few folds, keeping runs whole; a single run is split in time."""
    runs = [run for run in residuals if len(run)]
    if len(runs) == 1:
        return [part for part in np.array_split(runs[0], _FOLDS) if len(part)]
    stride = max(1, sum(map(len, runs)) // _MOST_SCORED)
    count = min(_FOLDS, len(runs))
    return [np.concatenate([run[::stride] for run in runs[k::count]]) for k in range(count)]


def _fitted(name: str, family: Any, values: Floats) -> tuple[float, ...]:
    """Return a family's parameters, by moments of the logarithm."""
    mean, deviation = float(values.mean()), max(float(values.std()), 1e-6)
    if name == LOGNORMAL:
        return mean, deviation
    if name == "weibull":
        scale = deviation * np.sqrt(6.0) / np.pi
        return mean + np.euler_gamma * scale, scale
    return _gamma_by_moments(mean, deviation)


def _gamma_by_moments(mean: float, deviation: float) -> tuple[float, float]:
    """Return shape and location of the logarithm of a gamma variable: its variance is trigamma(shape)."""
    from scipy.optimize import brentq  # noqa: PLC0415  slow to import
    from scipy.special import digamma, polygamma  # noqa: PLC0415

    variance = min(max(deviation**2, 1e-4), 1e4)
    shape = float(np.exp(brentq(lambda log: float(polygamma(1, np.exp(log))) - variance, -12.0, 12.0)))
    return shape, mean - float(digamma(shape))


def _table(name: str, values: Floats) -> Floats:
    """Return a family's quantiles at the grid of normal scores, standardised."""
    from scipy.special import ndtr  # noqa: PLC0415

    p = np.clip(ndtr(score_grid()), 1e-12, 1 - 1e-12)
    if name == EMPIRICAL:
        quantiles = np.quantile(values, p)
        mean, deviation = values.mean(), values.std()
    else:
        family = _families()[name]
        parameters = _fitted(name, family, values)
        quantiles, mean, deviation = (
            family.ppf(p, *parameters),
            family.mean(*parameters),
            family.std(*parameters),
        )
    return np.asarray((quantiles - mean) / deviation)
