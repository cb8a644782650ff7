"""Codex CLI rollouts (JSONL): what was said and done as items, and the session's token totals after each call.

Totals are cumulative and may be noted twice; a call is what they grew by. Input that was read from the cache or
written to it is part of the input, and reasoning is part of the output. A token count is noted after the call's tools
have run, so the call ended with the last item that the model made. A compaction's own call is not in the totals. A
session that was forked from another begins with the other's lines.
"""

from typing import Final

from simbudget.ledger.readers.files import LogFile
from simbudget.ledger.readers.format import Format
from simbudget.ledger.readers.gathering import Gathering, RunInMaking
from simbudget.ledger.readers.thread import NO_USAGE, Thread, Usage
from simbudget.ledger.readers.values import (
    NOT_KNOWN,
    JsonObject,
    duration_s,
    folder_name,
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
_LATER_TOTALS: Final = {"cache_write_input_tokens"}
"""What older versions do not have; they write nothing to a cache."""
_MOST_IN_A_SESSION: Final = 10**12


def _recognises(file: LogFile) -> bool:
    return any(line.get("type") in _LINE_TYPES and "payload" in line for line in file.objects)


def _read(file: LogFile, gathering: Gathering) -> None:
    reading = _Reading(file, gathering)
    for _, line in file.json_lines(lambda number, why: gathering.cannot_read(file.path, number, why)):
        reading.line(line)
    if reading.thread is not None:
        reading.thread.breaks_off()


class _Reading:
    """The reading of one rollout."""

    def __init__(self, file: LogFile, gathering: Gathering) -> None:
        self.thread: Thread | None = None
        self._file, self._gathering = file, gathering
        self._totals: tuple[int, ...] = (0,) * len(_TOTALS)
        self._forked_from = ""
        self._model = ""
        self._began_s: float | None = None
        self._model_made_s = NOT_KNOWN
        self._worked_s: dict[str, float] = {}
        self._failed: set[str] = set()

    def line(self, line: JsonObject) -> None:
        payload, at_s = mapping(line.get("payload")), moment(line.get("timestamp"))
        kind, what = line.get("type"), payload.get("type")
        thread = self._of_run(payload if kind == "session_meta" else {})
        if kind == "turn_context":
            settings = mapping(mapping(payload.get("collaboration_mode")).get("settings"))
            self._model = text(payload.get("model") or settings.get("model")) or self._model
        elif kind == "token_usage_record":
            self._tokens(thread, payload.get("thread_token_usage"), payload.get("usage"), at_s)
        elif kind == "response_item":
            self._item(thread, payload, what, at_s)
        elif kind == "event_msg":
            self._event(thread, payload, what, at_s)
        elif kind == "compacted" and self._gathering.is_new(("codex compacted", str(at_s))):
            thread.compacts(thread.last_s, at_s, NO_USAGE)
        thread.sees(at_s)

    def _of_run(self, meta: JsonObject) -> Thread:
        """Return the thread of the rollout's run, which its first line tells of, if it is whole."""
        if self.thread is None:
            name = text(meta.get("id")) or self._file.path.name
            project = folder_name(meta.get("cwd"))
            run = self._gathering.run(f"codex {name}", FORMAT.name, self._file.path, name, project)
            parent = mapping(mapping(meta.get("source")).get("subagent"))
            run.part_of = _parent_key(parent)
            self._forked_from = text(meta.get("forked_from_id"))
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
        if what == "token_count":
            info = mapping(payload.get("info"))
            self._tokens(thread, info.get("total_token_usage"), info.get("last_token_usage"), at_s)
        elif what == "task_started":
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

    def _tokens(self, thread: Thread, in_all: object, in_last: object, at_s: float) -> None:
        """Count what the totals grew by, once."""
        run = thread.run
        totals, last = _totals(mapping(in_all), run), _totals(mapping(in_last), run)
        if not totals or totals == self._totals:
            return
        grown = tuple(now - before for now, before in zip(totals, self._totals, strict=True))
        if min(grown) < 0 or (last and not any(self._totals)):
            grown = last or totals  # the totals began anew, or the log does not begin with the session
        self._totals = totals
        usage = _usage(grown, run)
        if self._is_new(run, totals, at_s):
            began_s = NOT_KNOWN if self._began_s is None else self._began_s
            thread.call(usage, self._model, began_s, self._model_made_s)
        else:
            run.repeated += 1
        self._began_s, self._model_made_s = None, NOT_KNOWN

    def _is_new(self, run: RunInMaking, totals: tuple[int, ...], at_s: float) -> bool:
        """Return whether totals were not noted before: in a copy of the log, or where this was forked from."""
        noted = tuple(map(str, totals))
        copied = not self._gathering.is_new(("codex", str(at_s), *noted))
        inherited = self._gathering.row(("codex session", self._forked_from, *noted)) is not None
        self._gathering.remember(("codex session", run.name, *noted), 0)
        return not (copied or (self._forked_from and inherited))


def _totals(usage: JsonObject, run: RunInMaking) -> tuple[int, ...]:
    """Return the totals of a usage; nothing if one is not known."""
    given = {name: usage.get(name, 0 if name in _LATER_TOTALS else None) for name in _TOTALS}
    found = tuple(run.count(value, _MOST_IN_A_SESSION) for value in given.values())
    known = tuple(value for value in found if value is not None)
    return known if len(known) == len(_TOTALS) else ()


def _usage(grown: tuple[int, ...], run: RunInMaking) -> Usage:
    prompt, cached, output, reasoning, written = (run.count(tokens) for tokens in grown)
    if prompt is None or cached is None or written is None or cached + written > prompt:
        return Usage(None, written, None, output, 0, reasoning, prompt)
    return Usage(prompt - cached - written, written, cached, output, 0, reasoning)


def _parent_key(source: JsonObject) -> str:
    parent = text(mapping(source.get("thread_spawn")).get("parent_thread_id"))
    return f"codex {parent}" if parent else ""


FORMAT: Final = Format("codex", "Codex CLI rollout", _recognises, _read)
