"""Drawing a scenario's quantities in a pilot: from named streams, so that no draw depends on the order of others.

What is unknown is settled once by the seed, the pilot's *world*; what varies is drawn anew for each use, by the
seed and the *luck*. So two pilots of one seed and different luck are two runs of the same system.
"""

import hashlib
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

from simbudget.scenario.quantities import Kind, Quantity

_P90: Final = NormalDist().inv_cdf(0.9)


def uniform(*stream: object) -> float:
    """Return the uniform in (0, 1) that belongs to a stream's name."""
    digest = hashlib.blake2b("|".join(map(str, stream)).encode(), digest_size=8).digest()
    return ((int.from_bytes(digest, "little") >> 11) + 0.5) * 2.0**-53


@dataclass(frozen=True)
class Draws:
    """The draws of one pilot."""

    seed: int
    luck: int = 0

    def chance(self, *stream: object) -> float:
        """Return a uniform in (0, 1) of this pilot's luck."""
        return uniform(self.seed, self.luck, *stream)

    def value(self, quantity: Quantity, *stream: object) -> float:
        """Return a draw of a quantity, in its base unit."""
        distribution = quantity.distribution
        if quantity.kind is Kind.EXACT:
            return quantity.exact_value
        if quantity.kind is Kind.VARIES:
            value = distribution.quantile(self.chance(quantity.name, *stream))
        else:
            value = distribution.quantile(uniform(self.seed, "world", quantity.name))
            if quantity.kind is Kind.BOTH and quantity.spread:
                z = NormalDist().inv_cdf(self.chance(quantity.name, *stream))
                value *= quantity.spread ** (z / _P90)
        return float(min(max(value, quantity.low), quantity.high))

    def count(self, quantity: Quantity, *stream: object) -> int:
        """Return a draw of a quantity as a whole number."""
        return round(self.value(quantity, *stream))
