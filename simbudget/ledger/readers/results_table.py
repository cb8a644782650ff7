"""`results.tsv` of autoresearch campaigns, and exports of experiment trackers: a row an experiment, with a metric.

Columns vary by author; a status may be missing. The metric is the column with a name that such tables use, else the
first column of numbers. A column `timestamp` is when a result was written down, the experiment's end; `ts_utc` and
`started` are its beginning. Tables without times have experiments in order, and nothing more.
"""

from typing import Final

from simbudget.ledger.readers.experiments import Experiment, add_experiment, better, experiment_id
from simbudget.ledger.readers.files import LogFile
from simbudget.ledger.readers.format import Format
from simbudget.ledger.readers.gathering import Gathering
from simbudget.ledger.readers.rows import table_rows
from simbudget.ledger.readers.values import JsonObject, duration_s, is_known, moment, number, text

_METRICS: Final = (
    "exact_final_val_bpb",
    "final_val_bpb",
    "val_bpb",
    "accuracy",
    "val_acc",
    "val_loss",
    "pgr",
    "score",
    "metric",
    "tok_s",
    "tok_per_sec",
    "loss",
)
_IDENTITY: Final = {"commit", "exp_id", "experiment_id", "run_id", "id", "run", "iteration", "name"}
_OF_BILLS: Final = {"cost", "prompt_tokens", "input_tokens", "output_tokens", "model", "kind"}
"""Columns of tables about calls, which may have a score too."""
_NO_METRIC: Final = _IDENTITY | {"timestamp", "ts_utc", "seed", "n_seeds", "memory_gb", "gpu", "n_gpu"}
_STATUSES: Final = ("status", "state", "outcome", "decision", "verdict")
_AGENTS: Final = ("specialist", "agent", "worker")
_DURATIONS: Final = (
    "total_s",
    "wallclock_seconds",
    "duration_s",
    "elapsed_s",
    "train_s",
    "training_seconds",
    "runtime",
    "duration",
    "seconds",
)
_STARTS: Final = ("ts_utc", "started_at", "start_time", "started", "created", "created_at", "start time")
_ENDS: Final = ("timestamp", "finished_at", "ended_at", "end_time")


def _recognises(file: LogFile) -> bool:
    columns = {name.lower() for name in file.header}
    if len(columns) < 2 or not columns & _IDENTITY:
        return False
    return bool(columns & set(_STATUSES)) or (bool(columns & set(_METRICS)) and not columns & _OF_BILLS)


def _read(file: LogFile, gathering: Gathering) -> None:
    metric = _metric(file)
    run = gathering.run(f"results {file.path}", FORMAT.name, file.path, file.path.name)
    run.metric, run.better = metric, better(metric)
    ours = []
    for _, row in table_rows(file, gathering):
        key = ("result", str(sorted(row.items())))
        if gathering.row(key) is not None:
            run.repeated += 1
            continue
        ours.append(key)
        add_experiment(
            gathering, run, _experiment({name.lower(): value for name, value in row.items()}, metric)
        )
    for key in ours:  # two alike within one table are two experiments; in two tables they are one
        gathering.is_new(key)


def _experiment(row: JsonObject, metric: str) -> Experiment:
    return Experiment(
        name=experiment_id(row),
        status=text(_first(row, _STATUSES)),
        score=number(row.get(metric)),
        agent=text(_first(row, _AGENTS)),
        parent=text(_first(row, ("parent_exp", "parent", "parent_id"))),
        started_s=moment(_first(row, _STARTS)),
        ended_s=moment(_first(row, _ENDS)),
        duration_s=duration_s(_first(row, _DURATIONS)),
    )


def _first(row: JsonObject, names: tuple[str, ...]) -> object:
    return next((row[name] for name in names if row.get(name) not in (None, "")), None)


def _metric(file: LogFile) -> str:
    """Return which column is the metric."""
    columns = [name.lower() for name in file.header]
    known = next((name for name in _METRICS if name in columns), None)
    if known:
        return known
    sample = [line.split(file.delimiter) for line in file.head.decode("utf-8", "replace").split("\n")[1:50]]
    for place, name in enumerate(columns):
        values = [fields[place] for fields in sample if len(fields) > place and fields[place].strip()]
        if name not in _NO_METRIC and values and all(is_known(number(value)) for value in values):
            return name
    return ""


FORMAT: Final = Format("results-table", "autoresearch results.tsv", _recognises, _read)
