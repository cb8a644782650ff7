"""What models cost, by provider, date, hour and service, from the list that the package genai-prices carries.

A model is named as its provider names it (`anthropic/claude-opus-5-5`, `openrouter/anthropic/claude-opus-4.8`), bare
where one provider alone, or the maker itself, has the name (`gpt-5.5`), as a cloud's profile
(`eu.anthropic.claude-opus-4-8-v1:0`), or as people say it (`opus`, `gemini pro`): then it is the newest of the day. The
list is that of the installed, pinned version: a projection never depends on the network.
"""

import datetime
import difflib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cache, lru_cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from simbudget.errors import Problem, UserError
from simbudget.pricing.charge import STANDARD, ClassPrices, LongPrices, Rates
from simbudget.pricing.facts import factors, releases

if TYPE_CHECKING:
    from genai_prices.data_snapshot import DataSnapshot
    from genai_prices.types import ModelInfo, ModelPrice, Provider

_ONE_HOUR_WRITE: Final = 2.0
"""A one-hour cache write of Claude costs this many times base input where the list does not say: the provider's rule,
https://platform.claude.com/docs/en/build-with-claude/prompt-caching#pricing."""

_MAKERS: Final = (
    "anthropic",
    "openai",
    "google",
    "deepseek",
    "mistral",
    "x-ai",
    "moonshotai",
    "zai",
    "minimax",
    "meta",
    "cohere",
    "perplexity",
    "voyageai",
    "arcee",
)
"""Providers that sell their own models. A bare name that several providers have is that of the first of these."""

_OTHER_NAMES: Final = {
    "bedrock": "aws",
    "amazon-bedrock": "aws",
    "aws.bedrock": "aws",
    "vertex": "google",
    "vertex_ai": "google",
    "google-vertex": "google",
    "google-vertex-anthropic": "google",
    "gcp.vertex_ai": "google",
    "gcp.gemini": "google",
    "gcp.gen_ai": "google",
    "gemini": "google",
    "google-gla": "google",
    "xai": "x-ai",
    "x_ai": "x-ai",
    "together_ai": "together",
    "together-ai": "together",
    "togetherai": "together",
    "azure_ai": "azure",
    "azure_openai": "azure",
    "azure.ai.openai": "azure",
    "azure.ai.inference": "azure",
    "az.ai.openai": "azure",
    "az.ai.inference": "azure",
    "mistral_ai": "mistral",
    "mistralai": "mistral",
    "fireworks_ai": "fireworks",
    "fireworks-ai": "fireworks",
    "moonshot": "moonshotai",
    "copilot": "github-copilot",
    "claude": "anthropic",
    "openai-codex": "openai",
    "z-ai": "zai",
    "z.ai": "zai",
}
"""What routers, instrumentations and agents call providers that the list has under another name."""

_BRANDS: Final = {"claude", "gpt", "gemini", "grok", "kimi", "deepseek", "mistral", "glm", "llama"}
_SAID_BESIDE: Final = {"preview", "latest", *_BRANDS}
"""Words of a model's name that people leave out when they mean the newest of its line."""

_CONTEXTS: Final[dict[str, tuple[dict[str, str], ...]]] = {
    STANDARD: (),
    "batch": ({"processing": "batch"},),
    "flex": ({"service_tier": "flex"},),
    "priority": ({"service_tier": "priority"},),
    "fast": ({"speed": "fast"}, {"service_tier": "fast"}),
}
"""How the list writes each service."""

_LIST_DAY: Final = datetime.date(2026, 11, 1)
"""By when a model of the list was out if nothing tells its day: genai-prices 0.2.3 is of that time."""

_PATH: Final = re.compile(r"^(?:projects/.*/)?(?:publishers/[^/]+/)?models/")
"""What Google's interfaces write before a model's name."""

_CLOUD: Final = re.compile(
    r"^(?:arn:aws[^/]*/)?(?:(?P<place>[a-z]{2,6}(?:-gov)?)\.)?(?P<model>[a-z0-9]+\..+)$"
)
"""Amazon's names: `us.anthropic.claude-…`, where the place says which profile, and its price, is meant."""


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
    named: str = ""
    """How the name that was asked for was understood, if it was not the list's own."""
    services: Mapping[str, ClassPrices] = field(default_factory=dict)
    """Prices by service, of those that the list has."""
    web_search_usd_per_1000: float | None = None
    hours: str = ""
    """When on each day other prices hold, which are higher or lower than these."""


def model_prices(model: str, on: datetime.date) -> ListPrices:
    """Return what a model costs on a date.

    Raises:
        UserError: the list does not have the model, or several providers do; the message names the nearest models, or
            the providers.
    """
    found = find_model(model, on)
    return replace(_list_prices(found.provider, found.info, on), named=found.said)


@lru_cache(maxsize=65_536)
def rates(model: str, on: datetime.date, service: str = STANDARD, second_of_day: int | None = None) -> Rates:
    """Return the rates of a model on a date.

    Args:
        model: a name as this module reads it.
        on: the date (UTC).
        service: by which service the calls were made; one that has no price costs what the standard one does.
        second_of_day: when on the day (UTC), for models whose prices change with the hour; None: at their base hours.

    Raises:
        UserError: as `model_prices` does.
    """
    found = find_model(model, on)
    return _rates(found.provider, found.info, on, service, second_of_day)


@lru_cache(maxsize=65_536)
def known_rates(
    model: str, on: datetime.date, service: str = STANDARD, second_of_day: int | None = None
) -> Rates | None:
    """Return the rates of a model on a date; None if the list does not have it."""
    if not model:
        return None
    try:
        return rates(model, on, service, second_of_day)
    except UserError:
        return None


@lru_cache(maxsize=4096)
def has_service(model: str, on: datetime.date, service: str) -> bool:
    """Return whether a model has a price of its own by a service."""
    try:
        found = find_model(model, on)
    except UserError:
        return False
    by_factor = factors(found.provider.id, found.info.id, "service", on)
    return service == STANDARD or service in by_factor or bool(_variant(found.info, on, service))


@lru_cache(maxsize=4096)
def changes_of_price(model: str) -> tuple[int, ...]:
    """Return the seconds of the day (UTC) at which a model's prices change; empty for nearly all models."""
    try:
        info = find_model(model, datetime.date.max).info
    except UserError:
        return ()
    return _changes(info)


@lru_cache(maxsize=4096)
def qualified(provider: str, model: str) -> str:
    """Return the name of a model that a log names beside its provider: with the provider, where that matters.

    A provider that the list does not have is left out.
    """
    told = _provider(provider)
    if told is None or not model:
        return model
    full = f"{told.id}/{model}"
    today = datetime.date.max
    try:
        by_provider = find_model(full, today)
    except UserError:
        return model
    try:
        bare = find_model(model, today)
    except UserError:
        return full
    return model if bare.info is by_provider.info else full


@lru_cache(maxsize=4096)
def maker_of(model: str) -> str:
    """Return the provider whose model a name means, as the list calls it; empty if the list does not have it."""
    try:
        return find_model(model, datetime.date.max).provider.id
    except UserError:
        return ""


@lru_cache(maxsize=4096)
def models_beside(model: str) -> tuple[str, ...]:
    """Return the other models of a model's provider, by which a tool may have priced it by mistake."""
    try:
        found = find_model(model, datetime.date.max)
    except UserError:
        return ()
    maker = _words(found.info.id)[:1]
    return tuple(
        info.id for info in found.provider.models if info is not found.info and _words(info.id)[:1] == maker
    )


def nearest_models(model: str, n: int = 3) -> list[str]:
    """Return the names of up to `n` models of the list that are most like a name."""
    anthropic = [info.id for info in _providers()["anthropic"].models]
    wanted = model.lower().replace(".", "-").replace(" ", "-")
    near = difflib.get_close_matches(wanted, anthropic, n, 0.6)
    others = dict.fromkeys(info.id for provider in _providers().values() for info in provider.models)
    return near or difflib.get_close_matches(wanted, others, n, 0.6)


def list_models(on: datetime.date, provider: str = "anthropic") -> list[ListPrices]:
    """Return what every model of a provider costs on a date, by name.

    Raises:
        UserError: the list does not have the provider.
    """
    known = _provider(provider)
    if known is None:
        near = difflib.get_close_matches(provider, _providers(), 3, 0.4) or sorted(_providers())
        remedy = f"write one of {', '.join(near)}"
        raise UserError(Problem(f"provider {provider!r} is not on the price list", remedy=remedy))
    return [_list_prices(known, info, on) for info in sorted(known.models, key=lambda info: info.id)]


# From a name to a model.


@dataclass(frozen=True)
class Found:
    """A model of the list, and how the name that led to it was understood."""

    provider: "Provider"
    info: "ModelInfo"
    said: str = ""


@lru_cache(maxsize=16_384)
def find_model(name: str, on: datetime.date) -> Found:
    """Return the model that a name means on a date.

    Raises:
        UserError: no model, or the models of several providers.
    """
    wanted = name.strip().lower().removesuffix("[1m]")  # Claude Code marks its million-token context so
    wanted = _PATH.sub("", wanted)
    # An id is meant before another spelling is: `anthropic/claude-haiku-4.5:batch` is a router's own model.
    found = (
        _by_provider(wanted, is_id=True)
        or _by_id(name, wanted)
        or _by_provider(wanted, is_id=False)
        or _by_pattern(wanted)
        or _as_people_say(wanted, on)
    )
    if found is None:
        raise UserError(_unknown(name))
    return found


def _by_provider(wanted: str, *, is_id: bool) -> Found | None:
    """Return the model of `provider/model`, by its id or by another spelling."""
    prefix, slash, rest = wanted.partition("/")
    provider = (_providers().get(prefix) if is_id else _provider(prefix)) if slash else None
    if provider is None:
        return None
    info = _exact().get((provider.id, rest)) or (None if is_id else _matching(provider, rest))
    return Found(_home(provider, info), info) if info else None


def _by_id(name: str, wanted: str) -> Found | None:
    """Return the model whose id a bare name is. Raises UserError: several providers have it, and none is its maker."""
    having = _having().get(wanted, ())
    if not having:
        return None
    if len(having) == 1:
        return Found(_providers()[having[0]], _exact()[having[0], wanted])
    for maker in _MAKERS:
        own = _exact().get((maker, wanted)) or (
            _claimed(maker, wanted) and _matching(_providers()[maker], wanted)
        )
        if own:
            return Found(_providers()[maker], own)
    remedy = f"write {' or '.join(f'`{provider}/{name}`' for provider in having[:4])}"
    raise UserError(Problem(f"model {name!r} is sold by {', '.join(having)}", remedy=remedy))


def _by_pattern(wanted: str) -> Found | None:
    """Return the model whose other spellings a bare name is among: a dated snapshot, a cloud's profile."""
    cloud = _CLOUD.match(wanted)
    if cloud and cloud["model"].partition(".")[0] in _cloud_vendors():
        aws = _providers()["aws"]
        place = "global." if cloud["place"] == "global" else "us."
        info = _matching(aws, wanted) or _matching(aws, place + cloud["model"])
        if info:
            return Found(aws, info)
    if "@" in wanted and _matching(_providers()["google"], wanted):
        google = _providers()["google"]  # `claude-opus-4-8@20260528` is how Vertex writes versions
        info = _matching(google, wanted)
        return Found(_home(google, info), info) if info else None
    for provider in _providers().values():
        if _claimed(provider.id, wanted):
            info = _matching(provider, wanted)
            if info:
                return Found(_home(provider, info), info)
    return None


def _as_people_say(wanted: str, on: datetime.date) -> Found | None:
    """Return the newest model of a line that is called by a few words of its name: `opus`, `gemini flash`."""
    words = _words(wanted)
    if not words or not any(word.isalpha() for word in words):
        return None
    for maker in _MAKERS:
        provider = _providers()[maker]
        like = [info for info in provider.models if _has_words(_words(info.id), words)]
        line = [
            info for info in like if set(_words(info.id)) - set(words) <= _SAID_BESIDE | _numbers(info.id)
        ]
        if not line or max(map(_version, like)) > max(map(_version, line)):
            continue  # `gpt` or `claude`: newer models have further words, so that it is not clear which is meant
        out = [info for info in line if releases().get((maker, info.id), _LIST_DAY) <= on]
        dated = [info for info in line if (maker, info.id) in releases()]
        chosen = (
            max(out, key=_version)
            if out
            else (min(dated, key=_version) if dated else max(line, key=_version))
        )
        said = f"`{wanted}` is {maker}/{chosen.id}"
        if len(line) > 1:
            said += (
                f", the newest on {on}" if out else f", since none of {len(line)} is known to be out on {on}"
            )
        return Found(provider, chosen, said)
    return None


def _unknown(name: str) -> Problem:
    nearest = nearest_models(name)
    write = f"write one of {', '.join(nearest)}, or give" if nearest else "give"
    remedy = f"{write} its prices in the scenario, under `prices`"
    return Problem(f"model {name!r} is not on the price list", remedy=remedy)


def _provider(name: str) -> "Provider | None":
    name = name.strip().lower()
    return _providers().get(_OTHER_NAMES.get(name, name))


def _home(provider: "Provider", info: "ModelInfo") -> "Provider":
    """Return whose a model is that a provider was found to sell: another's, if it sells that one's models."""
    if any(info is own for own in provider.models):
        return provider
    return next(each for each in _providers().values() if any(info is own for own in each.models))


def _matching(provider: "Provider", wanted: str) -> "ModelInfo | None":
    return provider.find_model(wanted, all_providers=list(_providers().values()))


def _claimed(provider: str, wanted: str) -> bool:
    """Return whether a provider's own models have names of this kind."""
    match = _providers()[provider].model_match
    return match is not None and match.is_match(wanted)


def _words(name: str) -> tuple[str, ...]:
    return tuple(re.findall(r"[a-z]+|\d+", name))


def _numbers(name: str) -> set[str]:
    return {word for word in _words(name) if word.isdigit()}


def _has_words(words: Sequence[str], wanted: Sequence[str]) -> bool:
    """Return whether words stand in a name, in their order; so `opus 4.6` is found in `claude-opus-4-6`."""
    left = iter(words)
    return all(word in left for word in wanted)


def _version(info: "ModelInfo") -> float:
    """Return the version in a model's name: 4.6 of `claude-opus-4-6`, 3.1 of `gemini-3.1-pro`."""
    numbers = [word for word in _words(info.id) if word.isdigit() and len(word) < 4]
    return float(".".join(numbers[:2])) if numbers else 0.0


# What the list holds.


@cache
def _snapshot() -> "DataSnapshot":
    from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415  slow to import

    return get_snapshot()


@cache
def _providers() -> "dict[str, Provider]":
    return {provider.id: provider for provider in _snapshot().providers}


@cache
def _exact() -> "dict[tuple[str, str], ModelInfo]":
    return {
        (provider.id, info.id.lower()): info for provider in _providers().values() for info in provider.models
    }


@cache
def _having() -> dict[str, tuple[str, ...]]:
    """Return which providers have a model of each id."""
    having: dict[str, list[str]] = defaultdict(list)
    for provider, model in _exact():
        having[model].append(provider)
    return {model: tuple(providers) for model, providers in having.items()}


@cache
def _cloud_vendors() -> set[str]:
    """Return whose models Amazon sells, as its names have it."""
    parts = (info.id.split(".") for info in _providers()["aws"].models)
    return {part[1] if part[0] in ("global", "regional") else part[0] for part in parts}


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
    )


def _rates(
    provider: "Provider", info: "ModelInfo", on: datetime.date, service: str, second: int | None
) -> Rates:
    """Return a model's rates by a service; where the list does not reach back, by the provider's factor of the day."""
    context = _variant(info, on, service)
    found, _ = _read(info, _in_force(info, on, second, context))
    by_factor = factors(provider.id, info.id, "service", on)
    if service and not context and service in by_factor:
        found = _times(found, by_factor[service])
    return replace(found, geo_factors=factors(provider.id, info.id, "inference_geo", on))


def _variant(info: "ModelInfo", on: datetime.date, service: str) -> dict[str, str]:
    """Return how the list writes a service that it has a price for, on a date; nothing if it has none."""
    for context in _CONTEXTS.get(service, ()):
        for variant in info.price_variants or ():
            start = getattr(variant.constraint, "start_date", None)
            if dict(variant.when) == context and (start is None or start <= on):
                return context
    return {}


def _in_force(
    info: "ModelInfo", on: datetime.date, second: int | None, context: Mapping[str, str]
) -> "ModelPrice":
    """Return the prices at a second of a day; without one, those of the hours that the list has no exception for."""
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
    """Return the spans of the day (UTC), in seconds, for which a model has prices of their own."""
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
    """Return when the prices of a date began; None if the list knows no others before."""
    if not isinstance(info.prices, Sequence):
        return None
    starts = (getattr(price.constraint, "start_date", None) for price in info.prices)
    return max((start for start in starts if start and start <= on), default=None)


def _read(info: "ModelInfo", prices: "ModelPrice") -> tuple[Rates, list[str]]:
    """Return prices of the list as rates, and what it does not say and was filled in."""
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
    """Return above how many tokens long-context tiers hold."""
    token_prices: Iterable[object] = (
        prices.input_mtok,
        prices.output_mtok,
        prices.cache_read_mtok,
        prices.cache_write_mtok,
    )
    return sorted({int(tier.start) for price in token_prices for tier in getattr(price, "tiers", ())})


def _classes(prices: "ModelPrice", above: int, filled: list[str], is_claude: bool) -> ClassPrices:
    """Return the prices of the tier that begins at `above` by class, noting in `filled` what the list does not say."""
    plain = _price(prices.input_mtok, above) or 0.0
    write, read = _price(prices.cache_write_mtok, above), _price(prices.cache_read_mtok, above)
    write_1h = _price(prices.cache_write_1h_mtok, above)
    if write is None or read is None:
        filled.append("cache prices it does not give are those of input")
    elif write_1h is None and is_claude:
        filled.append("1-hour write it does not give is twice input")
        write_1h = _ONE_HOUR_WRITE * plain
    write = plain if write is None else write
    return ClassPrices(
        input=plain,
        cache_write_5m=write,
        cache_write_1h=write if write_1h is None else write_1h,
        cache_read=plain if read is None else read,
        output=_price(prices.output_mtok, above) or 0.0,
        thinking=_price(prices.output_reasoning_mtok, above),
    )


def _price(price: object, above: int) -> float | None:
    """Return a price of the list, in the tier of prompts that are a little longer than `above`."""
    if price is None:
        return None
    if isinstance(price, Decimal | int | float):
        return float(price)
    base: Decimal = price.base  # type: ignore[attr-defined]
    reached = [tier for tier in price.tiers if tier.start <= above]  # type: ignore[attr-defined]
    return float(reached[-1].price if reached else base)


def _times(found: Rates, factor: float) -> Rates:
    """Return rates whose token prices are multiplied."""

    def times(prices: ClassPrices) -> ClassPrices:
        changed: dict[str, Any] = {
            name: None if value is None else value * factor
            for name, value in vars(prices).items()
            if name != "above_tokens"
        }
        return replace(prices, **changed)

    return replace(found, base=times(found.base), tiers=tuple(map(times, found.tiers)))  # type: ignore[arg-type]
