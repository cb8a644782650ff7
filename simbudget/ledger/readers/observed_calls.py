"""Calls as those see them who stand between a program and a provider: LiteLLM's proxy, Langfuse, LangSmith.

Each has a record a call with times, model, tokens and cost, exported as lines, as one document or as a table.
"""

from collections.abc import Iterator
from typing import Any, Final

from simbudget.ledger.readers.counts import MOST_IN_A_SESSION, service_of
from simbudget.ledger.readers.files import LogFile
from simbudget.ledger.readers.format import Format
from simbudget.ledger.readers.gathering import Gathering, RunInMaking
from simbudget.ledger.readers.reported import (
    first_of,
    records,
    run_of,
    sample,
    tokens,
    unpacked,
    usage_within,
)
from simbudget.ledger.readers.rows import each, table_rows
from simbudget.ledger.readers.thread import LoggedUsage, Thread
from simbudget.ledger.readers.values import (
    NOT_KNOWN,
    JsonObject,
    amount,
    is_known,
    listing,
    mapping,
    moment,
    text,
)
from simbudget.pricing.models import qualified

_LIST: Final = ("data", "runs", "observations", "logs", "results", "items")


def _columns_or_keys(file: LogFile) -> Iterator[set[str]]:
    """Yield the names that each record at the beginning has."""
    if file.header:
        yield set(file.header)
    else:
        yield from (set(record) for record in sample(file, *_LIST))


def _take_all(file: LogFile, gathering: Gathering, take: Any) -> None:
    if file.header:
        each(table_rows(file, gathering), file, gathering, take)
    else:
        records(file, gathering, take, *_LIST)


def _tool(thread: Thread, record: JsonObject, began_s: float, ended_s: float, *, is_bad: bool) -> None:
    """Add a use of a tool."""
    lasted_s, outcome = thread.lasted_s(began_s, ended_s), "failed" if is_bad else "ok"
    thread.add("tool", began_s, lasted_s, name=text(record.get("name")), outcome=outcome)


def _times(record: JsonObject) -> tuple[float, float]:
    """Return when a call began and ended."""
    began_s = moment(first_of(record, "startTime", "start_time"))
    ended_s = moment(first_of(record, "endTime", "end_time"))
    latency_s = amount(record.get("latency"))
    return began_s, ended_s if is_known(ended_s) else began_s + latency_s


# LiteLLM: LiteLLM_SpendLogs, as a table of its database or from /spend/logs


def _recognises_litellm(file: LogFile) -> bool:
    return any(
        "spend" in keys and keys & {"request_id", "call_type", "api_key"} for keys in _columns_or_keys(file)
    )


def _read_litellm(file: LogFile, gathering: Gathering) -> None:
    def take(number: int, record: JsonObject) -> None:
        session = text(first_of(record, "session_id", "end_user", "user"))
        run = run_of(gathering, file, LITELLM.name, session)
        identity = text(record.get("request_id"))
        if identity and not gathering.is_new(("litellm", identity)):
            run.repeated += 1
            return
        _litellm(Thread(gathering, run), record)

    _take_all(file, gathering, take)


def _litellm(thread: Thread, record: JsonObject) -> None:
    metadata = unpacked(record.get("metadata"))
    used = unpacked(metadata.get("usage_object")) or unpacked(metadata.get("additional_usage_values"))
    model = _litellm_model(record)
    began_s, ended_s = _times(record)
    status = text(first_of(record, "status", "cache_hit") if record.get("status") else "")
    if status == "failure":
        thread.ready_s = began_s
        thread.fails(ended_s, status, model)
        return
    thread.call(
        _litellm_usage(thread.run, record, used),
        model,
        began_s,
        ended_s,
        reported_cost_usd=thread.run.dollars(record.get("spend")),
        status=status,
    )


def _litellm_model(record: JsonObject) -> str:
    """Return the model of a spend log, with its provider where the name alone says less."""
    model, provider = text(record.get("model")), text(record.get("custom_llm_provider"))
    return qualified(provider, model.removeprefix(f"{provider}/"))


def _litellm_usage(run: RunInMaking, record: JsonObject, used: JsonObject) -> LoggedUsage:
    """Return the usage of a spend log: the proxy's prompt contains cached tokens, for every provider."""
    details, thought = (
        unpacked(used.get("prompt_tokens_details")),
        unpacked(used.get("completion_tokens_details")),
    )
    read = tokens(run, used, "cache_read_input_tokens")
    if read is None:
        read = tokens(run, details, "cached_tokens")
    write = tokens(run, used, "cache_creation_input_tokens")
    if write is None:
        write = tokens(run, details, "cache_creation_tokens")
    an_hour = tokens(run, unpacked(details.get("cache_creation_token_details")), "ephemeral_1h_input_tokens")
    return usage_within(
        run,
        tokens(run, record, "prompt_tokens"),
        read or 0,
        write or 0,
        tokens(run, record, "completion_tokens"),
        thinking=tokens(run, thought, "reasoning_tokens"),
        write_1h=an_hour,
        service=service_of(used.get("service_tier"), used.get("speed")),
    )


LITELLM: Final = Format("litellm", "LiteLLM spend logs", _recognises_litellm, _read_litellm)


# Langfuse: observations, from its interface, its export or its API


def _recognises_langfuse(file: LogFile) -> bool:
    def is_it(keys: set[str]) -> bool:
        has_trace = bool(keys & {"traceId", "trace_id"})
        return has_trace and bool(
            keys & {"usageDetails", "usage_details", "calculatedTotalCost", "costDetails"}
        )

    return any(map(is_it, _columns_or_keys(file)))


_TOOLS: Final = {"TOOL"}
_CALLS: Final = {"GENERATION", "EMBEDDING", ""}


def _read_langfuse(file: LogFile, gathering: Gathering) -> None:
    def take(number: int, record: JsonObject) -> None:
        run = run_of(
            gathering, file, LANGFUSE.name, first_of(record, "sessionId", "session_id", "traceId", "trace_id")
        )
        identity = text(record.get("id"))
        if identity and not gathering.is_new(("langfuse", identity)):
            run.repeated += 1
            return
        kind, (began_s, ended_s) = text(record.get("type")).upper(), _times(record)
        thread = Thread(gathering, run)
        is_bad = text(record.get("level")) == "ERROR"
        if kind in _TOOLS:
            _tool(thread, record, began_s, ended_s, is_bad=is_bad)
        elif kind in _CALLS:
            _langfuse(thread, record, began_s, ended_s, is_bad=is_bad)
        else:
            gathering.tells_with_others()

    _take_all(file, gathering, take)


def _langfuse(thread: Thread, record: JsonObject, began_s: float, ended_s: float, *, is_bad: bool) -> None:
    run = thread.run
    costs = unpacked(first_of(record, "costDetails", "cost_details"))
    cost = first_of(record, "calculatedTotalCost", "totalCost", "total_cost", "calculated_total_cost")
    model = text(first_of(record, "model", "providedModelName", "provided_model_name", "internalModel"))
    usage = _langfuse_usage(run, record)
    if is_bad and usage.output is None:
        thread.ready_s = began_s
        thread.fails(ended_s, "ERROR", model)
        return
    reported = run.dollars(costs.get("total") if cost is None else cost)
    thread.call(usage, model, began_s, ended_s, reported_cost_usd=reported, name=text(record.get("name")))


def _langfuse_usage(run: RunInMaking, record: JsonObject) -> LoggedUsage:
    """Return an observation's usage. Its classes exclude each other, unless its total says that they do not."""
    used = unpacked(first_of(record, "usageDetails", "usage_details")) or unpacked(record.get("usage"))
    prompt = tokens(run, used, "input", "input_tokens", "promptTokens", "prompt_tokens")
    if prompt is None:
        prompt = tokens(run, record, "promptTokens", "prompt_tokens", "inputUsage")
    output = tokens(run, used, "output", "output_tokens", "completionTokens", "completion_tokens")
    if output is None:
        output = tokens(run, record, "completionTokens", "completion_tokens", "outputUsage")
    read = (
        tokens(
            run, used, "input_cache_read", "cache_read_input_tokens", "input_cached_tokens", "cached_tokens"
        )
        or 0
    )
    write = tokens(run, used, "input_cache_creation", "cache_creation_input_tokens", "input_cache_write") or 0
    thinking, apart = (
        tokens(run, used, "reasoning_tokens"),
        tokens(run, used, "output_reasoning_tokens", "output_reasoning"),
    )
    total = tokens(run, used, "total", "total_tokens")
    known = (prompt or 0) + (output or 0)
    if apart is not None and output is not None and total != known:  # Langfuse takes them out of the output
        output, thinking = output + apart, apart
    if total is not None and total == known and (read or write):
        return usage_within(run, prompt, read, write, output, thinking=thinking)
    return LoggedUsage(prompt, write, read, output, thinking=thinking)


LANGFUSE: Final = Format("langfuse", "Langfuse observations", _recognises_langfuse, _read_langfuse)


# LangSmith: runs, from its export or its API


def _recognises_langsmith(file: LogFile) -> bool:
    return any(
        "run_type" in keys and keys & {"trace_id", "start_time", "dotted_order"}
        for keys in _columns_or_keys(file)
    )


def _read_langsmith(file: LogFile, gathering: Gathering) -> None:
    def take(number: int, record: JsonObject) -> None:
        run = run_of(gathering, file, LANGSMITH.name, first_of(record, "trace_id", "session_id", "id"))
        identity = text(record.get("id"))
        if identity and not gathering.is_new(("langsmith", identity)):
            run.repeated += 1
            return
        thread, (began_s, ended_s) = Thread(gathering, run), _times(record)
        is_bad = bool(record.get("error"))
        if record.get("run_type") == "tool":
            _tool(thread, record, began_s, ended_s, is_bad=is_bad)
        elif record.get("run_type") == "llm":
            _langsmith(thread, record, began_s, ended_s, is_bad=is_bad)
        else:
            gathering.tells_with_others()  # a chain sums up what its calls tell

    _take_all(file, gathering, take)


def _langsmith(thread: Thread, record: JsonObject, began_s: float, ended_s: float, *, is_bad: bool) -> None:
    run, extra = thread.run, unpacked(record.get("extra"))
    metadata, asked = mapping(extra.get("metadata")), mapping(extra.get("invocation_params"))
    model = text(first_of(metadata, "ls_model_name")) or text(first_of(asked, "model", "model_name"))
    usage = _langsmith_usage(run, record, metadata)
    if is_bad and not usage.output:
        thread.ready_s = began_s
        thread.fails(ended_s, "error", model)
        return
    cost = first_of(record, "total_cost")
    reported = run.dollars(cost) if cost is not None else NOT_KNOWN
    thread.call(
        usage,
        qualified(text(metadata.get("ls_provider")), model),
        began_s,
        ended_s,
        reported_cost_usd=reported,
    )


def _langsmith_usage(run: RunInMaking, record: JsonObject, metadata: JsonObject) -> LoggedUsage:
    """Return a run's usage: LangChain's input contains what was read from the cache and written to it."""
    outputs = unpacked(record.get("outputs"))
    used = unpacked(metadata.get("usage_metadata")) or mapping(outputs.get("usage_metadata"))
    used = used or _of_generations(outputs)
    into = unpacked(first_of(record, "prompt_token_details")) or mapping(used.get("input_token_details"))
    out = unpacked(first_of(record, "completion_token_details")) or mapping(used.get("output_token_details"))
    prompt = run.count(
        first_of(record, "prompt_tokens", "input_tokens") or used.get("input_tokens"), MOST_IN_A_SESSION
    )
    output = run.count(first_of(record, "completion_tokens", "output_tokens") or used.get("output_tokens"))
    return usage_within(
        run,
        prompt,
        tokens(run, into, "cache_read", "cached_tokens") or 0,
        tokens(run, into, "cache_creation") or 0,
        output,
        thinking=tokens(run, out, "reasoning"),
    )


def _of_generations(outputs: JsonObject) -> JsonObject:
    """Return the usage that LangChain's answers carry with them; empty if none does."""
    for generation in listing(next(iter(listing(outputs.get("generations"))), None)):
        message = mapping(mapping(generation).get("message"))
        found = mapping((mapping(message.get("kwargs")) or message).get("usage_metadata"))
        if found:
            return found
    return {}


LANGSMITH: Final = Format("langsmith", "LangSmith runs", _recognises_langsmith, _read_langsmith)
