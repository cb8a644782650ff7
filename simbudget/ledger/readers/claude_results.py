"""What `claude -p --output-format stream-json` and the Agent SDK print (JSONL): messages and a result at the end.

A result message tells a whole session's tokens, cost and times, by model; the messages before it carry no times,
and placeholders as output counts. So a session that has a result is one entry of kind `calls` for each model,
with the result's totals; a session that broke off before its result has its messages as calls. A session whose
own log was read too keeps that, and the result adds what it reports of the run.
"""

from typing import Final

from simbudget.ledger.entry import CALLS
from simbudget.ledger.readers.files import LogFile
from simbudget.ledger.readers.format import Format
from simbudget.ledger.readers.gathering import Gathering, RunInMaking
from simbudget.ledger.readers.thread import Thread, Usage
from simbudget.ledger.readers.values import (
    NOT_KNOWN,
    JsonObject,
    amount,
    duration_s,
    is_known,
    mapping,
    moment,
    text,
)

_MOST_IN_A_SESSION: Final = 10**12


def _is_result(line: JsonObject) -> bool:
    return line.get("type") == "result" and ("total_cost_usd" in line or "num_turns" in line)


def _recognises(file: LogFile) -> bool:
    return any(
        _is_result(line)
        or (line.get("type") == "system" and line.get("subtype") == "init" and "session_id" in line)
        for line in file.objects
    )


def _read(file: LogFile, gathering: Gathering) -> None:
    untold: dict[str, dict[str, JsonObject]] = {}
    for number, line in file.json_lines(lambda number, why: gathering.cannot_read(file.path, number, why)):
        session = text(line.get("session_id")) or f"{file.path} {number}"
        if _is_result(line):
            untold.pop(session, None)
            _result(file, gathering, session, line)
        elif line.get("type") == "assistant":
            message = mapping(line.get("message"))
            untold.setdefault(session, {})[text(message.get("id")) or str(number)] = message
        elif line.get("type") == "rate_limit_event":
            untold.setdefault(session, {})
    for session, messages in untold.items():
        _broken_off(file, gathering, session, messages)


def _result(file: LogFile, gathering: Gathering, session: str, line: JsonObject) -> None:
    run = gathering.run(f"claude {session}", FORMAT.name, file.path, session)
    if not gathering.is_new(("claude result", session, text(line.get("uuid")))):
        run.repeated += 1
        return
    cost_usd, turns = amount(line.get("total_cost_usd")), run.count(line.get("num_turns"))
    is_told = run.source != FORMAT.name or any(run.last_turns.values())
    run.reported_cost_usd = _added(run.reported_cost_usd, cost_usd)
    run.reported_turns = (run.reported_turns or 0) + turns if turns is not None else run.reported_turns
    run.duration_s = _added(run.duration_s, duration_s(line.get("duration_ms"), 1e-3))
    run.api_duration_s = _added(run.api_duration_s, duration_s(line.get("duration_api_ms"), 1e-3))
    if is_told:
        return
    outcome = "failed" if line.get("is_error") is True else "ok"
    status = text(line.get("subtype"))
    at_s, lasted_s = moment(line.get("timestamp")), duration_s(line.get("duration_api_ms"), 1e-3)
    by_model = _by_model(line, run, cost_usd)
    for model, usage, cost in by_model:
        Thread(gathering, run).add(
            CALLS,
            at_s - run.duration_s,
            lasted_s if len(by_model) == 1 else NOT_KNOWN,
            model=model,
            component="tokens",
            cost_usd=NOT_KNOWN,
            reported_cost_usd=cost,
            calls=turns if len(by_model) == 1 else None,
            outcome=outcome,
            status=status,
            **usage.columns(),
        )


def _added(before: float, more: float) -> float:
    return more if not is_known(before) else before + more


def _by_model(line: JsonObject, run: RunInMaking, cost_usd: float) -> list[tuple[str, Usage, float]]:
    """Return a session's usage and cost by model."""
    usage, models = mapping(line.get("usage")), mapping(line.get("modelUsage"))
    if not models:
        return [(text(line.get("model")), _usage(usage, run, _SNAKE), cost_usd)]
    found = []
    for model, of_model in models.items():
        counts = _usage(mapping(of_model), run, _CAMEL)
        if len(models) == 1:
            counts = counts._replace(write_1h=_usage(usage, run, _SNAKE).write_1h)
        found.append((text(model), counts, amount(mapping(of_model).get("costUSD"))))
    return found


_SNAKE: Final = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")
_CAMEL: Final = ("inputTokens", "cacheCreationInputTokens", "cacheReadInputTokens", "outputTokens")


def _usage(usage: JsonObject, run: RunInMaking, names: tuple[str, str, str, str]) -> Usage:
    uncached, write, read, output = (run.count(usage.get(name), _MOST_IN_A_SESSION) for name in names)
    for_an_hour = run.count(mapping(usage.get("cache_creation")).get("ephemeral_1h_input_tokens"))
    return Usage(uncached, write, read, output, for_an_hour)


def _broken_off(file: LogFile, gathering: Gathering, session: str, messages: dict[str, JsonObject]) -> None:
    """Add the calls of a session that has no result."""
    run = gathering.run(f"claude {session}", FORMAT.name, file.path, session)
    if any(run.last_turns.values()) or not messages:
        return
    run.missing["the result of the session, which broke off"] += 1
    thread = Thread(gathering, run)
    for message in messages.values():
        usage = _usage(mapping(message.get("usage")), run, _SNAKE)
        if message.get("stop_reason") is None:
            usage = usage._replace(output=None)
        thread.call(usage, text(message.get("model")), NOT_KNOWN, NOT_KNOWN)


FORMAT: Final = Format("claude-results", "Claude Agent SDK result messages", _recognises, _read)
