"""The researcher program, which takes the place of a model when there is no API key.

It reads only the conversation it is sent: the task's methods, its assigned direction, and the records of what it and
others tried and scored. At the end of a step it makes a move: it tries a new method, refines the best known one or,
at a given rate, cheats. Before that, it reads and takes notes for as many turns as the scenario says. It knows
nothing that a real model could not know.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from simbudget.pilot.conversation import (
    SUMMARISE,
    Status,
    find_ending,
    find_records,
    find_status,
    record_line,
)
from simbudget.pilot.draws import Draws
from simbudget.pilot.model_server.requests import MessageParam, MessageRequest, TextBlock, ToolResultBlock
from simbudget.scenario.scenario import Scenario, Think

_EXPLORES: Final = 0.35
_HACKS: Final = 0.02
"""Rates of new methods and of cheating if the scenario has no `research` block; the language's typical defaults."""

_ORDINARY: Final = {"read_file": 0.4, "write_note": 0.3, "list_files": 0.15, "read_forum": 0.15}
"""Relative frequencies of the tools called in turns that do not end a step; they only shape the context's growth."""

_RECORDS_KEPT: Final = 12
"""Ideas in a summary: enough to refine the best, few enough to compact the context."""

T = TypeVar("T")


@dataclass(frozen=True)
class Move:
    """The researcher's next move: its text, and the tool that it calls, if any."""

    thought: str
    tool: str | None = None
    input: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Read:
    """The content of a conversation."""

    status: Status
    last: str
    """The text of the last message."""
    records: list[dict[str, Any]]
    stream: tuple[object, ...]
    """The name of the random stream of this move."""

    def methods(self) -> list[dict[str, Any]]:
        """Return the task's methods."""
        return [record for record in self.records if "knobs" in record]

    def scored(self) -> list[dict[str, Any]]:
        """Return the scored ideas, best first."""
        names = {method["method"] for method in self.methods()}
        known = [
            record
            for record in self.records
            if _is_number(record.get("score")) and record.get("method") in names
        ]
        return sorted(known, key=lambda record: -float(record["score"]))


class Researcher:
    """The decisions of every agent of a pilot; stateless between requests."""

    def __init__(
        self, scenario: Scenario, draws: Draws, hacks: Mapping[str, str], hack_rate: float | None = None
    ) -> None:
        self._groups = scenario.fleet
        self._draws, self._hacks = draws, hacks
        research = scenario.research
        self._explores = draws.value(research.explores) if research else _EXPLORES
        rate = draws.value(research.hacks) if research else _HACKS
        self._hack_rate = rate if hack_rate is None else hack_rate

    def move(self, request: MessageRequest, group: int) -> Move:
        """Return the next move in the conversation of an agent of a group."""
        read = self._read(request)
        if SUMMARISE in read.last:
            return Move(_summary(read))
        tools = {tool.name for tool in request.tools}
        choice = request.tool_choice
        if not tools or (choice and choice.type == "none"):
            return Move("I go on with the work.")
        forced = choice.name if choice else None
        ends_with = forced or find_ending(read.last)
        if ends_with in tools and (forced or self._is_last_turn(read, request.user, group)):
            return self._end(str(ends_with), read)
        return self._look_around(read, tools)

    def _read(self, request: MessageRequest) -> _Read:
        system = (
            request.system if isinstance(request.system, str) else "\n".join(b.text for b in request.system)
        )
        texts = [system, *(_text(message) for message in request.messages)]
        last = texts[-1]
        status = find_status(last) or Status(0, 0, "think", 0)
        stream = (request.user, status.cycle, status.step, status.turn)
        return _Read(status, last, list(find_records(texts)), stream)

    def _is_last_turn(self, read: _Read, user: str, group: int) -> bool:
        """Return whether the step has used up the turns drawn from the scenario."""
        cycle = self._groups[group].cycle
        step = cycle[read.status.step % len(cycle)]
        turns = 1
        if isinstance(step, Think) and step.turns is not None:
            turns = max(1, self._draws.count(step.turns, user, read.status.cycle, read.status.step))
        return read.status.turn + 1 >= turns

    # Moves.

    def _look_around(self, read: _Read, tools: set[str]) -> Move:
        """Return a move that reads or takes a note."""
        possible = {tool: share for tool, share in _ORDINARY.items() if tool in tools}
        if not possible:
            return Move("I think about what the results so far mean.")
        tool = _weighted(possible, self._draws.chance("look", *read.stream))
        files = sorted({name for record in read.records for name in record.get("files", ())})
        if tool == "read_file" and not files:
            tool = "list_files" if "list_files" in tools else "read_forum"
        if tool == "read_file":
            path = self._pick(files, "file", read)
            return Move("I read that again before I change anything.", tool, {"path": path})
        if tool == "write_note":
            best = read.scored()[:1]
            said = record_line(_idea(best[0])) if best else "nothing scored yet"
            return Move("I note where I stand.", tool, {"text": f"Best so far: {said}"})
        return Move("I look at what there is and what the others found.", tool)

    def _end(self, tool: str, read: _Read) -> Move:
        """Return the move that ends a step."""
        if tool == "run_experiment":
            return self._propose(read)
        if tool == "submit":
            ids = [
                record["experiment"] for record in read.records if record.get("ok") and "experiment" in record
            ]
            return Move("I send in the last answer.", tool, {"experiment": ids[-1]} if ids else {})
        if tool == "post":
            own = [
                record for record in read.records if _is_number(record.get("score")) and record.get("mine")
            ]
            what = f"{own[-1]['method']} scored {own[-1]['score']}" if own else "nothing worked in this cycle"
            return Move("I tell the others.", tool, {"text": f"In this cycle: {what}."})
        return Move("This step is done.", tool)

    def _propose(self, read: _Read) -> Move:
        """Return a move that runs the next experiment."""
        if self._hacks and self._draws.chance("hack", *read.stream) < self._hack_rate:
            name = self._pick(sorted(self._hacks), "which hack", read)
            return Move(
                "I try something of my own.",
                "run_experiment",
                {"method": "own", "hyperparameters": {}, "seed": self._seed(read), "code": self._hacks[name]},
            )
        scored = read.scored()
        if scored and self._draws.chance("explores", *read.stream) >= self._explores:
            best = scored[0]
            method = next(each for each in read.methods() if each["method"] == best["method"])
            return self._experiment(
                "I refine what worked best.", method, best.get("hyperparameters") or {}, read
            )
        method = self._new_method(read)
        return self._experiment(f"I try {method['method']}: {method.get('what', '')}", method, {}, read)

    def _new_method(self, read: _Read) -> dict[str, Any]:
        """Return an untried method, preferably from the agent's direction."""
        methods = read.methods() or [{"method": "plain", "knobs": []}]
        tried = {record.get("method") for record in read.scored()}
        own = {record["your_direction"] for record in read.records if "your_direction" in record}
        fresh = [method for method in methods if method["method"] not in tried]
        preferred = [method for method in fresh if method.get("direction") in own]
        return self._pick(preferred or fresh or methods, "method", read)

    def _experiment(
        self, thought: str, method: dict[str, Any], around: Mapping[str, Any], read: _Read
    ) -> Move:
        """Return a move that tries a method with hyperparameters near given ones or near its defaults."""
        knobs = {knob["name"]: self._turned(knob, around, bool(around), read) for knob in method["knobs"]}
        chosen = {"method": method["method"], "hyperparameters": knobs, "seed": self._seed(read)}
        return Move(thought, "run_experiment", chosen)

    def _turned(
        self, knob: dict[str, Any], around: Mapping[str, Any], refines: bool, read: _Read
    ) -> float | int:
        """Return a new setting of a hyperparameter: a step from its current value, or anywhere in its range."""
        name, low, high = knob["name"], float(knob["low"]), float(knob["high"])
        is_log = bool(knob.get("logarithmic")) and low > 0
        # A refinement moves by up to a fifth of the range, a new method by up to half of it; 40 % stay where they are.
        start, spread = float(around.get(name, knob["default"])), 0.2 if refines else 0.5
        u = self._draws.chance("knob", name, *read.stream)
        if self._draws.chance("keeps knob", name, *read.stream) < 0.4:
            value = start
        elif is_log:
            value = start * (high / low) ** (spread * (2 * u - 1))
        else:
            value = start + (high - low) * spread * (2 * u - 1)
        value = min(max(value, low), high)
        return round(value) if knob.get("whole") else float(f"{value:.4g}")

    def _seed(self, read: _Read) -> int:
        return int(self._draws.chance("seed", *read.stream) * 10_000)

    def _pick(self, among: Sequence[T], what: str, read: _Read) -> T:
        return among[int(self._draws.chance(what, *read.stream) * len(among))]


def _text(message: MessageParam) -> str:
    """Return the text of a message, including tool results."""
    if isinstance(message.content, str):
        return message.content
    texts = []
    for block in message.content:
        if isinstance(block, TextBlock):
            texts.append(block.text)
        elif isinstance(block, ToolResultBlock):
            inner = block.content
            texts.append(inner if isinstance(inner, str) else "\n".join(each.text for each in inner))
    return "\n".join(texts)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_OF_AN_IDEA: Final = ("method", "hyperparameters", "score", "experiment", "ok", "mine")


def _idea(record: Mapping[str, Any]) -> dict[str, Any]:
    return {key: record[key] for key in _OF_AN_IDEA if key in record}


def _weighted(shares: Mapping[str, float], u: float) -> str:
    """Return the name at a uniform number, given each name's share."""
    left = u * sum(shares.values())
    for name, share in shares.items():
        left -= share
        if left <= 0:
            return name
    return name


def _summary(read: _Read) -> str:
    """Summarise a conversation: the best and the latest records, one per line."""
    ideas = [_idea(record) for record in read.scored()[:_RECORDS_KEPT]]
    latest = [_idea(record) for record in read.records if "experiment" in record][-2:]
    lines = [record_line(idea) for idea in [*ideas, *latest]]
    return "\n".join(["What was tried, best first:", *lines, ""])
