"""A quantity: a number of the scenario with its form, its kind (exact, varies, unknown) and its unit.

- exact: one number.
- varies: differs from draw to draw (aleatory).
- unknown: one true value that nobody knows; drawn once per world (epistemic).
- both: the typical value (median) is unknown, and draws scatter around it, lognormally with p90/median = `spread`.
"""

from dataclasses import dataclass
from enum import StrEnum

from simbudget.distributions.families import Distribution


class Kind(StrEnum):
    """Whether a quantity is exact, varies from draw to draw, is one unknown value, or both."""

    EXACT = "exact"
    VARIES = "varies"
    UNKNOWN = "unknown"
    BOTH = "both"


@dataclass(frozen=True)
class Quantity:
    """One quantity in base units (seconds, US dollars, tokens, fractions; prices and speeds as their name says).

    `distribution` is that of the draws (exact, varies) or that of the one true value (unknown, both).
    `spread` is p90/median of the draws around the true typical value, for kind `both` only.
    Every draw is cut to [`low`, `high`].
    """

    kind: Kind
    distribution: Distribution
    spread: float | None
    low: float
    high: float
    text: str
    """As the user (or the default) wrote it."""
