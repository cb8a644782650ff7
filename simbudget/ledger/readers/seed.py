"""The files of the automated weak-to-strong research system that simbudget's first scenario models.

`usage_stats.json` has each tool's uses (the last hundred of them one by one), `experiments.db` its experiments
and findings (SQLite), `findings.json` the findings that one agent shared. Agents are told apart by their idea.
"""

from typing import Any, Final

from simbudget.ledger.frame import TOKEN_COLUMNS
from simbudget.ledger.readers.experiments import Experiment, add_experiment
from simbudget.ledger.readers.files import LogFile
from simbudget.ledger.readers.format import Format
from simbudget.ledger.readers.gathering import Gathering, RunInMaking
from simbudget.ledger.readers.sqlite import columns_of, is_sqlite, rows_of
from simbudget.ledger.readers.thread import Thread
from simbudget.ledger.readers.values import (
    NOT_KNOWN,
    JsonObject,
    duration_s,
    is_known,
    listing,
    mapping,
    moment,
    number,
    text,
)

_SCORER: Final = "evaluate_predictions"
"""The tool that sends predictions to the scorer."""
_EXPERIMENTS: Final = {"idea_uid", "status", "pgr", "queue_time", "start_time", "end_time"}
_METRIC: Final = "pgr"


def _recognises(file: LogFile) -> bool:
    if is_sqlite(file):
        return columns_of(file, "experiments") >= _EXPERIMENTS
    if not file.is_document:
        return False
    return (b'"mcp_tools"' in file.head and _is_usage(file)) or (
        b'"finding_type"' in file.head and bool(_findings(file))
    )


def _is_usage(file: LogFile) -> bool:
    document = mapping(file.document)
    return "session_start" in document and "mcp_tools" in document


def _findings(file: LogFile) -> list[JsonObject]:
    document = file.document
    found = listing(document) or listing(mapping(document).get("findings"))
    return [finding for finding in map(mapping, found) if "finding_type" in finding]


def _read(file: LogFile, gathering: Gathering) -> None:
    run = gathering.run(f"seed {file.path.resolve()}", FORMAT.name, file.path, file.path.name)
    run.metric, run.better = _METRIC, "higher"
    if is_sqlite(file):
        _read_database(file, gathering, run)
    elif _is_usage(file):
        _read_usage(mapping(file.document), gathering, run)
    else:
        for finding in _findings(file):
            _finding(gathering, run, finding)


def _read_usage(document: JsonObject, gathering: Gathering, run: RunInMaking) -> None:
    run.name = text(document.get("session_id")) or run.name
    thread = Thread(gathering, run)
    for group in ("skills", "mcp_tools"):
        for name, uses in mapping(document.get(group)).items():
            _tool(thread, text(name), mapping(uses))


def _tool(thread: Thread, name: str, uses: JsonObject) -> None:
    calls = [mapping(call) for call in listing(uses.get("calls"))]
    for call in calls:
        lasted_s = duration_s(call.get("duration_ms"), 1e-3)
        ended_s = moment(call.get("timestamp"))
        started_s = ended_s - lasted_s if is_known(lasted_s) else ended_s
        outcome = "failed" if call.get("success") is False else "ok"
        kind = "score" if name.rpartition("__")[2] == _SCORER else "tool"
        thread.add(kind, started_s, lasted_s, name=name, outcome=outcome)
    untold = (thread.run.count(uses.get("count")) or 0) - len(calls)
    if untold > 0:
        thread.run.missing[f"{untold:,} earlier uses of {name}"] += 1


def _read_database(file: LogFile, gathering: Gathering, run: RunInMaking) -> None:
    def cannot_read(line: int, why: str) -> None:
        gathering.cannot_read(file.path, line, why)

    for row in rows_of(file, "experiments", cannot_read):
        _experiment(gathering, run, row)
    if columns_of(file, "findings"):
        for row in rows_of(file, "findings", cannot_read):
            _finding(gathering, run, row)


def _experiment(gathering: Gathering, run: RunInMaking, row: JsonObject) -> None:
    queued_s, started_s, ended_s = (moment(row.get(f"{name}_time")) for name in ("queue", "start", "end"))
    status = text(row.get("status"))
    if not is_known(started_s):
        run.missing["when experiments that are still queued will run"] += 1
        started_s = queued_s
    add_experiment(
        gathering,
        run,
        Experiment(
            name=text(row.get("run_id")) or text(row.get("id")),
            status=status,
            score=number(row.get(_METRIC)),
            agent=text(row.get("idea_uid")),
            started_s=started_s,
            ended_s=ended_s,
        ),
    )
    if queued_s <= started_s:
        gathering.columns.set(len(gathering.columns) - 1, "queued_s", started_s - queued_s)


def _finding(gathering: Gathering, run: RunInMaking, finding: JsonObject) -> None:
    """Add a finding as a post; what its call used is not logged here."""
    score = number(finding.get(_METRIC, mapping(finding.get("metrics")).get(_METRIC)))
    thread = Thread(gathering, run, text(finding.get("idea_uid") or finding.get("run_id")))
    at_s = moment(finding.get("created_at", finding.get("timestamp")))
    tokens: dict[str, Any] = dict.fromkeys(TOKEN_COLUMNS)
    status = text(finding.get("finding_type"))
    thread.add(
        "post", at_s, NOT_KNOWN, score=score, status=status, name=text(finding.get("idea_name")), **tokens
    )


FORMAT: Final = Format("seed", "weak-to-strong research system's files", _recognises, _read)
