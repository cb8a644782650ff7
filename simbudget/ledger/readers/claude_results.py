"""What `claude -p --output-format stream-json` and the Agent SDK print (JSONL): messages, and a result after each turn.

A result states the cost, the tokens by model and the API time of its process so far: a process that is woken again
restates what earlier results stated, and adds to it. Its `usage`, turns and duration are of the part since the last
result, and leave out sub-agents. A session that a second process resumes begins again at zero. What tells the two apart
is whether a result's `usage` fits into what its totals grew by.

Where messages have exact counts they are calls, and a process's totals add what they leave out (helpers, sub-agents).
Else a process is one entry of kind `calls` for each of its models. A session whose own log was read too keeps that, and
the results add what they report of the run; so results are read last.
"""

from dataclasses import dataclass, field
from typing import Any, Final

from simbudget.ledger.entry import CALLS
from simbudget.ledger.readers.counts import (
    MOST_IN_A_SESSION,
    anthropic_steps,
    place_of,
    service_of,
)
from simbudget.ledger.readers.files import LogFile
from simbudget.ledger.readers.format import Format
from simbudget.ledger.readers.gathering import Gathering, RunInMaking
from simbudget.ledger.readers.thread import Thread, Usage
from simbudget.ledger.readers.values import (
    NOT_KNOWN,
    JsonObject,
    duration_s,
    is_known,
    listing,
    mapping,
    moment,
    text,
)

_SNAKE: Final = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")
_CAMEL: Final = ("inputTokens", "cacheCreationInputTokens", "cacheReadInputTokens", "outputTokens")
_SYNTHETIC: Final = "<synthetic>"
"""The model of messages that Claude Code made up itself, such as errors."""
_SAME_USD: Final = 1e-9
"""Costs that are restated differ by the rounding of additions alone."""

Counts = tuple[int, int, int, int]
"""Uncached input, cache writes, cache reads and output; classes exclude each other."""


def _is_result(line: JsonObject) -> bool:
    return line.get("type") == "result" and ("total_cost_usd" in line or "num_turns" in line)


def _recognises(file: LogFile) -> bool:
    return any(
        _is_result(line)
        or (line.get("type") == "system" and line.get("subtype") == "init" and "session_id" in line)
        for line in file.objects
    )


def _read(file: LogFile, gathering: Gathering) -> None:
    sessions: dict[str, _Session] = {}
    for number, line in file.json_lines(lambda number, why: gathering.cannot_read(file.path, number, why)):
        kind = line.get("type")
        if kind not in ("result", "assistant", "system", "rate_limit_event"):
            continue
        name = text(line.get("session_id")) or text(line.get("sessionId")) or str(file.path)
        session = sessions.setdefault(name, _Session())
        if kind == "system" and line.get("subtype") == "init":
            session.model = text(line.get("model")) or session.model
        elif kind == "assistant":
            session.add_message(line, str(number))
        elif _is_result(line):
            run = gathering.run(f"claude {name}", FORMAT.name, file.path, name)
            identity = text(line.get("uuid")) or repr(
                (line.get("total_cost_usd"), line.get("duration_api_ms"), line.get("usage"))
            )
            if gathering.is_new(("claude result", name, identity)):
                session.add_result(_Result(line, run))
            else:
                run.repeated += 1
                session.pending.clear()
    for name, session in sessions.items():
        _finish(file, gathering, name, session)


@dataclass
class _Message:
    """A message of the stream, whose last line tells most."""

    model: str
    usage: JsonObject
    is_final: bool
    at_s: float
    agent: str
    """The tool use that began the sub-agent; empty for the session's own messages."""
    tools: dict[str, str]
    """The names of the tools that it asks for, by their ids."""


class _Result:
    """What one result states."""

    def __init__(self, line: JsonObject, run: RunInMaking) -> None:
        usage = mapping(line.get("usage"))
        self.run = run
        self.cost_usd = run.dollars(line.get("total_cost_usd"))
        self.api_s = duration_s(line.get("duration_api_ms"), 1e-3)
        self.lasted_s = duration_s(line.get("duration_ms"), 1e-3)
        self.at_s = moment(line.get("timestamp"))
        self.turns = run.count(line.get("num_turns"))
        self.part = _counts(usage, _SNAKE, run)
        self.for_an_hour = run.count(
            mapping(usage.get("cache_creation")).get("ephemeral_1h_input_tokens"), MOST_IN_A_SESSION
        )
        self.usage = usage
        self.model = text(line.get("model"))
        models = {text(name): mapping(value) for name, value in mapping(line.get("modelUsage")).items()}
        self.models: dict[str, JsonObject] = {}
        for name, value in models.items():
            self.models[name.removesuffix("[1m]")] = value
        self.by_model = {name: _counts(value, _CAMEL, run) for name, value in self.models.items()}
        self.searches = {
            name: run.count(value.get("webSearchRequests")) or 0 for name, value in self.models.items()
        }
        self.outcome = "failed" if line.get("is_error") is True else "ok"
        self.status = text(line.get("subtype"))

    @property
    def in_all(self) -> Counts:
        """The tokens of all models so far."""
        return _plus(*self.by_model.values())

    def goes_on_from(self, before: "_Result") -> bool:
        """Return whether this restates another's totals and adds to them, as a process does that is woken again."""
        if any(
            min(_minus(self.by_model.get(name, (0, 0, 0, 0)), counts)) < 0
            for name, counts in before.by_model.items()
        ):
            return False  # totals that fell began again
        if self.cost_usd < before.cost_usd - _SAME_USD or self.api_s < before.api_s:
            return False
        if self.by_model and before.by_model:
            grown = _minus(self.in_all, before.in_all)
            return min(_minus(grown, self.part)) >= 0
        # Without tokens by model: API time beyond the part's own duration is that of earlier parts.
        return self.api_s > self.lasted_s


@dataclass
class _Process:
    """A process of a session: its last result, and what its results state of their parts together."""

    last: _Result
    turns: int | None = None
    lasted_s: float = NOT_KNOWN
    part: Counts = (0, 0, 0, 0)
    for_an_hour: int | None = 0
    messages: dict[str, _Message] = field(default_factory=dict)

    def add(self, result: _Result, messages: dict[str, _Message]) -> None:
        """Take up a further result."""
        self.last = result
        if result.turns is not None:
            self.turns = (self.turns or 0) + result.turns
        self.lasted_s = _added(self.lasted_s, result.lasted_s)
        self.part = _plus(self.part, result.part)
        if result.for_an_hour is None and (result.part[1] or not result.usage):
            self.for_an_hour = None
        elif self.for_an_hour is not None:
            self.for_an_hour += result.for_an_hour or 0
        self.messages.update(messages)


class _Session:
    """A session's processes so far, and the messages that no result covers yet."""

    def __init__(self) -> None:
        self.model = ""
        self.processes: list[_Process] = []
        self.pending: dict[str, _Message] = {}

    def add_message(self, line: JsonObject, number: str) -> None:
        message = mapping(line.get("message"))
        model = text(message.get("model"))
        if model == _SYNTHETIC or not isinstance(message.get("usage"), dict):
            return
        identity = text(message.get("id")) or number
        known = self.pending.get(identity)
        is_final = message.get("stop_reason") is not None
        tools = {
            text(block.get("id")): text(block.get("name"))
            for block in map(mapping, listing(message.get("content")))
            if block.get("type") == "tool_use"
        }
        if known is not None:
            tools = {**known.tools, **tools}
        if known is None or is_final or not known.is_final:
            agent = text(line.get("parent_tool_use_id"))
            at_s = moment(line.get("timestamp"))
            self.pending[identity] = _Message(model, message["usage"], is_final, at_s, agent, tools)

    def add_result(self, result: _Result) -> None:
        current = self.processes[-1] if self.processes else None
        if current is None or not result.goes_on_from(current.last):
            current = _Process(result)
            self.processes.append(current)
        current.add(result, self.pending)
        self.pending = {}


def _finish(file: LogFile, gathering: Gathering, name: str, session: _Session) -> None:
    """Add what a session's processes used, and what was printed after their last results."""
    if not session.processes and not session.pending:
        return
    run = gathering.run(f"claude {name}", FORMAT.name, file.path, name)
    is_told = run.source != FORMAT.name or any(run.last_turns.values())
    for process in session.processes:
        _report(run, process)
        if not is_told:
            _add_process(gathering, run, process, session.model)
    if session.pending and not is_told:
        run.missing["the result of the session, which broke off"] += 1
        _add_messages(gathering, run, session.pending)


def _report(run: RunInMaking, process: _Process) -> None:
    """Add what a process reports of the run as a whole."""
    run.reported_cost_usd = _added(run.reported_cost_usd, process.last.cost_usd)
    if process.turns is not None:
        run.reported_turns = (run.reported_turns or 0) + process.turns
    run.duration_s = _added(run.duration_s, process.lasted_s)
    run.api_duration_s = _added(run.api_duration_s, process.last.api_s)


def _add_process(gathering: Gathering, run: RunInMaking, process: _Process, named: str) -> None:
    by_model = _usages(process, named, run)
    if not any(any(usage[:4]) for usage in by_model.values()):
        run.note_odd("a result without a token")
        return
    messages = process.messages
    is_exact = bool(messages) and all(message.is_final for message in messages.values())
    if is_exact:
        _add_messages(gathering, run, messages)
        by_model = _left(by_model, messages, run)
    last, main = process.last, _main_model(process, named)
    for model, usage in by_model.items():
        if is_exact and not any((*usage[:4], usage.web_searches)):
            continue
        is_main = model == main and not is_exact
        paid: dict[str, Any] = {
            "component": "tokens",
            "cost_usd": NOT_KNOWN,
            "reported_cost_usd": NOT_KNOWN if is_exact else _reported(process, model, run),
            "calls": process.turns if is_main else None,
            "outcome": last.outcome,
            "status": last.status,
        }
        Thread(gathering, run).add(
            CALLS,
            last.at_s - process.lasted_s,
            last.api_s if is_main else NOT_KNOWN,
            model=model,
            **paid,
            **usage.columns(),
        )


def _reported(process: _Process, model: str, run: RunInMaking) -> float:
    last = process.last
    if len(last.models) > 1 or "costUSD" in last.models.get(model, {}):
        return run.dollars(last.models[model].get("costUSD"))
    return last.cost_usd


def _main_model(process: _Process, named: str) -> str:
    """Return whose usage a result's `usage` is: the model that the session named, else the one that used most."""
    by_model = process.last.by_model
    named = named.removesuffix("[1m]")
    if named in by_model or not by_model:
        return named or process.last.model
    return max(by_model, key=lambda model: (by_model[model][3], sum(by_model[model]), model))


def _usages(process: _Process, named: str, run: RunInMaking) -> dict[str, Usage]:
    """Return what a process used, by model.

    How long cache writes are kept stands in `usage` alone, which is of the session's own calls: what helpers and
    sub-agents wrote beyond it is kept for five minutes.
    """
    last, main = process.last, _main_model(process, named)
    how = {
        "service": service_of(last.usage.get("speed"), last.usage.get("service_tier")),
        "inference_geo": place_of(last.usage.get("inference_geo")),
    }
    if not last.by_model:
        usage, _ = anthropic_steps(last.usage, run)
        uncached, write, read, output = process.part
        known = [mapping(last.usage).get(name) is not None for name in _SNAKE]
        counts = [
            value if is_given else None
            for value, is_given in zip((uncached, write, read, output), known, strict=True)
        ]
        plain, written, cached, out = counts
        counted = usage._replace(uncached=plain, write=written, read=cached, output=out)
        return {main: counted._replace(write_1h=process.for_an_hour)}
    found = {}
    for model, (uncached, write, read, output) in last.by_model.items():
        for_an_hour: int | None = 0
        if model == main:
            for_an_hour = None if process.for_an_hour is None else min(process.for_an_hour, write)
        searches = last.searches[model] or None
        usage = Usage(uncached, write, read, output, for_an_hour, web_searches=searches)
        found[model] = usage._replace(**how) if model == main else usage  # type: ignore[arg-type]
    return found


def _left(by_model: dict[str, Usage], messages: dict[str, _Message], run: RunInMaking) -> dict[str, Usage]:
    """Return what a process used beyond its messages: by helpers, and by sub-agents that are not printed."""
    told: dict[str, list[int]] = {}
    for message in messages.values():
        usage, others = anthropic_steps(message.usage, run)
        for model, counted in (
            (message.model, usage),
            *((step.model or message.model, step.usage) for step in others),
        ):
            sums = told.setdefault(model, [0] * 6)
            counts = (*counted[:4], counted.write_1h, counted.web_searches)
            told[model] = [before + (more or 0) for before, more in zip(sums, counts, strict=True)]
    left = {}
    for model, usage in by_model.items():
        counts = (*usage[:4], usage.write_1h, usage.web_searches)
        rest = [
            None if value is None else max(0, value - before)
            for value, before in zip(counts, told.get(model, [0] * 6), strict=True)
        ]
        uncached, write, read, output, for_an_hour, searches = rest
        left[model] = usage._replace(
            uncached=uncached,
            write=write,
            read=read,
            output=output,
            write_1h=for_an_hour,
            web_searches=searches or None,
        )
    return left


def _add_messages(gathering: Gathering, run: RunInMaking, messages: dict[str, _Message]) -> None:
    """Add messages as calls, each in its agent's thread."""
    threads: dict[str, Thread] = {}
    for message in messages.values():
        thread = threads.get(message.agent)
        if thread is None:
            thread = threads[message.agent] = Thread(gathering, run, message.agent)
        usage, others = anthropic_steps(message.usage, run, knows_output=message.is_final)
        is_first = not is_known(thread.last_s)  # nobody knows how long it took
        row = thread.call(usage, message.model, message.at_s if is_first else thread.last_s, message.at_s)
        if is_first:
            gathering.columns.set(row, "duration_s", NOT_KNOWN)
        for step in others:
            helper = Thread(gathering, run, f"{step.kind} {step.model}")
            helper.call(step.usage, step.model or message.model, NOT_KNOWN, NOT_KNOWN)
        thread.sees(message.at_s)


def _counts(usage: JsonObject, names: tuple[str, str, str, str], run: RunInMaking) -> Counts:
    uncached, write, read, output = (run.count(usage.get(name), MOST_IN_A_SESSION) or 0 for name in names)
    return uncached, write, read, output


def _plus(*counts: Counts) -> Counts:
    uncached, write, read, output = (sum(column) for column in zip(*counts, (0, 0, 0, 0), strict=True))
    return uncached, write, read, output


def _minus(counts: Counts, others: Counts) -> Counts:
    uncached, write, read, output = (one - other for one, other in zip(counts, others, strict=True))
    return uncached, write, read, output


def _added(before: float, more: float) -> float:
    return more if not is_known(before) else before + more


FORMAT: Final = Format(
    "claude-results", "Claude Agent SDK result messages", _recognises, _read, lambda _: NOT_KNOWN
)
