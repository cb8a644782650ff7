"""Usage logs that people keep themselves (JSONL): one object for each call, or each run, with tokens or cost.

The names of the fields vary; the usual ones are known. Whether an input count includes what was cached is not
said: without a count of what was cached, that is not known. Objects with an id belong to the run of that id.
"""

from typing import Any, Final

from simbudget.ledger.entry import CALLS
from simbudget.ledger.readers.files import LogFile
from simbudget.ledger.readers.format import Format
from simbudget.ledger.readers.gathering import Gathering, RunInMaking
from simbudget.ledger.readers.rows import json_rows
from simbudget.ledger.readers.thread import Thread, Usage
from simbudget.ledger.readers.values import NOT_KNOWN, JsonObject, amount, duration_s, is_known, moment, text

_INPUT: Final = ("in_tokens", "input_tokens", "prompt_tokens", "tokens_in", "total_input_tokens")
_OUTPUT: Final = ("out_tokens", "output_tokens", "completion_tokens", "tokens_out", "total_output_tokens")
_READ: Final = ("cache_read_tokens", "cache_read_input_tokens", "cached_tokens", "cached_input_tokens")
_WRITE: Final = ("cache_write_tokens", "cache_creation_input_tokens", "cache_creation_tokens")
_COST: Final = ("cost_usd", "total_cost_usd", "cost", "total_cost", "usd")
_ENDED: Final = ("ts", "timestamp", "ended_at", "completed_at", "time")
_STARTED: Final = ("started_at", "start_time", "started")
_IDS: Final = ("id", "task_id", "session_id", "run_id", "run_dir", "task")
_TURNS: Final = ("num_turns", "turns", "api_calls", "calls")
_DURATIONS: Final = {
    "elapsed_ms": 1e-3,
    "duration_ms": 1e-3,
    "latency_ms": 1e-3,
    "elapsed_s": 1.0,
    "duration_s": 1.0,
    "total_duration_s": 1.0,
    "elapsed": 1.0,
}
_MOST_IN_A_RUN: Final = 10**12


def _is_usage(line: JsonObject) -> bool:
    has = [any(name in line for name in names) for names in (_INPUT, _OUTPUT, _COST)]
    return sum(has) >= 2 and "message" not in line


def _recognises(file: LogFile) -> bool:
    lines = file.objects
    return sum(map(_is_usage, lines)) > len(lines) / 2


def _read(file: LogFile, gathering: Gathering) -> None:
    for number, line in json_rows(file, gathering):
        if not _is_usage(line):
            gathering.cannot_read(file.path, number, "no tokens and no cost")
            continue
        name = text(_first(line, _IDS))
        run = gathering.run(f"usage {name or file.path}", FORMAT.name, file.path, name or file.path.name)
        _usage_line(Thread(gathering, run), gathering, line)


def _usage_line(thread: Thread, gathering: Gathering, line: JsonObject) -> None:
    run = thread.run
    ended = _first(line, _ENDED)
    if ended is not None and not gathering.is_new(("usage", run.name, str(sorted(line.items(), key=str)))):
        run.repeated += 1
        return
    lasted_s = next(
        (duration_s(line[name], unit) for name, unit in _DURATIONS.items() if name in line), NOT_KNOWN
    )
    started_s, ended_s = moment(_first(line, _STARTED)), moment(ended)
    if not is_known(started_s) and is_known(lasted_s):
        started_s = ended_s - lasted_s
    elif not is_known(started_s):
        started_s = ended_s
        run.missing["how long calls took; their times are when they ended"] = 1
    model, turns = text(line.get("model")), run.count(_first(line, _TURNS))
    reported = amount(_first(line, _COST))
    columns: dict[str, Any] = {
        "reported_cost_usd": reported,
        "status": text(line.get("stop_reason", line.get("status"))),
    }
    usage = _usage(line, run)
    if turns is not None or "total_cost_usd" in line or "total_output_tokens" in line:
        paid: dict[str, Any] = {"component": "tokens", "cost_usd": NOT_KNOWN, "calls": turns, "model": model}
        thread.add(CALLS, started_s, lasted_s, **paid, **columns, **usage.columns())
    else:
        row = thread.call(usage, model, started_s, ended_s, name=text(line.get("step")), **columns)
        gathering.columns.set(row, "duration_s", lasted_s)


def _usage(line: JsonObject, run: RunInMaking) -> Usage:
    uncached, output, read, write = (
        run.count(_first(line, names), _MOST_IN_A_RUN) for names in (_INPUT, _OUTPUT, _READ, _WRITE)
    )
    if read is not None and write is None:
        write = 0
    return Usage(uncached, write, read, output)


def _first(line: JsonObject, names: tuple[str, ...]) -> object:
    return next((line[name] for name in names if line.get(name) is not None), None)


FORMAT: Final = Format("usage-lines", "usage JSONL", _recognises, _read)
