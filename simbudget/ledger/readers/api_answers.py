"""Answers of providers' APIs as a program kept them: OpenAI's responses and chat, Anthropic's messages, Google's.

One a line or in a document, bare or within what wrapped them: a batch's result, a recorder's `response`. Every answer
is a call. Anthropic's say nothing of when they came.
"""

from collections.abc import Iterator
from typing import Final

from simbudget.ledger.readers.counts import anthropic_steps, service_of, usage_of_record
from simbudget.ledger.readers.files import LogFile
from simbudget.ledger.readers.format import Format
from simbudget.ledger.readers.gathering import Gathering
from simbudget.ledger.readers.reported import NO_DATE, first_of, records, run_of, sample
from simbudget.ledger.readers.thread import Thread
from simbudget.ledger.readers.values import JsonObject, is_known, mapping, moment, text

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
    run = run_of(gathering, file, FORMAT.name, "")
    thread = Thread(gathering, run)

    def take(number: int, record: JsonObject) -> None:
        answer = _answer(record)
        if answer:
            _add(thread, gathering, record, answer)
        elif "error" in record or mapping(record.get("result")).get("type") == "errored":
            thread.fails(moment(first_of(record, "timestamp", "created_at")), "error")
        elif not record:
            gathering.cannot_read(file.path, number, "not a JSON object")
        elif "response" in record or "usage" in record:
            gathering.cannot_read(file.path, number, "no answer with its usage")

    records(file, gathering, take, *_LIST)


def _add(thread: Thread, gathering: Gathering, record: JsonObject, answer: JsonObject) -> None:
    run, identity = thread.run, text(answer.get("id"))
    if identity and not gathering.is_new(("answer", identity)):
        run.repeated += 1
        return
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
    if not is_known(began_s):
        run.note_missing(NO_DATE)
    model = text(first_of(answer, "model", "modelVersion"))
    is_batch = "custom_id" in record
    columns = {"reported_cost_usd": run.dollars(first_of(mapping(answer.get("usage")), "cost", "total_cost"))}
    status = text(first_of(answer, "stop_reason", "status", "finish_reason"))
    if answer.get("type") == "message":
        top, steps = anthropic_steps(mapping(answer.get("usage")), run)
    else:
        logged = mapping(answer.get("usage") or answer.get("usageMetadata"))
        service = service_of(answer.get("service_tier"), logged.get("service_tier"))
        top, steps = usage_of_record(logged, run)._replace(service=service), []
    for model_of, usage in [(model, top), *((step.model or model, step.usage) for step in steps)]:
        used = usage._replace(service="batch") if is_batch else usage
        thread.call(used, model_of, began_s, ended_s, status=status, **columns)
        columns = {}


FORMAT: Final = Format("api-answers", "answers of a provider's API", _recognises, _read)
