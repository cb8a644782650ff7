"""Conditioning: what simulated runs say of a quantity, given that they look like a real one up to now.

Approximate Bayesian computation with local-linear regression adjustment: M. A. Beaumont, W. Zhang and D. J. Balding,
"Approximate Bayesian computation in population genetics", Genetics 162 (2002), 2025-2035. Runs that look more like
the real one count more (Epanechnikov's kernel over Mahalanobis' distance of log statistics); what is left of the
difference is taken out by a weighted ridge regression. The scatter around it stays, and is widened twice: by the
regression's own uncertainty at the real run (its leverage), and, where the real run lies outside of what the
scenario allows, by how far it lies out, as R. T. Birge widened errors that did not agree ("The calculation of errors
by the method of least squares", Physical Review 40 (1932), 207-227).

How wide the scatter has to be is checked on the simulated runs themselves: some of them, evenly taken, are forecast
from all others, and the scatter is scaled so that 80 % intervals would have held 80 % of them (split conformal
prediction with a scaled score: Lei et al., "Distribution-free predictive inference for regression", JASA 113 (2018)).
Trials that are about as typical of the scenario as the real run count most, since unusual runs are harder to forecast
(localised: L. Guan, "Localized conformal prediction", Biometrika 110 (2023), 33-50).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Final

import numpy as np

from simbudget.arrays import Floats
from simbudget.distributions.base import NORMAL_P90

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


_TRIALS: Final = 240
"""Simulated runs that are forecast from the others: some 80 count, and show the share held to within 5 %."""
_AS_TYPICAL: Final = 0.25
"""Trials count whose surprise differs from the real run's by less than this (Epanechnikov's kernel)."""
_HELD: Final = 0.8
_SCALES: Final = (0.95, 3.0)
"""The least and most that scatter is scaled by: a log shows a run less exactly than trials are seen, so that it is
hardly ever narrowed; and no more can be read from so few trials."""


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
    trials: "tuple[tuple[int, Likeness], ...]" = ()
    """Some simulated runs, evenly taken, by row, and how all others look beside each."""

    @property
    def effective_runs(self) -> float:
        """Return how many runs of equal weight would tell as much (Kish)."""
        return float(1.0 / (self.weights**2).sum())

    @cached_property
    def fit(self) -> "_Fit":
        """Return what the regression of any quantity on these statistics needs."""
        x, runs = self.statistics, self.effective_runs
        centre = self.weights @ x
        away = x - centre
        inner = (away * self.weights[:, np.newaxis] * runs).T
        normal = inner @ away + _RIDGE * np.eye(x.shape[1])
        leverage = 1.0 / runs + float(centre @ np.linalg.solve(normal, centre) if x.shape[1] else 0.0)
        freedom = max(2.0, runs - x.shape[1] - 1.0)
        gains = np.asarray(np.linalg.solve(normal, inner) if x.shape[1] else inner, dtype=np.float64)
        return _Fit(centre, away, gains, leverage, float(np.sqrt(runs / freedom)) * _few_runs(freedom))


@dataclass(frozen=True)
class _Fit:
    """A weighted ridge regression on statistics, for any quantity."""

    centre: Floats
    """[statistics] weighted means."""
    away: Floats
    """[runs, statistics] from there."""
    gains: Floats
    """[statistics, runs] slopes for a unit of each run's quantity."""
    leverage: float
    """Of the real run."""
    scatter: float
    """What residuals have to be multiplied by, since slopes were fitted to the same runs, and runs are few."""


def likeness(simulated: Floats, observed: Floats) -> Likeness:
    """Return how simulated runs look beside the real one.

    Args:
        simulated: [runs, statistics] of simulated runs; none negative.
        observed: [statistics] of the real one.
    """
    logs, real = _logs(simulated, observed)
    spread = logs.std(axis=0)
    useful = spread > 1e-9
    if not useful.any():
        weights = np.full(len(simulated), 1.0 / len(simulated))
        return Likeness(np.zeros((len(simulated), 0)), weights, 1.0, 1.0)
    cloud = _Cloud(logs[:, useful] / spread[useful])
    found = cloud.beside(real[useful] / spread[useful])
    rows = np.unique(np.linspace(0, len(simulated) - 1, min(_TRIALS, len(simulated))).astype(int))
    trials = tuple((int(row), cloud.beside(cloud.scaled[row], without=int(row))) for row in rows)
    return replace(found, trials=trials)


class _Cloud:
    """Simulated runs by their statistics, in standard deviations over runs, and the metric of their distances."""

    def __init__(self, scaled: Floats) -> None:
        self.scaled = scaled
        covariance = (1.0 - _SHRINK) * np.cov(scaled, rowvar=False).reshape(2 * (scaled.shape[1],))
        covariance += _SHRINK * np.eye(len(covariance))
        self.metric = np.linalg.inv(covariance)
        self.centre = scaled.mean(axis=0)
        self.spread_out = self._distances(scaled - self.centre)

    def beside(self, real: Floats, without: int | None = None) -> Likeness:
        """Return how these runs, without one of them, look beside a run of these [statistics]."""
        away = self.scaled - real
        distance = self._distances(away)
        nearest = min(1.0, max(_NEAREST, _RUNS_A_STATISTIC * away.shape[1] / len(away)))
        width = max(float(np.quantile(distance, nearest)), 1e-12) * 1.0001
        weights = np.maximum(0.0, 1.0 - (distance / width) ** 2)
        if without is not None:
            weights[without] = 0.0
        weights = weights if weights.sum() > 0 else np.ones(len(weights))
        how_far = float(self._distances((real - self.centre)[np.newaxis])[0])
        surprise = float((self.spread_out > how_far).mean())
        widening = float(np.clip(how_far / np.quantile(self.spread_out, 0.9), 1.0, _MOST_WIDENING))
        return Likeness(away, weights / weights.sum(), surprise, widening)

    def _distances(self, away: Floats) -> Floats:
        return np.asarray(np.sqrt(np.einsum("ij,jk,ik->i", away, self.metric, away)))


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
    moved, middle = _moved(logs, like)
    moved = middle + _scale(logs, like) * (moved - middle)
    room = _BEYOND * float(np.ptp(logs)) * min(like.widening - 1.0, 1.0)
    kept = np.clip(moved, logs.min() - room, logs.max() + room)
    return np.asarray(np.maximum(np.exp(kept) - least, 0.0))


def _moved(logs: Floats, like: Likeness) -> tuple[Floats, float]:
    """Return [runs] logarithms moved to where they would be in runs exactly like the real one, and their median."""
    at_real, residuals, leverage = _regression(logs, like)
    moved = at_real + residuals * np.sqrt(1.0 + leverage) * like.widening
    return moved, _quantiles(moved, like.weights, (0.5,))[0]


def _scale(logs: Floats, like: Likeness) -> float:
    """Return what the scatter has to be multiplied by for 80 % intervals to hold 80 % of the trials."""
    if not like.trials:
        return 1.0
    positions, unlike = [], np.array([beside.surprise - like.surprise for _, beside in like.trials])
    for row, beside in like.trials:
        moved, middle = _moved(logs, beside)
        low, high = _quantiles(moved, beside.weights, (0.1, 0.9))
        side = high - middle if logs[row] > middle else middle - low
        positions.append(abs(logs[row] - middle) / max(side, 1e-12))
    weights = np.maximum(0.0, 1.0 - (unlike / _AS_TYPICAL) ** 2)
    level = min(1.0, _HELD * (weights.sum() + 1.0) / weights.sum())
    return float(np.clip(_quantiles(np.array(positions), weights / weights.sum(), (level,))[0], *_SCALES))


def _quantiles(values: Floats, weights: Floats, levels: Sequence[float]) -> list[float]:
    order = np.argsort(values, kind="stable")
    reach = weights[order].cumsum()
    at = np.minimum(np.searchsorted(reach, np.array(levels) - 1e-12), len(order) - 1)
    return [float(value) for value in values[order][at]]


def _regression(y: Floats, like: Likeness) -> tuple[float, Floats, float]:
    """Return the weighted ridge regression's value at the real run, the [runs] residuals, and the leverage there."""
    fit = like.fit
    middle = float(like.weights @ y)
    slopes = fit.gains @ (y - middle)
    residuals = (y - middle - fit.away @ slopes) * fit.scatter
    return middle - float(fit.centre @ slopes), residuals, fit.leverage


def _few_runs(freedom: float) -> float:
    """Return by how much Student's t reaches farther than the normal: with few runs their own scatter is uncertain."""
    return float(_t_p90(round(freedom, 1)) / NORMAL_P90)


@lru_cache(maxsize=4096)
def _t_p90(freedom: float) -> float:
    from scipy.stats import t  # noqa: PLC0415  slow to import

    return float(t.ppf(_P90, freedom))
