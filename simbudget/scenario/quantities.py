"""Quantities: one number of a scenario, with what is random about it.

Randomness is of two sorts. What *varies* differs from draw to draw: each turn has its own output. What is *unknown*
has one true value that nobody knows: one draw for each world. A quantity may have both: its typical value (the median)
is unknown, and draws scatter around it, lognormally with p90/median = `spread`. `amounts` reads and writes them.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from simbudget.distributions.families import Distribution
from simbudget.distributions.posteriors import Posterior


class Kind(StrEnum):
    """Whether a quantity is exact, varies from draw to draw, is one unknown value, or both."""

    EXACT = "exact"
    VARIES = "varies"
    UNKNOWN = "unknown"
    BOTH = "both"


@dataclass(frozen=True, repr=False)
class Quantity:
    """One quantity in base units (seconds, US dollars, tokens, fractions; prices and speeds as their name says).

    `distribution` is that of the draws (exact, varies) or that of the one true value (unknown, both).
    `spread` is p90/median of the draws around the true typical value, for kind `both` only.
    Every draw is cut to [`low`, `high`]. Two are equal that mean the same, however they are written and wherever
    they stand.
    """

    name: str = field(compare=False)
    """Its place in the scenario, such as `cycle.think[0].turns`; its stream of draws is found by it."""
    kind: Kind
    distribution: Distribution
    spread: float | None
    low: float
    high: float
    text: str = field(compare=False)
    """As the user (or the default) wrote it, on one line of YAML."""
    posterior: Posterior | None = None
    """What a calibration learnt of it; draws come from there."""

    def __repr__(self) -> str:
        """Return how it was written, and what kind it is."""
        text = self.text if len(self.text) <= 60 else f"{self.text[:57]}..."
        return f"<{text}: {self.kind}{', calibrated' if self.posterior is not None else ''}>"

    @property
    def exact_value(self) -> float:
        """Return the number that an exact quantity is; ValueError for any other."""
        if self.kind is not Kind.EXACT:
            raise ValueError(f"{self.name} is not exact")
        return self.distribution.mean()

    @property
    def surely_zero(self) -> bool:
        """Return whether it is exactly 0."""
        return self.kind is Kind.EXACT and self.exact_value == 0.0

    @property
    def typical(self) -> float:
        """Return the value itself if it is exact, else its median."""
        return self.exact_value if self.kind is Kind.EXACT else self.distribution.quantile(0.5)

    @property
    def lowest(self) -> float:
        """Return a value that draws fall below one time in ten, or the value itself if it is exact."""
        if self.kind is Kind.EXACT:
            return self.exact_value
        return max(self.low, self.distribution.quantile(0.1) / (self.spread or 1.0))

    @property
    def highest(self) -> float:
        """Return a value that draws exceed one time in ten, or the value itself if it is exact."""
        if self.kind is Kind.EXACT:
            return self.exact_value
        return min(self.high, self.distribution.quantile(0.9) * (self.spread or 1.0))
