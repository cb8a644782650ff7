"""The steps of a cycle, and how a cycle is read.

Field names are the keys of the scenario language; quantities are in base units. A field's annotation says what its
key expects, and the sentence below it what the key means; reference page and JSON Schema are generated from both.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final

from simbudget.scenario.context import Context, Turn
from simbudget.scenario.language.amounts import Amount
from simbudget.scenario.language.blocks import Block
from simbudget.scenario.language.document import Fields, Items, Node, Text
from simbudget.scenario.language.expectations import (
    Nested,
    Parsed,
    choice,
    fact,
    model_name,
    time,
    tokens,
    whole,
    words,
    yes_or_no,
)
from simbudget.scenario.language.quantities import Quantity
from simbudget.scenario.language.reading import Reading, describe, is_absent, nearest
from simbudget.scenario.own_steps import OwnFile
from simbudget.scenario.provider import Service, ServiceKey
from simbudget.units import Dimension

_MOST_STEPS: Final = 200
"""More than anybody writes by hand; bounds the time spent on a hopeless file."""


class Polls(Block):
    """Calls with which an agent checks on its experiment."""

    every: Annotated[Quantity, time(low=1.0)]
    """Time between two calls."""
    output_tokens: Annotated[Quantity, tokens("60")]
    """Output of each call."""
    result_tokens: Annotated[Quantity, tokens("300")]
    """Tokens added to the context after each call."""


class Step(Block):
    """One step of a cycle."""

    kind: ClassVar[str]
    """Its name in a cycle."""
    if_: str | Quantity | None

    @property
    def uses_group_context(self) -> bool:
        """Return whether the step calls a model in the context of its agent's group."""
        return False

    def as_written(self) -> dict[str, Any]:
        """Return the step as an item of a cycle."""
        return {self.kind: self.document()}


@dataclass(frozen=True)
class Partly:
    """The expectation of a block whose missing keys are taken from another block, such as the group's."""

    model: type[Block]

    required: ClassVar[bool] = False

    def read(self, reading: Reading, node: Node | None, name: str) -> Block | None:
        """Return the block, with defaults for missing keys; None if it is absent."""
        reading.seen(name, node)
        if is_absent(node):
            return None
        defaults = self.model.read(Reading(reading.folder), None, name, None)
        return self.model.read(reading, node, name, defaults)

    def write(self, value: Any) -> Any:
        """Return the written part of the block."""
        return value.write()


class Condition:
    """The expectation of a step's condition: `succeeded`, `failed`, `improved`, or a probability."""

    required: ClassVar[bool] = False
    part: ClassVar[Amount] = fact(Dimension.FRACTION)
    words: ClassVar[tuple[str, ...]] = ("succeeded", "failed", "improved")

    def read(self, reading: Reading, node: Node | None, name: str) -> str | Quantity | None:
        """Return the word or the probability; None for always."""
        reading.seen(name, node)
        if node is None:
            return None
        if isinstance(node, Items | Fields):
            listed = ", ".join(f"`{word}`" for word in self.words)
            reading.problem(
                f"`if`: found {describe(node)}",
                node.place,
                f"write one of {listed}, or a share such as `30%`",
            )
            return None
        if is_absent(node) or (isinstance(node, Text) and re.fullmatch(r"\s*[A-Za-z ]+", node.text)):
            word = node.text.strip().lower() if isinstance(node, Text) else ""
            if word not in self.words:
                remedy = f"{nearest(word, self.words)}, or a share such as `30%`"
                reading.problem(f"`if`: found {describe(node)}", node.place, remedy)
                return None
            reading.note(name, word, "setting", node)
            return word
        return self.part.read(reading, node, name)

    def write(self, value: Any) -> Any:
        """Return the word or the probability."""
        return value if isinstance(value, str) else self.part.write(value)


class Think(Step):
    """A step of model calls or, for people, of working time.

    With `model` or `context` it has its own context, which lasts for the step unless `context.lasts` says otherwise.
    Missing keys are taken from the group.
    """

    kind: ClassVar[str] = "think"
    turns: Annotated[Quantity | None, Amount(Dimension.NUMBER, high=1e6, optional=True)]
    """Number of turns, rounded, at least 1; for agents."""
    time: Annotated[Quantity | None, time(optional=True)]
    """Working time; for people."""
    model: Annotated[str | None, model_name()]
    """Model of this step; by default the group's."""
    turn: Annotated[Turn | None, Partly(Turn)]
    """Differences from the group's `turn`."""
    context: Annotated[Context | None, Partly(Context)]
    """Differences from the group's `context`; the step then has its own context."""
    returns_tokens: Annotated[Quantity | None, tokens(optional=True)]
    """Tokens added to the group's context when a step with its own context ends; by default 0."""
    service: Annotated[Service | None, ServiceKey()]
    """The provider's service for its calls; by default the group's."""
    if_: Annotated[str | Quantity | None, Condition()]
    """Condition of the step: that the cycle's last experiment succeeded or failed, that its last score improved, or a
    probability."""

    @property
    def uses_group_context(self) -> bool:
        """Return whether the step calls a model in the context of its agent's group."""
        return self.model is None and self.context is None


class Delegate(Step):
    """A step of parallel sub-agents, each with its own context; the agent continues when all have ended."""

    kind: ClassVar[str] = "delegate"
    agents: Annotated[Quantity, Amount(Dimension.NUMBER, high=10_000)]
    """Number of sub-agents, rounded; may be 0."""
    turns: Annotated[Quantity, Amount(Dimension.NUMBER, high=1e6)]
    """Number of turns of each sub-agent."""
    model: Annotated[str | None, model_name()]
    """Their model; by default the group's."""
    turn: Annotated[Turn | None, Partly(Turn)]
    """Differences from the group's `turn`."""
    context: Annotated[Context | None, Partly(Context)]
    """Differences from the group's `context`."""
    returns_tokens: Annotated[Quantity, tokens("0")]
    """Tokens added to the agent's context by each sub-agent, once all have ended."""
    service: Annotated[Service | None, ServiceKey()]
    """The provider's service for their calls; by default the group's."""
    if_: Annotated[str | Quantity | None, Condition()]
    """Condition of the step; see `think`."""


def _parse_wait_for(text: str) -> int | None:
    if text.strip().lower() == "all":
        return None
    try:
        return int(whole(1, 1_000_000).parse(text))
    except ValueError:
        raise ValueError(
            f"`{text[:40]}` is not allowed; write `all` or a whole number from 1 to 1,000,000"
        ) from None


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
    """Number of GPUs that a job holds."""
    time: Annotated[Quantity, time()]
    """How long a job holds them."""
    fails: Annotated[Quantity, fact(Dimension.FRACTION, "0%")]
    """Probability that an attempt ends early, without a result."""
    attempts: Annotated[int, whole(1, 1000, "3")]
    """Maximum number of attempts at a job."""
    on_failure: Annotated[str, choice("go on", "end cycle", default="go on")]
    """What the agent does when all attempts have failed."""
    at_once: Annotated[Quantity, Amount(Dimension.NUMBER, "1", low=1.0, high=10_000)]
    """Number of parallel jobs, rounded."""
    wait_for: Annotated[int | None, WAIT_FOR]
    """Number of successful jobs after which the agent continues and cancels the others."""
    on: Annotated[str | None, words()]
    """Name of the GPU pool; by default the first."""
    polls: Annotated[Polls | None, Nested(Polls, optional=True)]
    """Short calls with which the agent checks on its jobs."""
    if_: Annotated[str | Quantity | None, Condition()]
    """Condition of the step; see `think`."""

    @property
    def uses_group_context(self) -> bool:
        """Return whether the step calls a model in the context of its agent's group."""
        return self.polls is not None


class Score(Step):
    """A step that sends a submission to the scorer."""

    kind: ClassVar[str] = "score"
    each: Annotated[bool, yes_or_no("no")]
    """Whether each job that succeeded since the last score is submitted, rather than one submission in all."""
    if_: Annotated[str | Quantity | None, Condition()]
    """Condition of the step; see `think`."""


class Share(Step):
    """A step that reads the forum and posts."""

    kind: ClassVar[str] = "share"
    if_: Annotated[str | Quantity | None, Condition()]
    """Condition of the step; see `think`."""

    @property
    def uses_group_context(self) -> bool:
        """Return whether the step calls a model in the context of its agent's group."""
        return True


class OwnStep(Step):
    """A step written by the user in Python, which the reference engine runs."""

    kind: ClassVar[str] = "python"
    file: Annotated[Path, OwnFile()]
    """Python file that contains the step, relative to the scenario's folder."""
    function: Annotated[str, words("step")]
    """Name of its function."""
    if_: Annotated[str | Quantity | None, Condition()]
    """Condition of the step; see `think`."""

    @property
    def uses_group_context(self) -> bool:
        """Return whether the step calls a model in the context of its agent's group."""
        return True


STEPS: Final[dict[str, type[Step]]] = {
    "think": Think,
    "delegate": Delegate,
    "experiment": Experiment,
    "score": Score,
    "share": Share,
    "python": OwnStep,
}
"""Steps by their name in a cycle."""


class Steps:
    """The expectation of a cycle: a list of steps, `{think: {turns: 10}}` or just `score`."""

    required: ClassVar[bool] = False

    def read(self, reading: Reading, node: Node | None, name: str) -> tuple[Step, ...]:
        """Return the steps; for anything else note a problem and return none."""
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
            reading.problem(message, node.place, "cycles repeat on their own")
        counted: dict[str, int] = {}
        steps = (_read_step(reading, item, name, counted) for item in node.items[:_MOST_STEPS])
        return tuple(step for step in steps if step is not None)

    def write(self, value: Any) -> Any:
        """Return the steps as a list."""
        return [{step.kind: step.write()} for step in value]


def _one_step(node: Node) -> str:
    """Return how to write what was meant; a step's keys beside its name are mostly a matter of indentation."""
    keys = list(node.values) if isinstance(node, Fields) else []
    steps = [key for key in keys if key in STEPS]
    if len(steps) != 1:
        return "write one step per item, such as `- think: {turns: 10}`"
    inside = ", ".join(f"{key[:40]}: ..." for key in keys if key not in STEPS)
    return f"put the keys of a step inside it: `- {steps[0]}: {{{inside}}}`"


def _read_step(reading: Reading, node: Node, cycle: str, counted: dict[str, int]) -> Step | None:
    """Return one step; for anything else note a problem and return None."""
    body: Node | None
    if isinstance(node, Text):
        kind, body = node.text, None
    elif isinstance(node, Fields) and len(node.values) == 1:
        kind, body = next(iter(node.values.items()))
    else:
        found = "several keys" if isinstance(node, Fields) else describe(node)
        reading.problem(f"a step: found {found}", node.place, _one_step(node))
        return None
    if kind not in STEPS:
        reading.problem(f"there is no step `{kind[:40]}`", node.place, nearest(kind, STEPS))
        return None
    counted[kind] = counted.get(kind, -1) + 1
    name = f"{cycle}.{kind}[{counted[kind]}]"
    reading.places[name] = node.place
    return STEPS[kind].read(reading, None if is_absent(body) else body, name, None)
