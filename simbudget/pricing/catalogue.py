"""Model prices by provider, date, time of day and service, from the price list of the package genai-prices.

The list is that of the installed, pinned version, so that a projection never depends on the network. `models` finds the
model that a name refers to.
"""

import datetime
import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import lru_cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from simbudget.errors import Problem, UserError
from simbudget.pricing.charge import PRICE_CLASSES, STANDARD, ClassPrices, LongPrices, Rates
from simbudget.pricing.facts import CacheRule, cache_rule, factors
from simbudget.pricing.models import find_model, provider_of, providers

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice, Provider


_ONE_HOUR_WRITE: Final = 2.0
"""Ratio of the price of a one-hour cache write to that of input for Claude, used where the list lacks the price:
https://platform.claude.com/docs/en/build-with-claude/prompt-caching#pricing."""

_CONTEXTS: Final[dict[str, tuple[dict[str, str], ...]]] = {
    STANDARD: (),
    "batch": ({"processing": "batch"},),
    "flex": ({"service_tier": "flex"},),
    "priority": ({"service_tier": "priority"},),
    "fast": ({"speed": "fast"}, {"service_tier": "fast"}),
}
"""How the list denotes each service."""


@dataclass(frozen=True)
class ListPrices:
    """The prices of one model on one date."""

    model: str
    """The list's name of the model."""
    provider: str
    base: ClassPrices
    long: LongPrices | None
    batch: ClassPrices | None
    """Prices of batch calls on that date, if the list has them."""
    effective_from: datetime.date | None
    """The date since which these prices have applied; None if the list knows no earlier ones."""
    context_window: int | None
    source: str
    """The list and its version, and what was filled in because the list lacks it."""
    named: str = ""
    """How the given name was understood, if it was not the list's own."""
    services: Mapping[str, ClassPrices] = field(default_factory=dict)
    """Prices of the services that the list has."""
    web_search_usd_per_1000: float | None = None
    hours: str = ""
    """The times of day at which other prices apply, higher or lower than these."""
    caching: CacheRule | None = None
    """How the provider caches the model's prompts; None if unknown."""


def model_prices(model: str, on: datetime.date) -> ListPrices:
    """Return the prices of a model on a date.

    Args:
        model: a name as understood by `find_model`.
        on: the date (UTC).

    Raises:
        UserError: no provider has the model, or several do; the message names the nearest models, or the providers.
    """
    found = find_model(model, on)
    return replace(_list_prices(found.provider, found.info, on), named=found.said)


@lru_cache(maxsize=65_536)
def rates(model: str, on: datetime.date, service: str = STANDARD, second_of_day: int | None = None) -> Rates:
    """Return the rates of a model.

    Args:
        model: a name as understood by `find_model`.
        on: the date (UTC).
        service: service of the calls; one without a price costs the same as the standard service.
        second_of_day: second of the day (UTC), for models whose prices depend on it; None for their base prices.

    Raises:
        UserError: as for `model_prices`.
    """
    found = find_model(model, on)
    return _rates(found.provider, found.info, on, service, second_of_day)


@lru_cache(maxsize=65_536)
def known_rates(
    model: str, on: datetime.date, service: str = STANDARD, second_of_day: int | None = None
) -> Rates | None:
    """Return the rates of a model as `rates` does, or None if the list does not have it.

    Args:
        model: a name as understood by `find_model`. An empty one has no rates.
        on: the date (UTC).
        service: service of the calls.
        second_of_day: second of the day (UTC), for models whose prices depend on it; None for their base prices.
    """
    if not model:
        return None
    try:
        return rates(model, on, service, second_of_day)
    except UserError:
        return None


@lru_cache(maxsize=4096)
def has_service(model: str, on: datetime.date, service: str) -> bool:
    """Return whether a model has a separate price for a service.

    Args:
        model: a name as understood by `find_model`.
        on: the date (UTC).
        service: one of `SERVICES`.
    """
    try:
        found = find_model(model, on)
    except UserError:
        return False
    by_factor = factors(found.provider.id, found.info.id, "service", on)
    return service == STANDARD or service in by_factor or bool(_variant(found.info, on, service))


@lru_cache(maxsize=4096)
def changes_of_price(model: str) -> tuple[int, ...]:
    """Return the seconds of the day (UTC) at which a model's prices change; empty for almost all models.

    Args:
        model: a name as understood by `find_model`.
    """
    try:
        info = find_model(model, datetime.date.max).info
    except UserError:
        return ()
    return _changes(info)


def list_models(on: datetime.date, provider: str = "anthropic") -> list[ListPrices]:
    """Return the prices of every model of a provider on a date, by name.

    Args:
        on: the date (UTC).
        provider: name of the provider.

    Raises:
        UserError: the list does not have the provider.
    """
    known = provider_of(provider)
    if known is None:
        near = difflib.get_close_matches(provider, providers(), 3, 0.4) or sorted(providers())
        remedy = f"write one of {', '.join(near)}"
        raise UserError(Problem(f"provider {provider!r} is not on the price list", remedy=remedy))
    return [_list_prices(known, info, on) for info in sorted(known.models, key=lambda info: info.id)]


def _list_prices(provider: "Provider", info: "ModelInfo", on: datetime.date) -> ListPrices:
    rates_, filled = _read(info, _in_force(info, on, None, {}))
    by_service = {
        service: _rates(provider, info, on, service, None).base
        for service in _CONTEXTS
        if service and _variant(info, on, service)
    }
    search = getattr(_in_force(info, on, None, {}), "web_searches_kcount", None)
    return ListPrices(
        model=info.id,
        provider=provider.id,
        base=rates_.base,
        long=rates_.long,
        batch=by_service.get("batch"),
        effective_from=_effective_from(info, on),
        context_window=info.context_window,
        source="; ".join([f"genai-prices {version('genai-prices')}", *filled]),
        services=by_service,
        web_search_usd_per_1000=None if search is None else float(search),
        hours=", ".join(_hours(info)),
        caching=cache_rule(provider.id, info.id),
    )


def _rates(
    provider: "Provider", info: "ModelInfo", on: datetime.date, service: str, second: int | None
) -> Rates:
    """Return a model's rates for a service; for dates before the list's, using the provider's factor of the day."""
    context = _variant(info, on, service)
    found, _ = _read(info, _in_force(info, on, second, context))
    by_factor = factors(provider.id, info.id, "service", on)
    if service and not context and service in by_factor:
        found = _times(found, by_factor[service])
    return replace(found, geo_factors=factors(provider.id, info.id, "inference_geo", on))


def _variant(info: "ModelInfo", on: datetime.date, service: str) -> dict[str, str]:
    """Return how the list denotes a service that it has a price for on a date; empty if it has none."""
    for context in _CONTEXTS.get(service, ()):
        for variant in info.price_variants or ():
            start = getattr(variant.constraint, "start_date", None)
            if dict(variant.when) == context and (start is None or start <= on):
                return context
    return {}


def _in_force(
    info: "ModelInfo", on: datetime.date, second: int | None, context: Mapping[str, str]
) -> "ModelPrice":
    """Return the prices at a second of the day; None for a time without special prices."""
    day = min(max(on, datetime.date(1970, 1, 1)), datetime.date(9999, 12, 31))
    if second is None:
        second = next(
            (at for at in (0, *_changes(info)) if not any(_is_inside(span, at) for span in _spans(info))), 0
        )
    moment = datetime.datetime.combine(day, datetime.time(), datetime.UTC) + datetime.timedelta(
        seconds=second
    )
    return info.get_prices(moment, context or None)


def _spans(info: "ModelInfo") -> list[tuple[int, int]]:
    """Return the spans of the day (UTC), in seconds, with special prices of a model."""
    if not isinstance(info.prices, Sequence):
        return []
    constraints: Iterable[Any] = (price.constraint for price in info.prices)
    return [
        (_second(constraint.start_time), _second(constraint.end_time))
        for constraint in constraints
        if hasattr(constraint, "start_time")
    ]


def _second(time: datetime.time) -> int:
    offset = time.utcoffset() or datetime.timedelta()
    return int((time.hour * 3600 + time.minute * 60 + time.second - offset.total_seconds()) % 86_400)


def _is_inside(span: tuple[int, int], second: int) -> bool:
    begins, ends = span
    return begins <= second < ends if begins <= ends else second >= begins or second < ends


def _changes(info: "ModelInfo") -> tuple[int, ...]:
    return tuple(sorted({second for span in _spans(info) for second in span}))


def _hours(info: "ModelInfo") -> Iterator[str]:
    for span in _spans(info):
        begins, ends = (f"{second // 3600:02}:{second // 60 % 60:02}" for second in span)
        yield f"{begins} to {ends} UTC"


def _effective_from(info: "ModelInfo", on: datetime.date) -> datetime.date | None:
    """Return the date since which the current prices have applied; None if the list knows no earlier ones."""
    if not isinstance(info.prices, Sequence):
        return None
    starts = (getattr(price.constraint, "start_date", None) for price in info.prices)
    return max((start for start in starts if start and start <= on), default=None)


def _read(info: "ModelInfo", prices: "ModelPrice") -> tuple[Rates, list[str]]:
    """Convert prices of the list to rates; also return what was filled in because the list lacks it."""
    filled: list[str] = []
    is_claude = "claude" in info.id
    base = _classes(prices, -1, filled, is_claude)
    tiers = tuple(
        LongPrices(**vars(_classes(prices, start, [], is_claude)), above_tokens=start)
        for start in _starts(prices)
    )
    return (
        Rates(
            base,
            tiers,
            web_search_usd_per_1000=_price(prices.web_searches_kcount, -1) or 0.0,
            request_usd=(_price(prices.requests_kcount, -1) or 0.0) / 1000,
        ),
        filled,
    )


def _starts(prices: "ModelPrice") -> list[int]:
    """Return the thresholds of long-context tiers, in tokens."""
    token_prices: Iterable[object] = (getattr(prices, each.listed) for each in PRICE_CLASSES)
    return sorted({int(tier.start) for price in token_prices for tier in getattr(price, "tiers", ())})


def _classes(prices: "ModelPrice", above: int, filled: list[str], is_claude: bool) -> ClassPrices:
    """Return the prices by class of the tier that begins at `above`, noting in `filled` what the list lacks."""
    found = {each.price: _price(getattr(prices, each.listed), above) for each in PRICE_CLASSES}
    plain = found["input"] or 0.0
    if found["cache_write_5m"] is None or found["cache_read"] is None:
        filled.append("missing cache prices are those of input")
    elif found["cache_write_1h"] is None and is_claude:
        filled.append("missing 1-hour write price is twice that of input")
        found["cache_write_1h"] = _ONE_HOUR_WRITE * plain
    write = plain if found["cache_write_5m"] is None else found["cache_write_5m"]
    fallback = {
        "input": 0.0,
        "cache_write_5m": plain,
        "cache_write_1h": write,
        "cache_read": plain,
        "output": 0.0,
    }
    known: dict[str, Any] = {
        name: fallback.get(name) if price is None else price for name, price in found.items()
    }
    return ClassPrices(**known)


def _price(price: object, above: int) -> float | None:
    """Return a price of the list, in the tier of prompts slightly longer than `above`."""
    if price is None:
        return None
    if isinstance(price, Decimal | int | float):
        return float(price)
    base: Decimal = price.base  # type: ignore[attr-defined]
    reached = [tier for tier in price.tiers if tier.start <= above]  # type: ignore[attr-defined]
    return float(reached[-1].price if reached else base)


def _times(found: Rates, factor: float) -> Rates:
    """Return rates with all token prices multiplied by a factor."""

    def times(prices: ClassPrices) -> ClassPrices:
        changed: dict[str, Any] = {
            name: None if value is None else value * factor
            for name, value in vars(prices).items()
            if name != "above_tokens"
        }
        return replace(prices, **changed)

    return replace(found, base=times(found.base), tiers=tuple(map(times, found.tiers)))  # type: ignore[arg-type]
