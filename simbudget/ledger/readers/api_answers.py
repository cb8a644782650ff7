"""Answers of providers' APIs as a program kept them: OpenAI's responses and chat, Anthropic's messages, Google's.

One a line or in a document, bare or within what wrapped them: a batch's result, a recorder's `response`. Every answer
is a call. Anthropic's say nothing of when they came. An answer that was kept as the events of its stream is one call
too: its last counts are those of all of it.
"""

from collections.abc import Iterator
from typing import Final

from simbudget.ledger.readers.counts import (
    Step,
    anthropic_steps,
    service_of,
    usage_of_record,
    with_last_counts,
)
from simbudget.ledger.readers.files import LogFile
from simbudget.ledger.readers.format import Format
from simbudget.ledger.readers.gathering import Gathering, RunInMaking
from simbudget.ledger.readers.reported import first_of, records, run_of, sample
from simbudget.ledger.readers.thread import LoggedUsage, Thread
from simbudget.ledger.readers.values import JsonObject, is_known, listing, mapping, moment, text

_WRAPPERS: Final = ("response", "result", "body", "message", "output", "completion", "raw_response")
_DEPTH: Final = 3
"""Wrappers within each other: a batch's line has its answer in `response.body` or in `result.message`."""
_LIST: Final = ("data", "responses", "messages", "results")


def _is_answer(value: JsonObject) -> bool:
    if not isinstance(value.get("usage" if "usageMetadata" not in value else "usageMetadata"), dict):
        return False
    is_anthropics = value.get("type") == "message" and value.get("role") == "assistant"
    is_googles = "usageMetadata" in value and ("candidates" in value or "modelVersion" in value)
    return is_anthropics or is_googles or value.get("object") in _OBJECTS


_OBJECTS: Final = {"response", "chat.completion", "text_completion", "chat.completion.chunk"}


def _answer(record: JsonObject) -> JsonObject:
    """Return the answer that a record is, or that it wraps; empty if there is none."""
    for value in _within(record, _DEPTH):
        if _is_answer(value):
            return value
    return {}


def _within(record: JsonObject, depth: int) -> Iterator[JsonObject]:
    yield record
    if depth:
        for name in _WRAPPERS:
            if isinstance(record.get(name), dict):
                yield from _within(record[name], depth - 1)


def _recognises(file: LogFile) -> bool:
    if b'"usage' not in file.head:
        return False
    found = sample(file, *_LIST)
    # what has a session's or a tree's ids is some tool's own log, which keeps answers as they came
    return any(_answer(record) and not _OF_TOOLS & record.keys() for record in found)


_OF_TOOLS: Final = {"sessionId", "session_id", "parentUuid", "parentId", "run_type", "traceId"}


def _read(file: LogFile, gathering: Gathering) -> None:
    reading = _Reading(file, gathering)
    records(file, gathering, reading.take, *_LIST)
    reading.ends()


class _Reading:
    """The reading of one file."""

    def __init__(self, file: LogFile, gathering: Gathering) -> None:
        self._file, self._gathering = file, gathering
        self._thread = Thread(gathering, run_of(gathering, file, FORMAT.name, ""))
        self._streamed: set[str] = set()
        """Answers of which only events without their final counts have come."""
        self._begun: JsonObject = {}
        """The answer of Anthropic's whose events are coming."""

    def take(self, number: int, record: JsonObject) -> None:
        """Read a record."""
        answer, kind = _answer(record), text(record.get("type"))
        if answer:
            is_event = kind == "message_start"
            self._begun = answer if is_event else {}
            self._note(text(answer.get("id")), is_whole=not is_event)
            self._answer(record, answer, is_event=is_event or _is_chunk(answer))
        elif kind == "message_delta" and self._begun and isinstance(record.get("usage"), dict):
            self._note(text(self._begun.get("id")), is_whole=True)
            self._begun = {
                **self._begun,
                "usage": with_last_counts(self._begun["usage"], record["usage"]),
            }
            self._answer(record, self._begun, is_event=True)
        elif kind.startswith("response.") or _is_chunk(record):
            self._note(text(first_of(mapping(record.get("response")), "id") or record.get("id")))
        elif kind in _EVENTS:
            return
        elif "error" in record or mapping(record.get("result")).get("type") == "errored":
            self._thread.fails(moment(first_of(record, "timestamp", "created_at")), "error")
        elif not record:
            self._gathering.cannot_read(self._file.path, number, "not a JSON object")
        elif "response" in record or "usage" in record:
            self._gathering.cannot_read(self._file.path, number, "no answer with its usage")

    def _note(self, identity: str, *, is_whole: bool = False) -> None:
        """Note that an event of an answer came, with its final counts or without."""
        if is_whole:
            self._streamed.discard(identity)
        elif identity:
            self._streamed.add(identity)

    def _answer(self, record: JsonObject, answer: JsonObject, *, is_event: bool) -> None:
        """Add an answer, once; of one that was streamed the last counts are taken."""
        run, identity = self._thread.run, text(answer.get("id"))
        row = self._gathering.row(("answer", identity)) if identity else None
        if row is None:
            row = _add(self._thread, record, answer, knows_output=identity not in self._streamed)
            if identity:
                self._gathering.remember(("answer", identity), row)
        elif is_event:
            usage, _ = _usage(answer, run, knows_output=True)
            for name, value in usage.counts().items():
                self._gathering.columns.set(row, name, value)
        else:
            run.repeated += 1

    def ends(self) -> None:
        """Note the answers whose streams broke off."""
        if self._streamed:
            self._thread.run.missing["usage of answers whose streams broke off"] += len(self._streamed)


_EVENTS: Final = {
    "content_block_start",
    "content_block_delta",
    "content_block_stop",
    "message_delta",
    "message_stop",
    "ping",
}
"""Events of Anthropic's streams that say nothing of what was used."""


def _is_chunk(record: JsonObject) -> bool:
    return record.get("object") == "chat.completion.chunk"


def _usage(answer: JsonObject, run: RunInMaking, *, knows_output: bool) -> tuple[LoggedUsage, list[Step]]:
    """Return what an answer used, and what steps of it did that its counts leave out."""
    if answer.get("type") == "message":
        return anthropic_steps(mapping(answer.get("usage")), run, knows_output=knows_output)
    logged = mapping(answer.get("usage") or answer.get("usageMetadata"))
    service = service_of(
        answer.get("service_tier"),
        *(logged.get(name) for name in ("service_tier", "serviceTier", "trafficType")),
    )
    usage = usage_of_record({"model": answer.get("model"), **logged}, run)
    searches = usage.web_searches or _searches(answer)
    return usage._replace(service=service, web_searches=searches), []


def _searches(answer: JsonObject) -> int | None:
    """Return how many searches of OpenAI's an answer has, which its usage does not count; pages are free."""
    calls = [
        item for item in map(mapping, listing(answer.get("output"))) if item.get("type") == "web_search_call"
    ]
    return sum(mapping(call.get("action")).get("type", "search") == "search" for call in calls) or None


def _add(thread: Thread, record: JsonObject, answer: JsonObject, *, knows_output: bool) -> int:
    """Add an answer with the steps that its counts leave out, and return its row."""
    run = thread.run
    began_s = moment(first_of(answer, "created_at", "created", "createTime"))
    if not is_known(began_s):
        began_s = moment(
            first_of(record, "started_at", "start_time", "timestamp", "ts", "time", "created_at")
        )
    ended_s = (
        moment(first_of(answer, "completed_at"))
        if "completed_at" in answer
        else moment(record.get("ended_at"))
    )
    model = text(first_of(answer, "model", "modelVersion"))
    is_batch = "custom_id" in record
    columns = {"reported_cost_usd": run.dollars(first_of(mapping(answer.get("usage")), "cost", "total_cost"))}
    status = text(first_of(answer, "stop_reason", "status", "finish_reason"))
    top, steps = _usage(answer, run, knows_output=knows_output)
    rows = []
    for model_of, usage in [(model, top), *((step.model or model, step.usage) for step in steps)]:
        used = usage._replace(service="batch") if is_batch else usage
        rows.append(thread.call(used, model_of, began_s, ended_s, status=status, **columns))
        columns = {}
    return rows[0]


FORMAT: Final = Format("api-answers", "answers of a provider's API", _recognises, _read)
