"""Prices of models, as a program's rows."""

from simbudget.engine.lowering.quantities import Quantities
from simbudget.engine.program import (
    PriceRow,
)
from simbudget.pricing.catalogue import model_prices
from simbudget.pricing.charge import ClassPrices
from simbudget.scenario import model as scenarios

_NO_LONG_TIER = 1 << 62


def price_row(
    scenario: scenarios.Scenario, model: str | None, cache: str, quantities: Quantities
) -> PriceRow:
    """Return the prices of a model whose context is cached so: the scenario's own, else those of the price list."""
    if model is None:
        return PriceRow(_NO_LONG_TIER, *8 * [quantities.number(0.0)])
    own = scenario.prices.models.get(model)
    if own is None:
        return _list_prices(model, cache, scenario, quantities)
    base = _own_tier(own, quantities)
    if own.long is None:
        return PriceRow(_NO_LONG_TIER, *base, *base)
    return PriceRow(round(own.long.above.exact_value), *base, *_own_tier(own.long, quantities))


def _own_tier(tier: scenarios.PriceTier, quantities: Quantities) -> list[int]:
    prices = (tier.input, tier.cache_write, tier.cache_read, tier.output)
    return [quantities.fact(price) for price in prices]


def _list_prices(model: str, cache: str, scenario: scenarios.Scenario, quantities: Quantities) -> PriceRow:
    prices = model_prices(model, scenario.prices.on)
    base = _list_tier(prices.base, cache, quantities)
    if prices.long is None:
        return PriceRow(_NO_LONG_TIER, *base, *base)
    return PriceRow(prices.long.above_tokens, *base, *_list_tier(prices.long, cache, quantities))


def _list_tier(prices: ClassPrices, cache: str, quantities: Quantities) -> list[int]:
    write = prices.cache_write_1h if cache == "1 h" else prices.cache_write_5m
    return [quantities.number(p) for p in (prices.input, write, prices.cache_read, prices.output)]
