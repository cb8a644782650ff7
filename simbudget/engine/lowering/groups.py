"""Groups and the steps of their cycles, as a program's rows."""

from collections.abc import Iterable

from simbudget.engine.laws.calls import NO_CACHE
from simbudget.engine.lowering.quantities import Quantities
from simbudget.engine.lowering.units import nanoseconds
from simbudget.engine.program import GroupRow, Lasts, Step, StepRow
from simbudget.engine.streams import step_purpose
from simbudget.scenario import model as scenarios
from simbudget.scenario.context import CACHE_LIFE_S
from simbudget.scenario.expectations import MOST_TOKENS

_CACHE_LIFE_NS = {"off": NO_CACHE} | {kind: nanoseconds(life_s) for kind, life_s in CACHE_LIFE_S.items()}
_LASTS = {"think": Lasts.THINK, "cycle": Lasts.CYCLE, "life": Lasts.LIFE}


def group_row(
    scenario: scenarios.Scenario,
    group: scenarios.Group,
    quantities: Quantities,
    first_agent: int,
    first_step: int,
) -> GroupRow:
    """Return the row of a group whose agents and steps begin at these numbers."""
    turn, context = group.turn, group.context
    thinks = any(isinstance(step, scenarios.Think | scenarios.OwnStep) for step in group.cycle)
    speed = scenario.models[group.model] if group.model and _makes_calls(group) else None
    crashes, staff = group.crashes, group.staff
    return GroupRow(
        first_agent=first_agent,
        agents=group.agents,
        first_step=first_step,
        steps=len(group.cycle),
        is_people=int(group.kind == "people"),
        first_start_ns=nanoseconds(group.start.first.exact_value),
        start_every_ns=nanoseconds(group.start.then_every.exact_value),
        lasts=_LASTS[context.lasts],
        cache_life_ns=_CACHE_LIFE_NS[context.cache],
        limit_tokens=quantities.fact(context.limit_tokens),
        output=quantities.add(turn.output_tokens if thinks else None),
        thinking=quantities.add(turn.thinking_tokens if thinks else None),
        tool_result=quantities.add(turn.tool_result_tokens if thinks else None),
        tool_time=quantities.add(turn.tool_time if thinks else None),
        first_prompt=quantities.add(context.first_prompt_tokens),
        compacted=quantities.add(context.compacted_to_tokens),
        first_token=quantities.add(speed.first_token if speed else None),
        output_speed=quantities.add(speed.output_speed if speed else None),
        error_rate=quantities.fact(scenario.api.error_rate),
        gives_up_for=quantities.add(scenario.api.gives_up_for),
        crash_every=quantities.fact(crashes.every if crashes else None),
        crash_restart=quantities.add(crashes.restart if crashes else None),
        sandbox_price=quantities.fact(group.sandbox.price),
        staff_price=quantities.fact(staff.price if staff else None),
        start_context_tokens=quantities.fact(group.start.context_tokens),
        start_cached_tokens=_cached_at_start(group),
        start_context_turns=round(group.start.context_turns.exact_value),
        cache_misses=quantities.fact(context.cache_misses),
        opening_times=quantities.fact(turn.opening.times if thinks else None),
        opening_turns=quantities.fact(turn.opening.turns if thinks else None),
    )


def step_rows(
    group: scenarios.Group, quantities: Quantities, own_steps: list[tuple[str, str]]
) -> Iterable[StepRow]:
    """Yield the rows of a cycle's steps; those written in Python are added to `own_steps`."""
    counted: dict[int, int] = {}
    for step in group.cycle:
        kind = Step.WORK if step.kind == "think" and group.kind == "people" else Step[step.kind.upper()]
        ordinal = counted[kind] = counted.get(kind, -1) + 1
        yield _step(step, kind, step_purpose(kind, ordinal), quantities, own_steps)


def _step(
    step: scenarios.Step, kind: Step, purpose: int, quantities: Quantities, own_steps: list[tuple[str, str]]
) -> StepRow:
    if isinstance(step, scenarios.Think):
        return StepRow(kind, purpose, quantities.add(step.time if kind == Step.WORK else step.turns))
    if isinstance(step, scenarios.OwnStep):
        own_steps.append((str(step.file.resolve()), step.function))
        return StepRow(kind, purpose, size=len(own_steps) - 1)
    if not isinstance(step, scenarios.Experiment):
        return StepRow(kind, purpose)
    polls = step.polls
    return StepRow(
        kind,
        purpose,
        size=quantities.add(step.time),
        gpus=quantities.add(step.gpus),
        fails=quantities.fact(step.fails),
        poll_every=quantities.add(polls.every if polls else None),
        poll_output=quantities.add(polls.output_tokens if polls else None),
        poll_result=quantities.add(polls.result_tokens if polls else None),
    )


def _makes_calls(group: scenarios.Group) -> bool:
    """Return whether a group's agents ever call a model."""
    polls = any(isinstance(step, scenarios.Experiment) and step.polls for step in group.cycle)
    calling = scenarios.Think | scenarios.Share | scenarios.OwnStep
    return polls or any(isinstance(step, calling) for step in group.cycle)


def _cached_at_start(group: scenarios.Group) -> int:
    """Return how much of the context under way at the start the cache holds at most: all, unless it is written."""
    cached = group.start.cached_tokens
    return int(MOST_TOKENS) if cached is None else round(cached.exact_value)
