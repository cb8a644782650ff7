"""Draws of a scenario's quantities in a pilot, from named streams, so that no draw depends on the order of others.

Unknown quantities are drawn once, from the seed: the pilot's *world*. Varying quantities are drawn for each use, from
the seed and the *luck*. Two pilots with the same seed and different luck are two runs of the same system.
"""

import hashlib
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

from simbudget.scenario.language.quantities import Kind, Quantity

_P90: Final = NormalDist().inv_cdf(0.9)


def uniform(*stream: object) -> float:
    """Return the uniform number in (0, 1) that belongs to a stream's name."""
    digest = hashlib.blake2b("|".join(map(str, stream)).encode(), digest_size=8).digest()
    # The upper 53 bits fill a double's mantissa; the half keeps the result away from 0 and 1.
    return ((int.from_bytes(digest, "little") >> 11) + 0.5) * 2.0**-53


@dataclass(frozen=True)
class Draws:
    """The draws of one pilot."""

    seed: int
    luck: int = 0

    def chance(self, *stream: object) -> float:
        """Return a uniform number in (0, 1) from this pilot's luck."""
        return uniform(self.seed, self.luck, *stream)

    def value(self, quantity: Quantity, *stream: object) -> float:
        """Draw a quantity, in its base unit."""
        distribution = quantity.distribution
        if quantity.kind is Kind.EXACT:
            return quantity.exact_value
        if quantity.kind is Kind.VARIES:
            value = distribution.quantile(self.chance(quantity.name, *stream))
        else:
            value = distribution.quantile(uniform(self.seed, "world", quantity.name))
            if quantity.kind is Kind.BOTH and quantity.spread:
                # A spread is p90/median, so its power at z / z(90 %) is the lognormal factor at quantile z.
                z = NormalDist().inv_cdf(self.chance(quantity.name, *stream))
                value *= quantity.spread ** (z / _P90)
        return float(min(max(value, quantity.low), quantity.high))

    def count(self, quantity: Quantity, *stream: object) -> int:
        """Draw a quantity and round it to a whole number."""
        return round(self.value(quantity, *stream))
