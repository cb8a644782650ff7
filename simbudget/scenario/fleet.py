"""Reading the fleet: its groups, each with its cycle, and with its own turn and context or the scenario's."""

from typing import Final

from simbudget.scenario.document import Fields, Items, Node, Text
from simbudget.scenario.expectations import MOST_AGENTS
from simbudget.scenario.fields import Block, read_block, read_fields
from simbudget.scenario.model import Context, Experiment, Group, OwnStep, Score, Share, Step, Think, Turn
from simbudget.scenario.reading import Reading, describe, is_absent, nearest

DEFAULT_MODEL: Final = "claude-opus-4-6"

_MOST_GROUPS: Final = 200
_MOST_STEPS: Final = 200

_STEPS: Final[dict[str, type[Block]]] = {
    "think": Think,
    "experiment": Experiment,
    "score": Score,
    "share": Share,
    "python": OwnStep,
}


def read_fleet(reading: Reading, document: Fields, turn: Turn, context: Context) -> tuple[Group, ...]:
    """Return the groups of the fleet; `turn` and `context` are the scenario's, which a group may override."""
    node, cycle_node = document.values.get("fleet"), document.values.get("cycle")
    cycle = _read_cycle(reading, cycle_node, "cycle") if cycle_node is not None else ()
    if isinstance(node, Fields):
        node = Items((node,), node.place)  # one group needs no list
    if not isinstance(node, Items) or not node.items:
        place = document.place if node is None else node.place
        reading.problem("`fleet` is missing" if node is None else "`fleet` has no group", place, _ADVICE)
        return ()
    if len(node.items) > _MOST_GROUPS:
        message = f"`fleet` has {len(node.items):,} groups; at most {_MOST_GROUPS} are allowed"
        reading.problem(message, node.place, "a group may have many agents")
    names: list[str] = []
    groups = []
    for item in node.items[:_MOST_GROUPS]:
        name = _name(reading, item, names)
        names.append(name)
        own = isinstance(item, Fields) and "cycle" in item.values
        if not own and cycle_node is None:
            reading.problem(
                "`cycle` is missing", item.place, "write the steps, such as `cycle: [{think: {turns: 10}}]`"
            )
        groups.append(_read_group(reading, item, name, (cycle, turn, context)))
    agents = sum(group.agents for group in groups)
    if agents > MOST_AGENTS:
        message = f"the groups have {agents:,} agents together; at most {MOST_AGENTS:,} are allowed"
        reading.problem(message, node.place, "lower `agents`")
    return tuple(groups)


_ADVICE: Final = "write a list of groups, such as `fleet: [{agents: 9, model: claude-opus-4-6}]`"


def _name(reading: Reading, node: Node, taken: list[str]) -> str:
    """Return a group's name: its own, or `agents`, `people`, numbered where taken."""
    given = node.values.get("group") if isinstance(node, Fields) else None
    if isinstance(given, Text) and not given.is_null:
        if given.text in taken:
            reading.problem(
                f"there is another group `{given.text[:40]}`", given.place, "give each its own name"
            )
        return given.text
    kind = node.values.get("kind") if isinstance(node, Fields) else None
    base = "people" if isinstance(kind, Text) and kind.text == "people" else "agents"
    number = 1
    while (name := base if number == 1 else f"{base}-{number}") in taken:
        number += 1
    return name


def _read_group(
    reading: Reading, node: Node, group: str, shared: tuple[tuple[Step, ...], Turn, Context]
) -> Group:
    name = f"fleet[{group}]"
    reading.seen(name, node)
    cycle, turn, context = shared
    if not isinstance(node, Fields):
        reading.problem(f"a group of the fleet: found {describe(node)}", node.place, _ADVICE)
        node = Fields({}, {}, node.place)
    reading.unknown_keys(node, Group.model_fields, "a group")
    values = read_fields(reading, Group, node, name)
    if "agents" not in node.values and node.values:
        reading.problem("the group does not say how many: `agents`", node.place, "write such as `agents: 9`")
    values["group"] = group
    if values["kind"] == "agents" and values["model"] is None:
        values["model"] = DEFAULT_MODEL
        reading.note(f"{name}.model", DEFAULT_MODEL, "setting", None)
    own_cycle = node.values.get("cycle")
    if own_cycle is not None:
        cycle = _read_cycle(reading, own_cycle, f"{name}.cycle")
    own_turn, own_context = node.values.get("turn"), node.values.get("context")
    if own_turn is not None:
        turn = read_block(reading, Turn, own_turn, f"{name}.turn", base=turn)
    if own_context is not None:
        context = read_block(reading, Context, own_context, f"{name}.context", base=context)
    return Group(**values, cycle=cycle, turn=turn, context=context)


def _read_cycle(reading: Reading, node: Node, name: str) -> tuple[Step, ...]:
    reading.seen(name, node)
    advice = f"write a list of steps: {', '.join(f'`{step}`' for step in _STEPS)}"
    if not isinstance(node, Items) or not node.items:
        reading.problem(
            f"`cycle`: found {'no step' if isinstance(node, Items) else describe(node)}", node.place, advice
        )
        return ()
    if len(node.items) > _MOST_STEPS:
        message = f"a cycle of {len(node.items):,} steps; at most {_MOST_STEPS} are allowed"
        reading.problem(message, node.place, "cycles repeat by themselves")
    counted: dict[str, int] = {}
    steps = []
    for item in node.items[:_MOST_STEPS]:
        step = _read_step(reading, item, name, counted)
        if step is not None:
            steps.append(step)
    return tuple(steps)


def _read_step(reading: Reading, node: Node, cycle: str, counted: dict[str, int]) -> Step | None:
    """Return one step, `{think: {turns: 10}}` or just `score`; None, and a problem, if it is none."""
    if isinstance(node, Text):
        kind, body = node.text, None
    elif isinstance(node, Fields) and len(node.values) == 1:
        kind, body = next(iter(node.values.items()))
    else:
        found = "several keys" if isinstance(node, Fields) else describe(node)
        reading.problem(
            f"a step: found {found}", node.place, "write one step an item, such as `- think: {turns: 10}`"
        )
        return None
    if kind not in _STEPS:
        reading.problem(f"there is no step `{kind[:40]}`", node.place, nearest(kind, _STEPS))
        return None
    counted[kind] = counted.get(kind, -1) + 1
    name = f"{cycle}.{kind}[{counted[kind]}]"
    reading.places[name] = node.place
    if is_absent(body):
        body = None if kind in ("score", "share") else Fields({}, {}, node.place)
    return read_block(reading, _STEPS[kind], body, name)  # type: ignore[return-value]
