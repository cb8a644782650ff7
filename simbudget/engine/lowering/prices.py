"""Prices of models, as a program's rows."""

import numpy as np

from simbudget.engine.laws.draws import Integers
from simbudget.engine.lowering.quantities import Quantities
from simbudget.engine.program import NONE
from simbudget.ledger.entry import COMPONENTS
from simbudget.pricing.catalogue import model_prices, rates
from simbudget.pricing.charge import (
    STANDARD,
    TOKEN_CLASSES,
    WHOLE_CLASSES,
    ClassPrices,
    LongPrices,
)
from simbudget.scenario import scenario as scenarios
from simbudget.scenario.language.blocks import keys_of

_NO_LONG_TIER = 1 << 62
"""More tokens than any prompt has."""


def price_row(
    scenario: scenarios.Scenario, model: str, cache: str, service: str, quantities: Quantities
) -> tuple[int, ...]:
    """Return the prices of a model whose context is cached so: the scenario's own, else the list's for the service.

    Own prices are those of the standard service; see `service_factor`.

    Args:
        scenario: the scenario.
        model: the model's name.
        cache: `off`, `5 min` or `1 h`.
        service: the service of the provider.
        quantities: the program's quantities; new ones are added.

    Raises:
        UserError: neither the scenario nor the list has prices of the model for the service.
    """
    own = scenario.prices.models.get(model)
    if own is None:
        return _list_prices(model, cache, service, scenario, quantities)
    base = _own_tier(own, quantities)
    if own.long is None:
        return (_NO_LONG_TIER, *base, *base)
    return (round(own.long.above.exact_value), *base, *_own_tier(own.long, quantities))


def no_prices(quantities: Quantities) -> tuple[int, ...]:
    """Return the prices of what costs nothing by token.

    Args:
        quantities: the program's quantities; new ones are added.
    """
    nothing = 2 * len(TOKEN_CLASSES) * (quantities.number(0.0),)
    return (_NO_LONG_TIER, *nothing)


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


def _own_tier(tier: scenarios.PriceTier, quantities: Quantities) -> tuple[int, ...]:
    """Return the prices of a scenario's tier, whose keys are in the order of the token classes."""
    return tuple(quantities.fact(getattr(tier, key)) for key in keys_of(scenarios.PriceTier))


def _list_prices(
    model: str, cache: str, service: str, scenario: scenarios.Scenario, quantities: Quantities
) -> tuple[int, ...]:
    base_prices, long_prices = _listed(model, service, scenario)
    base = _list_tier(base_prices, cache, quantities)
    if long_prices is None:
        return (_NO_LONG_TIER, *base, *base)
    return (long_prices.above_tokens, *base, *_list_tier(long_prices, cache, quantities))


def _listed(model: str, service: str, scenario: scenarios.Scenario) -> tuple[ClassPrices, LongPrices | None]:
    if service == STANDARD:
        standard = model_prices(model, scenario.prices.on)
        return standard.base, standard.long
    by_service = rates(model, scenario.prices.on, service)
    return by_service.base, by_service.long


def _list_tier(prices: ClassPrices, cache: str, quantities: Quantities) -> tuple[int, ...]:
    other_write = "cache_write_5m" if cache == "1 h" else "cache_write_1h"
    of_classes = [each for each in WHOLE_CLASSES if each.price != other_write]
    return tuple(quantities.number(getattr(prices, each.price)) for each in of_classes)
