"""What a call costs: one `Usage`, one `Rates`, one `charge`.

The engine, the ledger, the cost check and the guard of a pilot all price a call here. `tokens_usd` is the law itself, a
pure function of plain numbers: the engine compiles it, the ledger gives it arrays, and both get the same bits.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]
Count = int | float | Numbers
"""A count, or an array of counts with an element for each call."""

STANDARD: Final = ""
"""The service of a call that was ordered without one."""

SERVICES: Final = (STANDARD, "batch", "flex", "priority", "fast")
"""The services that providers sell the same model by, at prices of their own."""


@dataclass(frozen=True)
class Usage:
    """What a call used, or what each of several calls used. Counts exclude each other, unless they say otherwise."""

    uncached_input: Count = 0
    """Input that was neither read from the cache nor written to it."""
    cache_write_5m: Count = 0
    """Input written to the cache for five minutes, or for as long as a provider without a choice keeps it."""
    cache_write_1h: Count = 0
    cache_read: Count = 0
    output: Count = 0
    """Thinking included."""
    thinking: Count | None = None
    """Those of the `output` that were thinking; None if the provider does not say."""
    web_searches: Count = 0
    """Searches that the provider ran for the call; its fetches of pages are free."""

    @property
    def prompt(self) -> Count:
        """The whole prompt, which decides whether a long-context price holds."""
        return self.uncached_input + self.cache_write_5m + self.cache_write_1h + self.cache_read

    @property
    def cache_write(self) -> Count:
        """What was written to the cache, for however long."""
        return self.cache_write_5m + self.cache_write_1h

    def with_5m_writes(self) -> "Usage":
        """Return the usage as if all writes were kept for five minutes."""
        return replace(self, cache_write_5m=self.cache_write, cache_write_1h=0 * self.cache_write_1h)

    def without_cache(self) -> "Usage":
        """Return the usage as if there were no cache."""
        nothing = 0 * self.cache_read
        return replace(
            self,
            uncached_input=self.prompt,
            cache_write_5m=nothing,
            cache_write_1h=nothing,
            cache_read=nothing,
        )

    def rows(self, which: npt.NDArray[Any]) -> "Usage":
        """Return the usage of some of the calls."""
        return Usage(
            *(value[which] if isinstance(value, np.ndarray) else value for value in vars(self).values())
        )


@dataclass(frozen=True)
class ClassPrices:
    """Prices by token class, in $/Mtok. Classes exclude each other."""

    input: float
    """Input that is neither read from the cache nor written to it."""
    cache_write_5m: float
    cache_write_1h: float
    cache_read: float
    output: float
    """Thinking included, unless it has a price of its own."""
    thinking: float | None = None
    """What thinking costs where that is not the price of output."""


@dataclass(frozen=True)
class LongPrices(ClassPrices):
    """Prices of a whole call whose prompt (input, writes and reads) is longer than `above_tokens`."""

    above_tokens: int = field(kw_only=True)


@dataclass(frozen=True)
class Rates:
    """What one model's calls cost by one service."""

    base: ClassPrices
    tiers: tuple[LongPrices, ...] = ()
    """Long-context prices, from the lowest threshold to the highest."""
    web_search_usd_per_1000: float = 0.0
    """For a thousand searches, as providers state it."""
    request_usd: float = 0.0
    """For each call, whatever it uses."""
    geo_factors: Mapping[str, float] = field(default_factory=dict)
    """By what the price of every token is multiplied if the call was bound to a place (`inference_geo`)."""

    @property
    def long(self) -> LongPrices | None:
        """The first long-context tier, the only one that nearly every model with one has."""
        return self.tiers[0] if self.tiers else None

    @property
    def dearest_geo_factor(self) -> float:
        """The highest surcharge for a place."""
        return max(self.geo_factors.values(), default=1.0)


@dataclass(frozen=True)
class Charge:
    """What a call was charged, or what each of several calls was, by what it was charged for."""

    tokens_usd: Any
    web_searches_usd: Any
    requests_usd: Any

    @property
    def total_usd(self) -> Any:
        """The whole charge."""
        return self.tokens_usd + (self.web_searches_usd + self.requests_usd)


def tokens_usd(  # noqa: PLR0913, PLR0917  plain numbers alone can be compiled and can be arrays
    uncached: Any,
    write_5m: Any,
    write_1h: Any,
    read: Any,
    output: Any,
    input_price: float,
    write_5m_price: float,
    write_1h_price: float,
    read_price: float,
    output_price: float,
) -> Any:
    """Return what tokens cost, in dollars, at prices in $/Mtok.

    Counts may be numbers or arrays. The engine compiles this function, so it does arithmetic and nothing else, and the
    order of its additions is part of its meaning: another order gives other last bits.
    """
    cost = uncached * input_price + write_5m * write_5m_price + write_1h * write_1h_price
    return (cost + read * read_price + output * output_price) / 1e6


def charge(usage: Usage, rates: Rates, inference_geo: str = "") -> Charge:
    """Return what a call costs, or what each of several calls costs, as the provider bills it.

    Args:
        usage: the counts of a call, or arrays of counts with an element for each call.
        rates: the prices of the model, on the day and by the service of the call.
        inference_geo: the place that the calls were bound to, as the provider reports it (`us`).

    Returns:
        dollars, a float for a single call, else an array in the order of the usage.
    """
    cost = _at(usage, rates.base)
    for tier in rates.tiers:
        # Past the threshold every token of the call costs the tier's price, output included.
        is_long = usage.prompt > tier.above_tokens
        if isinstance(is_long, np.ndarray):
            cost = np.where(is_long, _at(usage, tier), cost)
        elif is_long:
            cost = _at(usage, tier)
    factor = rates.geo_factors.get(inference_geo, 1.0)
    if factor != 1.0:  # fees are not multiplied: the surcharge is on tokens alone
        cost = cost * factor
    requests = rates.request_usd + 0.0 * usage.output if rates.request_usd else 0.0 * usage.output
    return Charge(cost, usage.web_searches * rates.web_search_usd_per_1000 / 1000, requests)


def worst_case_usd(rates: Rates, prompt_tokens: int, output_tokens: int, is_bound_to_a_place: bool) -> float:
    """Return what a call can cost at most that sends and gets at most so many tokens: the dearest class and tier."""
    tiers = [rates.base, *(tier for tier in rates.tiers if prompt_tokens > tier.above_tokens)]
    dearest = max(
        prompt_tokens * max(tier.input, tier.cache_write_5m, tier.cache_write_1h, tier.cache_read)
        + output_tokens * max(tier.output, tier.thinking or 0.0)
        for tier in tiers
    )
    factor = rates.dearest_geo_factor if is_bound_to_a_place else 1.0
    return dearest / 1e6 * factor + rates.request_usd


def _at(usage: Usage, prices: ClassPrices) -> Any:
    cost = tokens_usd(
        usage.uncached_input,
        usage.cache_write_5m,
        usage.cache_write_1h,
        usage.cache_read,
        usage.output,
        prices.input,
        prices.cache_write_5m,
        prices.cache_write_1h,
        prices.cache_read,
        prices.output,
    )
    if prices.thinking is not None and usage.thinking is not None:
        cost = cost + usage.thinking * (prices.thinking - prices.output) / 1e6
    return cost
