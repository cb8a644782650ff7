"""What is known of a model, and assumed where a scenario says nothing: the limit of its contexts, and its cache.

A context is full at a part of the window that the price list names.

The engine caches by the scenario's own rules: every prompt, for as long as `context.cache` says. Providers have a
shortest prompt, lifetimes of their own, and some count cache reads towards limits on input. `check` lists these facts
with their source and date, and a note says where a scenario departs from them, and in which direction that errs.
"""

import datetime
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from simbudget.distributions.families import constant
from simbudget.errors import UserError
from simbudget.pricing.catalogue import model_prices
from simbudget.pricing.facts import CacheRule
from simbudget.scenario.context import CACHE_LIFE_S, Context
from simbudget.scenario.language.expectations import MOST_TOKENS
from simbudget.scenario.language.quantities import Kind, Quantity
from simbudget.scenario.language.reading import Provenance
from simbudget.scenario.provider import Api
from simbudget.scenario.steps import Delegate, Think
from simbudget.scenario.top_level import ScenarioKeys

PART_OF_WINDOW: Final = 0.8
"""Coding agents compact before the window is full, to have room for an answer and the summary."""

WITHOUT_WINDOW: Final = 160_000
"""Where the list knows no window: this part of 200,000 tokens."""


def default_limit(name: str, model: str | None, on: datetime.date) -> Quantity:
    """Return the limit of a model's contexts, by the price list of a day, as the quantity of this name.

    Args:
        name: path of the quantity, such as `context.limit_tokens`.
        model: the model; None for people.
        on: the day of the price list.
    """
    window = _window(model, on)
    tokens = WITHOUT_WINDOW if window is None else round(PART_OF_WINDOW * window)
    return Quantity(name, Kind.EXACT, constant(tokens), None, 0.0, MOST_TOKENS, str(tokens))


def basis_of_limit(model: str | None, on: datetime.date) -> str:
    """Return what such a limit rests on, in words.

    Args:
        model: the model; None for people.
        on: the day of the price list.
    """
    window = _window(model, on)
    if window is None:
        return "the list has no window of the model"
    return f"{PART_OF_WINDOW:.0%} of the {window:,} tokens of {model}'s window"


def _window(model: str | None, on: datetime.date) -> int | None:
    try:
        return model_prices(model, on).context_window if model else None
    except UserError:  # a model that the scenario prices, or that is no model: said elsewhere
        return None


def facts_on_caches(scenario: ScenarioKeys) -> tuple[tuple[Provenance, ...], tuple[str, ...]]:
    """Return what is known of the caches of a scenario's models, and remarks where the scenario departs from it."""
    cached = [each for each in _contexts(scenario) if each[2].cache != "off"]
    known = {model: _rule(scenario, model) for model in dict.fromkeys(model for _, model, _ in cached)}
    rules = {model: rule for model, rule in known.items() if rule is not None}
    rows = tuple(
        Provenance(f"models[{model}].caching", rule.words, "exact", f"{rule.source}, {rule.as_of}")
        for model, rule in rules.items()
    )
    return rows, tuple(_notes(scenario, cached, rules))


def _notes(
    scenario: ScenarioKeys, cached: Sequence[tuple[str, str, Context]], rules: Mapping[str, CacheRule]
) -> Iterator[str]:
    """Yield remarks where a scenario's caches are not those of the provider."""
    places: dict[str, list[str]] = {}
    for place, model, context in cached:
        if model in rules:
            rule = rules[model]
            for note in (*_too_short(model, context, rule), *_other_life(model, context, rule)):
                places.setdefault(note, []).append(place)
    yield from (f"{'; '.join(dict.fromkeys(where))}: {note}" for note, where in places.items())
    for model, rule in rules.items():
        if rule.reads_count_towards_limit and _limits_input(scenario.api, model):
            yield (
                f"{model}: its provider counts cache reads towards the limit on input tokens; here they do not count, "
                "so agents would wait longer than projected where that limit binds"
            )


def _contexts(scenario: ScenarioKeys) -> Iterator[tuple[str, str, Context]]:
    """Yield where each context is written, the model that it is sent to, and the context."""
    for group in scenario.fleet:
        if group.kind != "agents" or group.model is None:
            continue
        if any(step.uses_group_context for step in group.cycle):
            yield f"group {group.group}", group.model, group.context
        for step in group.cycle:
            if isinstance(step, Delegate) or (isinstance(step, Think) and (step.model or step.context)):
                place = f"step {step.kind} of group {group.group}"
                yield place, step.model or group.model, group.context_of(step)


def _rule(scenario: ScenarioKeys, model: str) -> CacheRule | None:
    """Return the provider's rule; None if it is unknown, or if the scenario has prices or servers of its own."""
    if model in scenario.prices.models or scenario.models[model].served_on is not None:
        return None
    try:
        return model_prices(model, scenario.prices.on).caching
    except UserError:
        return None


def _too_short(model: str, context: Context, rule: CacheRule) -> Iterator[str]:
    shortest = rule.min_prefix_tokens
    first, shared = context.first_prompt_tokens.typical, context.shared_prefix_tokens.typical
    if first < shortest:
        yield (
            f"the first prompt ({first:,.0f} tokens) is shorter than what the provider of {model} caches "
            f"({shortest:,}); it is taken to be cached all the same, so the first calls of a context would cost "
            f"{'less' if rule.is_write_charged else 'the same'}, and the next ones more, than projected"
        )
    if 0 < shared < shortest <= first:
        yield (
            f"the shared prefix ({shared:,.0f} tokens) is shorter than what the provider of {model} caches "
            f"({shortest:,}), so contexts would not share it, and cost more than projected"
        )


def _other_life(model: str, context: Context, rule: CacheRule) -> Iterator[str]:
    if rule.lives_s and CACHE_LIFE_S[context.cache] > max(rule.lives_s):
        yield (
            f"the provider of {model} keeps a prompt for {rule.lifetimes}, and the scenario for {context.cache}: calls "
            "after a longer pause would cost more than projected"
        )


def _limits_input(api: Api, model: str) -> bool:
    own = api.models.get(model)
    return (api if own is None else own).input_tokens_per_min is not None
