"""The choices in a plan: exact numbers and words, with the alternatives to each."""

from collections.abc import Iterator
from typing import Final

from simbudget.deciding.alternatives import Alternative
from simbudget.deciding.changes import Change, Source
from simbudget.errors import UserError
from simbudget.scenario.model import Scenario

_CACHES: Final = ("off", "5 min", "1 h")
_BILLINGS: Final = ("on demand", "reserved", "per agent")
_AT_THE_END_OF_A_PLAN: Final = ("wait", "pay")


def one_change_each(source: Source) -> list[Alternative]:
    """Return the scenario with one choice changed, for each choice: counts halved and doubled, words replaced.

    What the loader would not allow is left out.
    """
    made = []
    for change in _changes(source.load().scenario):
        try:
            loaded = source.load(change)
        except UserError:
            continue
        made.append(Alternative(str(change), loaded.scenario, (change,), loaded.notes))
    return made


def _changes(scenario: Scenario) -> Iterator[Change]:
    kinds = {step.kind for group in scenario.fleet for step in group.cycle}
    for number, group in enumerate(scenario.fleet):
        key = "agents" if number == 0 else f"fleet[{number}].agents"
        yield from _half_and_double(key, group.agents)
    yield from _horizon(scenario)
    for number, pool in enumerate(scenario.pools if "experiment" in kinds else ()):
        is_only = len(scenario.pools) == 1
        yield from _half_and_double("gpus" if is_only else f"gpus[{number}].count", pool.count)
        yield from _others("billing" if is_only else f"gpus[{number}].billing", pool.billing, _BILLINGS)
    if "score" in kinds:
        yield from _half_and_double("servers", scenario.scorer.servers)
    if scenario.review is not None:
        yield from _half_and_double("reviewers", scenario.review.people)
    if scenario.research is not None and scenario.gates:
        yield from _half_and_double("finalists", scenario.research.finalists)
        for number, gate in list(enumerate(scenario.gates))[1:]:
            if gate.tries == "all":
                yield Change(f"gates[{number}].tries", "passed")
    yield from _provider(scenario)
    contexts = {group.context.cache for group in scenario.fleet if group.kind == "agents"}
    for cache in contexts if len(contexts) == 1 else ():
        yield from _others("cache", cache, _CACHES)
    used = {group.model for group in scenario.fleet}
    for model in scenario.prices.models:
        if model not in used:
            yield Change("model", model)


def _provider(scenario: Scenario) -> Iterator[Change]:
    """Yield alternative subscriptions, and alternative replica counts for self-hosted models."""
    if (plan := scenario.api.plan) is not None:
        yield from _half_and_double("api.plan.seats", plan.seats)
        yield from _others("api.plan.then", plan.then, _AT_THE_END_OF_A_PLAN)
    for name, model in scenario.models.items():
        if model.served_on is not None:
            yield from _half_and_double(f"models[{name}].replicas", model.replicas)


def _half_and_double(key: str, count: int) -> Iterator[Change]:
    if count > 1:
        yield Change(key, str(count // 2))
    yield Change(key, str(2 * count))


def _horizon(scenario: Scenario) -> Iterator[Change]:
    after_h = scenario.stop.after.exact_value / 3600.0
    for factor in (0.5, 2.0):
        yield Change("hours", f"{factor * after_h:g}")


def _others(key: str, current: str, words: tuple[str, ...]) -> Iterator[Change]:
    for word in words:
        if word != current:
            yield Change(key, word)
