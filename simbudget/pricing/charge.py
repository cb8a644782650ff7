"""The cost of a call: one `Usage`, one `Rates`, one `charge`.

Engine, ledger, cost check and guard all price calls here. `tokens_usd` is the formula itself, a pure function of
numbers: the engine compiles it, the ledger passes it arrays, and both get identical bits. `PRICE_CLASSES` lists what
has a price per token; whatever counts or prices tokens by class goes through that table.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from simbudget.arrays import Floats

Numbers = Floats
Count = int | float | Numbers
"""A count, or an array of counts with one element per call."""

STANDARD: Final = ""
"""The service of a call for which none was requested."""

SERVICES: Final = (STANDARD, "batch", "flex", "priority", "fast")
"""Services at which providers offer the same model at different prices."""


class PriceClass(NamedTuple):
    """Tokens with a price of their own: a count of `Usage` with a price of `ClassPrices`."""

    usage: str
    """The field of `Usage`."""
    price: str
    """The field of `ClassPrices`."""
    listed: str
    """The price's name on the list of genai-prices."""
    tokens: str
    """The class of tokens under which ledgers, engines and totals count them."""
    words: str
    """Its heading in a table of prices."""
    part_of: str = ""
    """The price whose count includes these tokens, if they are not counted apart."""


PRICE_CLASSES: Final = (
    PriceClass("uncached_input", "input", "input_mtok", "uncached_input", "input"),
    PriceClass("cache_write_5m", "cache_write_5m", "cache_write_mtok", "cache_write", "5-min write"),
    PriceClass("cache_write_1h", "cache_write_1h", "cache_write_1h_mtok", "cache_write", "1-h write"),
    PriceClass("cache_read", "cache_read", "cache_read_mtok", "cache_read", "read"),
    PriceClass("output", "output", "output_mtok", "output", "output"),
    PriceClass("thinking", "thinking", "output_reasoning_mtok", "output", "thinking", part_of="output"),
)
"""Costs are added up in this order; another one would change their last bits."""

WHOLE_CLASSES: Final = tuple(each for each in PRICE_CLASSES if not each.part_of)
"""Those whose counts exclude each other."""

PART_CLASSES: Final = tuple(each for each in PRICE_CLASSES if each.part_of)

TOKEN_CLASSES: Final = tuple(dict.fromkeys(each.tokens for each in PRICE_CLASSES))
"""Classes of tokens; a ledger's column is `<class>_tokens`, and a total is `tokens_<class>`."""

PROMPT_CLASSES: Final = tuple(name for name in TOKEN_CLASSES if name != "output")

COUNTS: Final = tuple(
    count
    for tokens in TOKEN_CLASSES
    for count in (tokens, *[each.usage for each in PRICE_CLASSES if each.tokens == tokens][1:])
)
"""What ledgers count, in columns named `<count>_tokens`: each class of tokens, then what of it has another price."""


@dataclass(frozen=True)
class Usage:
    """The usage of a call, or of each of several calls. Counts exclude each other unless stated otherwise."""

    uncached_input: Count = 0
    """Input that was neither read from the cache nor written to it."""
    cache_write_5m: Count = 0
    """Input written to the cache for five minutes, or for the fixed lifetime of a provider that offers no choice."""
    cache_write_1h: Count = 0
    cache_read: Count = 0
    output: Count = 0
    """Including thinking."""
    thinking: Count | None = None
    """Part of `output` that was thinking; None if the provider does not report it."""
    web_searches: Count = 0
    """Searches run by the provider for the call; its page fetches are free."""

    @property
    def prompt(self) -> Count:
        """The whole prompt, which determines whether a long-context price applies."""
        counted = (getattr(self, each.usage) for each in WHOLE_CLASSES if each.tokens in PROMPT_CLASSES)
        whole: Count = sum(counted)
        return whole

    @property
    def cache_write(self) -> Count:
        """All cache writes, for whatever lifetime."""
        return self.cache_write_5m + self.cache_write_1h

    def with_5m_writes(self) -> "Usage":
        """Return the usage as if all cache writes were for five minutes."""
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
        """Return the usage of some of the calls.

        Args:
            which: index or mask of the calls.
        """
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
    """Including thinking, unless that has a separate price."""
    thinking: float | None = None
    """Price of thinking where it differs from that of output."""


@dataclass(frozen=True)
class LongPrices(ClassPrices):
    """Prices of a whole call whose prompt (input, writes and reads) is longer than `above_tokens`."""

    above_tokens: int = field(kw_only=True)


@dataclass(frozen=True)
class Rates:
    """The prices of one model for one service."""

    base: ClassPrices
    tiers: tuple[LongPrices, ...] = ()
    """Long-context prices, in ascending order of their thresholds."""
    web_search_usd_per_1000: float = 0.0
    """Per thousand searches, as stated by providers."""
    request_usd: float = 0.0
    """Per call, whatever it uses."""
    geo_factors: Mapping[str, float] = field(default_factory=dict)
    """Factor on the price of every token for a call bound to a place (`inference_geo`)."""

    @property
    def long(self) -> LongPrices | None:
        """The first long-context tier; almost all models that have tiers have only one."""
        return self.tiers[0] if self.tiers else None

    @property
    def dearest_geo_factor(self) -> float:
        """The highest surcharge for a place."""
        return max(self.geo_factors.values(), default=1.0)


@dataclass(frozen=True)
class Charge:
    """The cost of a call, or of each of several calls, by what is charged for."""

    tokens_usd: Any
    web_searches_usd: Any
    requests_usd: Any

    @property
    def total_usd(self) -> Any:
        """The total charge."""
        return self.tokens_usd + (self.web_searches_usd + self.requests_usd)


def tokens_usd(counts: Any, prices: Any) -> Any:
    """Return the cost of tokens in dollars.

    The engine compiles this function, so it contains only arithmetic, and the order of additions is part of its
    definition: another order would give other last bits.

    Args:
        counts: numbers of tokens by class; a number each, or an array each with one element per call.
        prices: their prices in $/Mtok, in the same order.
    """
    cost = counts[0] * prices[0]
    for k in range(1, len(prices)):
        cost = cost + counts[k] * prices[k]
    return cost / 1e6


def charge(usage: Usage, rates: Rates, inference_geo: str = "") -> Charge:
    """Return the cost of a call, or of each of several calls, as billed by the provider.

    Args:
        usage: counts of a call, or arrays of counts with one element per call.
        rates: prices of the model, on the date and for the service of the call.
        inference_geo: place that the calls were bound to, as reported by the provider (`us`).

    Returns:
        Dollars: floats for a single call, otherwise arrays in the order of the usage.
    """
    cost = _at(usage, rates.base)
    for tier in rates.tiers:
        # Above the threshold, the tier's prices apply to every token of the call, including output.
        is_long = usage.prompt > tier.above_tokens
        if isinstance(is_long, np.ndarray):
            cost = np.where(is_long, _at(usage, tier), cost)
        elif is_long:
            cost = _at(usage, tier)
    factor = rates.geo_factors.get(inference_geo, 1.0)
    if factor != 1.0:  # the surcharge applies to tokens, not to fees
        cost = cost * factor
    requests = rates.request_usd + 0.0 * usage.output if rates.request_usd else 0.0 * usage.output
    return Charge(cost, usage.web_searches * rates.web_search_usd_per_1000 / 1000, requests)


def worst_case_usd(rates: Rates, prompt_tokens: int, output_tokens: int, is_bound_to_a_place: bool) -> float:
    """Return the maximum cost in dollars of a call with given maximum numbers of tokens: the dearest class and tier.

    Args:
        rates: prices of the model.
        prompt_tokens: maximum length of the prompt.
        output_tokens: maximum output.
        is_bound_to_a_place: whether a surcharge for a place may apply.
    """
    tiers = [rates.base, *(tier for tier in rates.tiers if prompt_tokens > tier.above_tokens)]
    dearest = max(
        prompt_tokens * _dearest(tier, PROMPT_CLASSES) + output_tokens * _dearest(tier, ("output",))
        for tier in tiers
    )
    factor = rates.dearest_geo_factor if is_bound_to_a_place else 1.0
    return dearest / 1e6 * factor + rates.request_usd


def _dearest(prices: ClassPrices, tokens: tuple[str, ...]) -> float:
    """Return the highest price of tokens of these classes."""
    return max(getattr(prices, each.price) or 0.0 for each in PRICE_CLASSES if each.tokens in tokens)


def _at(usage: Usage, prices: ClassPrices) -> Any:
    cost = tokens_usd(
        [getattr(usage, each.usage) for each in WHOLE_CLASSES],
        [getattr(prices, each.price) for each in WHOLE_CLASSES],
    )
    for each in PART_CLASSES:  # they have been charged as the whole that they are part of
        price, count = getattr(prices, each.price), getattr(usage, each.usage)
        if price is not None and count is not None:
            cost = cost + count * (price - getattr(prices, each.part_of)) / 1e6
    return cost
