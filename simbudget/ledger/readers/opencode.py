"""OpenCode sessions: exports (`opencode export`), one JSON document with all messages and their parts.

Whether reasoning is part of the output differs by version and provider; the total says which.
"""

from typing import Any, Final

from simbudget.ledger.readers.copies import is_first_telling
from simbudget.ledger.readers.files import LogFile
from simbudget.ledger.readers.format import Format
from simbudget.ledger.readers.gathering import Gathering, RunInMaking
from simbudget.ledger.readers.thread import LoggedUsage, Thread
from simbudget.ledger.readers.values import (
    JsonObject,
    amount,
    folder_name,
    is_known,
    listing,
    mapping,
    moment,
    text,
)
from simbudget.pricing.models import qualified

SOURCE: Final = "opencode"
"""The name of the format."""


def _recognises(file: LogFile) -> bool:
    if not file.is_document or b'"messages"' not in file.head or b'"info"' not in file.head:
        return False
    messages = listing(mapping(file.document).get("messages"))
    return any("tokens" in mapping(mapping(message).get("info")) for message in messages)


def _read(file: LogFile, gathering: Gathering) -> None:
    thread = begin_session(file, gathering, mapping(file.document.get("info")))
    for place, message in enumerate(map(mapping, listing(file.document.get("messages")))):
        add_message(thread, gathering, mapping(message.get("info")), listing(message.get("parts")), place)


def begin_session(file: LogFile, gathering: Gathering, about: JsonObject) -> Thread:
    """Return the thread of a session, given its id, its directory and its parent's id."""
    name = _identity(about.get("id")) or file.path.name
    run = gathering.run(f"opencode {name}", SOURCE, file.path, name, folder_name(about.get("directory")))
    above = _identity(about.get("parentID"))
    run.part_of = f"opencode {above}" if above else ""
    return Thread(gathering, run)


def _identity(value: object) -> str:
    """Return a session's id, if it was not made unrecognisable, as it is in logs that are published."""
    return "" if text(value) == "REDACTED" else text(value)


def add_message(thread: Thread, gathering: Gathering, info: JsonObject, parts: list[Any], place: int) -> None:
    """Add a message with its parts, once; it is the session's `place`-th."""
    times = mapping(info.get("time"))
    created_s, completed_s = moment(times.get("created")), moment(times.get("completed"))
    is_new = gathering.is_new(("opencode", thread.run.name, str(place), str(created_s)))
    # A fork copies messages under new ids, with their times, counts and costs.
    content = info.get("role"), info.get("modelID"), info.get("tokens"), info.get("cost")
    if not (is_first_telling(gathering, SOURCE, (created_s, completed_s), *content) and is_new):
        thread.run.repeated += 1
        return
    if info.get("role") == "user":
        thread.waits_for_person(created_s)
    elif info.get("role") == "assistant":
        _call(thread, info, parts, created_s, completed_s)
    thread.sees(created_s)
    thread.sees(completed_s)


def _call(thread: Thread, info: JsonObject, parts: list[Any], created_s: float, completed_s: float) -> None:
    """Add a call and its tools, which ran before the message was complete."""
    model, error = (
        qualified(text(info.get("providerID")), text(info.get("modelID"))),
        mapping(info.get("error")),
    )
    uses = [part for part in map(mapping, parts) if part.get("type") == "tool"]
    spans = [_span(part) for part in uses]
    if error and not amount(mapping(info.get("tokens")).get("output")) > 0:
        thread.ready_s = created_s
        thread.fails(completed_s, text(error.get("name")) or "error", model)
        return
    ended_s = min([completed_s, *(began for began, _ in spans if is_known(began))])
    thread.call(
        usage_of(info, thread.run),
        model,
        created_s,
        ended_s,
        reported_cost_usd=thread.run.dollars(info.get("cost")),
        status=text(info.get("finish")),
    )
    for part, (began_s, until_s) in zip(uses, spans, strict=True):
        is_done = mapping(part.get("state")).get("status") == "completed"
        lasted_s = thread.lasted_s(began_s, until_s)
        outcome = "ok" if is_done else "failed"
        thread.add("tool", began_s, lasted_s, name=text(part.get("tool")), outcome=outcome)


def _span(part: JsonObject) -> tuple[float, float]:
    times = mapping(mapping(part.get("state")).get("time"))
    return moment(times.get("start")), moment(times.get("end"))


def usage_of(info: JsonObject, run: RunInMaking) -> LoggedUsage:
    """Return the usage of a message, or of a step within it."""
    tokens = mapping(info.get("tokens"))
    cache = mapping(tokens.get("cache"))
    uncached, output, reasoning, total = (
        run.count(tokens.get(name)) for name in ("input", "output", "reasoning", "total")
    )
    read, write = run.count(cache.get("read", 0)), run.count(cache.get("write", 0))
    if None not in (uncached, output, reasoning, read, write):
        without = (uncached or 0) + (output or 0) + (read or 0) + (write or 0)
        is_extra = (reasoning or 0) > (output or 0) if total is None else total > without
        output = (output or 0) + (reasoning or 0) if is_extra else output
    return LoggedUsage(uncached, write, read, output, thinking=reasoning)


FORMAT: Final = Format(SOURCE, "OpenCode export", _recognises, _read)
