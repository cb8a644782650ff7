"""Conformal calibration: how much wider intervals have to be, by what past backtests showed.

The nonconformity of a case is the factor by which its 80 % interval would have had to be stretched around the
median to just hold the truth (in logarithms); the factor for a new case is the finite-sample 80 % quantile of
those of other projects. Split conformal prediction with a scaled score: Lei et al., "Distribution-free predictive
inference for regression", JASA 113 (2018); Romano, Patterson and Candès, NeurIPS 2019.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from simbudget.calibration.forecasts import Forecast

COVERAGE: Final = 0.8
_FEWEST: Final = 8
"""With fewer cases nothing is widened: there is no saying by how much."""
_MOST: Final = 10.0
_NARROWEST: Final = 0.7
"""Intervals are not narrowed by more than this."""


def nonconformity(forecast: Forecast) -> float:
    """Return by which factor the 80 % interval must be stretched around its median to hold the truth."""
    low, median, high = np.quantile(forecast.sample, (0.1, 0.5, 0.9))
    truth = forecast.truth
    if low > 0 and truth > 0:
        low, median, high, truth = np.log([low, median, high, truth])
    side = high - median if truth > median else median - low
    distance = abs(truth - median)
    return float(distance / side) if side > 0 else (0.0 if distance == 0 else np.inf)


def widening(factors: Sequence[float], groups: Sequence[str]) -> float:
    """Return by which factor intervals are to be stretched, each group (a project) counting alike at most.

    Args:
        factors: [cases] nonconformities of past cases.
        groups: [cases] whose they were.
    """
    if len(factors) < _FEWEST:
        return 1.0
    values = np.array(factors)
    weights = _weights(groups)
    order = np.argsort(values)
    reached = np.cumsum(weights[order])
    level = COVERAGE * (1.0 + 1.0 / len(values))
    at = int(np.searchsorted(reached, min(level, 1.0) - 1e-12))
    return float(np.clip(values[order][min(at, len(values) - 1)], _NARROWEST, _MOST))


def _weights(groups: Sequence[str]) -> np.ndarray:
    """Return weights that add up to 1: a group's grows with the square root of its cases."""
    names, member, counts = np.unique(np.array(groups), return_inverse=True, return_counts=True)
    del names
    weights = 1.0 / np.sqrt(counts[member])
    return np.asarray(weights / weights.sum())


def widened(
    forecasts: Sequence[Forecast], past: Iterable[tuple[str, float]] = ()
) -> tuple[list[Forecast], dict[str, float]]:
    """Return forecasts of one quantity, each widened by what all projects but its own showed; the factors by project.

    Args:
        forecasts: of one quantity of one task.
        past: project and nonconformity of cases of other backtests, such as those that ship with the product.
    """
    known = [(f.project, nonconformity(f)) for f in forecasts]
    factors = {}
    for project in dict.fromkeys(f.project for f in forecasts):
        others = [(p, k) for p, k in (*known, *past) if p != project]
        factors[project] = widening([k for _, k in others], [p for p, _ in others])
    return [f.widened(factors[f.project]) for f in forecasts], factors
