"""What a call cost, by the usage that the provider reports, and what one can cost at worst."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from simbudget.prices.models import ClassPrices, LongPrices, model_prices

_MTOK: Final = 1e6

_SURCHARGE_BY_PLACE: Final = {"us": 1.1}
"""What inference in one place only costs more, all classes alike:
https://platform.claude.com/docs/en/build-with-claude/data-residency, read in 2026-11."""
_DEAREST_PLACE: Final = 1.1


@dataclass(frozen=True)
class Usage:
    """The tokens of one call; classes exclude each other."""

    uncached_input_tokens: int
    cache_write_5m_tokens: int
    cache_write_1h_tokens: int
    cache_read_tokens: int
    output_tokens: int
    thinking_tokens: int | None = None
    """Those of the output that were thinking; None if the provider does not say."""

    @property
    def prompt_tokens(self) -> int:
        """Return what was sent."""
        return self.uncached_input_tokens + self.cache_write_tokens + self.cache_read_tokens

    @property
    def cache_write_tokens(self) -> int:
        """Return what was written to the cache, for however long."""
        return self.cache_write_5m_tokens + self.cache_write_1h_tokens

    def columns(self) -> dict[str, int | None]:
        """Return the usage as columns of a ledger's entry."""
        return {
            "uncached_input_tokens": self.uncached_input_tokens,
            "cache_write_tokens": self.cache_write_tokens,
            "cache_write_1h_tokens": self.cache_write_1h_tokens,
            "cache_read_tokens": self.cache_read_tokens,
            "output_tokens": self.output_tokens,
            "thinking_tokens": self.thinking_tokens,
        }


def usage_of(reported: Mapping[str, Any]) -> Usage:
    """Return the usage that an answer's `usage` reports; cache writes without a breakdown are dearest ones."""
    written = reported.get("cache_creation_input_tokens") or 0
    breakdown = reported.get("cache_creation") or {}
    write_5m = breakdown.get("ephemeral_5m_input_tokens") or 0
    details = reported.get("output_tokens_details") or {}
    return Usage(
        uncached_input_tokens=reported["input_tokens"],
        cache_write_5m_tokens=write_5m,
        cache_write_1h_tokens=max(written - write_5m, breakdown.get("ephemeral_1h_input_tokens") or 0),
        cache_read_tokens=reported.get("cache_read_input_tokens") or 0,
        output_tokens=reported["output_tokens"],
        thinking_tokens=details.get("thinking_tokens"),
    )


@dataclass(frozen=True)
class Rates:
    """What a model's tokens cost."""

    base: ClassPrices
    long: LongPrices | None = None
    """Prices of a whole call whose prompt is longer than their `above_tokens`."""

    def cost_usd(self, usage: Usage, place: str | None = None) -> float:
        """Return what a call cost that used so much; `place` is its `inference_geo`."""
        prices = self.base
        if self.long is not None and usage.prompt_tokens > self.long.above_tokens:
            prices = self.long
        cost = (
            usage.uncached_input_tokens * prices.input
            + usage.cache_write_5m_tokens * prices.cache_write_5m
            + usage.cache_write_1h_tokens * prices.cache_write_1h
            + usage.cache_read_tokens * prices.cache_read
            + usage.output_tokens * prices.output
        )
        return cost / _MTOK * _SURCHARGE_BY_PLACE.get(place or "", 1.0)

    def worst_usd(self, prompt_tokens: int, output_tokens: int, is_placed: bool = False) -> float:
        """Return what a call can cost at most that sends and gets at most so much: the dearest class and tier."""
        tiers = [self.base]
        if self.long is not None and prompt_tokens > self.long.above_tokens:
            tiers.append(self.long)
        dearest = max(
            prompt_tokens * max(tier.input, tier.cache_write_5m, tier.cache_write_1h, tier.cache_read)
            + output_tokens * tier.output
            for tier in tiers
        )
        return dearest / _MTOK * (_DEAREST_PLACE if is_placed else 1.0)


def list_rates(model: str, on: datetime.date) -> Rates:
    """Return what a model costs by the price list of a date. Raises UserError: the list does not have it."""
    prices = model_prices(model, on)
    return Rates(prices.base, prices.long)
