"""OpenHands: `output.jsonl` of evaluations, trajectories and conversations, with the metrics of each.

Metrics list the tokens, the cost and the latency of each call, in the same order. The prompt's count is LiteLLM's: it
contains what was read from the cache and written to it. An event's `llm_metrics` are totals so far: the last counts.
"""

from collections.abc import Iterator
from typing import Final

from simbudget.ledger.readers.files import LogFile
from simbudget.ledger.readers.format import Format
from simbudget.ledger.readers.gathering import Gathering
from simbudget.ledger.readers.reported import (
    CountNames,
    add_total,
    first_of,
    records,
    run_of,
    sample,
    usage_named,
)
from simbudget.ledger.readers.thread import Thread
from simbudget.ledger.readers.values import (
    NOT_KNOWN,
    JsonObject,
    duration_s,
    listing,
    mapping,
    moment,
    text,
)

_COUNTS: Final = CountNames(
    "prompt_tokens", "cache_read_tokens", "cache_write_tokens", "completion_tokens", "reasoning_tokens"
)


def _metrics(record: JsonObject) -> Iterator[JsonObject]:
    """Yield the metrics of a record, one for each model that it was run with."""
    stats = mapping(record.get("stats") or record.get("conversation_stats"))
    for logged in (
        record,
        *map(mapping, mapping(first_of(stats, "usage_to_metrics", "service_to_metrics")).values()),
    ):
        metrics = mapping(logged.get("metrics")) or logged
        if "accumulated_cost" in metrics and (
            "token_usages" in metrics or "accumulated_token_usage" in metrics
        ):
            yield metrics


def _recognises(file: LogFile) -> bool:
    if (
        b'"accumulated_cost"' not in file.head
        and b'"instance_id"' not in file.head
        and b'"llm_metrics"' not in file.head
    ):
        return False
    found = sample(file)
    return any(any(True for _ in _metrics(record)) or "llm_metrics" in record for record in found)


def _read(file: LogFile, gathering: Gathering) -> None:
    last: JsonObject = {}

    def take(number: int, record: JsonObject) -> None:
        nonlocal last
        if "llm_metrics" in record:
            last = {"metrics": mapping(record["llm_metrics"])}
            return
        found = list(_metrics(record))
        if found:
            _instance(file, gathering, record, found)
        elif "instance_id" in record:
            gathering.cannot_read(file.path, number, "an instance without its metrics")

    records(file, gathering, take)
    if last:
        _instance(file, gathering, last, list(_metrics(last)))


def _instance(file: LogFile, gathering: Gathering, record: JsonObject, found: list[JsonObject]) -> None:
    name = text(first_of(record, "instance_id", "id"))
    attempt = text(record.get("attempt"))
    run = run_of(gathering, file, FORMAT.name, f"{name} {attempt}".strip())
    run.task = text(record.get("instance_id"))
    if not gathering.is_new(("openhands", run.name, str(found)[:10_000])):
        run.repeated += 1
        return
    model = text(mapping(mapping(record.get("metadata")).get("llm_config")).get("model"))
    status = "failed" if record.get("error") else ""
    for metrics in found:
        _add(Thread(gathering, run), metrics, model, status)


def _add(thread: Thread, metrics: JsonObject, model: str, status: str) -> None:
    run = thread.run
    calls = [mapping(used) for used in listing(metrics.get("token_usages"))]
    costs = [mapping(cost) for cost in listing(metrics.get("costs"))]
    latencies = [mapping(latency) for latency in listing(metrics.get("response_latencies"))]
    if not calls:
        total = mapping(metrics.get("accumulated_token_usage"))
        cost_usd = run.dollars(metrics.get("accumulated_cost"))
        named = text(metrics.get("model_name")) or text(total.get("model")) or model
        add_total(
            thread,
            usage_named(run, total, _COUNTS),
            named,
            reported_cost_usd=cost_usd,
            calls=len(costs) or None,
            status=status,
        )
        return
    for place, used in enumerate(calls):
        cost = costs[place] if len(costs) == len(calls) else {}
        took_s = duration_s(latencies[place].get("latency")) if len(latencies) == len(calls) else NOT_KNOWN
        ended_s = moment(cost.get("timestamp"))
        named = text(used.get("model")) or text(metrics.get("model_name")) or model
        thread.call(
            usage_named(run, used, _COUNTS),
            named,
            ended_s - took_s,
            ended_s,
            reported_cost_usd=run.dollars(cost.get("cost")),
        )
    if len(costs) != len(calls):
        run.reported_cost_usd = run.dollars(metrics.get("accumulated_cost"))
        run.note_missing("which call each cost belongs to")


FORMAT: Final = Format("openhands", "OpenHands output", _recognises, _read)
