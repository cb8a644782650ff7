"""What of the scenario language a pilot cannot do, and what to write instead.

A key that would change calls, jobs or costs is refused, so that nobody compares a pilot with a simulation of something
else. A key whose counterpart in a pilot is real (crashes, people) or that only changes prices is a note.
"""

from collections.abc import Iterator

from simbudget.errors import Place, Problem
from simbudget.pilot.tasks.task import Task
from simbudget.scenario.loading import LoadedScenario
from simbudget.scenario.scenario import Group, Scenario, Step, Think

_OWN_OF_A_STEP = ("model", "context", "turn", "returns_tokens")
_STEPS = {
    "delegate": "agents of a pilot have no sub-agents; write their turns as a `think` step",
    "python": "a pilot does not run steps written in Python; leave the step out",
}


def what_cannot_run(loaded: LoadedScenario, task: Task) -> Iterator[Problem]:
    """Yield a problem for each key of a scenario that a pilot cannot do.

    Args:
        loaded: the scenario.
        task: the task that the agents work on.
    """
    scenario = loaded.scenario
    found = [*_of_cycles(scenario), *_of_resources(scenario), *_of_tasks(scenario, task)]
    for key, message, remedy in found:
        yield Problem(f"`{key}`: {message}", _place(loaded, key), remedy)


_Found = tuple[str, str, str]
"""A key, why a pilot cannot do it, and the remedy."""


def _of_cycles(scenario: Scenario) -> Iterator[_Found]:
    for group in scenario.fleet:
        if group.kind != "agents":
            continue
        yield from _of_group(group)
        own = "cycle" in group.written
        counted: dict[str, int] = {}
        for step in group.cycle:
            counted[step.kind] = counted.get(step.kind, -1) + 1
            cycle = f"fleet[{group.group}].cycle" if own else "cycle"
            yield from _of_step(step, f"{cycle}.{step.kind}[{counted[step.kind]}]")


def _of_group(group: Group) -> Iterator[_Found]:
    name, context = f"fleet[{group.group}]", group.context
    if group.service is not None and group.service.name != "standard":
        yield (
            f"{name}.service",
            f"a pilot calls the standard service, not {group.service.name}",
            "leave `service` out",
        )
    if not group.start.context_tokens.surely_zero:
        yield f"{name}.start.context_tokens", "agents of a pilot begin with an empty context", "leave it out"
    if context.when_full.how != "compact":
        yield (
            "context.when_full",
            f"a pilot compacts full contexts and cannot `{context.when_full}`",
            "write `compact`",
        )
    if not context.keeps_thinking and not group.turn.thinking_tokens.surely_zero:
        yield "context.keeps_thinking", "the provider keeps thinking within a tool loop", "leave it out"
    if not context.shared_prefix_tokens.surely_zero:
        yield "context.shared_prefix_tokens", "contexts of a pilot share no prefix", "leave it out"


def _of_step(step: Step, name: str) -> Iterator[_Found]:
    if step.kind in _STEPS:
        message, _, remedy = _STEPS[step.kind].partition("; ")
        yield name, message, remedy
    if isinstance(step, Think):
        for key in _OWN_OF_A_STEP:
            if key in step.written:
                yield (
                    f"{name}.{key}",
                    "all steps of a pilot's agent use the group's model, turn and context",
                    f"leave `{key}` out, or give the step to a group of its own",
                )
        if step.service is not None and step.service.name != "standard":
            yield f"{name}.service", "a pilot calls the standard service only", "leave `service` out"


def _of_resources(scenario: Scenario) -> Iterator[_Found]:
    for model, speed in scenario.models.items():
        if speed.served_on is not None:
            yield (
                f"models.{model}.served_on",
                "a pilot serves no models",
                "leave it out, or use a model with a provider",
            )
    if scenario.api.plan is not None:
        yield "api.plan", "a pilot pays list prices and has no subscription", "leave `plan` out"
    if len(scenario.pools) > 1:
        yield (
            "gpus",
            f"a pilot has one pool of slots, not {len(scenario.pools)}",
            "write one pool, and leave `on` out of the steps",
        )
    if scenario.scorer.model is not None:
        yield "scorer.model", "a pilot's submissions are scored by its task, not by a model", "leave it out"


def _of_tasks(scenario: Scenario, task: Task) -> Iterator[_Found]:
    if scenario.tasks is None:
        return
    groups = [group for group in scenario.fleet if group.kind == "agents"]
    if not all(any(step.kind == "score" for step in group.cycle) for group in groups):
        yield "tasks", "an attempt is judged by its score, and a cycle has no `score` step", "add `- score`"
    if not task.is_list:
        yield (
            "tasks",
            f"the task {task.name} is a single task",
            "give a list with --task FILE.yaml, whose `run` contains {task}",
        )
    elif task.solved_from is None:
        yield (
            "tasks",
            f"the task {task.name} does not say when an attempt solves it",
            "add `solved_from: SCORE` to its file",
        )


def _place(loaded: LoadedScenario, key: str) -> Place | None:
    """Return the place in the file at which a key is written, or else something below it or beside it."""
    for name in (key, key.rpartition(".")[0]):
        for row in loaded.provenance:
            file, _, line = row.source.rpartition(":")
            if name and (row.name == name or row.name.startswith(f"{name}.")) and file and line.isdigit():
                return Place(file, int(line))
    return None


def what_differs(scenario: Scenario) -> Iterator[str]:
    """Yield notes, each a clause, on keys that have no effect in a pilot or are replaced by something real."""
    stop = scenario.stop
    if any(group.kind == "people" for group in scenario.fleet):
        yield "people in the fleet take no part in a pilot"
    if any(group.crashes for group in scenario.fleet):
        yield "the scenario's crashes are not simulated; crashes in the pilot are real"
    if any(getattr(step, "polls", None) for group in scenario.fleet for step in group.cycle):
        yield "agents wait for their experiments without polling"
    if any(pool.preempted for pool in scenario.pools):
        yield "slots are not preempted"
    if scenario.prices.discount:
        yield "discounts are not applied: the ledger is at list prices"
    if stop.budget_counts != "when begun":
        yield "calls count towards --budget when they begin, since the guard reserves them"
    if stop.target_score is not None or stop.no_improvement_for is not None:
        yield "a pilot does not end because of its scores"
    if scenario.review is not None and scenario.review.by is not None:
        yield "submissions are reviewed by people, with `simbudget review`"
