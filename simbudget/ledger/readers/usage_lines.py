"""Usage logs that people keep themselves (JSONL): one object for each call, or each run, with tokens or cost.

The names of the fields vary; the usual ones are known, also in an object `usage` within each line. Whether an input
count contains what was cached is decided in `counts.py`. Objects with an id belong to the run of that id.
"""

from typing import Any, Final

from simbudget.ledger.entry import CALLS
from simbudget.ledger.readers.counts import has_counts, usage_of_record
from simbudget.ledger.readers.files import LogFile
from simbudget.ledger.readers.format import Format
from simbudget.ledger.readers.gathering import Gathering
from simbudget.ledger.readers.rows import json_rows
from simbudget.ledger.readers.thread import Thread
from simbudget.ledger.readers.values import NOT_KNOWN, JsonObject, duration_s, is_known, moment, text
from simbudget.pricing.models import qualified

_COST: Final = ("cost_usd", "total_cost_usd", "cost", "total_cost", "estimated_cost_usd", "usd")
_ENDED: Final = ("ts", "timestamp", "ended_at", "completed_at", "time")
_STARTED: Final = ("started_at", "start_time", "started")
_IDS: Final = ("id", "task_id", "session_id", "run_id", "run_dir", "task")
_TASK: Final = ("task_id", "task", "instance_id")
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


def _is_usage(line: JsonObject) -> bool:
    has = [*has_counts(line), any(name in line for name in _COST)]
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
        run.task = run.task or text(_first(line, _TASK))
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
    model = qualified(text(line.get("provider")), text(line.get("model")))
    turns, reported = run.count(_first(line, _TURNS)), run.dollars(_first(line, _COST))
    columns: dict[str, Any] = {
        "reported_cost_usd": reported,
        "status": text(line.get("stop_reason", line.get("status"))),
    }
    usage = usage_of_record(line, run)
    if turns is not None or "total_cost_usd" in line or "total_output_tokens" in line:
        paid: dict[str, Any] = {"component": "tokens", "cost_usd": NOT_KNOWN, "calls": turns, "model": model}
        thread.add(CALLS, started_s, lasted_s, **paid, **columns, **usage.columns())
    else:
        row = thread.call(usage, model, started_s, ended_s, name=text(line.get("step")), **columns)
        gathering.columns.set(row, "duration_s", lasted_s)


def _first(line: JsonObject, names: tuple[str, ...]) -> object:
    return next((line[name] for name in names if line.get(name) is not None), None)


FORMAT: Final = Format("usage-lines", "usage JSONL", _recognises, _read)
