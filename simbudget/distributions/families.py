"""The families of distributions, by their names and parameters in scenarios.

Each constructor raises ValueError for invalid parameters, naming the parameter and what is allowed.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from simbudget.distributions.base import Distribution, require_positive
from simbudget.distributions.closed_forms import Constant, Lognormal, Normal, Triangular, Uniform
from simbudget.distributions.steps import Discrete, Empirical
from simbudget.distributions.tabulated import Beta, Gamma, beta_from_p10

__all__ = [
    "FAMILIES",
    "Distribution",
    "beta",
    "constant",
    "discrete",
    "empirical",
    "gamma",
    "lognormal",
    "lognormal_median",
    "normal",
    "triangular",
    "uniform",
]


def constant(value: float) -> Distribution:
    """Return the distribution that always gives `value`.

    Args:
        value: the value, in base units.
    """
    return Constant(value)


def lognormal(p10: float, p90: float) -> Distribution:
    """Return the lognormal distribution with these p10 and p90, both positive.

    Args:
        p10: 10th percentile, positive.
        p90: 90th percentile, not below `p10`.
    """
    return Lognormal(p10, p90)


def lognormal_median(median: float, spread: float) -> Distribution:
    """Return the lognormal distribution with this median and with p90/median = `spread`, at least 1.

    Args:
        median: the median, positive.
        spread: p90 / median, at least 1.
    """
    require_positive("lognormal", median=median, spread=spread)
    if spread < 1.0:
        raise ValueError(f"lognormal: p90/median is {spread:g}; it has to be at least 1")
    return Lognormal(median / spread, median * spread)


def normal(p10: float, p90: float) -> Distribution:
    """Return the normal distribution with these p10 and p90.

    Args:
        p10: 10th percentile.
        p90: 90th percentile, not below `p10`.
    """
    return Normal(p10, p90)


def uniform(low: float, high: float) -> Distribution:
    """Return the uniform distribution from `low` to `high`.

    Args:
        low: lowest value.
        high: highest value.
    """
    return Uniform(low, high)


def triangular(low: float, mode: float, high: float) -> Distribution:
    """Return the triangular distribution from `low` to `high` with its peak at `mode`.

    Args:
        low: lowest value.
        mode: the most likely value.
        high: highest value.
    """
    return Triangular(low, mode, high)


def beta(mean: float, p10: float | None = None, weight: float | None = None) -> Distribution:
    """Return the beta distribution with this mean and either this p10 or this weight a + b.

    Args:
        mean: the mean, between 0 and 1.
        p10: 10th percentile, below the mean; None if `weight` is given.
        weight: the sum of the two parameters, a + b; None if `p10` is given.
    """
    if (p10 is None) == (weight is None):
        raise ValueError("beta: write either p10 or weight beside the mean")
    if p10 is not None:
        return beta_from_p10(mean, p10)
    return Beta(mean, math.nan if weight is None else weight)


def gamma(mean: float, cv: float) -> Distribution:
    """Return the gamma distribution with this mean and coefficient of variation.

    Args:
        mean: the mean, positive.
        cv: standard deviation / mean, positive.
    """
    return Gamma(mean, cv)


def discrete(values: Sequence[float], weights: Sequence[float]) -> Distribution:
    """Return the distribution over a few values with these weights, in any order.

    Args:
        values: the values, in any order.
        weights: their weights, positive up to a factor.
    """
    if len(values) != len(weights):
        return Discrete(tuple(values), tuple(weights))
    pairs = sorted(zip(values, weights, strict=True))
    return Discrete(tuple(value for value, _ in pairs), tuple(weight for _, weight in pairs))


def empirical(values: Sequence[float]) -> Distribution:
    """Return the empirical distribution of observed values.

    Args:
        values: the observations, in any order.
    """
    return Empirical(tuple(sorted(values)), (1.0,) * len(values))


FAMILIES: Final[Mapping[str, Callable[..., Distribution]]] = {
    make.__name__: make for make in (lognormal, normal, uniform, triangular, beta, gamma, discrete)
}
"""The families that a scenario names with `distribution`, with the parameters of these functions. It also names
`empirical`, whose values may come from a column of a file."""
