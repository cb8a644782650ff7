"""The families whose quantiles need special functions, tabulated at normal scores: beta and gamma.

A table holds the logarithm (gamma) or the log-odds (beta) of the quantile, which are smooth in the normal score,
so a cubic between its points is good to about 1e-7 relative.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from simbudget.distributions.base import (
    EXPONENTIAL,
    LOG_SCORES,
    LOGIT_SCORES,
    SCORE_LIMIT,
    SCORE_POINTS,
    Distribution,
    Row,
    require_finite,
    require_positive,
    require_probability,
)

_SMALLEST = 1e-300
_SMALLEST_WEIGHT = 1e-3
_LARGEST_WEIGHT = 1e9


def _scores() -> npt.NDArray[np.float64]:
    return np.linspace(-SCORE_LIMIT, SCORE_LIMIT, SCORE_POINTS)


@dataclass(frozen=True)
class Gamma(Distribution):
    """A positive number of this mean and coefficient of variation (standard deviation ÷ mean); cv 1: exponential."""

    mean_value: float
    cv: float

    family: ClassVar[str] = "gamma"

    def __post_init__(self) -> None:
        require_positive(self.family, mean=self.mean_value, cv=self.cv)

    @property
    def shape(self) -> float:
        """The shape parameter, 1/cv²."""
        return self.cv**-2

    @property
    def scale(self) -> float:
        """The scale parameter, mean · cv²."""
        return self.mean_value * self.cv**2

    def quantile(self, p: float) -> float:
        """Return the scale times the inverse of the regularised incomplete gamma function."""
        from scipy.special import gammaincinv  # noqa: PLC0415  slow to import, and seldom needed

        require_probability(p)
        if self.cv == 1.0:
            return -self.mean_value * math.log1p(-p)
        return self.scale * float(gammaincinv(self.shape, p))

    def mean(self) -> float:
        """Return the mean."""
        return self.mean_value

    def row(self, table: list[float]) -> Row:
        """Return the row; the logarithms of quantiles are tabulated unless the gamma is exponential."""
        if self.cv == 1.0:
            return Row(EXPONENTIAL, self.mean_value)
        from scipy.special import gammainccinv, gammaincinv, gammaln, log_ndtr, ndtr  # noqa: PLC0415

        scores = _scores()
        lower, upper = gammaincinv(self.shape, ndtr(scores)), gammainccinv(self.shape, ndtr(-scores))
        quantiles = np.where(scores < 0, lower, upper)
        # Far down, the distribution function is x^shape / Γ(shape + 1); floats cannot hold x there, but its log.
        far_down = (log_ndtr(scores) + gammaln(self.shape + 1)) / self.shape
        logs = np.where(quantiles > _SMALLEST, np.log(np.maximum(quantiles, _SMALLEST)), far_down)
        start = len(table)
        table.extend((logs + math.log(self.scale)).tolist())
        return Row(LOG_SCORES, start=start, length=SCORE_POINTS)

    def parameters(self) -> dict[str, float]:
        """Return mean and cv."""
        return {"mean": self.mean_value, "cv": self.cv}


@dataclass(frozen=True)
class Beta(Distribution):
    """A number between 0 and 1 of this mean; `weight` (a + b) says how sure: about as many observations."""

    mean_value: float
    weight: float

    family: ClassVar[str] = "beta"

    def __post_init__(self) -> None:
        require_finite(self.family, mean=self.mean_value)
        require_positive(self.family, weight=self.weight)
        if not 0.0 < self.mean_value < 1.0:
            raise ValueError(
                f"beta: mean is {self.mean_value:g}; it has to lie between 0 and 1, both excluded"
            )

    @property
    def shapes(self) -> tuple[float, float]:
        """The two shape parameters, mean · weight and (1 - mean) · weight."""
        return self.mean_value * self.weight, (1 - self.mean_value) * self.weight

    def quantile(self, p: float) -> float:
        """Return the inverse of the regularised incomplete beta function."""
        from scipy.special import betaincinv  # noqa: PLC0415  slow to import, and seldom needed

        require_probability(p)
        return float(betaincinv(*self.shapes, p))

    def mean(self) -> float:
        """Return the mean."""
        return self.mean_value

    def row(self, table: list[float]) -> Row:
        """Return the row; the log-odds of quantiles are tabulated."""
        from scipy.special import betaincinv, ndtr  # noqa: PLC0415

        (a, b), scores = self.shapes, _scores()
        low = np.maximum(betaincinv(a, b, ndtr(scores)), _SMALLEST)
        rest = np.maximum(betaincinv(b, a, ndtr(-scores)), _SMALLEST)
        from_low, from_rest = np.log(low) - np.log1p(-np.minimum(low, 0.9)), -np.log(rest)
        from_rest += np.log1p(-np.minimum(rest, 0.9))
        start = len(table)
        table.extend(np.where(low < 0.5, from_low, from_rest).tolist())
        return Row(LOGIT_SCORES, start=start, length=SCORE_POINTS)

    def parameters(self) -> dict[str, float]:
        """Return mean and weight."""
        return {"mean": self.mean_value, "weight": self.weight}


def beta_from_p10(mean: float, p10: float) -> Beta:
    """Return the beta distribution of this mean and p10; ValueError unless 0 < p10 < mean < 1."""
    from scipy.optimize import brentq  # noqa: PLC0415  slow to import, and seldom needed

    if not 0.0 < p10 < mean < 1.0:
        raise ValueError(f"beta: p10 is {p10:g} and mean {mean:g}; 0 < p10 < mean < 1 is allowed")

    def excess(log_weight: float) -> float:
        return Beta(mean, math.exp(log_weight)).quantile(0.1) - p10

    low, high = math.log(_SMALLEST_WEIGHT), math.log(_LARGEST_WEIGHT)
    if excess(low) > 0.0 or excess(high) < 0.0:
        raise ValueError(
            f"beta: no distribution of mean {mean:g} has its p10 at {p10:g}; give `weight` instead"
        )
    return Beta(mean, math.exp(brentq(excess, low, high, xtol=1e-13)))
