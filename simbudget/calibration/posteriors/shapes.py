"""Shapes of distributions: choice of a family by its predictive accuracy on held-out runs.

Residuals are logarithms minus the level of their run. A family is scored by its mean log density on the residuals of
each run when fitted to the others (leave-one-run-out); the empirical distribution, smoothed by a kernel, is one of
them, and wins where no named one fits (Gelman et al., Bayesian Data Analysis, 3rd edition, section 7.2).
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np

from simbudget.arrays import Floats
from simbudget.distributions.posteriors import score_grid

LOGNORMAL: Final = "lognormal"
EMPIRICAL: Final = "empirical"

_FOLDS: Final = 8
_FEW: Final = 20
"""With fewer observations the lognormal is used; others could not be distinguished from it."""
_MARGIN: Final = 0.01
"""Margin in log score per observation by which a family has to beat the lognormal, to avoid choices by chance."""
_MOST_SCORED: Final = 2000
_LEAST_LOG_DENSITY: Final = -100.0
_UNDERFLOW: Final = 1e-200


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


def _log_scores(residuals: Sequence[Floats]) -> dict[str, float]:
    """Return each family's mean log density on runs that it was not fitted to."""
    folds = _folds(residuals)
    totals: dict[str, list[float]] = {}
    for k, held in enumerate(folds):
        rest = np.concatenate([fold for j, fold in enumerate(folds) if j != k])
        for name, family in _FAMILIES.items():
            density = family.fitted(rest).log_density(held)
            totals.setdefault(name, []).append(float(np.maximum(density, _LEAST_LOG_DENSITY).sum()))
        if np.ptp(rest) > 0:
            density = np.maximum(_kernel_density(rest, held), 1e-12)
            totals.setdefault(EMPIRICAL, []).append(float(np.log(density).sum()))
    count = sum(len(fold) for fold in folds)
    return {name: sum(parts) / count for name, parts in totals.items() if len(parts) == len(folds)}


def _kernel_density(values: Floats, at: Floats) -> Floats:
    """Return the density of a Gaussian kernel estimate.

    The bandwidth is that of Scott, Multivariate Density Estimation (1992), section 6.3.
    """
    width = float(values.std(ddof=1)) * len(values) ** -0.2
    squares = ((at[:, None] - values[None, :]) / width) ** 2
    return np.asarray(np.exp(-0.5 * squares).mean(axis=1) / (width * np.sqrt(2.0 * np.pi)))


def _folds(residuals: Sequence[Floats]) -> list[Floats]:
    """Return runs' residuals in a few folds, keeping runs whole; a single run is split in time."""
    runs = [run for run in residuals if len(run)]
    if len(runs) == 1:
        return [part for part in np.array_split(runs[0], _FOLDS) if len(part)]
    stride = max(1, sum(map(len, runs)) // _MOST_SCORED)
    count = min(_FOLDS, len(runs))
    return [np.concatenate([run[::stride] for run in runs[k::count]]) for k in range(count)]


@dataclass(frozen=True)
class _Family(ABC):
    """A family of distributions of the logarithm, fitted by moments.

    Written out, since scipy.stats takes longer to import than sessions take to be learnt from.
    """

    mean: float
    deviation: float

    @classmethod
    def fitted(cls, values: Floats) -> Self:
        """Return the member with the mean and the standard deviation of values."""
        return cls(*_moments(values))

    @abstractmethod
    def log_density(self, values: Floats) -> Floats:
        """Return the logarithm of the density."""

    @abstractmethod
    def quantiles(self, p: Floats) -> Floats:
        """Return quantiles at probabilities."""


class _Normal(_Family):
    def log_density(self, values: Floats) -> Floats:
        z = (values - self.mean) / self.deviation
        return np.asarray(-0.5 * z**2 - np.log(self.deviation * np.sqrt(2.0 * np.pi)))

    def quantiles(self, p: Floats) -> Floats:
        from scipy.special import ndtri  # noqa: PLC0415  slow to import

        return np.asarray(self.mean + self.deviation * ndtri(p))


class _LogWeibull(_Family):
    """The smallest-value distribution (Gumbel): the logarithm of a Weibull variable."""

    @property
    def _scale(self) -> float:
        return float(self.deviation * np.sqrt(6.0) / np.pi)

    @property
    def _location(self) -> float:
        return float(self.mean + np.euler_gamma * self._scale)

    def log_density(self, values: Floats) -> Floats:
        z = (values - self._location) / self._scale
        with np.errstate(over="ignore"):  # far out a density is 0, and its logarithm very small
            return np.asarray(z - np.exp(z) - np.log(self._scale))

    def quantiles(self, p: Floats) -> Floats:
        return np.asarray(self._location + self._scale * np.log(-np.log1p(-p)))


@dataclass(frozen=True)
class _LogGamma(_Family):
    """The logarithm of a gamma variable, whose variance is trigamma(shape) and whose mean digamma(shape)."""

    shape: float
    location: float

    @classmethod
    def fitted(cls, values: Floats) -> Self:
        from scipy.optimize import brentq  # noqa: PLC0415  slow to import
        from scipy.special import digamma, polygamma  # noqa: PLC0415

        mean, deviation = _moments(values)
        variance = min(max(deviation**2, 1e-4), 1e4)
        shape = float(np.exp(brentq(lambda log: float(polygamma(1, np.exp(log))) - variance, -12.0, 12.0)))
        return cls(mean, float(np.sqrt(polygamma(1, shape))), shape, mean - float(digamma(shape)))

    def log_density(self, values: Floats) -> Floats:
        from scipy.special import gammaln  # noqa: PLC0415

        z = values - self.location
        with np.errstate(over="ignore"):
            return np.asarray(self.shape * z - np.exp(z) - gammaln(self.shape))

    def quantiles(self, p: Floats) -> Floats:
        from scipy.special import gammaincinv, gammaln  # noqa: PLC0415

        found = gammaincinv(self.shape, p)
        # for small shapes low quantiles underflow; there P(x) = x^shape / Gamma(shape + 1)
        low = (np.log(p) + gammaln(self.shape + 1.0)) / self.shape
        with np.errstate(divide="ignore"):
            return np.asarray(self.location + np.where(found > _UNDERFLOW, np.log(found), low))


def _moments(values: Floats) -> tuple[float, float]:
    return float(values.mean()), max(float(values.std()), 1e-6)


_FAMILIES: Final[Mapping[str, type[_Family]]] = {
    LOGNORMAL: _Normal,
    "gamma": _LogGamma,
    "weibull": _LogWeibull,
}
"""The named families by the distribution of the logarithm."""


def _table(name: str, values: Floats) -> Floats:
    """Return a family's quantiles at the grid of normal scores, standardised."""
    from scipy.special import ndtr  # noqa: PLC0415

    p = np.clip(ndtr(score_grid()), 1e-12, 1 - 1e-12)
    if name == EMPIRICAL:
        quantiles = np.quantile(values, p)
        mean, deviation = values.mean(), values.std()
    else:
        member = _FAMILIES[name].fitted(values)
        quantiles, mean, deviation = member.quantiles(p), member.mean, member.deviation
    return np.asarray((quantiles - mean) / deviation)
