"""Claude Code's session logs (JSONL), also those that the Agent SDK writes.

One message stands on a line for each of its blocks, and a resumed session may hold another's lines again: a
message is counted once, by its id and its request's, with its last usage. Lines whose `stop_reason` is null
carry the output count of the stream's beginning, a placeholder: where no line has more, the count is not known.
Copies have the same final usage: what differs in it is another message, whatever its ids.
Sub-agents are lines marked as sidechains, or files of their own with the session's id. A compaction's own call
is not logged; only that it happened, and at what context.
"""

from typing import Final

from simbudget.ledger.readers.counts import Step, anthropic_steps
from simbudget.ledger.readers.files import LogFile
from simbudget.ledger.readers.format import Format
from simbudget.ledger.readers.gathering import Gathering, RunInMaking
from simbudget.ledger.readers.thread import NO_USAGE, LoggedUsage, Thread
from simbudget.ledger.readers.values import (
    NOT_KNOWN,
    JsonObject,
    duration_s,
    folder_name,
    listing,
    mapping,
    moment,
    text,
)

_SIDE_LINES: Final = {"summary", "file-history-snapshot", "queue-operation", "progress", "custom-title"}
"""Types of lines that only Claude Code writes and that say nothing of what was used."""
_ASKS_PERSON: Final = {"AskUserQuestion", "ExitPlanMode"}
"""Tools whose result is a person's answer."""
_SYNTHETIC: Final = "<synthetic>"
"""The model of messages that Claude Code made up itself, such as errors."""
_MS: Final = 1e-3
_TELL_APART: Final = (
    "uncached_input_tokens",
    "cache_write_tokens",
    "cache_read_tokens",
    "output_tokens",
    "web_searches",
)
"""Counts in which copies of a message agree."""


def _recognises(file: LogFile) -> bool:
    return any(
        ("sessionId" in line and "uuid" in line and line.get("type") in ("user", "assistant", "system"))
        or line.get("type") in _SIDE_LINES
        for line in file.objects
    )


def _read(file: LogFile, gathering: Gathering) -> None:
    reading = _Reading(file, gathering)
    for number, line in file.json_lines(lambda number, why: gathering.cannot_read(file.path, number, why)):
        kind = line.get("type")
        if kind in ("user", "assistant", "system"):
            reading.line(number, kind, line)
    for thread in reading.threads.values():
        thread.breaks_off()


class _Reading:
    """The reading of one file."""

    def __init__(self, file: LogFile, gathering: Gathering) -> None:
        self.threads: dict[tuple[str, str], Thread] = {}
        self._file, self._gathering = file, gathering
        self._roots: dict[str, str] = {}
        self._current: dict[int, tuple[str, ...]] = {}

    def line(self, number: int, kind: str, line: JsonObject) -> None:
        session = text(line.get("sessionId") or line.get("session_id"))
        if not session:
            self._gathering.cannot_read(self._file.path, number, "no session id")
            return
        run = self._run(session, line)
        uuid = text(line.get("uuid"))
        is_new = not uuid or self._gathering.is_new(("line", uuid, text(line.get("timestamp"))))
        if not is_new and not (kind == "assistant" and self._is_another(run, line)):
            run.repeated += kind == "assistant"
            return
        thread = self._thread(run, session, line)
        at_s = moment(line.get("timestamp"))
        if kind == "assistant":
            self._assistant(thread, line, at_s)
        elif kind == "user":
            self._user(thread, line, at_s)
        else:
            self._system(thread, line, at_s)
        thread.sees(at_s)

    def _run(self, session: str, line: JsonObject) -> RunInMaking:
        key = f"claude {session}"
        known = self._gathering.runs.get(key)
        if known is not None:
            return known
        project = folder_name(line.get("cwd"))
        return self._gathering.run(key, FORMAT.name, self._file.path, session, project)

    def _thread(self, run: RunInMaking, session: str, line: JsonObject) -> Thread:
        agent = self._agent(line) if line.get("isSidechain") else ""
        thread = self.threads.get((session, agent))
        if thread is None:
            thread = self.threads[session, agent] = Thread(self._gathering, run, agent)
        return thread

    def _agent(self, line: JsonObject) -> str:
        """Return a sub-agent's id: its own, or that of the first line of its chain."""
        agent, uuid, parent = (text(line.get(name)) for name in ("agentId", "uuid", "parentUuid"))
        if not agent:
            agent = self._roots.get(parent, uuid)
            self._roots[uuid] = agent
        return agent

    def _assistant(self, thread: Thread, line: JsonObject, at_s: float) -> None:
        message = mapping(line.get("message"))
        model = text(message.get("model"))
        if model == _SYNTHETIC or line.get("isApiErrorMessage"):
            if line.get("isApiErrorMessage"):
                thread.fails(at_s, text(line.get("error")) or "error")
            return
        self._message(thread, line, message, model, at_s)
        for block in listing(message.get("content")):
            if mapping(block).get("type") == "tool_use":
                self._asks_tool(thread, block, at_s)

    def _asks_tool(self, thread: Thread, block: JsonObject, at_s: float) -> None:
        """Note that a message asks for a tool, once also where another session's file repeats it."""
        tool_id = text(block.get("id"))
        if self._gathering.is_new(("tool", tool_id)):
            thread.asks_tool(tool_id, text(block.get("name")), at_s)

    def _message(
        self, thread: Thread, line: JsonObject, message: JsonObject, model: str, at_s: float
    ) -> None:
        """Count a message, or what a further line says of one that was counted."""
        if not isinstance(message.get("usage"), dict):
            thread.run.missing["usage of calls"] += 1
            return
        key, is_final = _key(line, message), message.get("stop_reason") is not None
        usage, others = anthropic_steps(message["usage"], thread.run, model, knows_output=is_final)
        row, status = self._gathering.row(key), text(message.get("stop_reason"))
        is_same_telling = self._current.get(id(thread)) == key[1:]
        if is_final and row is not None and not is_same_telling and self._differs(row, model, usage):
            key = (*key, model, str(usage))
            row = self._gathering.row(key)
        for place, step in enumerate(others):
            self._step(thread, (*key, str(place)), step, model, at_s)
        if row is None:
            row = thread.call(usage, model, thread.ready_s, at_s, status=status)
            self._gathering.remember(key, row)
        else:
            self._amend(thread, row, usage, at_s, is_same_telling=is_same_telling)
        self._current[id(thread)] = _key(line, message)[1:]
        thread.ready_s = at_s

    def _is_another(self, run: RunInMaking, line: JsonObject) -> bool:
        """Return whether a line with the ids of another has a final usage that has not been read."""
        message = mapping(line.get("message"))
        if message.get("stop_reason") is None or not isinstance(message.get("usage"), dict):
            return False
        key, model = _key(line, message), text(message.get("model"))
        row, (usage, _) = self._gathering.row(key), anthropic_steps(message["usage"], run, model)
        if row is None or not self._differs(row, model, usage):
            return False
        return self._gathering.row((*key, model, str(usage))) is None

    def _differs(self, row: int, model: str, usage: LoggedUsage) -> bool:
        """Return whether a call has a final usage, and it is not this one."""
        columns = self._gathering.columns
        if columns.get(row, "output_tokens") is None:
            return False
        words = {"model": model, "service": usage.service, "inference_geo": usage.inference_geo}
        counts = usage.counts()
        return any(columns.word(row, name) != word for name, word in words.items()) or any(
            columns.get(row, name) != counts[name] for name in _TELL_APART
        )

    def _step(self, thread: Thread, key: tuple[str, ...], step: Step, model: str, at_s: float) -> None:
        """Count a step within a call that the call's own counts leave out, once."""
        if self._gathering.row(key) is not None:
            return
        if step.kind == "compaction":
            paid = {"component": "tokens", "cost_usd": NOT_KNOWN, **step.usage.columns()}
            row = thread.add("compaction", thread.ready_s, NOT_KNOWN, model=step.model or model, **paid)
        else:
            advisor = Thread(self._gathering, thread.run, f"{step.kind} {step.model}")
            row = advisor.call(step.usage, step.model or model, thread.ready_s, at_s)
            self._gathering.columns.set(row, "duration_s", NOT_KNOWN)
        self._gathering.remember(key, row)

    def _amend(
        self, thread: Thread, row: int, usage: LoggedUsage, at_s: float, *, is_same_telling: bool
    ) -> None:
        """Take the last usage of a message, and its end."""
        columns = self._gathering.columns
        if not is_same_telling:
            thread.run.repeated += 1
        if usage.output is not None or columns.get(row, "output_tokens") is None:
            for name, tokens in usage.counts().items():
                columns.set(row, name, tokens)
        if is_same_telling:
            columns.set(row, "duration_s", thread.lasted_s(columns.get(row, "started_s") or 0.0, at_s))

    def _user(self, thread: Thread, line: JsonObject, at_s: float) -> None:
        content = mapping(line.get("message")).get("content")
        results = [block for block in map(mapping, listing(content)) if block.get("type") == "tool_result"]
        for block in results:
            self._result(thread, block, mapping(line.get("toolUseResult")), at_s)
        if results or line.get("isMeta") or line.get("isCompactSummary"):
            return
        if not line.get("isSidechain"):
            thread.waits_for_person(at_s)
        thread.ready_s = at_s

    def _result(self, thread: Thread, block: JsonObject, result: JsonObject, at_s: float) -> None:
        tool_id = text(block.get("tool_use_id"))
        if not self._gathering.is_new(("tool result", tool_id)):
            thread.ready_s = at_s
            return
        agent = text(result.get("agentId"))
        if agent:
            thread.run.named_agents[agent] = None
        worked = result.get("totalDurationMs", result.get("durationMs"))
        outcome = "failed" if block.get("is_error") is True else "ok"
        kind = "wait" if thread.tool_name(tool_id) in _ASKS_PERSON else "tool"
        thread.tool_ends(tool_id, at_s, duration_s(worked, _MS), kind, outcome=outcome)

    def _system(self, thread: Thread, line: JsonObject, at_s: float) -> None:
        subtype = line.get("subtype")
        if subtype == "api_error":
            thread.fails(at_s, "api_error")
            retry_s = duration_s(line.get("retryInMs"), _MS)
            thread.ready_s = at_s + (retry_s if retry_s >= 0 else 0.0)
        elif subtype == "compact_boundary":
            about = mapping(line.get("compactMetadata"))
            before = thread.run.count(about.get("preTokens"))
            usage = NO_USAGE._replace(context=before)
            took_s = duration_s(about.get("durationMs"), _MS)
            started_s = at_s - took_s if took_s >= 0 else thread.ready_s
            thread.compacts(started_s, at_s, usage, status=text(about.get("trigger")))


def _key(line: JsonObject, message: JsonObject) -> tuple[str, ...]:
    """Return what a message is known by.

    Proxies write messages without ids: then the request's tells which lines are of one call, else none do.
    """
    identity = text(message.get("id")), text(line.get("requestId"))
    return ("message", *(identity if any(identity) else ("line", text(line.get("uuid")))))


FORMAT: Final = Format("claude-code", "Claude Code session", _recognises, _read)
