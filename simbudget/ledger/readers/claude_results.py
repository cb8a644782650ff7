"""What `claude -p --output-format stream-json` and the Agent SDK print (JSONL): messages, and a result after each turn.

A result states the cost, the tokens by model and the API time of its process so far: a process that is woken again
restates what earlier results stated, and adds to it. Its `usage`, turns and duration are of the part since the last
result, and leave out sub-agents. A session that a second process resumes begins again at zero. What tells the two apart
is whether a result's `usage` fits into what its totals grew by. Processes of one session may print into one file at the
same time, and into several files, so a session is put together when all files have been read.

Where messages have exact counts they are calls, and a process's totals add what they leave out (helpers, sub-agents).
Else a process is one entry of kind `calls` for each of its models. Counts are exact where a message's last line has a
`stop_reason`, or where its stream was printed too (`--include-partial-messages`). Results and messages carry no times,
but answers of tools do in newer versions: they date what follows them. A session whose own log was read too keeps that,
and the results add what they report of the run; so results are read last.
"""

from dataclasses import dataclass, field
from typing import Any, Final

from simbudget.ledger.entry import CALLS
from simbudget.ledger.readers.counts import (
    MOST_IN_A_SESSION,
    anthropic_steps,
    place_of,
    service_of,
    with_last_counts,
)
from simbudget.ledger.readers.files import LogFile
from simbudget.ledger.readers.format import Format
from simbudget.ledger.readers.gathering import Gathering, RunInMaking
from simbudget.ledger.readers.reported import records, sample
from simbudget.ledger.readers.thread import LoggedUsage, Thread
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
    # `--output-format json` prints one result, and with `--verbose` one array of what the stream has as lines
    is_document = file.is_document and b'"session_id"' in file.head
    return any(
        _is_result(line)
        or (line.get("type") == "system" and line.get("subtype") == "init" and "session_id" in line)
        for line in (sample(file) if is_document else file.objects)
    )


_KINDS: Final = {"result", "assistant", "system", "user", "stream_event"}


def _read(file: LogFile, gathering: Gathering) -> None:
    def take(number: int, line: JsonObject) -> None:
        kind = line.get("type")
        if kind not in _KINDS:
            return
        name = text(line.get("session_id")) or text(line.get("sessionId")) or str(file.path)
        session = gathering.gathered_to_the_end(("claude session", name), lambda: _Session(name))
        at_s = moment(line.get("timestamp"))
        seen_s[name] = at_s if is_known(at_s) else seen_s.get(name, NOT_KNOWN)
        if kind == "system" and line.get("subtype") == "init":
            session.model = text(line.get("model")) or session.model
        elif kind == "assistant":
            session.add_message(line, f"{file.path} {number}", seen_s[name])
        elif kind == "stream_event":
            session.add_event(line)
        elif _is_result(line):
            _take_result(file, gathering, session, line, seen_s[name])
        if (session.pending or session.processes) and name not in named:
            named.add(name)
            gathering.promises(session.run_in(gathering, file))

    named: set[str] = set()
    seen_s: dict[str, float] = {}
    records(file, gathering, take)


def _take_result(
    file: LogFile, gathering: Gathering, session: "_Session", line: JsonObject, at_s: float
) -> None:
    """Add a result to its session, unless it was read before; `at_s` is the last time printed before it."""
    run = session.run_in(gathering, file)
    identity = text(line.get("uuid")) or repr(
        (line.get("total_cost_usd"), line.get("duration_api_ms"), line.get("usage"))
    )
    if session.restates(identity, at_s):
        run.repeated += 1
    else:
        session.add_result(identity, _Result(line, run, str(file.path), at_s))


@dataclass
class _Message:
    """A message of the stream, whose last line tells most."""

    model: str
    usage: JsonObject
    is_final: bool
    at_s: float
    """When it was printed, if that is printed too."""
    after_s: float
    """The last time printed before it."""
    agent: str
    """The tool use that began the sub-agent; empty for the session's own messages."""
    tools: dict[str, str]
    """The names of the tools that it asks for, by their ids."""


class _Result:
    """What one result states."""

    def __init__(self, line: JsonObject, run: RunInMaking, path: str, at_s: float) -> None:
        usage = mapping(line.get("usage"))
        self.path = path
        self.cost_usd = run.dollars(line.get("total_cost_usd"))
        self.api_s = duration_s(line.get("duration_api_ms"), 1e-3)
        self.lasted_s = duration_s(line.get("duration_ms"), 1e-3)
        self.at_s = at_s
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

    def beyond(self, before: "_Result") -> float | None:
        """Return how many tokens totals grew by beyond this result's own part, if they go on from another's.

        A process that is woken again restates its totals and adds to them. None: these totals are not such ones.
        """
        if any(
            min(_minus(self.by_model.get(name, (0, 0, 0, 0)), counts)) < 0
            for name, counts in before.by_model.items()
        ):
            return None  # totals that fell began again
        if self.cost_usd < before.cost_usd - _SAME_USD or self.api_s < before.api_s:
            return None
        if self.by_model and before.by_model:
            left = _minus(_minus(self.in_all, before.in_all), self.part)
            return None if min(left) < 0 else sum(left)
        if not before.cost_usd and not before.by_model:
            return None  # nothing was used before, so nothing is restated
        # Without tokens by model: API time beyond the part's own duration is that of earlier parts.
        return 0.0 if self.api_s > self.lasted_s else None


@dataclass
class _Process:
    """A process of a session: its first and last result, and what its results state of their parts together."""

    first: _Result
    last: _Result
    turns: int | None = None
    lasted_s: float = NOT_KNOWN
    part: Counts = (0, 0, 0, 0)
    for_an_hour: int | None = 0
    messages: dict[str, _Message] = field(default_factory=dict)

    def fits(self, result: _Result) -> float | None:
        """Return how many tokens a result of this process would leave open; None if it is of another process.

        Within a file results come in their order; another file may have what came before.
        """
        after = result.beyond(self.last)
        if after is not None or result.path == self.first.path:
            return after
        return self.first.beyond(result)

    def add(self, result: _Result) -> None:
        """Take up a further result."""
        if result.path != self.first.path and result.beyond(self.last) is None:
            self.first = result
        else:
            self.last = result
        if result.turns is not None:
            self.turns = (self.turns or 0) + result.turns
        self.lasted_s = _added(self.lasted_s, result.lasted_s)
        self.part = _plus(self.part, result.part)
        if result.for_an_hour is None and (result.part[1] or not result.usage):
            self.for_an_hour = None
        elif self.for_an_hour is not None:
            self.for_an_hour += result.for_an_hour or 0


class _Session:
    """A session's processes so far, in whatever files, and the messages that no result covers yet."""

    def __init__(self, name: str) -> None:
        self.name, self.model = name, ""
        self.processes: list[_Process] = []
        self.pending: dict[str, _Message] = {}
        self._covered: set[str] = set()
        """The messages that a result covers."""
        self._of_result: dict[str, tuple[_Process, _Result]] = {}
        self._streamed: dict[str, str] = {}
        """The message that each agent is streaming."""

    def run_in(self, gathering: Gathering, file: LogFile) -> RunInMaking:
        """Return the session's run."""
        return gathering.run(f"claude {self.name}", FORMAT.name, file.path, self.name)

    def add_message(self, line: JsonObject, place: str, seen_s: float) -> None:
        """Take up a message, or a further line of one; `place` stands for its id where it has none."""
        message = mapping(line.get("message"))
        model = text(message.get("model"))
        if model == _SYNTHETIC or not isinstance(message.get("usage"), dict):
            return
        identity = text(message.get("id")) or place
        if identity in self._covered:
            return
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
            self.pending[identity] = _Message(model, message["usage"], is_final, at_s, seen_s, agent, tools)

    def add_event(self, line: JsonObject) -> None:
        """Take up an event of a message's stream, whose last one has the message's final counts."""
        event, agent = mapping(line.get("event")), text(line.get("parent_tool_use_id"))
        if event.get("type") == "message_start":
            self._streamed[agent] = text(mapping(event.get("message")).get("id"))
        elif event.get("type") == "message_delta" and isinstance(event.get("usage"), dict):
            message = self.pending.get(self._streamed.get(agent, ""))
            if message is not None and mapping(event.get("delta")).get("stop_reason") is not None:
                message.usage = with_last_counts(message.usage, event["usage"])
                message.is_final = True

    def restates(self, identity: str, at_s: float) -> bool:
        """Return whether a result was read before; if so, add the messages and the time that it lacked then."""
        known = self._of_result.get(identity)
        if known is not None:
            process, result = known
            self._covers(process)
            result.at_s = result.at_s if is_known(result.at_s) else at_s
        return known is not None

    def add_result(self, identity: str, result: _Result) -> None:
        """Take up a result: of the process whose totals it explains best, else of a new one."""
        fitting = [(process.fits(result), process) for process in reversed(self.processes)]
        known = [(left, process) for left, process in fitting if left is not None]
        process = min(known, key=lambda found: found[0])[1] if known else _Process(result, result)
        if not known:
            self.processes.append(process)
        process.add(result)
        self._of_result[identity] = process, result
        self._covers(process)

    def _covers(self, process: _Process) -> None:
        process.messages.update(self.pending)
        self._covered.update(self.pending)
        self.pending = {}

    def ends(self, gathering: Gathering) -> None:
        """Add what the session's processes used, and what was printed after their last results."""
        run = gathering.runs.get(f"claude {self.name}")
        if run is None:
            return
        is_told = run.source != FORMAT.name  # by the session's own log
        for process in self.processes:
            _report(run, process)
            if not is_told:
                _add_process(gathering, run, process, self.model)
        if self.pending and not is_told:
            run.missing["the result of the session, which broke off"] += 1
            _add_messages(gathering, run, self.pending)


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
            last.at_s - (process.lasted_s if is_known(process.lasted_s) else 0.0),
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
    """Return whose usage a result's `usage` is: the model that the session named, else the one that it fits best."""
    by_model = process.last.by_model
    named = named.removesuffix("[1m]")
    if named in by_model or not by_model:
        return named or process.last.model
    left = {model: _minus(counts, process.part) for model, counts in by_model.items()}
    fitting = [model for model in left if min(left[model]) >= 0]
    if fitting and any(process.part):
        return min(fitting, key=lambda model: (sum(left[model]), model))
    return max(by_model, key=lambda model: (by_model[model][3], sum(by_model[model]), model))


def _usages(process: _Process, named: str, run: RunInMaking) -> dict[str, LoggedUsage]:
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
        thinking = run.count(last.models[model].get("thinkingTokens"), MOST_IN_A_SESSION)
        usage = LoggedUsage(uncached, write, read, output, for_an_hour, thinking, web_searches=searches)
        found[model] = usage._replace(**how) if model == main else usage  # type: ignore[arg-type]
    return found


def _left(
    by_model: dict[str, LoggedUsage], messages: dict[str, _Message], run: RunInMaking
) -> dict[str, LoggedUsage]:
    """Return what a process used beyond its messages: by helpers, and by sub-agents that are not printed."""
    logged: dict[str, list[int]] = {}
    for message in messages.values():
        usage, others = anthropic_steps(message.usage, run, message.model)
        for model, counted in (
            (message.model, usage),
            *((step.model or message.model, step.usage) for step in others),
        ):
            sums = logged.setdefault(model, [0] * 6)
            counts = (*counted[:4], counted.write_1h, counted.web_searches)
            logged[model] = [before + (more or 0) for before, more in zip(sums, counts, strict=True)]
    left = {}
    for model, usage in by_model.items():
        counts = (*usage[:4], usage.write_1h, usage.web_searches)
        rest = [
            None if value is None else max(0, value - before)
            for value, before in zip(counts, logged.get(model, [0] * 6), strict=True)
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
        usage, others = anthropic_steps(message.usage, run, message.model, knows_output=message.is_final)
        # Nobody knows how long the first one took, nor one without a time of its own.
        is_timed = is_known(message.at_s) and is_known(thread.last_s)
        began_s = thread.last_s if is_timed else message.at_s if is_known(message.at_s) else message.after_s
        thread.call(usage, message.model, began_s, message.at_s if is_timed else NOT_KNOWN)
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
    "claude-results",
    "Claude Agent SDK result messages",
    _recognises,
    _read,
    lambda _: NOT_KNOWN,
    is_printed=True,
)
