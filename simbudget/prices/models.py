"""What a model costs on a date, from the list that the package genai-prices carries.

The list is that of the installed, pinned version: a projection never depends on the network.
"""

import datetime
import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from simbudget.errors import Problem, UserError

if TYPE_CHECKING:
    from genai_prices.data_snapshot import DataSnapshot
    from genai_prices.types import ModelInfo, ModelPrice, Provider

_ONE_HOUR_WRITE: Final = 2.0
"""A one-hour cache write costs this many times base input where the list does not say: the provider's rule,
https://platform.claude.com/docs/en/build-with-claude/prompt-caching#pricing."""


@dataclass(frozen=True)
class ClassPrices:
    """Prices by token class, in $/Mtok. Classes exclude each other."""

    input: float
    """Input that is neither read from the cache nor written to it."""
    cache_write_5m: float
    cache_write_1h: float
    cache_read: float
    output: float
    """Thinking included."""


@dataclass(frozen=True)
class LongPrices(ClassPrices):
    """Prices of a whole call whose prompt (input, writes and reads) is longer than `above_tokens`."""

    above_tokens: int


@dataclass(frozen=True)
class ListPrices:
    """What one model costs from one date on."""

    model: str
    """The list's own name for the model."""
    provider: str
    base: ClassPrices
    long: LongPrices | None
    batch: ClassPrices | None
    """Prices of calls in a batch on that date, if the list has them."""
    effective_from: datetime.date | None
    """Since when these prices hold; None if the list knows no others before."""
    context_window: int | None
    source: str
    """The list, its version, and what it does not say and was filled in."""


def model_prices(model: str, on: datetime.date) -> ListPrices:
    """Return what a model costs on a date.

    Raises:
        UserError: the list does not have the model; the message names the nearest ones.
    """
    try:
        provider, info = _snapshot().find_provider_model(model, None, None, None)
    except LookupError:
        nearest = nearest_models(model)
        write = f"write one of {', '.join(nearest)}, or give" if nearest else "give"
        remedy = f"{write} its prices in the scenario, under `prices`"
        raise UserError(Problem(f"model {model!r} is not on the price list", remedy=remedy)) from None
    return _list_prices(provider, info, on)


def nearest_models(model: str, n: int = 3) -> list[str]:
    """Return the names of up to `n` models of the list that are most like a name."""
    anthropic = [
        info.id for known in _snapshot().providers if known.id == "anthropic" for info in known.models
    ]
    wanted = model.lower().replace(".", "-")
    near = difflib.get_close_matches(wanted, anthropic, n, 0.6)
    others = dict.fromkeys(info.id for provider in _snapshot().providers for info in provider.models)
    return near or difflib.get_close_matches(wanted, others, n, 0.6)


def list_models(on: datetime.date, provider: str = "anthropic") -> list[ListPrices]:
    """Return what every model of a provider costs on a date, by name.

    Raises:
        UserError: the list does not have the provider.
    """
    providers = {known.id: known for known in _snapshot().providers}
    if provider not in providers:
        near = difflib.get_close_matches(provider, providers, 3, 0.4) or sorted(providers)
        raise UserError(
            Problem(
                f"provider {provider!r} is not on the price list", remedy=f"write one of {', '.join(near)}"
            )
        )
    known = providers[provider]
    return [_list_prices(known, info, on) for info in sorted(known.models, key=lambda info: info.id)]


@cache
def _snapshot() -> "DataSnapshot":
    from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415  slow to import

    return get_snapshot()


def _list_prices(provider: "Provider", info: "ModelInfo", on: datetime.date) -> ListPrices:
    prices, effective_from = _in_force(info, on)
    filled: list[str] = []
    base = _classes(prices, None, filled)
    long_start = _long_start(prices)
    long = None
    if long_start is not None:
        long = LongPrices(**vars(_classes(prices, long_start, [])), above_tokens=long_start)
    batch = _batch(info, on)
    source = f"genai-prices {version('genai-prices')}"
    return ListPrices(
        model=info.id,
        provider=provider.id,
        base=base,
        long=long,
        batch=_classes(batch, None, []) if batch else None,
        effective_from=effective_from,
        context_window=info.context_window,
        source="; ".join([source, *filled]),
    )


def _in_force(info: "ModelInfo", on: datetime.date) -> "tuple[ModelPrice, datetime.date | None]":
    """Return the prices that began last on or before a date, and when; else the first there are."""
    if not isinstance(info.prices, Sequence):
        return info.prices, None
    dated = [(getattr(price.constraint, "start_date", None), price.prices) for price in info.prices]
    begun = [(start, prices) for start, prices in dated if start is None or start <= on]
    start, prices = max(begun or dated[:1], key=lambda pair: pair[0] or datetime.date.min)
    return prices, start


def _batch(info: "ModelInfo", on: datetime.date) -> "ModelPrice | None":
    for variant in info.price_variants or []:
        start = getattr(variant.constraint, "start_date", None)
        if dict(variant.when) == {"processing": "batch"} and (start is None or start <= on):
            return variant.prices
    return None


def _long_start(prices: "ModelPrice") -> int | None:
    """Return above how many tokens the first long-context tier holds."""
    tiers = getattr(prices.input_mtok, "tiers", None)
    return int(tiers[0].start) if tiers else None


def _classes(prices: "ModelPrice", above: int | None, filled: list[str]) -> ClassPrices:
    """Return the prices of a tier by class, noting in `filled` what the list does not say."""
    base = _price(prices.input_mtok, above) or 0.0
    write, read = _price(prices.cache_write_mtok, above), _price(prices.cache_read_mtok, above)
    write_1h = _price(prices.cache_write_1h_mtok, above)
    if write is None or read is None:
        filled.append("cache prices it does not give are those of input")
    elif write_1h is None:
        filled.append("1-hour write it does not give is twice input")
        write_1h = _ONE_HOUR_WRITE * base
    write = base if write is None else write
    return ClassPrices(
        input=base,
        cache_write_5m=write,
        cache_write_1h=write if write_1h is None else write_1h,
        cache_read=base if read is None else read,
        output=_price(prices.output_mtok, above) or 0.0,
    )


def _price(price: object, above: int | None) -> float | None:
    """Return a price of the list in $/Mtok, in the tier that begins at `above`."""
    if price is None:
        return None
    if isinstance(price, Decimal | int | float):
        return float(price)
    base: Decimal = price.base  # type: ignore[attr-defined]
    tiers = price.tiers  # type: ignore[attr-defined]
    if above is None or not tiers:
        return float(base)
    return float(tiers[0].price)
