"""What Gemini CLI writes: `--output-format stream-json` and `json`, and its chats; and Qwen Code's sessions, its fork.

Google's prompt contains what was read from the cache; thoughts, and prompts that tools made, come on top of output and
input, and only the total of a result shows them. A session whose chat was read too keeps its calls, and its output adds
what they leave out; so output is read after chats.
"""

from typing import Final

from simbudget.ledger.imported import names_no_model
from simbudget.ledger.readers.copies import is_first_telling
from simbudget.ledger.readers.counts import MOST_IN_A_SESSION
from simbudget.ledger.readers.files import LogFile
from simbudget.ledger.readers.format import Format
from simbudget.ledger.readers.gathering import Gathering, RunInMaking
from simbudget.ledger.readers.reported import add_total, first_of, run_of, usage_within
from simbudget.ledger.readers.rows import each, json_rows
from simbudget.ledger.readers.thread import LoggedUsage, Thread
from simbudget.ledger.readers.values import (
    NOT_KNOWN,
    JsonObject,
    duration_s,
    folder_name,
    is_known,
    listing,
    mapping,
    moment,
    text,
)

_MS: Final = 1e-3
_FAILED: Final = {"error", "failed", "cancelled"}


def _is_stream(line: JsonObject) -> bool:
    stats = mapping(line.get("stats"))
    is_begin = line.get("type") == "init" and "session_id" in line and "uuid" not in line
    return is_begin or (line.get("type") == "result" and ("input_tokens" in stats or "models" in stats))


def _is_answer(stats: JsonObject) -> bool:
    """Return whether statistics are those of `--output-format json`."""
    return any("tokens" in mapping(model) for model in mapping(stats.get("models")).values())


def _recognises_stream(file: LogFile) -> bool:
    if any(map(_is_stream, file.objects)):
        return True
    return file.is_document and b'"stats"' in file.head and _is_answer(_stats(file))


def _stats(file: LogFile) -> JsonObject:
    return mapping(mapping(file.document).get("stats"))


def _read_stream(file: LogFile, gathering: Gathering) -> None:
    if file.is_document and _is_answer(_stats(file)):
        run = _run(gathering, file, STREAM.name, mapping(file.document).get("session_id"))
        if gathering.is_new(("gemini answer", run.name, str(_stats(file)))):
            _by_model(Thread(gathering, run), gathering, _stats(file), "", {})
        else:
            run.repeated += 1
        return
    stream = _Stream(file, gathering)
    each(json_rows(file, gathering), file, gathering, stream.line)
    stream.ends()


def _follows_stream(file: LogFile) -> float | None:
    """Return NaN for results kept without their sessions, which the sessions' own output tells with more about them.

    What was printed of whole sessions is read before those, and after chats.
    """
    is_whole = any(line.get("type") == "init" for line in file.objects) or _is_answer(_stats(file))
    return 0.0 if is_whole else NOT_KNOWN


def _run(gathering: Gathering, file: LogFile, source: str, session: object) -> RunInMaking:
    """Return the run of a session, whether its chat or what was printed of it is read."""
    known = text(session)
    return gathering.run(f"gemini {known or file.path}", source, file.path, known or file.path.name)


class _Calls:
    """What the calls of a session's chat used, by model, until totals that contain them have been read."""

    def __init__(self) -> None:
        self._used: dict[str, list[int]] = {}

    def add(self, model: str, usage: LoggedUsage) -> None:
        """Take up a call."""
        sums = self._used.setdefault(model, [0] * len(usage[:4]))
        self._used[model] = [before + (more or 0) for before, more in zip(sums, usage[:4], strict=True)]

    def beyond(self, model: str, total: LoggedUsage) -> LoggedUsage:
        """Return what a model's total has beyond the calls; one without a model is of all models."""
        names = [model] if model in self._used else list(self._used) if names_no_model(model) else []
        left = list(total[:4])
        for name in names:
            for place, used in enumerate(self._used[name]):
                now = left[place]
                taken = min(used, now or 0)
                left[place] = None if now is None else now - taken
                self._used[name][place] -= taken
        uncached, write, read, output = left
        return total._replace(uncached=uncached, write=write, read=read, output=output, context=None)

    def ends(self, gathering: Gathering) -> None:
        """Add nothing: the calls have been added."""


class _Stream:
    """The reading of what one process, or several after each other, printed."""

    def __init__(self, file: LogFile, gathering: Gathering) -> None:
        self._file, self._gathering = file, gathering
        self._thread: Thread | None = None
        self._model = ""
        self._began_s = NOT_KNOWN
        self._is_open = False
        self._asked: dict[str, tuple[float, str]] = {}

    def line(self, number: int, line: JsonObject) -> None:
        kind, at_s = line.get("type"), moment(line.get("timestamp"))
        if kind == "init" or self._thread is None:
            self._begins(line, at_s)
        thread = self._of_thread()
        if kind in ("tool_use", "tool_result") and self._is_told:
            return
        if kind == "tool_use":
            self._asked[text(line.get("tool_id"))] = (at_s, text(line.get("tool_name")))
        elif kind == "tool_result":
            asked = self._asked.pop(text(line.get("tool_id")), None)
            if asked is None:
                thread.run.odd["tool results without a call that asked for them"] += 1
                return
            began_s, name = asked
            outcome = "failed" if line.get("status") in _FAILED else "ok"
            lasted_s = thread.lasted_s(began_s, at_s)
            thread.add("tool", began_s if is_known(began_s) else at_s, lasted_s, name=name, outcome=outcome)
        elif kind == "result" and "stats" in line:
            self._result(thread, line, at_s)
        thread.sees(at_s)

    def _begins(self, line: JsonObject, at_s: float) -> None:
        self._model = text(line.get("model"))
        self._began_s, self._is_open = at_s, True
        run = _run(self._gathering, self._file, STREAM.name, line.get("session_id"))
        self._thread = Thread(self._gathering, run)

    @property
    def _is_told(self) -> bool:
        """Whether the session's chat was read, which tells its calls and tools."""
        return self._of_thread().run.source != STREAM.name

    def _of_thread(self) -> Thread:
        assert self._thread is not None
        return self._thread

    def _result(self, thread: Thread, line: JsonObject, at_s: float) -> None:
        stats, run = mapping(line.get("stats")), thread.run
        self._is_open = False
        logged = run.name, str(stats.get("total_tokens"))
        is_new = self._gathering.is_new(("gemini result", *logged, str(at_s)))
        if not is_first_telling(self._gathering, STREAM.name, (at_s,), stats) or not is_new:
            run.repeated += 1
            return
        lasted_s = duration_s(stats.get("duration_ms"), _MS)
        run.duration_s = lasted_s if not is_known(run.duration_s) else run.duration_s + lasted_s
        columns = {
            "started_s": self._began_s if is_known(self._began_s) else at_s - lasted_s,
            "outcome": "failed" if line.get("status") in _FAILED else "ok",
            "status": text(line.get("status")),
        }
        _by_model(thread, self._gathering, stats, self._model, columns)

    def ends(self) -> None:
        for began_s, name in self._asked.values():
            self._of_thread().add("tool", began_s, NOT_KNOWN, name=name, outcome="cut")
        if self._is_open and self._thread is not None:
            self._thread.run.missing["the result of the session, which broke off"] = 1


def _by_model(
    thread: Thread, gathering: Gathering, stats: JsonObject, model: str, columns: JsonObject
) -> None:
    """Add what a session used, an entry for each model that it names, beyond what its chat's calls did."""
    models = mapping(stats.get("models")) or {model: stats}
    is_told = thread.run.source != STREAM.name
    chat = gathering.gathered_to_the_end(("gemini chat", thread.run.name), _Calls)
    for name, logged in models.items():
        about = mapping(logged)
        api = mapping(about.get("api"))
        more = {
            "calls": thread.run.count(api.get("totalRequests")),
            "duration_s": duration_s(api.get("totalLatencyMs"), _MS),
        }
        usage = _of_stats(mapping(about.get("tokens")) or about, thread.run)
        if is_told:
            usage, more = chat.beyond(text(name), usage), {}
            if not any(usage[:4]):
                thread.run.repeated += 1
                continue
        add_total(thread, usage, text(name), **columns, **more)


def _of_stats(logged: JsonObject, run: RunInMaking) -> LoggedUsage:
    """Return the usage that statistics tell; what the total has beyond input and output is thought."""

    def of(*names: str) -> int | None:
        return run.count(first_of(logged, *names), MOST_IN_A_SESSION)

    if "cached" not in logged:  # versions of 2025 do not say; none of it may have been
        run.note_missing("how much of the input was cached, so all of it counts as uncached")
    prompt = of("input_tokens", "prompt")
    output, read, total = of("output_tokens", "candidates"), of("cached"), of("total_tokens", "total")
    thoughts, by_tools = of("thoughts"), of("tool") or 0
    if thoughts is None and None not in (prompt, output, total):
        thoughts = max(0, (total or 0) - (prompt or 0) - (output or 0))
    if output is not None:
        output += thoughts or 0
    if prompt is not None:
        prompt += by_tools
    return usage_within(run, prompt, read or 0, 0, output, thinking=thoughts)


STREAM: Final = Format(
    "gemini-cli", "Gemini CLI output", _recognises_stream, _read_stream, _follows_stream, is_printed=True
)


def _is_chat(about: JsonObject) -> bool:
    return "sessionId" in about and ("projectHash" in about or "startTime" in about)


def _is_message(line: JsonObject) -> bool:
    return line.get("type") in ("gemini", "model") and isinstance(line.get("tokens"), dict)


def _recognises_chat(file: LogFile) -> bool:
    if file.is_document:
        is_likely = b'"sessionId"' in file.head and b'"messages"' in file.head
        return is_likely and _is_chat(mapping(file.document))
    return any("projectHash" in line and _is_chat(line) for line in file.objects) or any(
        map(_is_message, file.objects)
    )


def _read_chat(file: LogFile, gathering: Gathering) -> None:
    if file.is_document:
        document = mapping(file.document)
        thread = Thread(gathering, _run(gathering, file, CHAT.name, document.get("sessionId")))
        messages = enumerate(map(mapping, listing(document.get("messages"))), 1)
        each(messages, file, gathering, lambda _, message: _message(thread, gathering, message))
        return
    about = next(filter(_is_chat, file.objects), {})
    thread = Thread(gathering, _run(gathering, file, CHAT.name, about.get("sessionId")))
    each(json_rows(file, gathering), file, gathering, lambda _, line: _message(thread, gathering, line))


def _message(thread: Thread, gathering: Gathering, message: JsonObject) -> None:
    """Add a message of a chat; where it stands again, with more in it, its last usage counts."""
    at_s = moment(message.get("timestamp"))
    if message.get("type") == "user":
        thread.waits_for_person(at_s)
        thread.ready_s = at_s
    elif _is_message(message):
        logged, key = mapping(message.get("tokens")), ("gemini message", text(message.get("id")), str(at_s))
        prompt, output, read, thoughts, by_tools = (
            thread.run.count(logged.get(name)) for name in ("input", "output", "cached", "thoughts", "tool")
        )
        if output is not None:
            output += thoughts or 0
        prompt = None if prompt is None else prompt + (by_tools or 0)
        usage = usage_within(thread.run, prompt, read, 0, output, thinking=thoughts)
        row = gathering.row(key)
        if row is not None:
            thread.run.repeated += 1
            for name, value in usage.counts().items():
                gathering.columns.set(row, name, value)
            return
        model = text(message.get("model"))
        gathering.gathered_to_the_end(("gemini chat", thread.run.name), _Calls).add(model, usage)
        gathering.remember(key, thread.call(usage, model, thread.ready_s, at_s))
        for use in map(mapping, listing(message.get("toolCalls"))):
            _tool(thread, use, at_s)
    thread.sees(at_s)


def _tool(thread: Thread, use: JsonObject, asked_s: float) -> None:
    ended_s = moment(use.get("timestamp"))
    lasted_s = thread.lasted_s(asked_s, ended_s)
    outcome = "failed" if use.get("status") in _FAILED else "ok"
    thread.add("tool", asked_s, lasted_s, name=text(use.get("name")), outcome=outcome)
    if is_known(ended_s):
        thread.ready_s = ended_s


CHAT: Final = Format("gemini-chat", "Gemini CLI chat", _recognises_chat, _read_chat)


def _recognises_qwen(file: LogFile) -> bool:
    return any("sessionId" in line and isinstance(line.get("usageMetadata"), dict) for line in file.objects)


def _read_qwen(file: LogFile, gathering: Gathering) -> None:
    threads: dict[str, Thread] = {}

    def line(_: int, line: JsonObject) -> None:
        session = text(line.get("sessionId"))
        if session not in threads:
            project = folder_name(line.get("cwd"))
            threads[session] = Thread(gathering, run_of(gathering, file, QWEN.name, session, project))
        _qwen_line(threads[session], gathering, line)

    each(json_rows(file, gathering), file, gathering, line)


def _qwen_line(thread: Thread, gathering: Gathering, line: JsonObject) -> None:
    at_s, kind = moment(line.get("timestamp")), line.get("type")
    uuid = text(line.get("uuid"))
    if uuid and not gathering.is_new(("qwen", uuid)):
        thread.run.repeated += kind == "assistant"
        return
    if kind == "user":
        thread.waits_for_person(at_s)
    elif kind == "assistant" and isinstance(line.get("usageMetadata"), dict):
        thread.call(
            _of_metadata(line["usageMetadata"], thread.run), text(line.get("model")), thread.ready_s, at_s
        )
    elif kind == "tool_result":
        result = mapping(line.get("toolCallResult"))
        outcome = "failed" if result.get("status") in _FAILED else "ok"
        lasted_s = thread.lasted_s(thread.last_s, at_s)
        thread.add("tool", thread.last_s, lasted_s, name=text(result.get("displayName")), outcome=outcome)
    if kind in ("user", "assistant", "tool_result"):
        thread.ready_s = at_s
    thread.sees(at_s)


def _of_metadata(logged: JsonObject, run: RunInMaking) -> LoggedUsage:
    """Return the usage of an answer of Google's API, also one that another provider's was translated into.

    Google's candidates leave out thoughts; where prompt and candidates are the whole total, they contain them.
    """
    prompt, candidates, thoughts, read, by_tools, total = (
        run.count(logged.get(f"{name}TokenCount"))
        for name in ("prompt", "candidates", "thoughts", "cachedContent", "toolUsePrompt", "total")
    )
    output = candidates
    if candidates is not None and total != (prompt or 0) + candidates:
        output = candidates + (thoughts or 0)
    prompt = None if prompt is None else prompt + (by_tools or 0)
    return usage_within(run, prompt, read or 0, 0, output, thinking=thoughts)


QWEN: Final = Format("qwen-code", "Qwen Code session", _recognises_qwen, _read_qwen)
