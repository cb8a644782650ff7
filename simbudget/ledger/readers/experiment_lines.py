"""`autoresearch.jsonl` and its like: a JSON object an experiment, after objects that say what is measured.

A new configuration begins a new segment, in which scores may mean something else: its experiments have the next
`session`. A timestamp is when the result was written down, the experiment's end.
"""

import json
from typing import Final

from simbudget.ledger.readers.experiments import Experiment, add_experiment, better, experiment_id
from simbudget.ledger.readers.files import LogFile
from simbudget.ledger.readers.format import Format
from simbudget.ledger.readers.gathering import Gathering, RunInMaking
from simbudget.ledger.readers.rows import json_rows
from simbudget.ledger.readers.values import (
    NOT_KNOWN,
    JsonObject,
    duration_s,
    mapping,
    moment,
    number,
    text,
)

_SCORES: Final = ("metric", "score", "val_bpb", "val_loss", "accuracy", "pgr", "loss")
_COSTS: Final = ("cost_usd", "cost", "total_cost_usd", "agent_cost_usd", "api_cost_usd")
_NAMED: Final = {"run", "iteration", "exp_id", "experiment_id", "experiment", "commit"}


def _is_config(line: JsonObject) -> bool:
    return line.get("type") == "config" and "metricName" in line


def _is_experiment(line: JsonObject) -> bool:
    tells_end = "status" in line or isinstance(line.get("kept"), bool)
    return tells_end and bool(line.keys() & _NAMED) and bool(_metric(line))


def _metric(line: JsonObject) -> str:
    """Return the name of the score of an experiment; empty if it has none."""
    known = next((name for name in _SCORES if name in line), "")
    return known or next((name for name in line if name.startswith("score_") or name.endswith("_score")), "")


def _recognises(file: LogFile) -> bool:
    return any(_is_config(line) or _is_experiment(line) for line in file.objects)


def _read(file: LogFile, gathering: Gathering) -> None:
    run = gathering.run(f"experiments {file.path}", FORMAT.name, file.path, file.path.name)
    segment = -1
    for number_, line in json_rows(file, gathering):
        if _is_config(line):
            segment += 1
            _configure(run, line)
        elif "type" in line and not _is_experiment(line):
            continue  # hooks and the like
        elif not _is_experiment(line):
            gathering.cannot_read(file.path, number_, "neither an experiment nor what is measured")
        elif gathering.is_new(("experiment", json.dumps(line, sort_keys=True, default=str))):
            add_experiment(gathering, run, _experiment(line, max(segment, 0), run))
        else:
            run.repeated += 1


def _configure(run: RunInMaking, line: JsonObject) -> None:
    """Note what is measured; of several segments the run has the first's."""
    metric = text(line.get("metricName"))
    if run.metric and metric != run.metric:
        run.odd["the metric changed"] += 1
        return
    if not run.metric:
        run.metric, run.name = metric, text(line.get("name")) or run.name
        direction = text(line.get("bestDirection"))
        run.better = direction if direction in ("higher", "lower") else better(metric)


def _experiment(line: JsonObject, segment: int, run: RunInMaking) -> Experiment:
    metrics = mapping(line.get("metrics"))
    score = next((line[name] for name in _SCORES if line.get(name) is not None), line.get(_metric(line)))
    took = next(
        (duration_s(metrics[name]) for name in ("elapsed_seconds", "duration_s") if name in metrics), None
    )
    if took is None and "agent_time_s" in line:
        took = duration_s(line["agent_time_s"])
    given = line.get("segment")
    status = text(line.get("status"))
    if not status and isinstance(line.get("kept"), bool):
        status = "keep" if line["kept"] else text(line.get("reason")) or "discard"
    cost_usd = run.dollars(next((line[name] for name in _COSTS if name in line), None))
    return Experiment(
        name=experiment_id(line),
        status=status,
        score=number(score),
        agent=text(line.get("agent")),
        parent=text(line.get("parent")),
        ended_s=moment(line.get("timestamp", line.get("ts"))),
        duration_s=NOT_KNOWN if took is None else took,
        segment=given if isinstance(given, int) and 0 <= given < 10**6 else segment,
        columns={"reported_cost_usd": cost_usd, "model": text(line.get("model"))},
    )


FORMAT: Final = Format("experiment-lines", "autoresearch.jsonl", _recognises, _read)
