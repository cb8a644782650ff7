"""What token counts cost by the price list of a day.

The price of a call, as the provider bills it: tokens of each class times the class's price; where the list has
a long-context tier, a call whose whole prompt exceeds it costs the tier's prices throughout.
"""

import datetime
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from simbudget.errors import UserError
from simbudget.prices.models import ClassPrices, ListPrices, model_prices

_TOKENS: Final = 1e6


@dataclass(frozen=True)
class TokenCounts:
    """Counts of calls by class, each an array with an element a call; classes exclude each other."""

    uncached: npt.NDArray[np.float64]
    write_5m: npt.NDArray[np.float64]
    write_1h: npt.NDArray[np.float64]
    read: npt.NDArray[np.float64]
    output: npt.NDArray[np.float64]

    @property
    def prompt(self) -> npt.NDArray[np.float64]:
        """The whole prompt of each call."""
        prompt: npt.NDArray[np.float64] = self.uncached + self.write_5m + self.write_1h + self.read
        return prompt

    def with_5m_writes(self) -> "TokenCounts":
        """Return the counts as if all that was written were kept for five minutes."""
        return replace(self, write_5m=self.write_5m + self.write_1h, write_1h=np.zeros_like(self.write_1h))

    def without_cache(self) -> "TokenCounts":
        """Return the counts as if there were no cache."""
        nothing = np.zeros_like(self.read)
        return replace(self, uncached=self.prompt, write_5m=nothing, write_1h=nothing, read=nothing)


def cost_usd(prices: ListPrices, counts: TokenCounts, *, is_batch: bool = False) -> npt.NDArray[np.float64]:
    """Return what each call costs, in dollars; with `is_batch`, at the prices of a batch if the list has them."""
    base = prices.batch if is_batch and prices.batch else prices.base
    cost = _at(base, counts)
    if prices.long is not None and not is_batch:
        cost = np.where(counts.prompt > prices.long.above_tokens, _at(prices.long, counts), cost)
    return cost


@lru_cache(maxsize=4096)
def known_prices(model: str, on: datetime.date) -> ListPrices | None:
    """Return what a model costs on a date; None if the list does not have it."""
    if not model:
        return None
    try:
        return model_prices(model, on)
    except UserError:
        return None


def _at(prices: ClassPrices, counts: TokenCounts) -> npt.NDArray[np.float64]:
    cost: npt.NDArray[np.float64] = (
        counts.uncached * prices.input
        + counts.write_5m * prices.cache_write_5m
        + counts.write_1h * prices.cache_write_1h
        + counts.read * prices.cache_read
        + counts.output * prices.output
    ) / _TOKENS
    return cost
