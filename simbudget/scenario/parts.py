"""The blocks of a scenario, key by key: what the YAML says, with every default filled in.

Field names are the keys of the scenario language. Quantities are in base units. Each annotation says what the key
expects, the sentence under it what the key means; the reference page and the JSON Schema are made from both.
"""

import base64
import binascii
import datetime
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Final, NamedTuple, Self

from simbudget.pricing.tiers import TIERS
from simbudget.published.defaults import KEEPS, RESEARCH
from simbudget.scenario.blocks import (
    HOURS,
    MOST_AGENTS,
    MOST_USD,
    TEN_YEARS_S,
    Block,
    FrozenDict,
    Listed,
    Named,
    Nested,
    Parsed,
    attribute,
    choice,
    fact,
    keys_of,
    list_of,
    mapping_of,
    number,
    read_keys,
    share,
    time,
    tokens,
    whole,
    words,
    yes_or_no,
)
from simbudget.scenario.calendar import Begins, OfficeHours, parse_begins
from simbudget.scenario.calibration_file import (
    Calibration,
    NotACalibrationError,
    calibration_bytes,
    calibration_of_bytes,
    read_calibration,
)
from simbudget.scenario.document import Fields, Given, Items, Node, Text
from simbudget.scenario.limits import Limit, parse_limit
from simbudget.scenario.own_steps import OwnFile
from simbudget.scenario.quantities import Amount, Quantity
from simbudget.scenario.reading import Reading, describe, is_absent, nearest, read_date
from simbudget.units import Dimension

VERSION: Final = 1
DEFAULT_MODEL: Final = "claude-opus-4-6"
MOST_GATES: Final = 64
MOST_METHODS: Final = 1_000_000
_MOST_GROUPS: Final = 200
_MOST_STEPS: Final = 200
"""More than anybody writes by hand; a file full of them is refused before it takes long."""


class Start(Block):
    """When the agents of a group start."""

    first: Annotated[Quantity, time("0 s", exact=True)]
    """When the first agent of the group starts."""
    then_every: Annotated[Quantity, time("0 s", exact=True)]
    """How long after each agent the next one starts."""
    context_tokens: Annotated[Quantity, fact(Dimension.NUMBER, "0")]
    """Tokens in the first context of each agent, which is under way already; 0: it begins as any other."""
    cached_tokens: Annotated[Quantity | None, Amount(Dimension.NUMBER, exact=True, high=1e9, optional=True)]
    """How many of these the cache holds at the start; all of them by default."""
    context_turns: Annotated[Quantity, Amount(Dimension.NUMBER, "0", exact=True, high=1e9)]
    """Turns that this context has behind it; see `turn.opening`."""


class Crashes(Block):
    """How often an agent crashes, and how long it is down then."""

    every: Annotated[Quantity, fact(Dimension.DURATION, low=1.0)]
    """Mean time between an agent's crashes, which are exponential."""
    restart: Annotated[Quantity, time("10 min")]
    """How long an agent is down after a crash."""


class Sandbox(Block):
    """What an agent's sandbox costs."""

    price: Annotated[Quantity, fact(Dimension.USD_PER_HOUR, "0 $/h")]
    """Price of one agent's sandbox."""


class Staff(Block):
    """What people are paid, in their hours."""

    price: Annotated[Quantity, fact(Dimension.USD_PER_HOUR)]
    """What one person is paid."""
    hours: Annotated[OfficeHours, HOURS]
    """When they work."""


class Polls(Block):
    """How an agent looks after its experiment."""

    every: Annotated[Quantity, time(low=1.0)]
    """Time from one call to the next."""
    output_tokens: Annotated[Quantity, tokens("60")]
    """Output of such a call."""
    result_tokens: Annotated[Quantity, tokens("300")]
    """Tokens that join the context after it."""


@dataclass(frozen=True)
class WhenFull:
    """What is done with a full context: it is compacted, restarted, or loses its oldest part."""

    how: str
    """`compact`, `restart` or `drop oldest`."""
    to: float = 1.0
    """Which part of the limit is left after `drop oldest`."""

    is_setting: ClassVar[bool] = True

    def __str__(self) -> str:
        """Return it as a scenario writes it."""
        return f"{self.how} to {self.to!r}" if self.how == "drop oldest" else self.how


def _parse_when_full(text: str) -> WhenFull:
    words_of = " ".join(text.lower().split())
    if words_of in ("compact", "restart"):
        return WhenFull(words_of)
    match = re.fullmatch(r"drop oldest to (.+)", words_of)
    if match is None:
        raise ValueError(f"`{text[:40]}` is not known; write `compact`, `restart` or `drop oldest to 70%`")
    part = Amount(Dimension.FRACTION, exact=True).parse(match[1]).distribution.mean()
    if not 0.0 < part < 1.0:
        raise ValueError(f"`{text[:40]}` makes no sense here; a part above 0% and below 100% is allowed")
    return WhenFull("drop oldest", part)


WHEN_FULL: Final = Parsed(
    _parse_when_full,
    "compact",
    schema={
        "anyOf": [
            {"enum": ["compact", "restart", "drop oldest to 70%"]},
            {"type": "string", "pattern": r"^\s*(compact|restart|drop oldest to [\d.]+ ?%?)\s*$"},
        ]
    },
    form="`compact`, `restart` or `drop oldest to 70%`",
)


def _limit(dimension: Dimension, low: float, high: float) -> Amount:
    """Return what expects a limit of an agent or an attempt; a bare range is one unknown value."""
    return Amount(dimension, is_fact=True, low=low, high=high, optional=True)


_MOST_TOKENS_USED: Final = 1e15
_MOST_TURNS: Final = 1e12


class Opening(Block):
    """How much more than later the tools return in a context's first turns, in which an agent looks around.

    The results of its k-th turn, from 0 and anew after a compaction, are 1 + (times - 1) exp(-k / turns) times as
    large.
    """

    times: Annotated[Quantity, fact(Dimension.NUMBER, "1")]
    """How many times as large the first results are."""
    turns: Annotated[Quantity, Amount(Dimension.NUMBER, "4", is_fact=True, low=0.1, high=1e6)]
    """Turns in which the surplus falls to 37 %."""


class Turn(Block):
    """One model call and the tool results that follow it."""

    output_tokens: Annotated[Quantity, tokens("{typical: 350 to 1200, varies: 3x}")]
    """Output of a model call, without its thinking."""
    thinking_tokens: Annotated[Quantity, tokens("0")]
    """Thinking, billed and timed as output."""
    tool_result_tokens: Annotated[Quantity, tokens("{typical: 500 to 3000, varies: 4x}")]
    """Tokens that the tools return into the context."""
    tool_time: Annotated[Quantity, time("{typical: 5 s to 30 s, varies: 5x}")]
    """How long the tools take."""
    opening: Annotated[Opening, Nested(Opening)]
    """Larger tool results at the beginning of a context."""


CACHE_LIFE_S: Final = {"5 min": 300.0, "1 h": 3600.0}
"""How long each kind of cache keeps what was sent, from its last use.

https://platform.claude.com/docs/en/build-with-claude/prompt-caching
"""


class Context(Block):
    """What a call sends, and what of it the cache holds."""

    first_prompt_tokens: Annotated[Quantity, tokens("20000")]
    """Tokens that a context begins with: system prompt, tools, task."""
    limit_tokens: Annotated[Quantity, fact(Dimension.NUMBER, "160000")]
    """A context with more tokens than this is compacted before the next call."""
    compacted_to_tokens: Annotated[Quantity, tokens("20000")]
    """Length of the summary that a compaction writes."""
    lasts: Annotated[str, choice("think", "cycle", "life", default="cycle")]
    """How long a context lasts: one `think` step, one cycle, or the agent's life."""
    cache: Annotated[str, choice("off", *CACHE_LIFE_S, default="5 min")]
    """How long the cache holds a context, or `off`."""
    keeps_thinking: Annotated[bool, yes_or_no("no")]
    """Whether thinking joins the context like other output."""
    shared_prefix_tokens: Annotated[Quantity, tokens("0")]
    """How many of its first tokens all contexts of the group and model have in common, in one cache."""
    when_full: Annotated[WhenFull, WHEN_FULL]
    """What is done with a context that is over the limit."""
    carried_tokens: Annotated[Quantity, tokens("0")]
    """What a restart of a full context carries over, beside its first prompt."""
    cache_misses: Annotated[Quantity, fact(Dimension.FRACTION, "0%")]
    """Probability that a call finds nothing in the cache although it is young."""


class Step(Block):
    """One step of a cycle."""

    kind: ClassVar[str]
    """Its name in the list of steps."""
    if_: str | Quantity | None

    def as_written(self) -> dict[str, Any]:
        """Return the step as an item of a cycle."""
        return {self.kind: self.document()}


@dataclass(frozen=True)
class Partly:
    """What expects a block of which every key that is not written is another block's, such as the group's."""

    model: type[Block]

    required: ClassVar[bool] = False

    def read(self, reading: Reading, node: Node | None, name: str) -> Block | None:
        """Return the block, its defaults where nothing is written; None if it is absent."""
        reading.seen(name, node)
        if is_absent(node):
            return None
        defaults = self.model.read(Reading(reading.folder), None, name, None)
        return self.model.read(reading, node, name, defaults)

    def write(self, value: Any) -> Any:
        """Return what is written of the block."""
        return value.write()


class Condition:
    """What expects when a step is done: `succeeded`, `failed`, `improved`, or with a probability."""

    required: ClassVar[bool] = False
    part: ClassVar[Amount] = fact(Dimension.FRACTION)
    words: ClassVar[tuple[str, ...]] = ("succeeded", "failed", "improved")

    def read(self, reading: Reading, node: Node | None, name: str) -> str | Quantity | None:
        """Return the word, or the probability; None for always."""
        reading.seen(name, node)
        if node is None:
            return None
        if is_absent(node) or (isinstance(node, Text) and re.fullmatch(r"\s*[A-Za-z ]+", node.text)):
            word = node.text.strip().lower() if isinstance(node, Text) else ""
            if word not in self.words:
                remedy = f"{nearest(word, self.words)}, or a part such as `30%`"
                reading.problem(f"`if`: found {describe(node)}", node.place, remedy)
                return None
            reading.note(name, word, "setting", node)
            return word
        return self.part.read(reading, node, name)

    def write(self, value: Any) -> Any:
        """Return the word or the probability."""
        return value if isinstance(value, str) else self.part.write(value)


@dataclass(frozen=True)
class Service:
    """The provider's service that calls are made by, and how long a batch takes to return."""

    name: str
    returns_in: Quantity


SERVICES: Final = ("standard", "batch", "priority", "flex", "fast")


class ServiceKey:
    """What expects a service: its name, or `{batch: {returns_in: 1 h}}`."""

    required: ClassVar[bool] = False
    default: ClassVar[str] = "standard"
    returns_in: ClassVar[Amount] = time("10 min to 2 h")

    def read(self, reading: Reading, node: Node | None, name: str) -> Service | None:
        """Return the service; None where none is written."""
        reading.seen(name, node)
        if node is None or is_absent(node):
            return None
        within, word = None, node.text if isinstance(node, Text) else "batch"
        if isinstance(node, Given) and isinstance(node.value, Service):
            return node.value
        if isinstance(node, Fields):
            reading.unknown_keys(node, ("batch",), "`service`")
            batch = mapping_of(reading, node.values.get("batch"), f"{name}.batch")
            within = batch.pop("returns_in", None)
            for key, value in batch.items():
                reading.problem(
                    f"`batch` has no key `{key[:60]}`", value.place, nearest(key, ("returns_in",))
                )
        elif word not in SERVICES:
            reading.problem(f"`service`: found {describe(node)}", node.place, nearest(word, SERVICES))
            return None
        if within is None:
            reading.note(name, word, "setting", node)
        apart = reading if word == "batch" else Reading(reading.folder)
        returns_in = self.returns_in.read(apart, within, f"{name}.batch.returns_in")
        assert returns_in is not None
        return Service(word, returns_in)

    def write(self, value: Any) -> Any:
        """Return the service."""
        if value.name != "batch" or value.returns_in.text == self.returns_in.default:
            return value.name
        return {"batch": {"returns_in": self.returns_in.write(value.returns_in)}}


class Think(Step):
    """A step of model calls; for people, of working time.

    With `model` or `context` it has a context of its own, which lasts for the step unless `context.lasts` says more.
    What it does not write is the group's.
    """

    kind: ClassVar[str] = "think"
    turns: Annotated[Quantity | None, Amount(Dimension.NUMBER, high=1e6, optional=True)]
    """Number of turns, rounded, at least 1; for agents."""
    time: Annotated[Quantity | None, time(optional=True)]
    """Working time; for people."""
    model: Annotated[str | None, words()]
    """Model of this step; the group's by default."""
    turn: Annotated[Turn | None, Partly(Turn)]
    """What differs from the group's `turn`."""
    context: Annotated[Context | None, Partly(Context)]
    """What differs from the group's `context`, in a context of the step's own."""
    returns_tokens: Annotated[Quantity | None, tokens(optional=True)]
    """Tokens that join the group's context when a step with a context of its own ends; 0 by default."""
    service: Annotated[Service | None, ServiceKey()]
    """The provider's service for its calls; the group's by default."""
    if_: Annotated[str | Quantity | None, Condition()]
    """When the step is done: if the cycle's last experiment succeeded or failed, if its last score improved, or with
    a probability."""


class Delegate(Step):
    """A step of sub-agents, each with a context of its own, side by side; the agent goes on when all have ended."""

    kind: ClassVar[str] = "delegate"
    agents: Annotated[Quantity, Amount(Dimension.NUMBER, high=10_000)]
    """Number of sub-agents, rounded; it may be 0."""
    turns: Annotated[Quantity, Amount(Dimension.NUMBER, high=1e6)]
    """Turns of each."""
    model: Annotated[str | None, words()]
    """Their model; the group's by default."""
    turn: Annotated[Turn | None, Partly(Turn)]
    """What differs from the group's `turn`."""
    context: Annotated[Context | None, Partly(Context)]
    """What differs from the group's `context`."""
    returns_tokens: Annotated[Quantity, tokens("0")]
    """Tokens that join the agent's context from each sub-agent, when all have ended."""
    service: Annotated[Service | None, ServiceKey()]
    """The provider's service for their calls; the group's by default."""
    if_: Annotated[str | Quantity | None, Condition()]
    """When the step is done; see `think`."""


def _parse_wait_for(text: str) -> int | None:
    if text.strip().lower() == "all":
        return None
    return int(whole(1, 1_000_000).parse(text))


WAIT_FOR: Final = Parsed(
    _parse_wait_for,
    "all",
    schema={
        "anyOf": [
            {"const": "all"},
            {"type": "integer", "minimum": 1},
            {"type": "string", "pattern": "^[0-9]+$"},
        ]
    },
    form="`all` or a whole number",
    written=lambda value: "all" if value is None else str(value),
)


class Experiment(Step):
    """A step of jobs on GPUs: training, evaluation."""

    kind: ClassVar[str] = "experiment"
    gpus: Annotated[Quantity, Amount(Dimension.NUMBER, "1", low=1.0, high=1e6)]
    """GPUs that a job holds."""
    time: Annotated[Quantity, time()]
    """How long it holds them."""
    fails: Annotated[Quantity, fact(Dimension.FRACTION, "0%")]
    """Probability that a try ends early, without a result."""
    attempts: Annotated[int, whole(1, 1000, "3")]
    """Tries of a job in all."""
    on_failure: Annotated[str, choice("go on", "end cycle", default="go on")]
    """What the agent does when all tries have failed."""
    at_once: Annotated[Quantity, Amount(Dimension.NUMBER, "1", low=1.0, high=10_000)]
    """Jobs side by side, rounded."""
    wait_for: Annotated[int | None, WAIT_FOR]
    """After how many jobs that ended well the agent goes on; the others are cancelled then."""
    on: Annotated[str | None, words()]
    """Name of the pool; the first by default."""
    polls: Annotated[Polls | None, Nested(Polls, optional=True)]
    """Short calls with which the agent looks after its job."""
    if_: Annotated[str | Quantity | None, Condition()]
    """When the step is done; see `think`."""


class Score(Step):
    """A step that sends a submission to the scorer."""

    kind: ClassVar[str] = "score"
    each: Annotated[bool, yes_or_no("no")]
    """Whether there is a submission for each job that ended well since the last score, and not one in all."""
    if_: Annotated[str | Quantity | None, Condition()]
    """When the step is done; see `think`."""


class Share(Step):
    """A step that reads the forum and posts."""

    kind: ClassVar[str] = "share"
    if_: Annotated[str | Quantity | None, Condition()]
    """When the step is done; see `think`."""


class OwnStep(Step):
    """A step that its user wrote in Python; the reference engine runs it."""

    kind: ClassVar[str] = "python"
    file: Annotated[Path, OwnFile()]
    """Python file with the step; its path begins at the scenario's folder."""
    function: Annotated[str, words("step")]
    """Name of the function in it."""
    if_: Annotated[str | Quantity | None, Condition()]
    """When the step is done; see `think`."""


STEPS: Final[dict[str, type[Step]]] = {
    "think": Think,
    "delegate": Delegate,
    "experiment": Experiment,
    "score": Score,
    "share": Share,
    "python": OwnStep,
}
"""By the name that a step has in a cycle."""


class Steps:
    """What expects a cycle: a list of steps, `{think: {turns: 10}}` or just `score`."""

    required: ClassVar[bool] = False

    def read(self, reading: Reading, node: Node | None, name: str) -> tuple[Step, ...]:
        """Return the steps; none, and a problem, for what is no list of them."""
        if node is None:
            return ()
        reading.seen(name, node)
        advice = f"write a list of steps: {', '.join(f'`{step}`' for step in STEPS)}"
        if not isinstance(node, Items) or not node.items:
            found = "no step" if isinstance(node, Items) else describe(node)
            reading.problem(f"`cycle`: found {found}", node.place, advice)
            return ()
        if len(node.items) > _MOST_STEPS:
            message = f"a cycle of {len(node.items):,} steps; at most {_MOST_STEPS} are allowed"
            reading.problem(message, node.place, "cycles repeat by themselves")
        counted: dict[str, int] = {}
        steps = (_read_step(reading, item, name, counted) for item in node.items[:_MOST_STEPS])
        return tuple(step for step in steps if step is not None)

    def write(self, value: Any) -> Any:
        """Return the steps as a list."""
        return [{step.kind: step.write()} for step in value]


def _read_step(reading: Reading, node: Node, cycle: str, counted: dict[str, int]) -> Step | None:
    """Return one step; None, and a problem, if it is none."""
    body: Node | None
    if isinstance(node, Text):
        kind, body = node.text, None
    elif isinstance(node, Fields) and len(node.values) == 1:
        kind, body = next(iter(node.values.items()))
    else:
        found = "several keys" if isinstance(node, Fields) else describe(node)
        remedy = "write one step an item, such as `- think: {turns: 10}`"
        reading.problem(f"a step: found {found}", node.place, remedy)
        return None
    if kind not in STEPS:
        reading.problem(f"there is no step `{kind[:40]}`", node.place, nearest(kind, STEPS))
        return None
    counted[kind] = counted.get(kind, -1) + 1
    name = f"{cycle}.{kind}[{counted[kind]}]"
    reading.places[name] = node.place
    return STEPS[kind].read(reading, None if is_absent(body) else body, name, None)


class AgentStop(Block):
    """When a single agent ends, counted from its own start."""

    after: Annotated[Quantity | None, _limit(Dimension.DURATION, 1.0, TEN_YEARS_S)]
    """How long after its start it is cut off, downtime and waiting included."""
    spend: Annotated[Quantity | None, _limit(Dimension.MONEY, 0.0, MOST_USD)]
    """What it may spend on calls, jobs, submissions and its sandbox."""
    tokens: Annotated[Quantity | None, _limit(Dimension.NUMBER, 0.0, _MOST_TOKENS_USED)]
    """Tokens of all four classes that it may use."""
    turns: Annotated[Quantity | None, _limit(Dimension.NUMBER, 0.0, _MOST_TURNS)]
    """Turns that it may make, its sub-agents' included."""


class Group(Block):
    """Some alike agents, or people."""

    group: Annotated[str, words()]
    """The group's name."""
    kind: Annotated[str, choice("agents", "people", default="agents")]
    """Agents, or people who do not call models."""
    agents: Annotated[int, whole(1, MOST_AGENTS, stand_in=1, required=True)]
    """How many there are."""
    model: Annotated[str | None, words()]
    """The model that they call."""
    directions: Annotated[int | None, whole(1, MOST_AGENTS)]
    """Starting directions of research among them; each has its own by default."""
    start: Annotated[Start, Nested(Start)]
    """When they start, and from what context."""
    crashes: Annotated[Crashes | None, Nested(Crashes, optional=True)]
    """How often an agent crashes; never by default."""
    sandbox: Annotated[Sandbox, Nested(Sandbox)]
    """What their sandboxes cost."""
    staff: Annotated[Staff | None, Nested(Staff, optional=True)]
    """What people are paid, and when they work."""
    service: Annotated[Service | None, ServiceKey()]
    """The provider's service for its calls."""
    stop: Annotated[AgentStop | None, Nested(AgentStop, optional=True)]
    """When each of its agents ends, at the latest."""
    cycle: Annotated[tuple[Step, ...], Steps()]
    """The group's own cycle; the scenario's by default."""
    turn: Annotated[Turn, Nested(Turn)]
    """What differs from the scenario's `turn`."""
    context: Annotated[Context, Nested(Context)]
    """What differs from the scenario's `context`."""

    @classmethod
    def read(cls, reading: Reading, node: Node | None, name: str, base: Self | None) -> Self:
        """Return the group alone, without a scenario's cycle, turn and context."""
        apart = Reading(Path())
        shared = Shared((), Turn.read(apart, None, "", None), Context.read(apart, None, "", None))
        given = node.values.get("group") if isinstance(node, Fields) else None
        group = given.text if isinstance(given, Text) else "agents"
        return cls.of_fleet(reading, node or Text("", reading.nowhere), group, shared)

    @classmethod
    def of_fleet(cls, reading: Reading, node: Node, group: str, shared: "Shared") -> Self:
        """Return a group of a fleet by its name, with the scenario's cycle, turn and context where it has no own."""
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


class Shared(NamedTuple):
    """What the groups of a fleet have in common, unless they write their own."""

    cycle: tuple[Step, ...]
    turn: Turn
    context: Context


FLEET_ADVICE: Final = "write a list of groups, such as `fleet: [{agents: 9, model: claude-opus-4-6}]`"


class Fleet:
    """What expects the groups of a fleet; one group needs no list."""

    required: ClassVar[bool] = False  # it says for itself that it is missing
    model: ClassVar[type[Block]] = Group

    def read(self, reading: Reading, node: Node | None, name: str) -> tuple[Group, ...]:
        """Return the groups alone; in a scenario see `read_fleet`."""
        return tuple(Group.read(reading, item, name, None) for item in list_of(reading, node, name))

    def write(self, value: Any) -> Any:
        """Return the groups as a list."""
        return [group.write() for group in value]


def read_fleet(reading: Reading, document: Fields, shared: Shared) -> tuple[Group, ...]:
    """Return the groups of the fleet; `shared` is the scenario's, which a group may override."""
    node = document.values.get("fleet")
    if isinstance(node, Fields):
        node = Items((node,), node.place)
    if not isinstance(node, Items) or not node.items:
        place = document.place if node is None else node.place
        message = "`fleet` is missing" if node is None else "`fleet` has no group"
        reading.problem(message, place, FLEET_ADVICE)
        return ()
    if len(node.items) > _MOST_GROUPS:
        message = f"`fleet` has {len(node.items):,} groups; at most {_MOST_GROUPS} are allowed"
        reading.problem(message, node.place, "a group may have many agents")
    names: list[str] = []
    groups = []
    for item in node.items[:_MOST_GROUPS]:
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
    """Return the models that a fleet calls, each once, and others after them."""
    used: list[str] = []
    for group in fleet:
        steps = (getattr(step, "model", None) for step in group.cycle)
        used += [model for model in (group.model, *(steps if group.kind == "agents" else ())) if model]
    return list(dict.fromkeys([*used, *others]))


def _group_name(reading: Reading, node: Node, taken: list[str]) -> str:
    """Return a group's name: its own, or `agents`, `people`, numbered where taken."""
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


class ModelSpeed(Block):
    """How quick a model answers."""

    first_token: Annotated[Quantity, time("1.5 s to 5 s")]
    """Time to the first token of an answer."""
    output_speed: Annotated[Quantity, Amount(Dimension.TOKENS_PER_S, "45 to 80 tokens/s", low=0.01, high=1e6)]
    """Speed of output after that."""
    served_on: Annotated[str | None, words()]
    """Pool of GPUs on which the model is served; its calls cost nothing by token then."""
    replicas: Annotated[int, whole(1, 100_000, "1")]
    """Copies of a model that is served on GPUs."""
    gpus_each: Annotated[int, whole(1, 100_000, "1")]
    """GPUs that each copy holds for the whole run."""
    throughput: Annotated[
        Quantity | None, Amount(Dimension.TOKENS_PER_S, is_fact=True, low=0.01, high=1e9, optional=True)
    ]
    """Output of one copy, shared by the calls that are under way."""
    at_most: Annotated[
        Quantity | None, Amount(Dimension.TOKENS_PER_S, is_fact=True, low=0.01, high=1e9, optional=True)
    ]
    """Speed of a single call at most; unlimited by default."""


@dataclass(frozen=True)
class Amounts:
    """Quantities by name."""

    each: Amount
    names: tuple[str, ...]

    required: ClassVar[bool] = False

    def read(self, reading: Reading, node: Node | None, name: str) -> FrozenDict:
        """Return the quantities."""
        nodes = mapping_of(reading, node, name)
        if isinstance(node, Fields):
            reading.unknown_keys(node, self.names, f"`{name.rpartition('.')[2]}`")
        found = {
            key: self.each.read(reading, nodes[key], f"{name}.{key}") for key in self.names if key in nodes
        }
        return FrozenDict(found)

    def write(self, value: Any) -> Any:
        """Return the quantities as they were written."""
        return {name: self.each.write(quantity) for name, quantity in value.items()}


COMPONENTS: Final = ("tokens", "gpu", "scorer", "sandbox", "review", "gates", "staff", "fixed")
"""What money is spent on."""


class PriceTier(Block):
    """Prices by token class; `cache_write` is of the class that the scenario's cache writes."""

    input: Annotated[Quantity, fact(Dimension.USD_PER_MTOK)]
    """Input that is neither read from nor written to the cache."""
    cache_write: Annotated[Quantity, fact(Dimension.USD_PER_MTOK)]
    """Input that is written to the cache, of the class that `context.cache` writes."""
    cache_read: Annotated[Quantity, fact(Dimension.USD_PER_MTOK)]
    """Input that is read from the cache."""
    output: Annotated[Quantity, fact(Dimension.USD_PER_MTOK)]
    """Output, thinking included."""


class LongTier(PriceTier):
    """Prices of a call whose context is longer than `above`."""

    above: Annotated[Quantity, tokens(exact=True)]
    """Context length above which a whole call has these prices."""


class ModelPrices(PriceTier):
    """The scenario's own prices of a model."""

    long: Annotated[LongTier | None, Nested(LongTier, optional=True)]
    """Prices of calls with a long context."""
    services: Annotated[FrozenDict, Amounts(Amount(Dimension.FRACTION, is_fact=True, high=100.0), SERVICES)]
    """Prices of other services, as parts of these: `{batch: 50%}`."""


DATE: Final = Parsed(read_date, schema={"type": "string", "format": "date"}, form="a date: `2026-03-01`")


class Prices(Block):
    """The date of the price list, and the scenario's own prices, by model."""

    on: Annotated[datetime.date, DATE]
    """Day of the price list; today by default."""
    discount: Annotated[FrozenDict, Amounts(fact(Dimension.FRACTION), COMPONENTS)]
    """By which part a component costs less: `{tokens: 15%}`."""
    models: Annotated[FrozenDict, Named(ModelPrices)]
    """Own prices of a model, under the model's name."""

    @classmethod
    def read(cls, reading: Reading, node: Node | None, name: str, base: Self | None) -> Self:
        """Return the prices; every key but its own is a model's name."""
        given = dict(mapping_of(reading, node, name))
        if node is not None and node.place.line is None and isinstance(inner := given.get("models"), Fields):
            del given["models"]  # in code they may stand apart
            given |= inner.values
        today = datetime.date.today().isoformat()
        on = Parsed(read_date, today).read(reading, given.pop("on", None), f"{name}.on")
        discount = keys_of(cls)["discount"].read(reading, given.pop("discount", None), f"{name}.discount")
        models = {
            model: ModelPrices.read(reading, prices, f"{name}[{model}]", None)
            for model, prices in given.items()
        }
        values = {"on": on, "discount": discount, "models": FrozenDict(models)}
        return cls.of_values(values, frozenset(values))

    def document(self) -> dict[str, Any]:
        """Return the date, always, since it is a result's; and the prices by model."""
        return {"on": self.on, **({"discount": self.discount} if self.discount else {}), **self.models}

    def write(self) -> Any:
        """Return the same as text."""
        discount = {"discount": keys_of(Prices)["discount"].write(self.discount)} if self.discount else {}
        models = {model: prices.write() for model, prices in self.models.items()}
        return {"on": str(self.on)} | discount | models


class ModelLimits(Block):
    """Limits of one model, which then does not share the common ones; what is not written is unlimited."""

    requests_per_min: Annotated[float | None, number(Dimension.NUMBER, 0.001, 1e9)]
    """Requests a minute."""
    input_tokens_per_min: Annotated[float | None, number(Dimension.NUMBER, 1, 1e12)]
    """Input tokens a minute, cache reads not counted."""
    output_tokens_per_min: Annotated[float | None, number(Dimension.NUMBER, 1, 1e12)]
    """Output tokens a minute."""


class Window(Block):
    """A window of a subscription, which begins with the first call after the last one has ended."""

    every: Annotated[Quantity, time(exact=True, low=60.0)]
    """How long it lasts."""
    allows: Annotated[Quantity, Amount(Dimension.MONEY, is_fact=True, high=MOST_USD)]
    """Use at list prices that it allows, for each seat."""


class Week(Block):
    """A week of a subscription, which begins with the first call after the last one has ended."""

    allows: Annotated[Quantity, Amount(Dimension.MONEY, is_fact=True, high=MOST_USD)]
    """Use at list prices that it allows, for each seat."""


class Plan(Block):
    """A subscription: calls within it cost nothing by token."""

    price: Annotated[Quantity, Amount(Dimension.USD_PER_MONTH, is_fact=True, high=1e9)]
    """Price of a seat for 30 days, paid at the start of each."""
    seats: Annotated[int, whole(1, 1_000_000, "1")]
    """Number of seats, whose use is counted together."""
    window: Annotated[Window | None, Nested(Window, optional=True)]
    """A limit for some hours; none by default."""
    week: Annotated[Week | None, Nested(Week, optional=True)]
    """A limit for a week; none by default."""
    then: Annotated[str, choice("wait", "pay", default="wait")]
    """What a call does at the limit: it waits for the window's end, or is paid at list prices."""


class Api(Block):
    """The provider's limits and errors."""

    requests_per_min: Annotated[float | None, number(Dimension.NUMBER, 0.001, 1e9)]
    """Requests a minute of the whole fleet; unlimited by default."""
    input_tokens_per_min: Annotated[float | None, number(Dimension.NUMBER, 1, 1e12)]
    """Input tokens a minute, cache reads not counted."""
    output_tokens_per_min: Annotated[float | None, number(Dimension.NUMBER, 1, 1e12)]
    """Output tokens a minute."""
    error_rate: Annotated[Quantity, Amount(Dimension.FRACTION, "0%", is_fact=True, high=0.99)]
    """Probability that an attempt at a call fails."""
    retries: Annotated[int, whole(0, 1000, "2")]
    """Attempts after the first, before the agent gives up for a while."""
    gives_up_for: Annotated[Quantity, time("1 min")]
    """How long it waits before it starts the call anew."""
    tier: Annotated[str | None, choice(*TIERS)]
    """The organisation's usage tier, whose limits hold where none are written."""
    models: Annotated[FrozenDict, Named(ModelLimits)]
    """Models with limits of their own."""
    plan: Annotated[Plan | None, Nested(Plan, optional=True)]
    """A subscription in place of prices by token; none by default."""


class Preempted(Block):
    """How often a spot GPU is taken away."""

    every: Annotated[Quantity, fact(Dimension.DURATION, low=1.0)]
    """Mean GPU time between preemptions."""


class Gpus(Block):
    """A pool of GPUs, and how it is paid for. There may be a list of them, each with a name."""

    name: Annotated[str | None, words()]
    """The pool's name, where there are several or a model is served on it."""
    count: Annotated[int, whole(1, 1_000_000, stand_in=0)]
    """GPUs in the pool; one an agent by default."""
    type: Annotated[str, words("H100")]
    """Type, which says the price where none is written."""
    price: Annotated[Quantity | None, Amount(Dimension.USD_PER_HOUR, is_fact=True, high=1e6, optional=True)]
    """Price of one GPU."""
    billing: Annotated[str, choice("on demand", "reserved", "per agent", "spot", default="on demand")]
    """What is paid for: use, the whole pool, each agent's share of it, or use at the risk of preemption."""
    preempted: Annotated[Preempted | None, Nested(Preempted, optional=True, as_text="every")]
    """How often a spot GPU is taken away."""
    speed: Annotated[Quantity, Amount(Dimension.NUMBER, "1", is_fact=True, low=0.001, high=1000.0)]
    """A job's time is divided by it."""
    checkpoint_every: Annotated[Quantity | None, time(exact=True, low=1.0, optional=True)]
    """After a preemption a job starts again from its last checkpoint; from its beginning by default."""


class Scorer(Block):
    """The server that turns submissions into scores."""

    servers: Annotated[int, whole(1, 1_000_000, "1")]
    """Submissions that are scored at a time."""
    time: Annotated[Quantity, time("1 min")]
    """How long one scoring takes."""
    cool_down: Annotated[Quantity, time("0 s", exact=True)]
    """Least time between an agent's submissions."""
    quota_per_agent_per_day: Annotated[int | None, whole(1, 1_000_000)]
    """Submissions of an agent in one day of the run; unlimited by default."""
    price: Annotated[Quantity, fact(Dimension.USD_PER_CALL, "0 $/call")]
    """Price of a scoring."""
    noise: Annotated[Quantity, fact(Dimension.NUMBER, "0")]
    """Standard deviation of a score around the true quality."""
    model: Annotated[str | None, words()]
    """A model that judges submissions; `time` then comes on top of its calls, and is 0 s by default."""
    calls: Annotated[Quantity, Amount(Dimension.NUMBER, "1", low=1.0, high=1e6)]
    """Calls of the judge for one scoring, rounded."""
    input_tokens: Annotated[Quantity | None, tokens(optional=True)]
    """Uncached input of each."""
    output_tokens: Annotated[Quantity | None, tokens(optional=True)]
    """Output of each."""
    service: Annotated[Service | None, ServiceKey()]
    """The provider's service for its calls."""

    @classmethod
    def depending(cls, reading: Reading, fields: Fields | None, name: str) -> dict[str, Any]:
        """Return no time by default for a judge, whose calls take it."""
        if fields is None or "model" not in fields.values or "time" in fields.values:
            return {}
        return {"time": time("0 s").read(reading, None, f"{name}.time")}


class Forum(Block):
    """Where agents read and post."""

    post_tokens: Annotated[Quantity, tokens("300 to 1200")]
    """Length of a post."""
    reads_at_most: Annotated[int, whole(0, 1_000_000, "30")]
    """Posts that an agent reads at a time."""


class Stop(Block):
    """When a run ends."""

    after: Annotated[Quantity, time("1 day", exact=True, low=1.0)]
    """The run ends at the latest then."""
    budget: Annotated[float | None, number(Dimension.MONEY, 0.01, MOST_USD)]
    """At or past it nothing new is started."""
    begins: Annotated[Begins, Parsed(parse_begins, "Mon 9:00")]
    """When the run begins: a weekday or a date, and a time."""
    budget_counts: Annotated[str, choice("when begun", "when billed", default="when begun")]
    """Whether a call counts when it begins, as for a guard that reserves, or when it has ended."""
    cycles_per_agent: Annotated[int | None, whole(1, 1_000_000_000)]
    """An agent ends after so many cycles."""
    target_score: Annotated[float | None, number(Dimension.NUMBER, -10.0, 10.0)]
    """The run ends when a measured score reaches it."""
    reserve: Annotated[float | None, number(Dimension.MONEY, 0.0, MOST_USD)]
    """Part of the budget that agents leave for review and gates."""
    no_improvement_for: Annotated[Quantity | None, time(exact=True, low=1.0, optional=True)]
    """The run ends when the best score has not risen for so long."""

    @property
    def begins_s(self) -> int:
        """Return when the run begins, in seconds after a Monday 0:00."""
        return self.begins.week_s

    @property
    def begins_on(self) -> datetime.date | None:
        """Return on which date the run begins, if that is known."""
        return self.begins.date


def _parse_of(text: str) -> str | float:
    if text in ("all", "best"):
        return text
    return share().parse(text).distribution.mean()


_SHARE_TEXT: Final = {"type": "string", "pattern": r"^\s*[\d.]+ ?%?\s*$"}
_OF: Final = Parsed(
    _parse_of,
    "all",
    schema={
        "anyOf": [{"enum": ["all", "best"]}, {"type": "number", "minimum": 0, "maximum": 1}, _SHARE_TEXT]
    },
    form="`all`, `best` or a share such as `20%`",
)


def _probability(key: str) -> Amount:
    """Return what expects one of the probabilities of `research`, by default as published evidence has it."""
    return fact(Dimension.FRACTION, RESEARCH[key].text, basis=RESEARCH[key].basis)


def _number(key: str, low: float, high: float, is_fact: bool = False) -> Amount:
    """Return what expects another number of `research`."""
    default = RESEARCH[key]
    return Amount(Dimension.NUMBER, default.text, is_fact, low=low, high=high, basis=default.basis)


class Review(Block):
    """People who look at submissions."""

    people: Annotated[int, whole(1, MOST_AGENTS, "1")]
    """Reviewers."""
    hours: Annotated[OfficeHours, HOURS]
    """When they work."""
    time: Annotated[Quantity, time("10 min to 40 min")]
    """Time that one review takes."""
    price: Annotated[Quantity, fact(Dimension.USD_PER_HOUR, "0 $/h")]
    """Price of a reviewer's time."""
    of: Annotated[str | float, _OF]
    """Which submissions are reviewed: `all`, `best` (each new leader, and finalists), or a share."""
    by: Annotated[str | None, words()]
    """A model that reviews in people's place, always, `people` submissions at a time."""
    input_tokens: Annotated[Quantity | None, tokens(optional=True)]
    """Uncached input of such a review."""
    output_tokens: Annotated[Quantity | None, tokens(optional=True)]
    """Output of such a review."""


class Gate(Block):
    """A test of a method away from the benchmark."""

    name: Annotated[str | None, words()]
    """What the gate is called."""
    reach: Annotated[str | None, choice(*KEEPS)]
    """How far from the benchmark it tests, which says what `keeps` is where that is not written."""
    keeps: Annotated[Quantity, share()]
    """Share of a method's real effect that shows there."""
    smallest_effect: Annotated[Quantity, fact(Dimension.NUMBER, "0")]
    """Smallest effect that counts."""
    noise: Annotated[Quantity, fact(Dimension.NUMBER, "0")]
    """Standard deviation of the measured effect."""
    price: Annotated[Quantity, fact(Dimension.USD_PER_TRY, "0 $/try")]
    """Price of trying one method."""
    time: Annotated[Quantity, time("0 s")]
    """How long that takes."""
    tries: Annotated[str, choice("all", "passed", default="all")]
    """Whether all finalists are tried, or only those that passed the gates before."""

    @classmethod
    def depending(cls, reading: Reading, fields: Fields | None, name: str) -> dict[str, Any]:
        """Return what the gate keeps by default, by how far from the benchmark it tests."""
        reach = fields.values.get("reach") if fields is not None and "keeps" not in fields.values else None
        word = " ".join(reach.text.lower().replace("-", " ").split()) if isinstance(reach, Text) else ""
        if word not in KEEPS:
            return {}
        default = KEEPS[word]
        return {"keeps": share(default.text, default.basis).read(reading, None, f"{name}.keeps")}


class Research(Block):
    """What ideas are worth."""

    explores: Annotated[Quantity, _probability("explores")]
    """Probability that a cycle tries a new method, and does not refine one."""
    follows: Annotated[Quantity, _probability("follows")]
    """Probability that a new idea is sought where the best known method is, and not in the agent's own direction."""
    ideas: Annotated[Quantity, _number("ideas", 0.001, 1e9, is_fact=True)]
    """With so many methods of others in a direction, half of the new ideas there are one of them."""
    known_methods: Annotated[int | None, whole(1, MOST_METHODS)]
    """All choose among so many methods; without it there is no end of new ones."""
    first_quality: Annotated[Quantity, _number("first_quality", -10.0, 10.0)]
    """Quality of a new method, before noise."""
    refines: Annotated[Quantity, _probability("refines")]
    """Probability that a refinement succeeds."""
    gain: Annotated[Quantity, share(RESEARCH["gain"].text, RESEARCH["gain"].basis)]
    """Share of the distance to 1 that it closes."""
    transfers: Annotated[Quantity, _probability("transfers")]
    """Probability that a method has a real core."""
    real_share: Annotated[Quantity, _probability("real_share")]
    """Share of a refinement's gain that is real."""
    hacks: Annotated[Quantity, _probability("hacks")]
    """Probability that a submission games the scorer."""
    hack_score: Annotated[Quantity, _number("hack_score", -10.0, 10.0)]
    """Score of such a submission."""
    caught: Annotated[Quantity, _probability("caught")]
    """Probability that review catches it."""
    blames: Annotated[Quantity, _probability("blames")]
    """Probability that review takes an honest submission for a hack."""
    finalists: Annotated[int, whole(1, 1000, "3")]
    """Methods that are tried at each gate."""
    gates_start: Annotated[str, choice("at the end", "as finalists appear", default="at the end")]
    """When gates are tried: after the run, or whenever there is a new finalist."""


# What has been observed so far of what is unknown in `research`. What follows from it is weighed above the language.

PROBABILITIES: Final = ("explores", "refines", "transfers", "hacks", "caught", "blames")
"""The keys of `research` whose trials can be counted."""

REVIEW: Final = "review"
"""The key of how many of the reviewed submissions were blamed, hacks or not."""


@dataclass(frozen=True)
class Counts:
    """Successes among trials."""

    hits: int
    trials: int

    is_setting: ClassVar[bool] = True

    def __str__(self) -> str:
        """Return the counts as they are written."""
        return f"{self.hits} of {self.trials}"


def _parse_counts(text: str) -> Counts:
    match = re.fullmatch(r"\s*(\d{1,9})\s+of\s+(\d{1,9})\s*", text)
    if match is None or int(match[1]) > int(match[2]):
        raise ValueError(f"found `{text[:40]}`; write such as `1 of 3`")
    return Counts(int(match[1]), int(match[2]))


COUNTS: Final = Parsed(
    _parse_counts, schema={"type": "string", "pattern": r"^\s*\d+\s+of\s+\d+\s*$"}, form="counts: `1 of 3`"
)


class ByGate:
    """What expects counts by the names of gates."""

    required: ClassVar[bool] = False

    def read(self, reading: Reading, node: Node | None, name: str) -> FrozenDict:
        """Return the counts by what is written of the gates' names."""
        nodes = mapping_of(reading, node, name)
        found = {key: COUNTS.read(reading, value, f"{name}.{key}") for key, value in nodes.items()}
        return FrozenDict({key: counts for key, counts in found.items() if counts is not None})

    def write(self, value: Any) -> Any:
        """Return the counts as text."""
        return {key: str(counts) for key, counts in value.items()}


class Scores:
    """What expects scores in their order."""

    required: ClassVar[bool] = False

    def read(self, reading: Reading, node: Node | None, name: str) -> tuple[float, ...]:
        """Return the scores."""
        reading.seen(name, node)
        if node is None or is_absent(node):
            return ()
        items = node.items if isinstance(node, Items) else ()
        try:
            scores = tuple(float(item.text) if isinstance(item, Text) else math.nan for item in items)
        except ValueError:
            scores = (math.nan,)
        if not scores or not all(map(math.isfinite, scores)):
            message = "`scores` takes a list of numbers, in their order"
            reading.problem(message, node.place, "write `[0.21, 0.34]`")
            return ()
        return scores

    def write(self, value: Any) -> Any:
        """Return the scores as text."""
        return [repr(score) for score in value]


class Evidence(Block):
    """What has been observed of what `research` leaves unknown."""

    explores: Annotated[Counts | None, COUNTS]
    """Cycles that tried a new method, of all."""
    refines: Annotated[Counts | None, COUNTS]
    """Refinements that succeeded."""
    transfers: Annotated[Counts | None, COUNTS]
    """Methods that turned out to have a real core."""
    hacks: Annotated[Counts | None, COUNTS]
    """Submissions that gamed the scorer."""
    caught: Annotated[Counts | None, COUNTS]
    """Hacks that review caught."""
    blames: Annotated[Counts | None, COUNTS]
    """Honest submissions that review took for hacks."""
    review: Annotated[Counts | None, COUNTS]
    """Reviewed submissions that were blamed, hacks or not."""
    gates: Annotated[FrozenDict, ByGate()]
    """Finalists that passed, by gate; the beginning of a gate's name is enough."""
    scores: Annotated[tuple[float, ...], Scores()]
    """Scores so far, in their order."""

    @property
    def counts(self) -> dict[str, Counts]:
        """Return the counts of trials by key, without those of gates."""
        counted = {key: getattr(self, key) for key in (*PROBABILITIES, REVIEW)}
        return {key: counts for key, counts in counted.items() if counts is not None and counts.trials}

    def of_gates(self, reading: Reading, gates: Sequence[Gate]) -> Self:
        """Return the evidence with the gates' full names; note those that no gate has."""
        names = gate_names(gates)
        found = {}
        for key, counts in self.gates.items():
            meant = gates_meant(key, names)
            if len(meant) == 1:
                found[names[meant[0]]] = counts
            else:
                place = reading.place_of(f"evidence.gates.{key}")
                reading.problem(f"no one gate is called `{key[:60]}`", place, nearest(key, names))
        return self.filled(gates=FrozenDict(found))


def gate_names(gates: Sequence[Gate]) -> list[str]:
    """Return what gates are called: `gate 2` where the second has no name."""
    return [gate.name or f"gate {number}" for number, gate in enumerate(gates, 1)]


def gates_meant(word: str, names: Sequence[str]) -> list[int]:
    """Return the places of the gates that a word may mean: those of this name, else those whose name begins so."""
    exactly = [place for place, name in enumerate(names) if name == word]
    return exactly or [place for place, name in enumerate(names) if name.startswith(word)]


class Limits:
    """What expects limits, such as `spend p90 <= $20,000`."""

    required: ClassVar[bool] = False

    def read(self, reading: Reading, node: Node | None, name: str) -> tuple[Limit, ...]:
        """Return the limits."""
        limits: list[Limit] = []
        for index, item in enumerate(list_of(reading, node, name)):
            if isinstance(item, Text) and item.text.isdigit() and len(item.text) == 3 and limits:
                written = f"{limits[-1].text},{item.text}"
                message = f"inside [...] YAML splits `{written}` at its comma"
                reading.problem(message, item.place, f"put it in quotes: `'{written}'`")
                continue
            limit = Parsed(parse_limit, required=True, form="a limit such as `spend p90 <= $20,000`").read(
                reading, item, f"{name}[{index}]"
            )
            if limit is not None:
                limits.append(limit)
        return tuple(limits)

    def write(self, value: Any) -> Any:
        """Return the limits as text."""
        return [limit.text for limit in value]


_INLINE: Final = "data:;base64,"
"""What a calibration begins with that is part of the scenario's text."""


class CalibrationKey:
    """What expects a calibration: the name of its file, or as `dump` writes it the file's bytes."""

    required: ClassVar[bool] = False

    def read(self, reading: Reading, node: Node | None, name: str) -> Calibration | None:
        """Return what was learnt from logs; None for nothing, or for something else."""
        if node is None or is_absent(node):
            return None
        if isinstance(node, Given) and isinstance(node.value, Calibration):
            return node.value
        if not isinstance(node, Text):
            message = f"`calibration`: found {describe(node)}"
            reading.problem(message, node.place, "write the name of one file")
            return None
        inline = node.text.startswith(_INLINE)
        try:
            if inline:
                encoded = node.text.removeprefix(_INLINE)
                calibration = calibration_of_bytes(base64.b64decode(encoded, validate=True))
            else:
                calibration = read_calibration(reading.folder / node.text)
        except (NotACalibrationError, binascii.Error) as error:
            remedy = "`simbudget calibrate` writes one; or take the line out"
            reading.problem(f"calibration file `{node.text[:60]}`: {error}", node.place, remedy)
            return None
        reading.note(name, "(part of the text)" if inline else node.text, "setting", node)
        return calibration

    def write(self, value: Any) -> Any:
        """Return the bytes of a calibration's file as text."""
        return _INLINE + base64.b64encode(calibration_bytes(value)).decode()


class Attempt(Block):
    """What an attempt at a task may use; at or past it the attempt ends, unsolved."""

    time: Annotated[Quantity | None, _limit(Dimension.DURATION, 1.0, TEN_YEARS_S)]
    """Time from taking the task, waiting included."""
    spend: Annotated[Quantity | None, _limit(Dimension.MONEY, 0.0, MOST_USD)]
    """Money for calls, jobs, submissions and the sandbox."""
    tokens: Annotated[Quantity | None, _limit(Dimension.NUMBER, 0.0, _MOST_TOKENS_USED)]
    """Tokens of all four classes."""
    turns: Annotated[Quantity | None, _limit(Dimension.NUMBER, 0.0, _MOST_TURNS)]
    """Turns, sub-agents' included."""


class Tasks(Block):
    """Tasks that agents take and solve: a cycle is one attempt at one of them."""

    count: Annotated[int, whole(1, 10_000_000, stand_in=1, required=True)]
    """Number of tasks."""
    attempts: Annotated[int, whole(1, 1_000_000, "1")]
    """Attempts at each, at most."""
    solved: Annotated[Quantity, fact(Dimension.FRACTION)]
    """Probability that an attempt solves a task of middling difficulty."""
    difficulty: Annotated[Quantity, fact(Dimension.NUMBER, "0")]
    """Standard deviation of the tasks' difficulty, in logits."""
    until: Annotated[str, choice("solved", "all attempts", default="solved")]
    """Whether a task is closed when it is solved, or when all attempts have been made."""
    limit: Annotated[Attempt | None, Nested(Attempt, optional=True)]
    """What one attempt may use; without it there is no limit."""


class Pools:
    """What expects the pools of GPUs: one, or a list of them."""

    required: ClassVar[bool] = False
    model: ClassVar[type[Block]] = Gpus

    def read(self, reading: Reading, node: Node | None, name: str) -> tuple[Gpus, ...]:
        """Return the pools: at least one."""
        if not isinstance(node, Items):
            return (Gpus.read(reading, node, name, None),)
        reading.seen(name, node)
        if not node.items:
            reading.problem("`gpus` has no pool", node.place, "write such as `gpus: [{name: a, count: 8}]`")
        pools: list[Gpus] = []
        for place, item in enumerate(node.items[:_MOST_GROUPS]):
            given = item.values.get("name") if isinstance(item, Fields) else None
            label = given.text if isinstance(given, Text) and not given.is_null else str(place)
            pools.append(Gpus.read(reading, item, f"{name}[{label}]" if place else name, None))
            if place:
                reading.seen(f"{name}[{label}]", item)
            if given is None and len(node.items) > 1:
                reading.problem(
                    "each of several pools needs a `name`", item.place, "write such as `name: new`"
                )
            elif label in [pool.name for pool in pools[:-1]]:
                reading.problem(f"there is another pool `{label[:40]}`", item.place, "give each its own name")
        return tuple(pools) or (Gpus.read(Reading(reading.folder), None, name, None),)

    def write(self, value: Any) -> Any:
        """Return the pool, or the list of them."""
        return value[0].write() if len(value) == 1 else [pool.write() for pool in value]


class ScenarioKeys(Block):
    """What a run is made of, and when it ends. Only `fleet` and `cycle` have to be written."""

    fields = MappingProxyType({"gpus": "pools"})

    simbudget: Annotated[int, whole(VERSION, VERSION, str(VERSION))]
    """Version of the language."""
    name: Annotated[str, words()]
    """The scenario's name; its file's by default."""
    fleet: Annotated[tuple[Group, ...], Fleet()]
    """The groups of agents, and of people."""
    cycle: Annotated[tuple[Step, ...], Steps()]
    """The steps of a cycle, which agents repeat; of groups that have none of their own."""
    turn: Annotated[Turn, Nested(Turn)]
    """One model call and the tools' results; of groups that have none of their own."""
    context: Annotated[Context, Nested(Context)]
    """What calls send, and what the cache holds of it; of groups that have none of their own."""
    models: Annotated[FrozenDict, Named(ModelSpeed)]
    """How quick models are, by model."""
    prices: Annotated[Prices, Nested(Prices)]
    """The date of the price list, and prices of one's own."""
    api: Annotated[Api, Nested(Api)]
    """The provider's limits and errors."""
    pools: Annotated[tuple[Gpus, ...], Pools()]
    """The pool of GPUs, or a list of pools."""
    scorer: Annotated[Scorer, Nested(Scorer)]
    """The server that scores submissions."""
    forum: Annotated[Forum, Nested(Forum)]
    """Where agents read and post."""
    review: Annotated[Review | None, Nested(Review, optional=True)]
    """People who look at submissions; none by default."""
    research: Annotated[Research | None, Nested(Research, optional=True)]
    """What ideas are worth; by default nothing is said of it, unless review, gates or evidence need it."""
    tasks: Annotated[Tasks | None, Nested(Tasks, optional=True)]
    """Tasks that agents take and solve; none by default."""
    gates: Annotated[tuple[Gate, ...], Listed(Nested(Gate))]
    """Tests of methods away from the benchmark."""
    evidence: Annotated[Evidence | None, Nested(Evidence, optional=True)]
    """What has been observed so far."""
    fixed: Annotated[Quantity, Amount(Dimension.MONEY, "$0", is_fact=True, high=MOST_USD)]
    """What the run costs whatever happens."""
    stop: Annotated[Stop, Nested(Stop)]
    """When the run ends."""
    limits: Annotated[tuple[Limit, ...], Limits()]
    """What makes a plan unacceptable."""
    calibration: Annotated[Calibration | None, CalibrationKey()]
    """The file that `simbudget calibrate` wrote beside the scenario."""

    def parts(self) -> Iterator[Any]:
        """Yield its values: what groups share is in them, and what a calibration learnt in the quantities."""
        apart = ("cycle", "turn", "context", "calibration")
        return (getattr(self, attribute(type(self), key)) for key in keys_of(type(self)) if key not in apart)

    @property
    def gpus(self) -> Gpus:
        """Return the first pool of GPUs, which jobs are given unless they say another."""
        return self.pools[0]

    def pool(self, name: str | None) -> Gpus | None:
        """Return a pool by its name; the first for none, None for one that there is not."""
        return (
            self.pools[0] if name is None else next((pool for pool in self.pools if pool.name == name), None)
        )
