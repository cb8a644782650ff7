"""simbudget's own ledgers: Parquet and CSV of `trace` and `import`, and the store that a pilot writes (SQLite).

Their entries are taken as they are: what costs they have is not priced again.
"""

import math
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pandas as pd

from simbudget.ledger.entry import Entry
from simbudget.ledger.frame import DTYPES, typed_entries
from simbudget.ledger.imported import RUN_DTYPES, typed_runs
from simbudget.ledger.readers.files import LogFile
from simbudget.ledger.readers.format import Format
from simbudget.ledger.readers.gathering import Gathering, RunInMaking
from simbudget.ledger.readers.sqlite import columns_of, connect, is_sqlite
from simbudget.ledger.readers.values import duration_s, possible_values
from simbudget.ledger.stored import (
    RUNS,
    UNREAD,
    runs_beside,
    runs_from_json,
    unread_from_json,
)

_NEEDED: Final = {"run", "agent", "kind", "started_s", "duration_s"}
_WORDS: Final = {name: str for name, dtype in DTYPES.items() if dtype == "category"}
_RUN_WORDS: Final = {name: str for name, dtype in RUN_DTYPES.items() if dtype in ("object", "category")}
_PARQUET: Final = b"PAR1"
_CHUNK: Final = 65536
OPEN: Final = "open"
"""The outcome of an entry of a store whose end has not been recorded; its cost is its worst case."""
_STILL_OPEN: Final = "the final cost of calls that are still open, which count at their worst case"
_OF_ATTEMPTS: Final = {"run", "agent", "status", "what", "started_s", "duration_s"}


def _recognises(file: LogFile) -> bool:
    if file.head.startswith(_PARQUET):
        return _parquet_columns(file) >= _NEEDED
    if is_sqlite(file):
        return columns_of(file, "entries") >= _NEEDED
    return set(file.header) >= _NEEDED


def _read(file: LogFile, gathering: Gathering) -> None:
    if file.head.startswith(_PARQUET):
        _read_parquet(file, gathering)
    elif is_sqlite(file):
        _read_store(file, gathering)
    else:
        _read_csv(file, gathering)


def _parquet_columns(file: LogFile) -> set[str]:
    import pyarrow as pa  # noqa: PLC0415  slow to import
    import pyarrow.parquet as pq  # noqa: PLC0415

    try:
        return set(pq.read_schema(file.path).names)
    except (pa.ArrowException, OSError):
        return set()


def _read_parquet(file: LogFile, gathering: Gathering) -> None:
    import pyarrow as pa  # noqa: PLC0415  slow to import
    import pyarrow.parquet as pq  # noqa: PLC0415

    try:
        with pq.ParquetFile(file.path) as parquet:
            about = parquet.schema_arrow.metadata or {}
            runs = runs_from_json(about[RUNS]) if RUNS in about else typed_runs(pd.DataFrame())
            for unread in unread_from_json(about[UNREAD]) if UNREAD in about else ():
                gathering.cannot_read(Path(unread.path), unread.line, unread.why, unread.count)
            adding = _Adding(file, gathering, runs)
            for batch in parquet.iter_batches(_CHUNK):
                adding.add(batch.to_pandas())
    except (pa.ArrowException, ValueError) as error:
        gathering.cannot_read(file.path, 0, f"a damaged Parquet file: {str(error).splitlines()[0]}")


def _read_csv(file: LogFile, gathering: Gathering) -> None:
    beside = runs_beside(file.path)
    try:
        runs = typed_runs(pd.read_csv(beside, dtype=_RUN_WORDS) if beside.exists() else pd.DataFrame())
        adding = _Adding(file, gathering, runs)
        for chunk in pd.read_csv(file.path, chunksize=_CHUNK, dtype=_WORDS):
            adding.add(chunk)
    except (ValueError, TypeError, EOFError) as error:
        gathering.cannot_read(file.path, 0, f"a damaged ledger: {str(error).splitlines()[0]}")


def _read_store(file: LogFile, gathering: Gathering) -> None:
    try:
        with closing(connect(file)) as store:
            has_runs = bool(columns_of(file, "runs"))
            runs = typed_runs(pd.read_sql_query("SELECT * FROM runs", store) if has_runs else pd.DataFrame())
            adding = _Adding(file, gathering, runs)
            for chunk in pd.read_sql_query("SELECT * FROM entries", store, chunksize=_CHUNK):
                adding.add(_as_reported(chunk))
            if columns_of(file, "attempts") >= _OF_ATTEMPTS:
                adding.add(_attempts(pd.read_sql_query("SELECT * FROM attempts", store)))
    except (sqlite3.Error, pd.errors.DatabaseError, ValueError, TypeError) as error:
        gathering.cannot_read(file.path, 0, f"a damaged store: {str(error).splitlines()[-1]}")


def _as_reported(chunk: pd.DataFrame) -> pd.DataFrame:
    """Return entries of a store, whose costs are what it reports, unless they are still open."""
    chunk = chunk.reindex(
        columns=list(dict.fromkeys([*chunk, "outcome", "component", "cost_usd", "reported_cost_usd"]))
    )
    says = (chunk["component"] == "tokens") & (chunk["outcome"] != OPEN)
    reported = chunk["reported_cost_usd"].astype("float64")
    return chunk.assign(reported_cost_usd=reported.fillna(chunk["cost_usd"].where(says)))


def _attempts(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the attempts at calls that were refused or failed, as entries."""
    logged = {name: rows[name] for name in ("run", "agent", "started_s", "duration_s")}
    status = rows["status"].map(lambda code: "" if pd.isna(code) else str(int(code)))
    return pd.DataFrame(logged).assign(
        kind="call",
        outcome="failed",
        status=status,
        name=rows["what"],
        queued_s=0.0,
        source="pilot",
        cost_usd=0.0,
    )


class _Adding:
    """The adding of one file's entries."""

    def __init__(self, file: LogFile, gathering: Gathering, runs: pd.DataFrame) -> None:
        self._file, self._gathering = file, gathering
        self._about: dict[int, dict[Any, Any]] = {row["run"]: row for row in runs.to_dict("records")}
        self._runs: dict[int, RunInMaking] = {}

    def add(self, chunk: pd.DataFrame) -> None:
        chunk, impossible = possible_values(chunk)
        entries = typed_entries(chunk)
        for number, many in impossible.groupby(entries["run"]).sum().items():
            if many:
                self._run(int(str(number))).odd["impossible values"] += int(many)
        columns: list[Any] = []
        for name in Entry._fields:
            column = entries[name].astype(object)
            columns.append(column.where(column.notna(), None) if DTYPES[name] == "Int64" else column)
        for values in zip(*columns, strict=True):
            entry = Entry(*values)
            run = self._run(entry.run)
            if entry.outcome == OPEN and _STILL_OPEN not in run.notes:
                run.missing[_STILL_OPEN] += 1
            kept = None if entry.kept is None or pd.isna(entry.kept) else bool(entry.kept)
            began_s = 0.0 if math.isnan(run.began_s) else run.began_s
            self._gathering.add(
                entry._replace(run=run.number, started_s=entry.started_s + began_s, kept=kept)
            )

    def _run(self, number: int) -> RunInMaking:
        known = self._runs.get(number)
        if known is None:
            path = self._file.path
            known = self._gathering.run(
                f"own {path.resolve()} {number}", FORMAT.name, path, f"{path.stem} {number}"
            )
            known.is_priced, known.is_dated, known.began_s = True, False, 0.0
            if number in self._about:
                _describe(known, self._about[number])
            self._runs[number] = known
        return known


def _describe(run: RunInMaking, about: dict[Any, Any]) -> None:
    """Take over what the file says of a run."""
    if not pd.isna(about["began_at"]):
        run.is_dated, run.began_s = True, about["began_at"].timestamp()
    for name in ("source", "path", "project", "name", "task", "metric", "better"):
        setattr(run, name, str(about[name]) or getattr(run, name))
    run.repeated = int(about["repeated"])
    run.notes, run.odd_notes = str(about["not_known"]), str(about["oddities"])
    run.reported_turns = None if pd.isna(about["reported_turns"]) else int(about["reported_turns"])
    run.reported_cost_usd = run.dollars(about["reported_cost_usd"])
    for name in ("api_duration_s", "duration_s"):
        setattr(run, name, duration_s(about[name]))


FORMAT: Final = Format("simbudget", "simbudget ledger or pilot", _recognises, _read)
