"""What `codex exec --json` prints (JSONL): a thread's items, and at the end of each turn what the thread used so far.

`turn.completed` restates the thread's totals, also in a process that resumes the thread. Input contains what was read
from the cache, and output contains reasoning. The lines name no model and carry no times, unless whoever saved them
added a `timestamp`. An older version wrote the same as `{"id": …, "msg": {"type": "token_count", …}}`. A thread whose
rollout was read too keeps that, which tells more; so this output is read last.
"""

from typing import Final

from simbudget.ledger.readers.files import LogFile
from simbudget.ledger.readers.format import Format
from simbudget.ledger.readers.gathering import Gathering, RunInMaking
from simbudget.ledger.readers.reported import CountNames, add_total, first_of, usage_named
from simbudget.ledger.readers.rows import each, json_rows
from simbudget.ledger.readers.thread import LoggedUsage, Thread
from simbudget.ledger.readers.values import NOT_KNOWN, JsonObject, is_known, mapping, moment, text

_COUNTS: Final = CountNames(
    "input_tokens",
    "cached_input_tokens",
    "cache_write_input_tokens",
    "output_tokens",
    "reasoning_output_tokens",
)

_EVENTS: Final = {"thread.started", "turn.started", "turn.completed", "turn.failed"}
_TOOLS: Final = {
    "command_execution": "shell",
    "local_shell_call": "shell",
    "mcp_tool_call": "",
    "collab_tool_call": "",
    "web_search": "web_search",
    "file_change": "apply_patch",
    "patch_apply": "apply_patch",
}
"""Types of items that are uses of tools, with the tool's name; empty: the item says it."""
_OLD_EVENTS: Final = {
    "task_started",
    "token_count",
    "task_complete",
    "exec_command_begin",
    "session_configured",
}
_FAILED: Final = {"failed", "error", "declined"}


def _recognises(file: LogFile) -> bool:
    return any(
        line.get("type") in _EVENTS
        or (str(line.get("type")).startswith("item.") and "type" in mapping(line.get("item")))
        or (mapping(line.get("msg")).get("type") in _OLD_EVENTS and "id" in line)
        for line in file.objects
    )


def _read(file: LogFile, gathering: Gathering) -> None:
    reading = _Reading(file, gathering)
    each(json_rows(file, gathering), file, gathering, reading.line)
    reading.ends()


class _Reading:
    """The reading of what one process printed."""

    def __init__(self, file: LogFile, gathering: Gathering) -> None:
        self._file, self._gathering = file, gathering
        self._run: RunInMaking | None = None
        self._thread: Thread | None = None
        self._model = ""
        self._is_open = False
        self._began_s: dict[str, float] = {}
        self._row: int | None = None
        self._before: tuple[int, ...] = ()

    def line(self, number: int, line: JsonObject) -> None:
        at_s = moment(first_of(line, "timestamp", "ts", "time"))
        kind, message = line.get("type"), mapping(line.get("msg"))
        if "model" in line and "item" not in line:
            self._model = text(line["model"]) or self._model
        if kind == "thread.started":
            self._begins(text(first_of(line, "thread_id", "session_id", "id")))
        elif kind == "turn.started":
            self._is_open = True
        elif kind == "turn.completed":
            self._is_open = False
            self._totals(mapping(line.get("usage")), at_s)
        elif kind in ("turn.failed", "error"):
            self._is_open = self._is_open and kind == "error"
            if not self._is_told:
                self._of_thread().fails(at_s, text(kind), self._model)
        elif message:
            self._old(message, at_s)
        elif isinstance(kind, str) and kind.startswith("item."):
            self._item(kind, mapping(line.get("item")), at_s)

    def _begins(self, name: str) -> None:
        name = name or self._file.path.name
        self._run = self._gathering.run(f"codex {name}", FORMAT.name, self._file.path, name)
        self._thread = Thread(self._gathering, self._run)
        self._row, self._before = None, ()

    def _of_thread(self) -> Thread:
        if self._thread is None:
            self._begins("")
        assert self._thread is not None
        return self._thread

    @property
    def _is_told(self) -> bool:
        """Whether the thread's rollout was read, which tells all of this."""
        return self._of_thread().run.source != FORMAT.name

    def _item(self, kind: str, item: JsonObject, at_s: float) -> None:
        what = first_of(item, "type", "item_type")
        if what not in _TOOLS or self._is_told:
            return
        thread, item_id = self._of_thread(), text(item.get("id"))
        if kind != "item.completed":
            self._began_s.setdefault(item_id, at_s)
            return
        began_s = self._began_s.pop(item_id, NOT_KNOWN)
        is_bad = (
            item.get("exit_code") not in (None, 0) or item.get("status") in _FAILED or bool(item.get("error"))
        )
        thread.add(
            "tool",
            began_s if is_known(began_s) else at_s,
            thread.lasted_s(began_s, at_s),
            name=_TOOLS[str(what)] or text(first_of(item, "tool", "server")),
            outcome="failed" if is_bad else "ok",
        )

    def _old(self, message: JsonObject, at_s: float) -> None:
        kind = message.get("type")
        if kind == "session_configured":
            self._begins(text(message.get("session_id")))
            self._model = text(message.get("model")) or self._model
        elif kind == "token_count":
            total = mapping(mapping(message.get("info")).get("total_token_usage")) or message
            if "input_tokens" in total:
                self._totals(total, at_s)
        elif kind in ("exec_command_end", "mcp_tool_call_end", "patch_apply_end") and not self._is_told:
            is_bad = message.get("exit_code") not in (None, 0) or message.get("success") is False
            name = "shell" if kind == "exec_command_end" else text(kind)
            self._of_thread().add("tool", at_s, NOT_KNOWN, name=name, outcome="failed" if is_bad else "ok")

    def _totals(self, usage: JsonObject, at_s: float) -> None:
        """Take a thread's totals so far: they replace those before, unless they began anew."""
        thread, run = self._of_thread(), self._of_thread().run
        if self._is_told:
            run.repeated += 1
            return
        used = usage_named(run, usage, _COUNTS, read_if_missing=None)
        if used.output is None and used.context is None and used.uncached is None:
            run.missing["tokens of turns"] += 1
            return
        key = ("codex exec", run.name)
        row = self._row if self._row is not None else self._gathering.row(key)
        known = _counts(used)
        if row is not None and self._grew(row, known):
            for name, value in used.counts().items():
                self._gathering.columns.set(row, name, value)
        elif row is None or self._before:
            row = add_total(thread, used, self._model, started_s=at_s, status="turn.completed")
        self._row, self._before = row, known
        self._gathering.remember(key, row)
        run.reported_turns = (run.reported_turns or 0) + 1

    def _grew(self, row: int, known: tuple[int, ...]) -> bool:
        """Return whether totals contain those that an entry has; else they are older, or of a thread begun anew."""
        columns = self._gathering.columns
        before = tuple(int(columns.get(row, name) or 0) for name in ("context_tokens", "output_tokens"))
        return all(now >= then for now, then in zip(known, before, strict=True))

    def ends(self) -> None:
        if self._is_open and self._run is not None and not self._is_told:
            self._run.missing["tokens of the last turn, which broke off"] = 1


def _counts(used: LoggedUsage) -> tuple[int, ...]:
    prompt = used.columns()["context_tokens"]
    return int(prompt or 0), int(used.output or 0)


FORMAT: Final = Format(
    "codex-exec", "codex exec --json output", _recognises, _read, lambda _: NOT_KNOWN, is_printed=True
)
