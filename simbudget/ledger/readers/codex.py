"""Codex CLI rollouts (JSONL): what was said and done as items, and the session's token totals after each call.

Totals are cumulative and may be noted twice; a call is what they grew by. Newer versions also write a record of each
response (`token_usage_record`) with its own usage; a response that both report is one call. Input that was read from
the cache or written to it is part of the input, and reasoning is part of the output. A token count is noted after the
call's tools have run, so the call ended with the last item that the model made. A compaction's own call is in the
records alone. A session that was forked from another, or a sub-agent, may begin with the other's lines, or with its
totals alone: such sessions are read after those that they continue, and what they repeat is left out.
"""

from collections import deque
from collections.abc import Iterator
from typing import Final, NamedTuple

from simbudget.ledger.readers.copies import Noted, replayed_until
from simbudget.ledger.readers.counts import service_of
from simbudget.ledger.readers.files import LogFile
from simbudget.ledger.readers.format import Format
from simbudget.ledger.readers.gathering import Gathering, RunInMaking
from simbudget.ledger.readers.thread import NO_USAGE, LoggedUsage, Thread
from simbudget.ledger.readers.values import (
    NOT_KNOWN,
    JsonObject,
    duration_s,
    folder_name,
    is_known,
    mapping,
    moment,
    text,
)

_LINE_TYPES: Final = {
    "session_meta",
    "event_msg",
    "response_item",
    "turn_context",
    "compacted",
    "token_usage_record",
}
_ASKS: Final = {"function_call", "custom_tool_call", "local_shell_call"}
_ANSWERS: Final = {"function_call_output", "custom_tool_call_output", "local_shell_call_output"}
_TOTALS: Final = (
    "input_tokens",
    "cached_input_tokens",
    "output_tokens",
    "reasoning_output_tokens",
    "cache_write_input_tokens",
)
_NOT_GIVEN: Final = {
    "cached_input_tokens": None,
    "reasoning_output_tokens": None,
    "cache_write_input_tokens": 0,
}
"""What older versions do not have: they do not count reasoning apart, and write nothing to a cache."""
_MOST_IN_A_SESSION: Final = 10**12
_PAIRED_WITHIN: Final = 8
"""A response's record and its token count are written close together: only the last few responses are matched."""


def _recognises(file: LogFile) -> bool:
    return any(line.get("type") in _LINE_TYPES and "payload" in line for line in file.objects)


def _follows(file: LogFile) -> float | None:
    """Return when a session began that continues another, or that another began."""
    began_s, other = _continues(file)
    return began_s if other else None


def _continues(file: LogFile) -> tuple[float, str]:
    """Return when a session began, and the id of the one that it continues; an empty one if none."""
    about = [line for line in file.objects if line.get("type") == "session_meta"]
    if not about:
        return NOT_KNOWN, ""
    meta = mapping(about[0].get("payload"))
    name = _identity(meta)
    within = (_identity(mapping(line.get("payload"))) for line in about[1:])  # of a history that is copied
    other = _parent(meta) or next((found for found in within if found != name), "")
    return moment(about[0].get("timestamp")), other


def _read(file: LogFile, gathering: Gathering) -> None:
    began_s, other = _continues(file)
    _read_from(file, gathering, _replayed(file, gathering, other, began_s) if other else 0)


def _read_from(file: LogFile, gathering: Gathering, replayed: int) -> None:
    """Read a rollout whose lines up to `replayed` are another session's history."""
    reading = _Reading(file, gathering)
    for number, line in file.json_lines(lambda number, why: gathering.cannot_read(file.path, number, why)):
        if number <= replayed:
            reading.history(line)
        else:
            reading.line(line)
    if reading.thread is not None:
        reading.thread.breaks_off()


def _replayed(file: LogFile, gathering: Gathering, other: str, began_s: float) -> int:
    """Return up to which line a rollout repeats the history of the session that it continues."""
    is_there = gathering.row(("codex session", other)) is not None

    def is_the_others(totals: tuple[int, ...]) -> bool:
        return gathering.row(("codex session", other, *map(str, totals))) is not None

    return replayed_until(_noted(file), began_s, is_the_others if is_there else None)


def _noted(file: LogFile) -> Iterator[Noted]:
    """Yield the token counts of a rollout."""
    scratch = RunInMaking(0, "", "", "", "")
    own, before = "", None
    for number, line in file.json_lines(lambda _number, _why: None):
        payload = mapping(line.get("payload"))
        if not own and line.get("type") == "session_meta":
            own = _identity(payload)
        told = _told(line, payload, scratch)
        if told is None or not (told.totals or told.last) or told.totals == before:
            continue
        is_foreign = bool(own and told.thread) and told.thread != own
        if told.totals or is_foreign:
            output = (told.last or told.totals)[2] or 0
            yield Noted(number, moment(line.get("timestamp")), _plain(told.totals), output, is_foreign)
            before = told.totals


class _Told(NamedTuple):
    """What a line says of what was used."""

    is_record: bool
    """Whether it is the record of a response, and not a count of the session."""
    totals: "Totals"
    """Of the session so far; nothing if it does not say."""
    last: "Totals"
    """Of the last call; nothing if it does not say."""
    response: str
    """The id of the response that it records."""
    thread: str
    """The id of the session that used it."""


def _told(line: JsonObject, payload: JsonObject, run: RunInMaking) -> _Told | None:
    """Return what a line says of what was used; None if nothing."""
    if line.get("type") == "token_usage_record":
        in_all, in_last = payload.get("thread_token_usage"), payload.get("usage")
    elif line.get("type") == "event_msg" and payload.get("type") == "token_count":
        info = mapping(payload.get("info"))
        in_all, in_last = info.get("total_token_usage"), info.get("last_token_usage")
    else:
        return None
    totals, last = _totals(mapping(in_all), run), _totals(mapping(in_last), run)
    is_record = line.get("type") == "token_usage_record"
    return _Told(is_record, totals, last, text(payload.get("response_id")), text(payload.get("thread_id")))


def _identity(meta: JsonObject) -> str:
    return text(meta.get("id")) or text(meta.get("session_id"))


def _parent(meta: JsonObject) -> str:
    """Return the id of the session that a session continues, or that began it as a sub-agent; empty if none."""
    spawned = mapping(mapping(mapping(meta.get("source")).get("subagent")).get("thread_spawn"))
    logged = (meta.get("forked_from_id"), spawned.get("parent_thread_id"), meta.get("parent_thread_id"))
    found = next((name for value in logged if (name := text(value))), "")
    return found if found != _identity(meta) else ""


class _Reading:
    """The reading of one rollout."""

    def __init__(self, file: LogFile, gathering: Gathering) -> None:
        self.thread: Thread | None = None
        self._file, self._gathering = file, gathering
        self._totals: dict[bool, Totals] = {}
        """What had been used, by counts and by records."""
        self._unpaired = {is_record: deque[Totals](maxlen=_PAIRED_WITHIN) for is_record in (False, True)}
        """What calls used that counts, and that records, have reported alone."""
        self._responses: dict[str, int | None] = {}
        """Length of the prompt of each of the last responses."""
        self._model = ""
        self._service = ""
        self._began_s: float | None = None
        self._model_made_s = NOT_KNOWN
        self._worked_s: dict[str, float] = {}
        self._failed: set[str] = set()

    def history(self, line: JsonObject) -> None:
        """Take from another session's history what holds on: the model, the service, and what had been used."""
        payload = mapping(line.get("payload"))
        thread = self._of_run(payload if line.get("type") == "session_meta" else {})
        self._settings_of(line, payload)
        told = _told(line, payload, thread.run)
        if told is None:
            return
        if told.response:
            self._gathering.is_new(("codex response", told.response))
        if told.totals and told.totals != self._totals.get(told.is_record):
            self._totals[told.is_record] = told.totals
            thread.run.repeated += 1
            self._remember(thread.run, told.totals)

    def _settings_of(self, line: JsonObject, payload: JsonObject) -> None:
        """Take the model and the service of the next calls from a line that sets them."""
        if line.get("type") == "turn_context":
            self._settings(payload)
        elif payload.get("type") == "thread_settings_applied":
            self._settings(mapping(payload.get("thread_settings")))

    def _settings(self, payload: JsonObject) -> None:
        settings = mapping(mapping(payload.get("collaboration_mode")).get("settings"))
        self._model = text(payload.get("model") or settings.get("model")) or self._model
        if "service_tier" in payload or "service_tier" in settings:
            self._service = service_of(payload.get("service_tier"), settings.get("service_tier"))

    def line(self, line: JsonObject) -> None:
        payload, at_s = mapping(line.get("payload")), moment(line.get("timestamp"))
        kind, what = line.get("type"), payload.get("type")
        thread = self._of_run(payload if kind == "session_meta" else {})
        self._settings_of(line, payload)
        told = _told(line, payload, thread.run)
        if told is not None:
            self._tokens(thread, told, payload, at_s)
        elif kind == "response_item":
            self._item(thread, payload, what, at_s)
        elif kind == "event_msg":
            self._event(thread, payload, what, at_s)
        elif kind == "compacted" and self._gathering.is_new(("codex compacted", str(at_s))):
            thread.compacts(thread.last_s, at_s, self._of_compaction(payload))
        thread.sees(at_s)

    def _of_compaction(self, payload: JsonObject) -> LoggedUsage:
        """Return the usage of a compaction: none beyond the response that recorded it, else not known."""
        response = text(payload.get("compaction_response_id"))
        if response not in self._responses:
            return NO_USAGE
        return LoggedUsage(0, 0, 0, 0, 0, 0, context=self._responses[response])

    def _of_run(self, meta: JsonObject) -> Thread:
        """Return the thread of the rollout's run, which its first line names, if that line is intact."""
        if self.thread is None:
            name = _identity(meta) or self._file.path.name
            project = folder_name(meta.get("cwd"))
            run = self._gathering.run(f"codex {name}", FORMAT.name, self._file.path, name, project)
            spawned = mapping(mapping(mapping(meta.get("source")).get("subagent")).get("thread_spawn"))
            parent = text(spawned.get("parent_thread_id") or meta.get("parent_thread_id"))
            run.part_of = f"codex {parent}" if parent and parent != name else ""
            self._gathering.remember(("codex session", run.name), 0)
            self.thread = Thread(self._gathering, run)
        return self.thread

    def _item(self, thread: Thread, payload: JsonObject, what: object, at_s: float) -> None:
        call_id = text(payload.get("call_id") or payload.get("id"))
        if what in _ANSWERS:
            if self._gathering.is_new(("codex tool", call_id)):
                outcome = "failed" if call_id in self._failed else "ok"
                thread.tool_ends(call_id, at_s, self._worked_s.pop(call_id, NOT_KNOWN), outcome=outcome)
            thread.ready_s = at_s
            return
        if what == "message" and payload.get("role") != "assistant":
            thread.ready_s = at_s
            return
        self._model_made_s = at_s
        if self._began_s is None:
            self._began_s = thread.ready_s
        if what in _ASKS:
            thread.asks_tool(call_id, text(payload.get("name")), at_s, thread.turn + 1)

    def _event(self, thread: Thread, payload: JsonObject, what: object, at_s: float) -> None:
        if what == "task_started":
            thread.waits_for_person(at_s)
            thread.ready_s = at_s
        elif what in ("exec_command_end", "mcp_tool_call_end", "patch_apply_end"):
            self._tool_event(payload)
        elif what in ("stream_error", "error"):
            thread.fails(at_s, text(what), self._model)

    def _tool_event(self, payload: JsonObject) -> None:
        call_id, took = text(payload.get("call_id")), mapping(payload.get("duration"))
        if took:
            worked_s = duration_s(took.get("secs")) + duration_s(took.get("nanos", 0), 1e-9)
            self._worked_s[call_id] = worked_s
        if payload.get("exit_code") not in (None, 0) or payload.get("success") is False:
            self._failed.add(call_id)

    def _tokens(self, thread: Thread, told: _Told, payload: JsonObject, at_s: float) -> None:
        """Count a call that a line reports, once."""
        run, grown = thread.run, self._growth(told)
        if told.totals:
            self._totals[told.is_record] = told.totals
            self._remember(run, told.totals)
        elif told.last:
            self._totals[told.is_record] = told.last  # to know it when it is noted again
        if not any(grown):
            return  # nothing new, or totals that were taken over from another session
        if "service_tier" in payload:
            self._service = service_of(payload["service_tier"])
        if told.response:
            self._responses = dict([*self._responses.items(), (told.response, grown[0])][-_PAIRED_WITHIN:])
        if self._is_told_already(told, grown):
            return
        is_new = not told.response or self._gathering.is_new(("codex response", told.response))
        if is_new and self._gathering.is_new(("codex", str(at_s), *map(str, _plain(told.totals or grown)))):
            began_s = NOT_KNOWN if self._began_s is None else self._began_s
            usage = _usage(grown, run)._replace(service=self._service)
            is_timed = is_known(self._model_made_s)  # else it is known by when it had ended, and so its price
            thread.call(usage, self._model, began_s, self._model_made_s if is_timed else at_s)
        else:
            run.repeated += 1
        self._began_s, self._model_made_s = None, NOT_KNOWN

    def _growth(self, told: _Told) -> "Totals":
        """Return what a call used that a line reports; nothing if it reports none."""
        totals, last, before = told.totals, told.last, self._totals.get(told.is_record)
        if told.is_record and last:
            return last
        if not totals:
            return () if last == before else last
        if totals == before:
            return ()
        before = before or (0,) * len(_TOTALS)
        grown = tuple(_grown(now, then) for now, then in zip(totals, before, strict=True))
        if min(tokens or 0 for tokens in grown) < 0 or (last and not any(before)):
            return last or totals  # the totals began anew or fell, or the log does not begin with the session
        return grown

    def _is_told_already(self, told: _Told, grown: "Totals") -> bool:
        """Return whether a count reports the response that a record has reported, or the other way round.

        Their totals may differ, since only records count compactions; what the response used does not.
        """
        used = _plain(told.last or grown)
        others = self._unpaired[not told.is_record]
        if used in others:
            others.remove(used)
            return True
        self._unpaired[told.is_record].append(used)
        return False

    def _remember(self, run: RunInMaking, totals: "Totals") -> None:
        """Remember what a session had used, to know it again in the logs of those that continue it."""
        self._gathering.remember(("codex session", run.name, *map(str, _plain(totals))), 0)


Totals = tuple[int | None, ...]
"""The counts of `_TOTALS`; None is not known."""


def _totals(usage: JsonObject, run: RunInMaking) -> Totals:
    """Return the totals of a usage; nothing if one is not known that every version has."""
    found: list[int | None] = []
    for name in _TOTALS:
        tokens = run.count(usage.get(name, _NOT_GIVEN.get(name)), _MOST_IN_A_SESSION)
        if tokens is None and name not in _NOT_GIVEN:
            return ()
        found.append(tokens)
    return tuple(found)


def _plain(totals: Totals) -> tuple[int, ...]:
    """Return totals to compare: a version that does not count reasoning counts the rest alike."""
    return tuple(tokens or 0 for tokens in totals)


def _grown(now: int | None, before: int | None) -> int | None:
    return None if now is None else now - (before or 0)


def _usage(grown: Totals, run: RunInMaking) -> LoggedUsage:
    prompt, cached, output, reasoning, written = (run.count(tokens) for tokens in grown)
    if prompt is None or cached is None or written is None or cached + written > prompt:
        return LoggedUsage(None, written, None, output, 0, reasoning, prompt)
    return LoggedUsage(prompt - cached - written, written, cached, output, 0, reasoning)


FORMAT: Final = Format("codex", "Codex CLI rollout", _recognises, _read, _follows)
