"""Groups and the steps of their cycles, as a program's rows."""

from collections.abc import Iterable
from typing import Any

from simbudget.engine.lowering.clients import Calling
from simbudget.engine.lowering.quantities import Quantities, nanoseconds
from simbudget.engine.program import (
    NONE,
    Condition,
    CrashDraws,
    GroupRow,
    PollDraws,
    Step,
    StepRow,
    StopDraws,
    WorkDraws,
)
from simbudget.engine.streams import step_purpose
from simbudget.scenario import scenario as scenarios
from simbudget.scenario.known_models import default_limit
from simbudget.scenario.language.expectations import MOST_TOKENS
from simbudget.scenario.language.quantities import Quantity


def group_row(
    scenario: scenarios.Scenario,
    group: scenarios.Group,
    calling: Calling,
    quantities: Quantities,
    first_agent: int,
    first_step: int,
) -> GroupRow:
    """Return the row of a group whose agents and steps begin at these numbers.

    Args:
        scenario: the scenario.
        group: the group.
        calling: the program's clients, turns and contexts; new ones are added.
        quantities: the program's quantities; new ones are added.
        first_agent: the number of its first agent.
        first_step: the number of the first step of its cycle.
    """
    thinks = any(_makes_turns(step) for step in group.cycle)
    crashes, staff = group.crashes, group.staff
    return GroupRow(
        first_agent=first_agent,
        agents=group.agents,
        first_step=first_step,
        steps=len(group.cycle),
        is_people=int(group.kind == "people"),
        first_start_ns=nanoseconds(group.start.first.exact_value),
        start_every_ns=nanoseconds(group.start.then_every.exact_value),
        client=calling.client(group.model, group.context.cache, group.service, _makes_calls(group)),
        turn=calling.turn(group.turn, thinks),
        context=calling.context(group.context, _limit_is_written(scenario, group.context)),
        crashes=CrashDraws(
            every=quantities.fact(crashes.every if crashes else None),
            restart=quantities.add(crashes.restart if crashes else None),
        ),
        stop=_stop(group, quantities),
        sandbox_price=quantities.fact(group.sandbox.price),
        staff_price=quantities.fact(staff.price if staff else None),
        start_context_tokens=quantities.fact(group.start.context_tokens),
        start_cached_tokens=_cached_at_start(group),
        start_context_turns=round(group.start.context_turns.exact_value),
    )


def _stop(group: scenarios.Group, quantities: Quantities) -> StopDraws:
    """Return when each agent of a group ends."""
    return StopDraws(*(quantities.fact(getattr(group.stop, name, None)) for name in StopDraws._fields))


def step_rows(
    scenario: scenarios.Scenario, group: scenarios.Group, calling: Calling, own_steps: list[tuple[str, str]]
) -> Iterable[StepRow]:
    """Yield the rows of a cycle's steps; those written in Python are added to `own_steps`.

    Args:
        scenario: the scenario.
        group: the group.
        calling: the program's clients, turns and contexts; new ones are added.
        own_steps: file and function of each step written in Python.
    """
    counted: dict[int, int] = {}
    pools = {pool.name: number for number, pool in enumerate(scenario.pools)}
    for step in group.cycle:
        kind = Step.WORK if step.kind == "think" and group.kind == "people" else Step[step.kind.upper()]
        ordinal = counted[kind] = counted.get(kind, -1) + 1
        purpose = step_purpose(kind, ordinal)
        if isinstance(step, scenarios.Experiment):
            pool = 0 if step.on is None else pools[step.on]
            row = _experiment(step, purpose, calling.quantities, pool, scenario.pools[pool].speed)
        else:
            row = _step(step, kind, purpose, calling.quantities, own_steps)
        if isinstance(step, scenarios.Think | scenarios.Delegate) and kind != Step.WORK:
            row = row._replace(**_own_terms(scenario, group, step, calling))
        yield _conditional(row, step.if_, calling.quantities)


def _conditional(row: StepRow, condition: str | Quantity | None, quantities: Quantities) -> StepRow:
    """Return a step's row with when it is done."""
    if condition is None:
        return row
    if isinstance(condition, str):
        return row._replace(condition=Condition[condition.upper()])
    return row._replace(condition=Condition.PART, part=quantities.fact(condition))


def _own_terms(
    scenario: scenarios.Scenario,
    group: scenarios.Group,
    step: scenarios.Think | scenarios.Delegate,
    calling: Calling,
) -> dict[str, Any]:
    """Return the client, turn and context of a step that has its own; sub-agents always have a context."""
    terms: dict[str, Any] = {} if step.turn is None else {"turn": calling.turn(step.turn.over(group.turn))}
    is_delegated = isinstance(step, scenarios.Delegate)
    if not is_delegated and step.model is None and step.context is None and step.service is None:
        return terms
    context = group.context_of(step)
    service = step.service or group.service
    terms["client"] = calling.client(step.model or group.model, context.cache, service)
    if is_delegated or step.model is not None or step.context is not None:
        if step.context is None or "lasts" not in step.context.written:
            context = context.filled(lasts="think")
        is_written = _limit_is_written(scenario, group.context, step.context)
        if not is_written and step.model is not None:
            limit = default_limit(f"limit of {step.model}", step.model, scenario.prices.on)
            context = context.filled(limit_tokens=limit)
        terms["context"] = calling.context(context, is_written)
    return terms


def _limit_is_written(
    scenario: scenarios.Scenario, group: scenarios.Context, step: scenarios.Context | None = None
) -> bool:
    """Return whether anybody wrote at how many tokens a context is full."""
    written = scenario.context.written | group.written | (step.written if step is not None else frozenset())
    return "limit_tokens" in written


def _step(
    step: scenarios.Step, kind: Step, purpose: int, quantities: Quantities, own_steps: list[tuple[str, str]]
) -> StepRow:
    if isinstance(step, scenarios.Think):
        size = quantities.add(step.time if kind == Step.WORK else step.turns)
        return StepRow(kind, WorkDraws(purpose, size), returns=quantities.add(step.returns_tokens))
    if isinstance(step, scenarios.Delegate):
        return StepRow(
            kind,
            WorkDraws(purpose, quantities.add(step.turns)),
            returns=quantities.add(step.returns_tokens),
            sub_agents=quantities.add(step.agents),
        )
    if isinstance(step, scenarios.OwnStep):
        own_steps.append((str(step.file.resolve()), step.function))
        return StepRow(kind, WorkDraws(purpose, len(own_steps) - 1))
    return StepRow(kind, WorkDraws(purpose), each=int(isinstance(step, scenarios.Score) and step.each))


def _experiment(
    step: scenarios.Experiment, purpose: int, quantities: Quantities, pool: int, speed: Quantity
) -> StepRow:
    add, fact, polls = quantities.add, quantities.fact, step.polls
    return StepRow(
        Step.EXPERIMENT,
        WorkDraws(purpose, add(step.time), add(step.gpus), fact(step.fails), fact(speed)),
        PollDraws(add(polls.every), add(polls.output_tokens), add(polls.result_tokens))
        if polls
        else PollDraws(),
        pool=pool,
        attempts=step.attempts,
        ends_cycle=int(step.on_failure == "end cycle"),
        at_once=NONE if step.at_once.highest <= 1.0 else quantities.add(step.at_once),
        wait_for=step.wait_for or 0,
    )


def _makes_turns(step: scenarios.Step) -> bool:
    """Return whether a step's turns are the group's."""
    if isinstance(step, scenarios.Think | scenarios.Delegate):
        return step.turn is None
    return isinstance(step, scenarios.OwnStep)


def _makes_calls(group: scenarios.Group) -> bool:
    """Return whether a group's agents ever call its model by its service, in its context."""
    return any(step.uses_group_context and getattr(step, "service", None) is None for step in group.cycle)


def _cached_at_start(group: scenarios.Group) -> int:
    """Return how much of the context under way at the start the cache holds at most: all, unless it is written."""
    cached = group.start.cached_tokens
    return int(MOST_TOKENS) if cached is None else round(cached.exact_value)
