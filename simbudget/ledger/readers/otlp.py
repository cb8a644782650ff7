"""OpenTelemetry of generative-AI clients, as OTLP JSON: one document, or one a line as collectors write.

Spans record calls and tools (`otlp_spans`); Claude Code's log events record the same with costs (`otlp_events`). A
trace is a run, unless its spans name a conversation or session.
"""

from collections.abc import Iterator
from typing import Any, Final

from simbudget.ledger.readers.files import LogFile
from simbudget.ledger.readers.format import Format
from simbudget.ledger.readers.gathering import Gathering
from simbudget.ledger.readers.otlp_events import add_event
from simbudget.ledger.readers.otlp_spans import Telemetry, add_span
from simbudget.ledger.readers.values import JsonObject, listing, mapping, text

_SPANS: Final = ("resourceSpans", "resource_spans")
_LOGS: Final = ("resourceLogs", "resource_logs")
_WHOLE: Final = ("intValue", "int_value")
_EVENTS_OF: Final = b"claude_code"
"""Whose log events are known."""


def _recognises(file: LogFile) -> bool:
    if any(f'"{name}"'.encode() in file.head for name in _SPANS):
        return True
    return _EVENTS_OF in file.head and any(f'"{name}"'.encode() in file.head for name in _LOGS)


def _read(file: LogFile, gathering: Gathering) -> None:
    telemetry = Telemetry(file, gathering)
    for document in _documents(file, gathering):
        for about, span in _told(document, _SPANS, ("scopeSpans", "instrumentationLibrarySpans"), "spans"):
            add_span(telemetry, span, {**about, **attributes_of(span)})
        for about, record in _told(
            document, _LOGS, ("scopeLogs", "instrumentationLibraryLogs"), "logRecords"
        ):
            add_event(telemetry, record, {**about, **attributes_of(record)})


def _documents(file: LogFile, gathering: Gathering) -> Iterator[JsonObject]:
    if any(name in line for line in file.objects for name in (*_SPANS, *_LOGS)):
        found = file.json_lines(lambda number, why: gathering.cannot_read(file.path, number, why))
        yield from (line for _, line in found)
    elif isinstance(file.document, dict):
        yield mapping(file.document)
    else:
        gathering.cannot_read(file.path, 0, "not a whole JSON document")


def _told(
    document: JsonObject, tops: tuple[str, ...], scopes: tuple[str, ...], leaves: str
) -> Iterator[tuple[JsonObject, JsonObject]]:
    """Yield each span or record of a document, with the session that its resource names."""
    for resource in map(mapping, listing(_first(document, tops))):
        about = attributes_of(mapping(resource.get("resource")))
        session = {"session.id": about["session.id"]} if "session.id" in about else {}
        for scope in map(mapping, listing(_first(resource, (*scopes, *map(_snake, scopes))))):
            for leaf in listing(scope.get(leaves, scope.get(_snake(leaves)))):
                yield session, mapping(leaf)


def _first(values: JsonObject, names: tuple[str, ...]) -> object:
    return next((values[name] for name in names if name in values), None)


def _snake(name: str) -> str:
    """Return a name as it is in Protobuf's own JSON."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def attributes_of(logged: JsonObject) -> JsonObject:
    """Return the attributes of a span, a record or a resource by their names, each with its bare value."""
    found: JsonObject = {}
    for attribute in map(mapping, listing(logged.get("attributes"))):
        for kind, value in mapping(attribute.get("value")).items():
            found[text(attribute.get("key"))] = _bare(kind, value)
    return found


def _bare(kind: str, value: Any) -> Any:
    if kind in _WHOLE and isinstance(value, str):  # 64-bit whole numbers stand as text in JSON
        return int(value) if value.lstrip("-").isdecimal() and len(value) < 20 else None
    return value


FORMAT: Final = Format("otlp", "OpenTelemetry GenAI spans (OTLP JSON)", _recognises, _read)
