"""A ledger in a file of its own: Parquet (entries, with the runs in the file's metadata) or CSV (two files)."""

import io
import json
from dataclasses import astuple
from pathlib import Path
from typing import Final

import pandas as pd

from simbudget.errors import Place, Problem, UserError
from simbudget.ledger.frame import DTYPES
from simbudget.ledger.imported import RUN_DTYPES, ImportedLedger, Unread

RUNS: Final = b"simbudget.runs"
"""The key under which Parquet's metadata has the table of runs, as JSON."""
UNREAD: Final = b"simbudget.unread"
"""The key of what could not be read, as a JSON list of `Unread`'s values."""


def write_ledger(ledger: ImportedLedger, path: Path) -> list[Path]:
    """Write a ledger as Parquet or CSV, by the path's ending, and return what was written.

    Raises:
        UserError: the path has another ending.
    """
    check_name(path)
    if path.suffix == ".parquet":
        _write_parquet(ledger, path)
        return [path]
    beside = runs_beside(path)
    ledger.entries.to_csv(path, index=False, lineterminator="\n")
    ledger.runs.to_csv(beside, index=False, lineterminator="\n")
    return [path, beside]


def check_name(path: Path) -> None:
    """Raise UserError if a ledger cannot be written under a name."""
    if path.suffix not in (".parquet", ".csv"):
        remedy = "end the name in .parquet or .csv"
        raise UserError(Problem("a ledger is written as Parquet or CSV", Place(str(path)), remedy))


def runs_beside(path: Path) -> Path:
    """Return where the table of runs of a ledger in CSV is."""
    return path.with_name(f"{path.stem}.runs.csv")


def runs_from_json(content: bytes) -> pd.DataFrame:
    """Return the table of runs from Parquet's metadata."""
    frame = pd.read_json(io.BytesIO(content), orient="records", dtype=False, convert_dates=False)
    return typed_runs(frame)


def typed_runs(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table of runs with the columns and types of `RUN_DTYPES`; what is missing is not known."""
    frame = frame.reindex(columns=list(RUN_DTYPES))
    for name in ("began_at", "ended_at"):
        frame[name] = pd.to_datetime(frame[name], utc=True, format="ISO8601").dt.as_unit("ns")
    for name, dtype in RUN_DTYPES.items():
        if dtype == "object":
            frame[name] = frame[name].astype(object).fillna("").astype(str).astype(object)
        elif dtype == "int64":
            frame[name] = frame[name].fillna(0)
    return frame.astype(RUN_DTYPES)


def typed_entries(frame: pd.DataFrame) -> pd.DataFrame:
    """Return entries with the columns and types of `DTYPES`, in any order before; what is missing is not known."""
    frame = frame.reindex(columns=list(DTYPES))
    for name, dtype in DTYPES.items():
        if dtype == "int64":
            frame[name] = frame[name].fillna(0 if name in ("run", "agent") else -1)
        elif dtype == "category":
            frame[name] = frame[name].astype(object).where(frame[name].notna(), "").astype(str)
    return frame.astype(DTYPES)


def _write_parquet(ledger: ImportedLedger, path: Path) -> None:
    import pyarrow as pa  # noqa: PLC0415  slow to import
    import pyarrow.parquet as pq  # noqa: PLC0415

    table = pa.Table.from_pandas(ledger.entries, preserve_index=False)
    runs = ledger.runs.to_json(orient="records", date_format="iso", date_unit="ns", double_precision=15)
    unread = json.dumps([astuple(each) for each in ledger.unread])
    more = {RUNS: runs.encode(), UNREAD: unread.encode()}
    pq.write_table(table.replace_schema_metadata({**(table.schema.metadata or {}), **more}), path)


def unread_from_json(content: bytes) -> tuple[Unread, ...]:
    """Return what could not be read, from Parquet's metadata."""
    return tuple(Unread(*values) for values in json.loads(content))
