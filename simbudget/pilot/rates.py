"""Model prices of a pilot: the scenario's, or for a live pilot those billed today."""

import datetime

from simbudget.pilot.draws import Draws
from simbudget.pricing import catalogue
from simbudget.pricing.charge import ClassPrices, LongPrices, Rates
from simbudget.scenario.model import ModelPrices, PriceTier, Scenario


def pilot_rates(scenario: Scenario, draws: Draws, live: bool) -> dict[str, Rates]:
    """Return the prices of every model of the fleet.

    Raises:
        UserError: the price list does not have a model.
    """
    on = datetime.datetime.now(datetime.UTC).date() if live else scenario.prices.on
    rates = {}
    for group in scenario.fleet:
        if group.model is None:
            continue
        own = scenario.prices.models.get(group.model)
        rates[group.model] = _own(own, draws) if own is not None else catalogue.rates(group.model, on)
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
