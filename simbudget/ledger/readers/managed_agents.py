"""Session events of managed agents (JSONL): the exact begin and end of each model request, with true counts.

The events do not name the model. An evaluation of the outcome is a scoring; time between `idle` and `running`
is waiting for a person.
"""

from typing import Final

from simbudget.ledger.readers.files import LogFile
from simbudget.ledger.readers.format import Format
from simbudget.ledger.readers.gathering import Gathering, RunInMaking
from simbudget.ledger.readers.thread import LoggedUsage, Thread
from simbudget.ledger.readers.values import NOT_KNOWN, JsonObject, amount, is_known, mapping, moment, text


def _recognises(file: LogFile) -> bool:
    return any("kind" in line and _type(line).partition(".")[0] in _TYPES for line in file.objects)


_TYPES: Final = {"span", "agent", "session", "user"}


def _type(line: JsonObject) -> str:
    """Return an event's full type, such as `span.model_request_end`."""
    return text(mapping(line.get("raw")).get("type"))


def _read(file: LogFile, gathering: Gathering) -> None:
    name = file.path.name.removesuffix(".gz").removesuffix(".jsonl")
    reading = _Reading(gathering, gathering.run(f"managed {file.path}", FORMAT.name, file.path, name))
    for _, line in file.json_lines(lambda number, why: gathering.cannot_read(file.path, number, why)):
        reading.event(line)
    reading.thread.breaks_off()


class _Reading:
    """The reading of one session."""

    def __init__(self, gathering: Gathering, run: RunInMaking) -> None:
        self.thread = Thread(gathering, run)
        self._gathering = gathering
        self._began_s: dict[str, float] = {}
        self._evaluation_s = self._idle_s = NOT_KNOWN

    def event(self, line: JsonObject) -> None:
        thread, raw = self.thread, mapping(line.get("raw"))
        at_s, kind = moment(line.get("time") or raw.get("processed_at")), line.get("kind")
        event_id = text(raw.get("id"))
        if event_id and not self._gathering.is_new(("managed", event_id)):
            thread.run.repeated += 1
            return
        if kind == "model_request_start":
            self._began_s[event_id] = at_s
        elif kind == "model_request_end":
            self._call(raw, at_s)
        elif kind == "tool_use":
            thread.asks_tool(event_id, text(raw.get("name")), at_s, thread.turn + 1)
        elif kind == "tool_result":
            outcome = "failed" if raw.get("is_error") is True else "ok"
            thread.tool_ends(text(raw.get("tool_use_id")), at_s, outcome=outcome)
        else:
            self._session(kind, raw, at_s)
        thread.sees(at_s)

    def _call(self, raw: JsonObject, at_s: float) -> None:
        began_s = self._began_s.pop(text(raw.get("model_request_start_id")), NOT_KNOWN)
        model = text(raw.get("model"))
        if raw.get("is_error") is True:
            self.thread.ready_s = began_s
            self.thread.fails(at_s, "error", model)
            return
        self.thread.call(_usage(mapping(raw.get("model_usage")), self.thread.run), model, began_s, at_s)

    def _session(self, kind: object, raw: JsonObject, at_s: float) -> None:
        thread = self.thread
        if kind == "outcome_evaluation_start":
            self._evaluation_s = at_s
        elif kind == "outcome_evaluation_end":
            score = amount(raw.get("score"))
            thread.add("score", self._evaluation_s, thread.lasted_s(self._evaluation_s, at_s), score=score)
        elif kind == "status_idle":
            self._idle_s = at_s
        elif kind == "status_running" and is_known(self._idle_s):
            thread.add("wait", self._idle_s, thread.lasted_s(self._idle_s, at_s), name="person")
            self._idle_s = NOT_KNOWN
        elif kind == "usage":
            active_s = amount(mapping(raw.get("usage")).get("active_seconds"))
            thread.run.duration_s = active_s


def _usage(usage: JsonObject, run: RunInMaking) -> LoggedUsage:
    writes = mapping(usage.get("cache_creation"))
    return LoggedUsage(
        uncached=run.count(usage.get("input_tokens")),
        write=run.count(usage.get("cache_creation_input_tokens")),
        read=run.count(usage.get("cache_read_input_tokens")),
        output=run.count(usage.get("output_tokens")),
        write_1h=run.count(writes.get("ephemeral_1h_input_tokens")),
    )


FORMAT: Final = Format("managed-agents", "managed agents' session events", _recognises, _read)
