"""Model prices of a pilot: the scenario's, or for a live pilot those billed today."""

import datetime
from typing import Final

from simbudget.errors import Problem, UserError
from simbudget.pilot.draws import Draws
from simbudget.pricing import catalogue
from simbudget.pricing.charge import ClassPrices, LongPrices, Rates
from simbudget.pricing.models import find_model
from simbudget.scenario.scenario import ModelPrices, PriceTier, Scenario

_PROVIDER: Final = "anthropic"
"""Whose API a live pilot speaks."""


def called_as(model: str, live: bool) -> str:
    """Return the name by which a pilot calls a model.

    The local server knows models as the scenario names them; the provider knows its ids, and not `opus` or
    `anthropic/claude-opus-5-5`.

    Raises:
        UserError: a live pilot cannot call it, since another provider sells it.
    """
    if not live:
        return model
    try:
        found = find_model(model, datetime.datetime.now(datetime.UTC).date())
    except UserError:
        return model  # newer than the list: the scenario has to give its prices
    if found.provider.id != _PROVIDER:
        remedy = "name a Claude model, or leave --live out"
        raise UserError(Problem(f"model `{model}` is sold by {found.provider.id}", remedy=remedy))
    if found.said:
        return found.info.id
    return model.strip().removeprefix(f"{_PROVIDER}/")


def pilot_rates(scenario: Scenario, draws: Draws, live: bool) -> dict[str, Rates]:
    """Return the prices of every model of the fleet, by the name it is called by.

    Raises:
        UserError: the price list does not have a model, or a live pilot cannot call it.
    """
    on = datetime.datetime.now(datetime.UTC).date() if live else scenario.prices.on
    rates = {}
    for group in scenario.fleet:
        if group.model is None:
            continue
        own = scenario.prices.models.get(group.model)
        called = called_as(group.model, live)
        rates[called] = _own(own, draws) if own is not None else catalogue.rates(group.model, on)
    return rates


def _own(prices: ModelPrices, draws: Draws) -> Rates:
    """Convert prices stated in the scenario; one price for cache writes holds for both lifetimes."""
    long = prices.long
    if long is None:
        return Rates(_classes(prices, draws))
    above = int(long.above.exact_value)
    return Rates(_classes(prices, draws), (LongPrices(**vars(_classes(long, draws)), above_tokens=above),))


def _classes(tier: PriceTier, draws: Draws) -> ClassPrices:
    write = draws.value(tier.cache_write)
    return ClassPrices(
        input=draws.value(tier.input),
        cache_write_5m=write,
        cache_write_1h=write,
        cache_read=draws.value(tier.cache_read),
        output=draws.value(tier.output),
    )
