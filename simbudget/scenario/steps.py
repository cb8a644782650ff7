"""The steps of a cycle, and how a cycle is read.

Field names are the keys of the scenario language, quantities are in base units. Each annotation says what a key
expects, the sentence under it what the key means; the reference page and the JSON Schema are made from both.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final

from simbudget.scenario.amounts import Amount
from simbudget.scenario.blocks import Block
from simbudget.scenario.context import Context, Turn
from simbudget.scenario.document import Fields, Items, Node, Text
from simbudget.scenario.expectations import (
    Nested,
    Parsed,
    choice,
    fact,
    time,
    tokens,
    whole,
    words,
    yes_or_no,
)
from simbudget.scenario.own_steps import OwnFile
from simbudget.scenario.provider import Service, ServiceKey
from simbudget.scenario.quantities import Quantity
from simbudget.scenario.reading import Reading, describe, is_absent, nearest
from simbudget.units import Dimension

_MOST_STEPS: Final = 200
"""More than anybody writes by hand; a file full of them is refused before it takes long."""


class Polls(Block):
    """How an agent looks after its experiment."""

    every: Annotated[Quantity, time(low=1.0)]
    """Time from one call to the next."""
    output_tokens: Annotated[Quantity, tokens("60")]
    """Output of such a call."""
    result_tokens: Annotated[Quantity, tokens("300")]
    """Tokens that join the context after it."""


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
