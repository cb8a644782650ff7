"""Quantities: the numbers of a scenario, with their randomness.

There are two kinds of randomness. A quantity that *varies* differs from draw to draw, as the output of turns does. A
quantity that is *unknown* has one true value, drawn once per world. A quantity can be both: its typical value (the
median) is unknown, and draws scatter around it lognormally with p90/median = `spread`. `amounts` reads and writes
quantities.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from simbudget.distributions.families import Distribution
from simbudget.distributions.posteriors import Posterior


class Kind(StrEnum):
    """Whether a quantity is exact, varies from draw to draw, has one unknown value, or both."""

    EXACT = "exact"
    VARIES = "varies"
    UNKNOWN = "unknown"
    BOTH = "both"


@dataclass(frozen=True, repr=False)
class Quantity:
    """One quantity in base units (seconds, US dollars, tokens, fractions; prices and speeds as their name says).

    `distribution` is that of the draws (exact, varies) or that of the true value (unknown, both). `spread` is
    p90/median of the draws around the typical value, for kind `both` only. Every draw is clipped to [`low`, `high`].
    Quantities with the same meaning are equal, regardless of how and where they are written.
    """

    name: str = field(compare=False)
    """Its path in the scenario, such as `cycle.think[0].turns`, which also selects its stream of draws."""
    kind: Kind
    distribution: Distribution
    spread: float | None
    low: float
    high: float
    text: str = field(compare=False)
    """As written by the user or as the default, on one line of YAML."""
    posterior: Posterior | None = None
    """What a calibration learnt; if set, draws are taken from it."""

    def __repr__(self) -> str:
        """Return its text and its kind."""
        text = self.text if len(self.text) <= 60 else f"{self.text[:57]}..."
        return f"<{text}: {self.kind}{', calibrated' if self.posterior is not None else ''}>"

    @property
    def exact_value(self) -> float:
        """Return the value of an exact quantity.

        Raises:
            ValueError: the quantity is not exact.
        """
        if self.kind is not Kind.EXACT:
            raise ValueError(f"{self.name} is not exact")
        return self.distribution.mean()

    @property
    def surely_zero(self) -> bool:
        """Return whether it is exactly 0."""
        return self.kind is Kind.EXACT and self.exact_value == 0.0

    @property
    def typical(self) -> float:
        """Return the exact value, or else the median."""
        return self.exact_value if self.kind is Kind.EXACT else self.distribution.quantile(0.5)

    @property
    def lowest(self) -> float:
        """Return the exact value, or else a value that draws fall below with a probability of about 10 %."""
        if self.kind is Kind.EXACT:
            return self.exact_value
        return max(self.low, self.distribution.quantile(0.1) / (self.spread or 1.0))

    @property
    def highest(self) -> float:
        """Return the exact value, or else a value that draws exceed with a probability of about 10 %."""
        if self.kind is Kind.EXACT:
            return self.exact_value
        return min(self.high, self.distribution.quantile(0.9) * (self.spread or 1.0))
