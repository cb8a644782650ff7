"""The families whose quantiles need special functions and are tabulated at normal scores: beta and gamma.

A table contains the logarithm (gamma) or the log-odds (beta) of the quantile. These are smooth functions of the normal
score, so that cubic interpolation is accurate to about 1e-7.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from simbudget.arrays import Floats
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

_SMALLEST = 1e-300  # near the smallest normal double
_SMALLEST_WEIGHT = 1e-3
_LARGEST_WEIGHT = 1e9  # between these, a beta goes from two points to nearly a constant


def _scores() -> Floats:
    return np.linspace(-SCORE_LIMIT, SCORE_LIMIT, SCORE_POINTS)


@dataclass(frozen=True)
class Gamma(Distribution):
    """A positive number with this mean and coefficient of variation (cv); cv 1 is the exponential distribution."""

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
        """Return the scale times the inverse of the regularised incomplete gamma function.

        Args:
            p: probability, strictly between 0 and 1.
        """
        from scipy.special import gammaincinv  # noqa: PLC0415  slow to import, and rarely needed

        require_probability(p)
        if self.cv == 1.0:
            return -self.mean_value * math.log1p(-p)
        return self.scale * float(gammaincinv(self.shape, p))

    def mean(self) -> float:
        """Return the mean."""
        return self.mean_value

    def row(self, table: list[float]) -> Row:
        """Return the row; logarithms of quantiles are tabulated, unless the gamma is exponential.

        Args:
            table: the program's table of numbers; lookup values are appended.
        """
        if self.cv == 1.0:
            return Row(EXPONENTIAL, self.mean_value)
        from scipy.special import gammainccinv, gammaincinv, gammaln, log_ndtr, ndtr  # noqa: PLC0415

        scores = _scores()
        lower, upper = gammaincinv(self.shape, ndtr(scores)), gammainccinv(self.shape, ndtr(-scores))
        quantiles = np.where(scores < 0, lower, upper)
        # Deep in the lower tail the cdf is x^shape / Γ(shape + 1), and x underflows but its logarithm does not.
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
    """A number between 0 and 1 with this mean; `weight` (a + b) is its precision, in units of observations."""

    mean_value: float
    weight: float

    family: ClassVar[str] = "beta"

    def __post_init__(self) -> None:
        require_finite(self.family, mean=self.mean_value)
        require_positive(self.family, weight=self.weight)
        if not 0.0 < self.mean_value < 1.0:
            raise ValueError(f"beta: mean is {self.mean_value:g}; it has to lie strictly between 0 and 1")

    @property
    def shapes(self) -> tuple[float, float]:
        """The two shape parameters, mean · weight and (1 - mean) · weight."""
        return self.mean_value * self.weight, (1 - self.mean_value) * self.weight

    def quantile(self, p: float) -> float:
        """Return the inverse of the regularised incomplete beta function.

        Args:
            p: probability, strictly between 0 and 1.
        """
        from scipy.special import betaincinv  # noqa: PLC0415  slow to import, and rarely needed

        require_probability(p)
        return float(betaincinv(*self.shapes, p))

    def mean(self) -> float:
        """Return the mean."""
        return self.mean_value

    def row(self, table: list[float]) -> Row:
        """Return the row; log-odds of quantiles are tabulated.

        Args:
            table: the program's table of numbers; lookup values are appended.
        """
        from scipy.special import betaincinv, ndtr  # noqa: PLC0415

        (a, b), scores = self.shapes, _scores()
        # Log-odds from whichever tail is smaller, since 1 - x would lose all digits of the other one.
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
    """Return the beta distribution with this mean and p10.

    Args:
        mean: the mean, between 0 and 1.
        p10: 10th percentile, below the mean.

    Raises:
        ValueError: not 0 < p10 < mean < 1, or no beta distribution has this mean and p10.
    """
    from scipy.optimize import brentq  # noqa: PLC0415  slow to import, and rarely needed

    if not 0.0 < p10 < mean < 1.0:
        raise ValueError(f"beta: p10 is {p10:g} and mean {mean:g}; 0 < p10 < mean < 1 is allowed")

    def excess(log_weight: float) -> float:
        return Beta(mean, math.exp(log_weight)).quantile(0.1) - p10

    low, high = math.log(_SMALLEST_WEIGHT), math.log(_LARGEST_WEIGHT)
    if excess(low) > 0.0 or excess(high) < 0.0:
        raise ValueError(
            f"beta: no distribution with mean {mean:g} has its p10 at {p10:g}; give `weight` instead"
        )
    return Beta(mean, math.exp(brentq(excess, low, high, xtol=1e-13)))
