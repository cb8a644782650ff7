"""GitHub Copilot CLI's events (`session-state/…/events.jsonl`): the end of a process gives totals by model.

`inputTokens` contain what was read from the cache and written to it. `cost` counts premium requests, not dollars. A
session that never shut down tells only what its messages put out. Where each request's usage is there
(`assistant.usage`), it counts.

When a session is resumed, some versions' totals go on from those of the last process, and others begin at zero. What
tells the two apart is whether totals grew in every count, and by at least what the process's messages put out.
"""

from typing import Final

from simbudget.ledger.readers.counts import MOST_IN_A_SESSION
from simbudget.ledger.readers.files import LogFile
from simbudget.ledger.readers.format import Format
from simbudget.ledger.readers.gathering import Gathering, RunInMaking
from simbudget.ledger.readers.reported import CountNames, add_total, run_of, usage_named
from simbudget.ledger.readers.rows import each, json_rows
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

_COUNTS: Final = CountNames(
    "inputTokens", "cacheReadTokens", "cacheWriteTokens", "outputTokens", "reasoningTokens"
)
_REQUESTS: Final = "requests"

Totals = dict[str, dict[str, int | None]]
"""What each model used so far: counts by the names of `_COUNTS`, and the number of requests."""

_MS: Final = 1e-3
_KINDS: Final = ("session.", "assistant.", "tool.", "user.")


def _recognises(file: LogFile) -> bool:
    return any(
        isinstance(line.get("data"), dict) and str(line.get("type")).startswith(_KINDS)
        for line in file.objects
    )


def _read(file: LogFile, gathering: Gathering) -> None:
    reading = _Reading(file, gathering)
    each(json_rows(file, gathering), file, gathering, reading.line)
    reading.ends()


class _Reading:
    """The reading of one file of events."""

    def __init__(self, file: LogFile, gathering: Gathering) -> None:
        self._file, self._gathering = file, gathering
        self._thread: Thread | None = None
        self._model = ""
        self._began_s = NOT_KNOWN
        self._untold: list[tuple[float, str, int | None]] = []
        """Messages whose input no line has given yet: time, model and output tokens."""
        self._before: Totals = {}
        """What the last process had used when it ended."""
        self._put_out = 0
        """What the process's messages put out."""
        self._api_s = 0.0
        self._knows_requests = False
        self._tools: dict[str, tuple[float, str]] = {}

    def line(self, number: int, line: JsonObject) -> None:
        kind, data, at_s = text(line.get("type")), mapping(line.get("data")), moment(line.get("timestamp"))
        event = text(line.get("id"))
        if event and not self._gathering.is_new(("copilot", event, str(at_s))):
            if self._thread is not None:
                self._thread.run.repeated += 1
            return
        if kind in ("session.start", "session.resume") or self._thread is None:
            self._begins(data, at_s, is_start=kind.startswith("session."))
        assert self._thread is not None
        self._event(self._thread, kind, data, at_s)
        self._thread.sees(at_s)

    def _begins(self, data: JsonObject, at_s: float, *, is_start: bool) -> None:
        self._began_s = at_s
        self._model = text(data.get("selectedModel")) or self._model
        if self._thread is None:
            name = data.get("sessionId") if is_start else self._file.path.parent.name
            project = folder_name(mapping(data.get("context")).get("cwd"))
            self._thread = Thread(
                self._gathering, run_of(self._gathering, self._file, FORMAT.name, name, project)
            )

    def _event(self, thread: Thread, kind: str, data: JsonObject, at_s: float) -> None:
        if kind == "session.model_change":
            self._model = text(data.get("newModel"))
        elif kind == "user.message":
            thread.waits_for_person(at_s)
            thread.ready_s = at_s
        elif kind == "assistant.message":
            model = text(data.get("model")) or self._model
            output = thread.run.count(data.get("outputTokens"))
            self._untold.append((at_s, model, output))
            self._put_out += output or 0
        elif kind == "assistant.usage":
            self._request(thread, data, at_s)
        elif kind == "tool.execution_start":
            self._tools[text(data.get("toolCallId"))] = (at_s, text(data.get("toolName")))
        elif kind == "tool.execution_complete":
            began_s, name = self._tools.pop(text(data.get("toolCallId")), (NOT_KNOWN, ""))
            outcome = "failed" if data.get("success") is False else "ok"
            started_s = began_s if is_known(began_s) else at_s
            thread.add("tool", started_s, thread.lasted_s(began_s, at_s), name=name, outcome=outcome)
        elif kind == "session.compaction_complete":
            context = thread.run.count(data.get("preCompactionTokens"))
            thread.compacts(thread.last_s, at_s, NO_USAGE._replace(context=context))
        elif kind == "session.shutdown":
            self._shuts_down(thread, data, at_s)

    def _request(self, thread: Thread, data: JsonObject, at_s: float) -> None:
        self._knows_requests = True
        lasted_s = duration_s(data.get("duration"), _MS)
        thread.call(
            usage_named(thread.run, data, _COUNTS),
            text(data.get("model")) or self._model,
            at_s - lasted_s,
            at_s,
        )

    def _shuts_down(self, thread: Thread, data: JsonObject, at_s: float) -> None:
        """Add what the process used, by model, unless each request was logged."""
        metrics = {text(model): mapping(about) for model, about in mapping(data.get("modelMetrics")).items()}
        if not metrics or self._knows_requests:
            return
        self._untold.clear()
        run = thread.run
        totals = {model: _totals(about, run) for model, about in metrics.items()}
        began_s, api_s = moment(data.get("sessionStartTime")), duration_s(data.get("totalApiDurationMs"), _MS)
        if not self._goes_on(totals):
            self._before, self._api_s = {}, 0.0
        elif self._before:
            began_s = NOT_KNOWN  # of the session, not of this process
        lasted_s = api_s - self._api_s if api_s >= self._api_s else api_s
        run.api_duration_s = lasted_s if not is_known(run.api_duration_s) else run.api_duration_s + lasted_s
        used = {model: _beyond(counts, self._before.get(model, {})) for model, counts in totals.items()}
        used = {model: counts for model, counts in used.items() if any(counts.values()) or not self._before}
        for model, counts in used.items():
            add_total(
                thread,
                usage_named(run, counts, _COUNTS),
                model,
                calls=counts[_REQUESTS],
                started_s=began_s if is_known(began_s) else self._began_s,
                duration_s=lasted_s if len(used) == 1 else NOT_KNOWN,
                status=text(data.get("shutdownType")),
            )
        self._before, self._api_s, self._put_out = totals, api_s if is_known(api_s) else 0.0, 0

    def _goes_on(self, totals: Totals) -> bool:
        """Return whether totals go on from those of the last process, and do not begin at zero."""
        for model, before in self._before.items():
            now = totals.get(model, {})
            if any((now.get(name) or 0) < (value or 0) for name, value in before.items()):
                return False
        grew = _output(totals) - _output(self._before)
        return grew >= self._put_out

    def ends(self) -> None:
        """Add the messages of a session that did not shut down."""
        if self._thread is None or not self._untold or self._knows_requests:
            return
        self._thread.run.missing["the input of calls: the session was never shut down"] = 1
        for at_s, model, output in self._untold:
            self._thread.call(LoggedUsage(output=output), model, NOT_KNOWN, at_s)


def _totals(about: JsonObject, run: RunInMaking) -> dict[str, int | None]:
    """Return the totals of one model; some versions have them by class, and then classes exclude each other."""
    usage = mapping(about.get("usage"))
    if _COUNTS.prompt not in usage and "tokenDetails" in about:
        by_class = {
            name: run.count(mapping(logged).get("tokenCount"), MOST_IN_A_SESSION)
            for name, logged in mapping(about["tokenDetails"]).items()
        }
        read, write = by_class.get("cache_read") or 0, by_class.get("cache_write") or 0
        plain = by_class.get("input")
        usage |= {
            _COUNTS.prompt: None if plain is None else plain + read + write,
            _COUNTS.read: read,
            _COUNTS.write: write,
            _COUNTS.output: by_class.get("output"),
        }
    counts = {name: run.count(usage.get(name), MOST_IN_A_SESSION) for name in _COUNTS}
    return {**counts, _REQUESTS: run.count(mapping(about.get("requests")).get("count"))}


def _beyond(totals: dict[str, int | None], before: dict[str, int | None]) -> dict[str, int | None]:
    return {
        name: None if value is None else value - (before.get(name) or 0) for name, value in totals.items()
    }


def _output(totals: Totals) -> int:
    return sum(counts[_COUNTS.output] or 0 for counts in totals.values())


FORMAT: Final = Format("copilot-cli", "Copilot CLI events", _recognises, _read)
