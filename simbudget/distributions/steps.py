"""The families with finitely many values: discrete with weights, and empirical from observations."""

import math
from bisect import bisect_left
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, ClassVar

from simbudget.distributions.base import (
    STEPS,
    Distribution,
    Row,
    require_finite,
    require_probability,
)


@dataclass(frozen=True)
class Discrete(Distribution):
    """One of a few values, each with a weight. `values` are in ascending order."""

    values: tuple[float, ...]
    weights: tuple[float, ...]

    family: ClassVar[str] = "discrete"

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError(f"{self.family}: values is empty; write at least one")
        if len(self.values) != len(self.weights):
            raise ValueError(
                f"{self.family}: {len(self.values)} values but {len(self.weights)} weights; write one for each"
            )
        for value, weight in zip(self.values, self.weights, strict=True):
            require_finite(self.family, values=value, weights=weight)
            if weight < 0:
                raise ValueError(f"{self.family}: weights has {weight:g}; a weight has to be at least 0")
        if not 0 < math.fsum(self.weights) < math.inf:
            raise ValueError(f"{self.family}: weights add up to 0; at least one has to be above 0")

    def quantile(self, p: float) -> float:
        """Return the first value whose cumulative probability is at least `p`.

        Args:
            p: probability, strictly between 0 and 1.
        """
        require_probability(p)
        return self.values[bisect_left(self._cumulative(), p)]

    def mean(self) -> float:
        """Return the weighted mean."""
        products = (value * weight for value, weight in zip(self.values, self.weights, strict=True))
        return math.fsum(products) / math.fsum(self.weights)

    def row(self, table: list[float]) -> Row:
        """Return the row; values and cumulative probabilities are tabulated.

        Args:
            table: the program's table of numbers; lookup values are appended.
        """
        start = len(table)
        table.extend(self.values)
        table.extend(self._cumulative())
        return Row(STEPS, start=start, length=len(self.values))

    def _cumulative(self) -> list[float]:
        """Return the cumulative probabilities, the last of which is exactly 1."""
        total = math.fsum(self.weights)
        cumulative = [weight / total for weight in accumulate(self.weights)]
        # Trailing values of weight 0 must not be drawn because of rounding, so 1 is reached at the last positive one.
        last = max(index for index, weight in enumerate(self.weights) if weight > 0)
        return [*cumulative[:last], *[1.0] * (len(cumulative) - last)]


@dataclass(frozen=True)
class Empirical(Discrete):
    """One of the observed values, all equally likely."""

    family: ClassVar[str] = "empirical"

    def parameters(self) -> dict[str, Any]:
        """Return the observed values."""
        return {"values": self.values}
