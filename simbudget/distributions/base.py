"""The interface of distributions: values with a mean and quantiles that can be lowered to a flat row of numbers.

The engines do not know families. They hold one array of rows and one shared table of numbers, and
`sampling.quantile` turns a row and a uniform number into a draw. The codes are defined here, so that lowering a
scenario does not need the compiler.
"""

import dataclasses
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, Final, NamedTuple

# Codes of the formulas that turn a uniform number into a draw. z is the normal score of the uniform.
CONSTANT: Final = 0  # a
LOGNORMAL: Final = 1  # exp(a + b z)
NORMAL: Final = 2  # a + b z
UNIFORM: Final = 3  # between a and b
TRIANGULAR: Final = 4  # low a, mode b, high c
LOG_SCORES: Final = 5  # exp(t(z)), t tabulated at equally spaced normal scores
LOGIT_SCORES: Final = 6  # 1 / (1 + exp(-t(z))), t tabulated at equally spaced normal scores
STEPS: Final = 7  # `length` ascending values, then as many cumulative probabilities
EXPONENTIAL: Final = 8  # mean a
SHAPED: Final = 9  # exp(a + b t(z)), t tabulated at equally spaced normal scores; a LOGNORMAL has t(z) = z

SCORE_LIMIT: Final = 8.5
"""Tabulated families cover normal scores from minus this to this, more than 53 random bits can produce."""

SCORE_POINTS: Final = 513
"""Points of a tabulated family, odd so that the median is one of them; cubic interpolation is then good to 1e-7."""

NORMAL_P90: Final = 1.2815515655446004
"""90th percentile of the standard normal distribution."""


class Row(NamedTuple):
    """A distribution lowered to numbers; `start` and `length` refer to the shared table."""

    code: int
    a: float = 0.0
    b: float = 0.0
    c: float = 0.0
    start: int = 0
    length: int = 0


@dataclass(frozen=True)
class Distribution(ABC):
    """A distribution of one number, in the base unit of its quantity."""

    family: ClassVar[str]
    """The family's name in scenarios."""

    @abstractmethod
    def quantile(self, p: float) -> float:
        """Return the quantile at probability `p`.

        Args:
            p: probability, strictly between 0 and 1.

        Raises:
            ValueError: `p` is not strictly between 0 and 1.
        """

    @abstractmethod
    def mean(self) -> float:
        """Return the expected value."""

    @abstractmethod
    def row(self, table: list[float]) -> Row:
        """Return the row from which `sampling.quantile` draws, after appending its lookup values to `table`.

        Args:
            table: the program's table of numbers; lookup values are appended.
        """

    def parameters(self) -> dict[str, Any]:
        """Return the family's parameters by their names in scenarios."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}


def require_finite(family: str, **parameters: float) -> None:
    """Raise ValueError, naming the parameter, unless all parameters are finite."""
    for name, value in parameters.items():
        if not math.isfinite(value):
            raise ValueError(f"{family}: {name} is {value:g}; it has to be a finite number")


def require_positive(family: str, **parameters: float) -> None:
    """Raise ValueError, naming the parameter, unless all parameters are finite and above 0."""
    require_finite(family, **parameters)
    for name, value in parameters.items():
        if value <= 0:
            raise ValueError(f"{family}: {name} is {value:g}; it has to be above 0")


def require_ascending(family: str, **parameters: float) -> None:
    """Raise ValueError, naming two neighbours, unless the parameters are finite and do not decrease."""
    require_finite(family, **parameters)
    items = list(parameters.items())
    for (lower, low), (upper, high) in pairwise(items):
        if low > high:
            raise ValueError(f"{family}: {lower} is {low:g}, above {upper}, {high:g}; write the lower first")


def require_probability(p: float) -> None:
    """Raise ValueError unless 0 < p < 1."""
    if not 0.0 < p < 1.0:
        raise ValueError(f"quantile at {p:g}; a probability strictly between 0 and 1 is allowed")
