"""Resolves the name of a model to a model of the price list.

A model can be named as by its provider (`anthropic/claude-opus-5-5`, `openrouter/anthropic/claude-opus-4.8`), without
one if a single provider or the maker itself has the name (`gpt-5.5`), as a cloud's profile
(`eu.anthropic.claude-opus-4-8-v1:0`), or colloquially (`opus`, `gemini pro`), which means the newest one on the date.
"""

import datetime
import difflib
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Final

from simbudget.errors import Problem, UserError
from simbudget.pricing.facts import releases

if TYPE_CHECKING:
    from genai_prices.data_snapshot import DataSnapshot
    from genai_prices.types import ModelInfo, Provider


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
"""Names used by routers, instrumentation and agents for providers that have another name in the list."""

_BRANDS: Final = {"claude", "gpt", "gemini", "grok", "kimi", "deepseek", "mistral", "glm", "llama"}
_SAID_BESIDE: Final = {"preview", "latest", *_BRANDS}
"""Words of a model's name that people leave out when they mean the newest of its line."""

_LIST_DAY: Final = datetime.date(2026, 11, 1)
"""Assumed release date of models without a known one: the date of the list of genai-prices 0.2.3."""

_PATH: Final = re.compile(r"^(?:projects/.*/)?(?:publishers/[^/]+/)?models/")
"""What Google's APIs write before a model's name."""

_CLOUD: Final = re.compile(
    r"^(?:arn:aws[^/]*/)?(?:(?P<place>[a-z]{2,6}(?:-gov)?)\.)?(?P<model>[a-z0-9]+\..+)$"
)
"""Amazon's names, such as `us.anthropic.claude-…`, in which the region selects the profile and thereby the price."""


@lru_cache(maxsize=4096)
def qualified(provider: str, model: str) -> str:
    """Return the name of a model from a log that also names its provider, with the provider if that matters.

    A provider that the list does not have is left out.

    Args:
        provider: the provider as named in the log.
        model: the model as named in the log.
    """
    told = provider_of(provider)
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
    """Return the provider of a model, as named in the list; empty if the list does not have the model.

    Args:
        model: a name as understood by `find_model`.
    """
    try:
        return find_model(model, datetime.date.max).provider.id
    except UserError:
        return ""


@lru_cache(maxsize=4096)
def models_beside(model: str) -> tuple[str, ...]:
    """Return the other models of a model's maker at its provider, whose prices a tool may have used by mistake.

    Args:
        model: a name as understood by `find_model`.
    """
    try:
        found = find_model(model, datetime.date.max)
    except UserError:
        return ()
    maker = _words(found.info.id)[:1]
    return tuple(
        info.id for info in found.provider.models if info is not found.info and _words(info.id)[:1] == maker
    )


def nearest_models(model: str, n: int = 3) -> list[str]:
    """Return up to `n` names of models in the list that are most similar to a name.

    Args:
        model: a name that the list does not have.
        n: maximum number of names.
    """
    anthropic = [info.id for info in providers()["anthropic"].models]
    wanted = model.lower().replace(".", "-").replace(" ", "-")
    near = difflib.get_close_matches(wanted, anthropic, n, 0.6)
    others = dict.fromkeys(info.id for provider in providers().values() for info in provider.models)
    return near or difflib.get_close_matches(wanted, others, n, 0.6)


# Resolution of names.


@dataclass(frozen=True)
class Found:
    """A model of the list, and how the name that led to it was understood."""

    provider: "Provider"
    info: "ModelInfo"
    said: str = ""


@lru_cache(maxsize=16_384)
def find_model(name: str, on: datetime.date) -> Found:
    """Return the model that a name refers to on a date.

    Args:
        name: the name, in any of the forms that the module describes.
        on: the date (UTC) on which the newest model of a line is looked for.

    Raises:
        UserError: there is no such model, or several providers have it.
    """
    wanted = name.strip().lower().removesuffix("[1m]")  # Claude Code's suffix for its million-token context
    wanted = _PATH.sub("", wanted)
    # An exact id takes precedence over other spellings: `anthropic/claude-haiku-4.5:batch` is a router's own model.
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
    """Return the model of `provider/model`, by id or by another spelling."""
    prefix, slash, rest = wanted.partition("/")
    provider = (providers().get(prefix) if is_id else provider_of(prefix)) if slash else None
    if provider is None:
        return None
    info = _exact().get((provider.id, rest)) or (None if is_id else _matching(provider, rest))
    return Found(_home(provider, info), info) if info else None


def _by_id(name: str, wanted: str) -> Found | None:
    """Return the model with this id.

    Raises:
        UserError: several providers have it, and none is its maker.
    """
    having = _having().get(wanted, ())
    if not having:
        return None
    if len(having) == 1:
        return Found(providers()[having[0]], _exact()[having[0], wanted])
    for maker in _MAKERS:
        own = _exact().get((maker, wanted)) or (
            _claimed(maker, wanted) and _matching(providers()[maker], wanted)
        )
        if own:
            return Found(providers()[maker], own)
    remedy = f"write {' or '.join(f'`{provider}/{name}`' for provider in having[:4])}"
    raise UserError(Problem(f"model {name!r} is sold by {', '.join(having)}", remedy=remedy))


def _by_pattern(wanted: str) -> Found | None:
    """Return the model with this name among its other spellings: a dated snapshot, a cloud's profile."""
    cloud = _CLOUD.match(wanted)
    if cloud and cloud["model"].partition(".")[0] in _cloud_vendors():
        aws = providers()["aws"]
        place = "global." if cloud["place"] == "global" else "us."
        info = _matching(aws, wanted) or _matching(aws, place + cloud["model"])
        if info:
            return Found(aws, info)
    if "@" in wanted and _matching(providers()["google"], wanted):
        google = providers()["google"]  # Vertex writes versions as in `claude-opus-4-8@20260528`
        info = _matching(google, wanted)
        return Found(_home(google, info), info) if info else None
    for provider in providers().values():
        if _claimed(provider.id, wanted):
            info = _matching(provider, wanted)
            if info:
                return Found(_home(provider, info), info)
    return None


def _as_people_say(wanted: str, on: datetime.date) -> Found | None:
    """Return the newest model of a line that is named by some words of its name: `opus`, `gemini flash`."""
    words = _words(wanted)
    if not words or not any(word.isalpha() for word in words):
        return None
    for maker in _MAKERS:
        provider = providers()[maker]
        like = [info for info in provider.models if _has_words(_words(info.id), words)]
        line = [
            info for info in like if set(_words(info.id)) - set(words) <= _SAID_BESIDE | _numbers(info.id)
        ]
        if not line or max(map(_version, like)) > max(map(_version, line)):
            continue  # `gpt` or `claude`: newer models have further words, so the name is ambiguous
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
    write = f"write one of {', '.join(nearest)}, or give" if nearest else "in a scenario, give"
    remedy = f"{write} its prices under `prices`"
    return Problem(f"model {name!r} is not on the price list", remedy=remedy)


def provider_of(name: str) -> "Provider | None":
    """Return the provider that a name refers to, including names used by routers and agents; None if unknown.

    Args:
        name: the provider's name.
    """
    name = name.strip().lower()
    return providers().get(_OTHER_NAMES.get(name, name))


def _home(provider: "Provider", info: "ModelInfo") -> "Provider":
    """Return the provider that a model belongs to: another one, if the given provider resells its models."""
    if any(info is own for own in provider.models):
        return provider
    return next(each for each in providers().values() if any(info is own for own in each.models))


def _matching(provider: "Provider", wanted: str) -> "ModelInfo | None":
    return provider.find_model(wanted, all_providers=list(providers().values()))


def _claimed(provider: str, wanted: str) -> bool:
    """Return whether a name looks like one of a provider's own models."""
    match = providers()[provider].model_match
    return match is not None and match.is_match(wanted)


def _words(name: str) -> tuple[str, ...]:
    return tuple(re.findall(r"[a-z]+|\d+", name))


def _numbers(name: str) -> set[str]:
    return {word for word in _words(name) if word.isdigit()}


def _has_words(words: Sequence[str], wanted: Sequence[str]) -> bool:
    """Return whether a name contains the words in this order, so that `opus 4.6` matches `claude-opus-4-6`."""
    left = iter(words)
    return all(word in left for word in wanted)


def _version(info: "ModelInfo") -> float:
    """Return the version in a model's name: 4.6 for `claude-opus-4-6`, 3.1 for `gemini-3.1-pro`."""
    numbers = [word for word in _words(info.id) if word.isdigit() and len(word) < 4]
    return float(".".join(numbers[:2])) if numbers else 0.0


# Contents of the list.


@cache
def _snapshot() -> "DataSnapshot":
    from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415  slow to import

    return get_snapshot()


@cache
def providers() -> "dict[str, Provider]":
    """Return the providers of the list by id."""
    return {provider.id: provider for provider in _snapshot().providers}


@cache
def _exact() -> "dict[tuple[str, str], ModelInfo]":
    return {
        (provider.id, info.id.lower()): info for provider in providers().values() for info in provider.models
    }


@cache
def _having() -> dict[str, tuple[str, ...]]:
    """Return the providers that have a model, by id."""
    having: dict[str, list[str]] = defaultdict(list)
    for provider, model in _exact():
        having[model].append(provider)
    return {model: tuple(sellers) for model, sellers in having.items()}


@cache
def _cloud_vendors() -> set[str]:
    """Return the vendors whose models Amazon sells, as they appear in its names."""
    parts = (info.id.split(".") for info in providers()["aws"].models)
    return {part[1] if part[0] in ("global", "regional") else part[0] for part in parts}
