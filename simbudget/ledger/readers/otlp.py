"""OpenTelemetry spans of generative-AI clients, as OTLP JSON: one document, or one a line as collectors write.

Names are those of the GenAI semantic conventions, https://opentelemetry.io/docs/specs/semconv/gen-ai/: input
tokens include what was read from and written to the cache. Spans of agents, of tools and of calls are told apart
by `gen_ai.operation.name`. A trace is a run, unless its spans name a conversation.
"""

from collections.abc import Iterator
from typing import Any, Final

from simbudget.ledger.readers.files import LogFile
from simbudget.ledger.readers.format import Format
from simbudget.ledger.readers.gathering import Gathering, RunInMaking
from simbudget.ledger.readers.thread import Thread, Usage
from simbudget.ledger.readers.values import JsonObject, listing, mapping, moment, text

_CALLS: Final = {"chat", "text_completion", "generate_content", "completion"}
_TOOLS: Final = {"execute_tool"}
_INPUT: Final = ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens")
_OUTPUT: Final = ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens")
_READ: Final = (
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_read_input_tokens",
    "gen_ai.usage.cache_read_tokens",
)
_WRITE: Final = (
    "gen_ai.usage.cache_creation.input_tokens",
    "gen_ai.usage.cache_creation_input_tokens",
    "gen_ai.usage.cache_write.input_tokens",
    "gen_ai.usage.cache_write_input_tokens",
    "gen_ai.usage.cache_write_tokens",
)
_THINKING: Final = (
    "gen_ai.usage.reasoning.output_tokens",
    "gen_ai.usage.reasoning_output_tokens",
    "gen_ai.usage.reasoning_tokens",
)


def _recognises(file: LogFile) -> bool:
    return b'"resourceSpans"' in file.head or b'"resource_spans"' in file.head


def _read(file: LogFile, gathering: Gathering) -> None:
    threads: dict[tuple[str, str], Thread] = {}
    if any("resourceSpans" in line or "resource_spans" in line for line in file.objects):
        found = file.json_lines(lambda number, why: gathering.cannot_read(file.path, number, why))
        documents: Iterator[JsonObject] = (line for _, line in found)
    else:
        if not isinstance(file.document, dict):
            gathering.cannot_read(file.path, 0, "not a whole JSON document")
        documents = iter([mapping(file.document)])
    for document in documents:
        for span in _spans(document):
            _span(file, gathering, threads, span)


def _spans(document: JsonObject) -> Iterator[JsonObject]:
    for resource in listing(document.get("resourceSpans", document.get("resource_spans"))):
        of_resource = mapping(resource)
        scopes = of_resource.get("scopeSpans", of_resource.get("instrumentationLibrarySpans"))
        for scope in listing(scopes or of_resource.get("scope_spans")):
            yield from map(mapping, listing(mapping(scope).get("spans")))


def _attributes(span: JsonObject) -> JsonObject:
    """Return a span's attributes by their names, each with its bare value."""
    found: JsonObject = {}
    for attribute in map(mapping, listing(span.get("attributes"))):
        for kind, value in mapping(attribute.get("value")).items():
            found[text(attribute.get("key"))] = _bare(kind, value)
    return found


def _bare(kind: str, value: Any) -> Any:
    if kind == "intValue" and isinstance(value, str):  # 64-bit whole numbers stand as text in JSON
        return int(value) if value.lstrip("-").isdecimal() and len(value) < 20 else None
    return value


def _span(
    file: LogFile, gathering: Gathering, threads: dict[tuple[str, str], Thread], span: JsonObject
) -> None:
    attributes = _attributes(span)
    operation = text(attributes.get("gen_ai.operation.name"))
    is_call = operation in _CALLS or (not operation and any(name in attributes for name in _INPUT))
    if not is_call and operation not in _TOOLS:
        return
    name = text(attributes.get("gen_ai.conversation.id")) or text(span.get("traceId"))
    run = gathering.run(f"otlp {name}", FORMAT.name, file.path, name)
    span_id = text(span.get("spanId"))
    if span_id and not gathering.is_new(("otlp", text(span.get("traceId")), span_id)):
        run.repeated += 1
        return
    agent = text(attributes.get("gen_ai.agent.id") or attributes.get("gen_ai.agent.name"))
    thread = threads.get((name, agent))
    if thread is None:
        first = not any(known == name for known, _ in threads)
        thread = threads[name, agent] = Thread(gathering, run, "" if first else agent)
    began_s, ended_s = moment(span.get("startTimeUnixNano")), moment(span.get("endTimeUnixNano"))
    failed = text(mapping(span.get("status")).get("code")) in ("2", "STATUS_CODE_ERROR")
    error = text(attributes.get("error.type")) or ("error" if failed else "")
    model = text(attributes.get("gen_ai.response.model") or attributes.get("gen_ai.request.model"))
    if not is_call:
        tool, outcome = text(attributes.get("gen_ai.tool.name")), "failed" if error else "ok"
        thread.add("tool", began_s, thread.lasted_s(began_s, ended_s), name=tool, outcome=outcome)
    elif error and not any(name in attributes for name in _OUTPUT):
        thread.ready_s = began_s
        thread.fails(ended_s, error, model)
    else:
        thread.call(_usage(attributes, run), model, began_s, ended_s)


def _usage(attributes: JsonObject, run: RunInMaking) -> Usage:
    prompt, output, read, write, thinking = (
        run.count(next((attributes[name] for name in names if name in attributes), None))
        for names in (_INPUT, _OUTPUT, _READ, _WRITE, _THINKING)
    )
    if prompt is None or read is None:
        return Usage(None, write, read, output, thinking=thinking, context=prompt)
    write = write or 0
    if read + write > prompt:
        run.odd["more cached tokens than input tokens, so these were taken as apart"] += 1
        return Usage(prompt, write, read, output, thinking=thinking)
    return Usage(prompt - read - write, write, read, output, thinking=thinking)


FORMAT: Final = Format("otlp", "OpenTelemetry GenAI spans (OTLP JSON)", _recognises, _read)
