"""Keys that are written and have no effect, because another key that they depend on is missing or says otherwise.

Each gets a note with its place and what to write. It is no mistake: plans and comparisons vary the other key, and the
file has to stay valid when they do.
"""

from collections.abc import Iterator
from typing import NamedTuple

from simbudget.scenario.checks import pool_path, steps_of
from simbudget.scenario.context import (
    KEYS_OF_FULL_CONTEXTS,
    Context,
)
from simbudget.scenario.fleet import Group
from simbudget.scenario.language.quantities import Kind
from simbudget.scenario.language.reading import Reading
from simbudget.scenario.steps import Delegate, Experiment, Score, Think
from simbudget.scenario.top_level import ScenarioKeys


class _Idle(NamedTuple):
    """A key without effect: its path, why it has none, and what to write."""

    path: str
    why: str
    remedy: str
    what: str = "has no effect"


def notes_on_idle_keys(reading: Reading, scenario: ScenarioKeys) -> tuple[str, ...]:
    """Return a note on each written key that has no effect.

    Args:
        reading: knows which keys are written.
        scenario: the scenario as read.
    """
    finders = (_in_contexts, _in_cycles, _in_scoring, _in_models, _in_pools, _in_limits)
    found = (idle for find in finders for idle in find(reading, scenario))
    return tuple(_note(reading, idle) for idle in found if idle.path in reading.places)


def _note(reading: Reading, idle: _Idle) -> str:
    line = reading.places[idle.path].line
    where = "" if line is None else f" (line {line})"
    return f"`{idle.path}`{where} {idle.what}: {idle.why}; {idle.remedy}"


def _in_contexts(reading: Reading, scenario: ScenarioKeys) -> Iterator[_Idle]:
    groups = [group for group in scenario.fleet if group.kind == "agents"]
    if not groups:
        return
    every = [context for group in groups for _, context in _contexts_of(reading, group)]
    yield from _in_context("context", every)
    for group in groups:
        own = _contexts_of(reading, group)
        yield from _in_context(f"fleet[{group.group}].context", [context for _, context in own])
        for path, context in own[1:]:
            yield from _in_context(f"{path}.context", [context])


def _contexts_of(reading: Reading, group: Group) -> list[tuple[str, Context]]:
    """Return the contexts of a group and of its steps, with the path of each step."""
    found = [(f"fleet[{group.group}]", group.context)]
    for step, path in steps_of(reading, group):
        if isinstance(step, Think | Delegate) and step.context is not None:
            found.append((path, group.context_of(step)))
    return found


def _in_context(path: str, contexts: list[Context]) -> Iterator[_Idle]:
    """Yield the keys of a context's block that have no effect in any of the contexts that it is part of."""
    for key, (how, why, remedy) in KEYS_OF_FULL_CONTEXTS.items():
        if all(context.when_full.how != how for context in contexts):
            yield _Idle(f"{path}.{key}", why, remedy)
    if all(context.cache == "off" for context in contexts):
        for key in ("shared_prefix_tokens", "cache_misses"):
            yield _Idle(f"{path}.{key}", "nothing is cached", "write `cache: 5 min` or `1 h`, or remove it")


def _in_cycles(reading: Reading, scenario: ScenarioKeys) -> Iterator[_Idle]:
    for group in scenario.fleet:
        has_jobs = any(isinstance(step, Experiment) for step in group.cycle)
        for step, path in steps_of(reading, group):
            if isinstance(step, Score) and step.each and not has_jobs:
                why = "the cycle has no `experiment` whose jobs could be submitted"
                yield _Idle(
                    f"{path}.each",
                    why,
                    "add a step `experiment`, or remove it",
                    "means that nothing is submitted",
                )
            if isinstance(step, Experiment):
                yield from _in_experiment(step, path)
        yield from _at_start(group)
        stop = group.stop
        if stop is not None and stop.after is not None:
            lowest_s, ends_s = stop.after.lowest, scenario.stop.after.exact_value
            if group.start.first.exact_value + lowest_s >= ends_s:
                why = f"the run ends earlier, after {scenario.stop.after.text}"
                yield _Idle(f"fleet[{group.group}].stop.after", why, "shorten it, or lengthen `stop.after`")


def _at_start(group: Group) -> Iterator[_Idle]:
    """Yield what is said of a context that agents start with, if they start with none."""
    if group.start.context_tokens.surely_zero:
        for key in ("context_turns", "cached_tokens"):
            why = "agents do not start with a context under way"
            yield _Idle(f"fleet[{group.group}].start.{key}", why, "write `context_tokens: ...`, or remove it")


def _in_experiment(step: Experiment, path: str) -> Iterator[_Idle]:
    if step.fails.surely_zero:
        for key in ("attempts", "on_failure"):
            yield _Idle(f"{path}.{key}", "its jobs never fail", "write `fails: ...`, or remove it")
    if step.wait_for is not None and step.at_once.highest <= 1.0:
        why = "there is only one job to wait for"
        yield _Idle(f"{path}.wait_for", why, "write `at_once: ...`, or remove it")


def _in_scoring(reading: Reading, scenario: ScenarioKeys) -> Iterator[_Idle]:
    scores = any(isinstance(step, Score) for group in scenario.fleet for step in group.cycle)
    if not scores:
        why, remedy = (
            "no cycle has a `score` step, so nothing is submitted",
            "add a step `score`, or remove it",
        )
        yield _Idle("scorer.model", why, remedy)
    if scenario.research is None:
        why = "there is no `research`, so submissions have no score"
        yield _Idle("scorer.noise", why, "write `research: {}`, or remove it")
    if scenario.review is not None and scenario.review.by is not None:
        why = "a model reviews, at any hour, and is paid and timed by its calls"
        for key in ("hours", "time", "price"):
            yield _Idle(f"review.{key}", why, "remove it, or `by`")


def _in_models(reading: Reading, scenario: ScenarioKeys) -> Iterator[_Idle]:
    served = {model for model, speed in scenario.models.items() if speed.served_on is not None}
    for model in served:
        why = (
            f"`{model}` is served on your own GPUs, whose calls are under no limits and cost nothing by token"
        )
        yield _Idle(f"api.models[{model}]", why, "remove it")
        yield _Idle(f"prices[{model}]", why, "remove it")
    if served and served == {model for model in scenario.models if model != "others"}:
        for key in (
            "requests_per_min",
            "input_tokens_per_min",
            "output_tokens_per_min",
            "error_rate",
            "tier",
        ):
            yield _Idle(f"api.{key}", "all models are served on your own GPUs", "remove it")
    elif scenario.api.error_rate.surely_zero:
        for key in ("retries", "gives_up_for"):
            yield _Idle(f"api.{key}", "calls never fail", "write `error_rate: ...`, or remove it")
    plan = scenario.api.plan
    if plan is not None and plan.window is None and plan.week is None:
        why = "the subscription has no limit at which a call would wait or be paid"
        yield _Idle("api.plan.then", why, "write `window` or `week`, or remove it")


def _in_pools(reading: Reading, scenario: ScenarioKeys) -> Iterator[_Idle]:
    """Yield spot pools that are never preempted, and pools beside the first, the default of jobs, that nothing uses."""
    used = {speed.served_on for speed in scenario.models.values()}
    used |= {step.on for group in scenario.fleet for step in group.cycle if isinstance(step, Experiment)}
    for pool in scenario.pools:
        if pool.billing == "spot" and pool.preempted is None:
            why = "nothing says how often its GPUs are preempted"
            remedy = "write `preempted: {every: 20 h}`, or `billing: on demand`"
            yield _Idle(f"{pool_path(scenario, pool)}.billing", why, remedy, "is `spot` in price only")
    for pool in scenario.pools[1:]:
        if pool.name not in used and pool.bills.only_use:
            why = "no experiment runs `on` it, and no model is `served_on` it"
            remedy = "name it in a step or a model, or remove the pool"
            yield _Idle(
                f"{pool_path(scenario, pool)}.name", why, remedy, "is the name of a pool that nothing uses"
            )


def _in_limits(reading: Reading, scenario: ScenarioKeys) -> Iterator[_Idle]:
    stop, tasks = scenario.stop, scenario.tasks
    if stop.budget is None:
        yield _Idle("stop.budget_counts", "there is no budget", "write `budget: ...`, or remove it")
    if tasks is not None and tasks.solved.kind is Kind.EXACT and tasks.solved.exact_value in (0.0, 1.0):
        why = f"with `solved: {tasks.solved.text}` every attempt ends alike, however hard its task"
        yield _Idle("tasks.difficulty", why, "write another `solved`, or remove it")
