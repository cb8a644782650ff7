"""The families with closed-form quantiles: constant, lognormal, normal, uniform, triangular.

Ranges are given by their middle 80 % (p10 to p90), which people can judge, rather than by moments. A range whose
ends are equal is exactly that number.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import ClassVar

from simbudget.distributions.base import (
    CONSTANT,
    LOGNORMAL,
    NORMAL,
    NORMAL_P90,
    TRIANGULAR,
    UNIFORM,
    Distribution,
    Row,
    require_ascending,
    require_finite,
    require_positive,
    require_probability,
)

_STANDARD_NORMAL = NormalDist()


@dataclass(frozen=True)
class Constant(Distribution):
    """A single fixed number."""

    value: float

    family: ClassVar[str] = "constant"

    def __post_init__(self) -> None:
        require_finite(self.family, value=self.value)

    def quantile(self, p: float) -> float:
        """Return the number.

        Args:
            p: probability, strictly between 0 and 1.
        """
        require_probability(p)
        return self.value

    def mean(self) -> float:
        """Return the number."""
        return self.value

    def row(self, table: list[float]) -> Row:
        """Return the row; nothing is tabulated.

        Args:
            table: the program's table of numbers; lookup values are appended.
        """
        return Row(CONSTANT, self.value)


@dataclass(frozen=True)
class Lognormal(Distribution):
    """A positive number whose logarithm is normal; its median is the geometric mean of p10 and p90."""

    p10: float
    p90: float

    family: ClassVar[str] = "lognormal"

    def __post_init__(self) -> None:
        require_positive(self.family, p10=self.p10, p90=self.p90)
        require_ascending(self.family, p10=self.p10, p90=self.p90)

    @property
    def mu(self) -> float:
        """The mean of the logarithm."""
        return (math.log(self.p10) + math.log(self.p90)) / 2

    @property
    def sigma(self) -> float:
        """The standard deviation of the logarithm."""
        return (math.log(self.p90) - math.log(self.p10)) / (2 * NORMAL_P90)

    def quantile(self, p: float) -> float:
        """Return exp(mu + sigma z) at the normal score z of `p`.

        Args:
            p: probability, strictly between 0 and 1.
        """
        require_probability(p)
        if self.p10 == self.p90:
            return self.p10
        return math.exp(self.mu + self.sigma * _STANDARD_NORMAL.inv_cdf(p))

    def mean(self) -> float:
        """Return exp(mu + sigma²/2), or infinity if that overflows."""
        if self.p10 == self.p90:
            return self.p10
        try:
            return math.exp(self.mu + self.sigma**2 / 2)
        except OverflowError:
            return math.inf

    def row(self, table: list[float]) -> Row:
        """Return the row; nothing is tabulated.

        Args:
            table: the program's table of numbers; lookup values are appended.
        """
        if self.p10 == self.p90:
            return Row(CONSTANT, self.p10)
        return Row(LOGNORMAL, self.mu, self.sigma)


@dataclass(frozen=True)
class Normal(Distribution):
    """A number that may be negative, symmetric around the middle of p10 and p90."""

    p10: float
    p90: float

    family: ClassVar[str] = "normal"

    def __post_init__(self) -> None:
        require_ascending(self.family, p10=self.p10, p90=self.p90)

    @property
    def standard_deviation(self) -> float:
        """The standard deviation."""
        return (self.p90 - self.p10) / (2 * NORMAL_P90)

    def quantile(self, p: float) -> float:
        """Return mean + standard deviation · z at the normal score z of `p`.

        Args:
            p: probability, strictly between 0 and 1.
        """
        require_probability(p)
        return self.mean() + self.standard_deviation * _STANDARD_NORMAL.inv_cdf(p)

    def mean(self) -> float:
        """Return the middle of p10 and p90."""
        return self.p10 + (self.p90 - self.p10) / 2

    def row(self, table: list[float]) -> Row:
        """Return the row; nothing is tabulated.

        Args:
            table: the program's table of numbers; lookup values are appended.
        """
        return Row(NORMAL, self.mean(), self.standard_deviation)


@dataclass(frozen=True)
class Uniform(Distribution):
    """A number that is equally likely to be anywhere between `low` and `high`."""

    low: float
    high: float

    family: ClassVar[str] = "uniform"

    def __post_init__(self) -> None:
        require_ascending(self.family, low=self.low, high=self.high)

    def quantile(self, p: float) -> float:
        """Return the number at share `p` of the way from low to high.

        Args:
            p: probability, strictly between 0 and 1.
        """
        require_probability(p)
        return self.low + p * (self.high - self.low)

    def mean(self) -> float:
        """Return the middle."""
        return self.low + (self.high - self.low) / 2

    def row(self, table: list[float]) -> Row:
        """Return the row; nothing is tabulated.

        Args:
            table: the program's table of numbers; lookup values are appended.
        """
        return Row(UNIFORM, self.low, self.high)


@dataclass(frozen=True)
class Triangular(Distribution):
    """A number from `low` to `high`, whose density rises linearly to `mode` and falls linearly after it."""

    low: float
    mode: float
    high: float

    family: ClassVar[str] = "triangular"

    def __post_init__(self) -> None:
        require_ascending(self.family, low=self.low, mode=self.mode, high=self.high)

    def quantile(self, p: float) -> float:
        """Return the inverse of the piecewise quadratic distribution function.

        Args:
            p: probability, strictly between 0 and 1.
        """
        require_probability(p)
        width, left = self.high - self.low, self.mode - self.low
        if p * width <= left:
            return self.low + math.sqrt(p * width * left)
        return self.high - math.sqrt((1 - p) * width * (self.high - self.mode))

    def mean(self) -> float:
        """Return the mean of low, mode and high."""
        return math.fsum((self.low, self.mode, self.high)) / 3

    def row(self, table: list[float]) -> Row:
        """Return the row; nothing is tabulated.

        Args:
            table: the program's table of numbers; lookup values are appended.
        """
        return Row(TRIANGULAR, self.low, self.mode, self.high)
