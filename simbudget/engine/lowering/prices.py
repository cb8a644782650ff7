"""Prices of models, as a program's rows."""

import numpy as np

from simbudget.engine.laws.draws import Integers
from simbudget.engine.lowering.quantities import Quantities
from simbudget.engine.program import NONE, PriceRow
from simbudget.ledger.entry import COMPONENTS
from simbudget.pricing.catalogue import model_prices, rates
from simbudget.pricing.charge import STANDARD, ClassPrices, LongPrices
from simbudget.scenario import scenario as scenarios

_NO_LONG_TIER = 1 << 62


def price_row(
    scenario: scenarios.Scenario, model: str, cache: str, service: str, quantities: Quantities
) -> PriceRow:
    """Return the prices of a model whose context is cached so: the scenario's own, else the list's for the service.

    Own prices are those of the standard service; see `service_factor`.

    Args:
        scenario: the scenario.
        model: the model's name.
        cache: `off`, `5 min` or `1 h`.
        service: the service of the provider.
        quantities: the program's quantities; new ones are added.
    """
    own = scenario.prices.models.get(model)
    if own is None:
        return _list_prices(model, cache, service, scenario, quantities)
    base = _own_tier(own, quantities)
    if own.long is None:
        return PriceRow(_NO_LONG_TIER, *base, *base)
    return PriceRow(round(own.long.above.exact_value), *base, *_own_tier(own.long, quantities))


def no_prices(quantities: Quantities) -> PriceRow:
    """Return the prices of what costs nothing by token.

    Args:
        quantities: the program's quantities; new ones are added.
    """
    return PriceRow(_NO_LONG_TIER, *8 * [quantities.number(0.0)])


def service_factor(
    scenario: scenarios.Scenario, model: str | None, service: str, quantities: Quantities
) -> int:
    """Return by what the scenario's own prices of a model are multiplied for a service; `NONE` for nothing.

    Args:
        scenario: the scenario.
        model: the model's name.
        service: the service of the provider.
        quantities: the program's quantities; new ones are added.
    """
    own = scenario.prices.models.get(model or "")
    if own is None or service not in own.services:
        return NONE
    return quantities.fact(own.services[service])


def discounts_of(scenario: scenarios.Scenario, quantities: Quantities) -> Integers:
    """Return the [components] quantities that are the part by which each component costs less, or `NONE`.

    Args:
        scenario: the scenario.
        quantities: the program's quantities; new ones are added.
    """
    discount = scenario.prices.discount
    return np.array([quantities.fact(discount.get(name)) for name in COMPONENTS], dtype=np.int64)


def _own_tier(tier: scenarios.PriceTier, quantities: Quantities) -> list[int]:
    prices = (tier.input, tier.cache_write, tier.cache_read, tier.output)
    return [quantities.fact(price) for price in prices]


def _list_prices(
    model: str, cache: str, service: str, scenario: scenarios.Scenario, quantities: Quantities
) -> PriceRow:
    base_prices, long_prices = _listed(model, service, scenario)
    base = _list_tier(base_prices, cache, quantities)
    if long_prices is None:
        return PriceRow(_NO_LONG_TIER, *base, *base)
    return PriceRow(long_prices.above_tokens, *base, *_list_tier(long_prices, cache, quantities))


def _listed(model: str, service: str, scenario: scenarios.Scenario) -> tuple[ClassPrices, LongPrices | None]:
    if service == STANDARD:
        standard = model_prices(model, scenario.prices.on)
        return standard.base, standard.long
    by_service = rates(model, scenario.prices.on, service)
    return by_service.base, by_service.long


def _list_tier(prices: ClassPrices, cache: str, quantities: Quantities) -> list[int]:
    write = prices.cache_write_1h if cache == "1 h" else prices.cache_write_5m
    return [quantities.number(p) for p in (prices.input, write, prices.cache_read, prices.output)]
