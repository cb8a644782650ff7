"""Conditioning: what simulated runs say of a quantity, given that they look like a real one up to now.

Approximate Bayesian computation with local-linear regression adjustment: M. A. Beaumont, W. Zhang and D. J. Balding,
"Approximate Bayesian computation in population genetics", Genetics 162 (2002), 2025-2035. Runs that look more like
the real one count more (Epanechnikov's kernel over Mahalanobis' distance of log statistics); what is left of the
difference is taken out by a weighted ridge regression. The scatter around it stays, and is widened twice: by the
regression's own uncertainty at the real run (its leverage), and, where the real run lies outside of what the
scenario allows, by how far it lies out, as R. T. Birge widened errors that did not agree ("The calculation of errors
by the method of least squares", Physical Review 40 (1932), 207-227).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_NEAREST: Final = 0.25
"""The part of the runs that counts at all, where that is enough for the regression."""
_RUNS_A_STATISTIC: Final = 20
_SMALLEST: Final = 0.02
"""Added before logarithms are taken, as a part of the median over runs, so that nothing has a logarithm too."""
_RIDGE: Final = 1.0
"""Of the regression, in runs: weights of standardised statistics are drawn towards none as by so many runs."""
_SHRINK: Final = 0.1
"""Of the covariance towards its diagonal."""
_MOST_WIDENING: Final = 4.0
_P90: Final = 0.9
_BEYOND: Final = 0.25
"""No outcome is farther beyond the simulated ones than this share of their range (of logarithms): runs that were never
simulated are not vouched for by a regression's straight line."""


@dataclass(frozen=True)
class Likeness:
    """How runs look beside the real one."""

    statistics: Floats
    """[runs, statistics] less those of the real run, in standard deviations over runs."""
    weights: Floats
    """[runs] what each counts; adds up to 1."""
    surprise: float
    """The part of the runs that lie farther out than the real one: small where the scenario did not expect it."""
    widening: float
    """At least 1."""

    @property
    def effective_runs(self) -> float:
        """Return how many runs of equal weight would tell as much (Kish)."""
        return float(1.0 / (self.weights**2).sum())


def likeness(simulated: Floats, observed: Floats) -> Likeness:
    """Return how [runs, statistics] of simulated runs look beside the [statistics] of the real one; none negative."""
    logs, real = _logs(simulated, observed)
    spread = logs.std(axis=0)
    useful = spread > 1e-9
    if not useful.any():
        weights = np.full(len(simulated), 1.0 / len(simulated))
        return Likeness(np.zeros((len(simulated), 0)), weights, 1.0, 1.0)
    scaled, real = logs[:, useful] / spread[useful], real[useful] / spread[useful]
    away = scaled - real
    covariance = (1.0 - _SHRINK) * np.cov(scaled, rowvar=False).reshape(2 * (scaled.shape[1],))
    covariance += _SHRINK * np.eye(len(covariance))
    metric = np.linalg.inv(covariance)
    distance = np.sqrt(np.einsum("ij,jk,ik->i", away, metric, away))
    nearest = min(1.0, max(_NEAREST, _RUNS_A_STATISTIC * scaled.shape[1] / len(scaled)))
    width = max(float(np.quantile(distance, nearest)), 1e-12) * 1.0001
    weights = np.maximum(0.0, 1.0 - (distance / width) ** 2)
    weights = weights if weights.sum() > 0 else np.ones(len(weights))
    out = scaled - scaled.mean(axis=0)
    spread_out = np.sqrt(np.einsum("ij,jk,ik->i", out, metric, out))
    real_out = real - scaled.mean(axis=0)
    how_far = float(np.sqrt(real_out @ metric @ real_out))
    surprise = float((spread_out > how_far).mean())
    widening = float(np.clip(how_far / np.quantile(spread_out, 0.9), 1.0, _MOST_WIDENING))
    return Likeness(away, weights / weights.sum(), surprise, widening)


def _logs(simulated: Floats, observed: Floats) -> tuple[Floats, Floats]:
    least = _SMALLEST * np.median(simulated, axis=0) + 1e-9
    return np.log(simulated + least), np.log(observed + least)


def conditioned(values: Floats, like: Likeness) -> Floats:
    """Return [runs] values, none negative, moved to where they would be in runs exactly like the real one.

    They count by `like.weights`; draw rows with these weights, the same rows of every quantity, to keep what goes
    together together.
    """
    if not values.any() or np.ptp(values) <= 1e-12 * abs(float(values.max())):
        return values.copy()
    least = _SMALLEST * float(np.median(values)) + 1e-9
    logs = np.log(values + least)
    at_real, residuals, leverage = _regression(like.statistics, logs, like.weights)
    moved = at_real + residuals * np.sqrt(1.0 + leverage) * like.widening
    room = _BEYOND * float(np.ptp(logs)) * min(like.widening - 1.0, 1.0)
    kept = np.clip(moved, logs.min() - room, logs.max() + room)
    return np.asarray(np.maximum(np.exp(kept) - least, 0.0))


def _regression(x: Floats, y: Floats, weights: Floats) -> tuple[float, Floats, float]:
    """Return the weighted ridge regression's value at x = 0, the [runs] residuals, and the leverage of x = 0."""
    runs = 1.0 / float((weights**2).sum())
    centre, middle = weights @ x, float(weights @ y)
    inner = (x - centre) * weights[:, np.newaxis] * runs
    normal = inner.T @ (x - centre) + _RIDGE * np.eye(x.shape[1])
    slopes = np.linalg.solve(normal, inner.T @ (y - middle)) if x.shape[1] else np.zeros(0)
    residuals = y - middle - (x - centre) @ slopes
    leverage = 1.0 / runs + float(centre @ np.linalg.solve(normal, centre) if x.shape[1] else 0.0)
    freedom = max(2.0, runs - x.shape[1] - 1.0)
    return (
        middle - float(centre @ slopes),
        residuals * np.sqrt(runs / freedom) * _few_runs(freedom),
        leverage,
    )


def _few_runs(freedom: float) -> float:
    """Return by how much Student's t reaches farther than the normal: with few runs their own scatter is uncertain."""
    from scipy.stats import norm, t  # noqa: PLC0415  slow to import

    return float(t.ppf(_P90, freedom) / norm.ppf(_P90))
