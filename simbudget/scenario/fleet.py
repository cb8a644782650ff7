"""The fleet: groups of agents and people, when each agent starts and ends, and the tasks that agents work on.

Field names are the keys of the scenario language; quantities are in base units. A field's annotation says what its
key expects, and the sentence below it what the key means; reference page and JSON Schema are generated from both.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, NamedTuple, Self

from simbudget.scenario.context import Context, Turn
from simbudget.scenario.language.amounts import Amount
from simbudget.scenario.language.blocks import Block, keys_of, read_keys
from simbudget.scenario.language.calendar import OfficeHours
from simbudget.scenario.language.document import Fields, Items, Node, Text
from simbudget.scenario.language.expectations import (
    HOURS,
    MOST_AGENTS,
    MOST_USD,
    TEN_YEARS_S,
    Nested,
    choice,
    fact,
    list_of,
    model_name,
    models_called,
    time,
    whole,
    words,
)
from simbudget.scenario.language.quantities import Quantity
from simbudget.scenario.language.reading import Reading, describe
from simbudget.scenario.provider import Service, ServiceKey
from simbudget.scenario.steps import Delegate, Step, Steps, Think
from simbudget.units import Dimension

DEFAULT_MODEL: Final = "claude-opus-4-6"
MOST_GROUPS: Final = 200
"""Far above any fleet described by hand, and few enough to check in a fraction of a second."""


class Start(Block):
    """When the agents of a group start."""

    first: Annotated[Quantity, time("0 s", exact=True)]
    """When the first agent of the group starts."""
    then_every: Annotated[Quantity, time("0 s", exact=True)]
    """How long after each agent the next one starts."""
    context_tokens: Annotated[Quantity, fact(Dimension.NUMBER, "0")]
    """Tokens in each agent's first context, which is already in progress; 0 to begin like any other."""
    cached_tokens: Annotated[Quantity | None, Amount(Dimension.NUMBER, exact=True, high=1e9, optional=True)]
    """How many of these are cached at the start; by default all of them."""
    context_turns: Annotated[Quantity, Amount(Dimension.NUMBER, "0", exact=True, high=1e9)]
    """Number of turns already made in this context; see `turn.opening`."""


class Crashes(Block):
    """How often an agent crashes, and how long it is then down."""

    every: Annotated[Quantity, fact(Dimension.DURATION, low=1.0)]
    """Mean time between an agent's crashes, which follow an exponential distribution."""
    restart: Annotated[Quantity, time("10 min")]
    """How long an agent is down after a crash."""


class Sandbox(Block):
    """The cost of an agent's sandbox."""

    price: Annotated[Quantity, fact(Dimension.USD_PER_HOUR, "0 $/h")]
    """Price of one agent's sandbox."""


class Staff(Block):
    """The pay and working hours of people."""

    price: Annotated[Quantity, fact(Dimension.USD_PER_HOUR)]
    """Pay of one person."""
    hours: Annotated[OfficeHours, HOURS]
    """When they work."""


def _limit(dimension: Dimension, low: float, high: float) -> Amount:
    """Return the expectation of a limit on an agent or an attempt; a bare range is one unknown value."""
    return Amount(dimension, is_fact=True, low=low, high=high, optional=True)


_MOST_TOKENS_USED: Final = 1e15
_MOST_TURNS: Final = 1e12
"""Bounds that no run reaches, and that doubles hold exactly."""


class AgentStop(Block):
    """When a single agent ends, counted from its own start."""

    after: Annotated[Quantity | None, _limit(Dimension.DURATION, 1.0, TEN_YEARS_S)]
    """Time after its start at which it is cut off, including downtime and waiting."""
    spend: Annotated[Quantity | None, _limit(Dimension.MONEY, 0.0, MOST_USD)]
    """Maximum spend on calls, jobs, submissions and its sandbox."""
    tokens: Annotated[Quantity | None, _limit(Dimension.NUMBER, 0.0, _MOST_TOKENS_USED)]
    """Maximum number of tokens, of all four classes together."""
    turns: Annotated[Quantity | None, _limit(Dimension.NUMBER, 0.0, _MOST_TURNS)]
    """Maximum number of turns, including those of its sub-agents."""


class Group(Block):
    """A group of identical agents, or people."""

    group: Annotated[str, words()]
    """The group's name."""
    kind: Annotated[str, choice("agents", "people", default="agents")]
    """Whether these are agents, or people, who do not call models."""
    agents: Annotated[int, whole(1, MOST_AGENTS, stand_in=1, required=True)]
    """Number of agents or people."""
    model: Annotated[str | None, model_name()]
    """The model that they call."""
    directions: Annotated[int | None, whole(1, MOST_AGENTS)]
    """Number of starting directions of research; by default each agent has its own."""
    start: Annotated[Start, Nested(Start)]
    """When they start, and with which context."""
    crashes: Annotated[Crashes | None, Nested(Crashes, optional=True)]
    """How often an agent crashes; by default never."""
    sandbox: Annotated[Sandbox, Nested(Sandbox)]
    """The cost of their sandboxes."""
    staff: Annotated[Staff | None, Nested(Staff, optional=True)]
    """What people are paid, and when they work."""
    service: Annotated[Service | None, ServiceKey()]
    """The provider's service for its calls."""
    stop: Annotated[AgentStop | None, Nested(AgentStop, optional=True)]
    """When each of its agents ends at the latest."""
    cycle: Annotated[tuple[Step, ...], Steps()]
    """The group's own cycle; by default that of the scenario."""
    turn: Annotated[Turn, Nested(Turn)]
    """Differences from the scenario's `turn`."""
    context: Annotated[Context, Nested(Context)]
    """Differences from the scenario's `context`."""

    @classmethod
    def read(cls, reading: Reading, node: Node | None, name: str, base: Self | None) -> Self:
        """Return the group by itself, without a scenario's cycle, turn and context."""
        apart = Reading(Path())
        shared = Shared((), Turn.read(apart, None, "", None), Context.read(apart, None, "", None))
        given = node.values.get("group") if isinstance(node, Fields) else None
        group = given.text if isinstance(given, Text) else "agents"
        return cls.of_fleet(reading, node or Text("", reading.nowhere), group, shared)

    @classmethod
    def of_fleet(cls, reading: Reading, node: Node, group: str, shared: "Shared") -> Self:
        """Return a named group of a fleet, with the scenario's cycle, turn and context where it has none of its own."""
        name = f"fleet[{group}]"
        reading.seen(name, node)
        if not isinstance(node, Fields):
            reading.problem(f"a group of the fleet: found {describe(node)}", node.place, FLEET_ADVICE)
            reading = Reading(reading.folder)
            node = Fields({}, {}, node.place)
        keys = keys_of(cls)
        reading.unknown_keys(node, keys, "a group")
        values = read_keys(reading, cls, node, name, None, shared._asdict()) | {"group": group}
        if values["kind"] == "agents" and values["model"] is None:
            values["model"] = DEFAULT_MODEL
            reading.note(f"{name}.model", DEFAULT_MODEL, "setting", None)
        own = node.values
        if "cycle" in own:
            values["cycle"] = keys["cycle"].read(reading, own["cycle"], f"{name}.cycle")
        if "turn" in own:
            values["turn"] = Turn.read(reading, own["turn"], f"{name}.turn", shared.turn)
        if "context" in own:
            values["context"] = Context.read(reading, own["context"], f"{name}.context", shared.context)
        return cls.of_values(values, frozenset(own).intersection(keys))

    def context_of(self, step: Think | Delegate) -> Context:
        """Return the context that a step's calls send: the group's, with the keys that the step writes."""
        return self.context if step.context is None else step.context.over(self.context)


class Shared(NamedTuple):
    """What the groups of a fleet share unless they write their own."""

    cycle: tuple[Step, ...]
    turn: Turn
    context: Context


FLEET_ADVICE: Final = "write a list of groups, such as `fleet: [{agents: 9, model: claude-opus-4-6}]`"


class Fleet:
    """The expectation of a fleet's groups; a single group needs no list."""

    required: ClassVar[bool] = False  # `read_fleet` reports that it is missing
    model: ClassVar[type[Block]] = Group

    def read(self, reading: Reading, node: Node | None, name: str) -> tuple[Group, ...]:
        """Return the groups by themselves; in a scenario, see `read_fleet`."""
        return tuple(Group.read(reading, item, name, None) for item in list_of(reading, node, name))

    def write(self, value: Any) -> Any:
        """Return the groups as a list."""
        return [group.write() for group in value]


def read_fleet(reading: Reading, document: Fields, shared: Shared) -> tuple[Group, ...]:
    """Return the groups of the fleet; `shared` are the scenario's settings, which a group may override.

    Args:
        reading: collects mistakes and the origin of values.
        document: the top level of the scenario.
        shared: settings of the scenario, which a group may override.
    """
    node = document.values.get("fleet")
    if isinstance(node, Fields):
        node = Items((node,), node.place)
    if not isinstance(node, Items) or not node.items:
        place = document.place if node is None else node.place
        message = "`fleet` is missing" if node is None else "`fleet` has no group"
        reading.problem(message, place, FLEET_ADVICE)
        return ()
    if len(node.items) > MOST_GROUPS:
        message = f"`fleet` has {len(node.items):,} groups; at most {MOST_GROUPS} are allowed"
        reading.problem(message, node.place, "a group may have many agents")
    names: list[str] = []
    groups = []
    for item in node.items[:MOST_GROUPS]:
        names.append(_group_name(reading, item, names))
        own = isinstance(item, Fields) and "cycle" in item.values
        if not own and "cycle" not in document.values:
            remedy = "write the steps, such as `cycle: [{think: {turns: 10}}]`"
            reading.problem("`cycle` is missing", item.place, remedy)
        groups.append(Group.of_fleet(reading, item, names[-1], shared))
    agents = sum(group.agents for group in groups)
    if agents > MOST_AGENTS:
        message = f"the groups have {agents:,} agents together; at most {MOST_AGENTS:,} are allowed"
        reading.problem(message, node.place, "lower `agents`")
    return tuple(groups)


def models_of(fleet: Sequence[Group], others: Sequence[str] = ()) -> list[str]:
    """Return the distinct models that a fleet calls, followed by others.

    Args:
        fleet: the groups.
        others: further models, such as that of a judge.
    """
    used: list[str] = []
    for group in fleet:
        blocks = (group, *group.cycle) if group.kind == "agents" else ()
        used += [model for block in blocks for _, model in models_called(block, "")]
    return list(dict.fromkeys([*used, *others]))


def _group_name(reading: Reading, node: Node, taken: list[str]) -> str:
    """Return a group's name: its own, or `agents` or `people`, numbered if that is taken."""
    given = node.values.get("group") if isinstance(node, Fields) else None
    if isinstance(given, Text) and not given.is_null:
        if given.text in taken:
            message = f"there is another group `{given.text[:40]}`"
            reading.problem(message, given.place, "give each its own name")
        return given.text
    kind = node.values.get("kind") if isinstance(node, Fields) else None
    base = "people" if isinstance(kind, Text) and kind.text == "people" else "agents"
    number = 1
    while (name := base if number == 1 else f"{base}-{number}") in taken:
        number += 1
    return name


class Attempt(Block):
    """Limits of an attempt at a task; an attempt that reaches one ends unsolved."""

    time: Annotated[Quantity | None, _limit(Dimension.DURATION, 1.0, TEN_YEARS_S)]
    """Time since the task was taken, including waiting."""
    spend: Annotated[Quantity | None, _limit(Dimension.MONEY, 0.0, MOST_USD)]
    """Spend on calls, jobs, submissions and the sandbox."""
    tokens: Annotated[Quantity | None, _limit(Dimension.NUMBER, 0.0, _MOST_TOKENS_USED)]
    """Tokens of all four classes."""
    turns: Annotated[Quantity | None, _limit(Dimension.NUMBER, 0.0, _MOST_TURNS)]
    """Turns, including those of sub-agents."""


class Tasks(Block):
    """Tasks that agents work on: each cycle is one attempt at one task."""

    count: Annotated[int, whole(1, 10_000_000, stand_in=1, required=True)]
    """Number of tasks."""
    attempts: Annotated[int, whole(1, 1_000_000, "1")]
    """Maximum number of attempts at each task."""
    solved: Annotated[Quantity, fact(Dimension.FRACTION)]
    """Probability that an attempt solves a task of median difficulty."""
    difficulty: Annotated[Quantity, fact(Dimension.NUMBER, "0")]
    """Standard deviation of the tasks' difficulty, in logits."""
    until: Annotated[str, choice("solved", "all attempts", default="solved")]
    """Whether a task is closed when it is solved, or after all attempts."""
    limit: Annotated[Attempt | None, Nested(Attempt, optional=True)]
    """Limits of one attempt; by default there are none."""
