"""A ledger in a file: Parquet (entries, with the runs in the file's metadata) or CSV (two files)."""

import json
from dataclasses import astuple
from itertools import chain
from pathlib import Path
from typing import Final

import pandas as pd

from simbudget.errors import Place, Problem, UserError
from simbudget.ledger.imported import Ledger, Unread, typed_runs
from simbudget.ledger.whole_files import check_place, written_whole

RUNS: Final = b"simbudget.runs"
"""Key of the table of runs, as JSON, in Parquet's metadata."""
UNREAD: Final = b"simbudget.unread"
"""Key of what could not be read, as a JSON list of `Unread`'s values."""


def write_ledger(ledger: Ledger, path: Path) -> list[Path]:
    """Write a ledger as Parquet or CSV, depending on the suffix, and return the paths written.

    Entries are written in batches. A file gets its name only when it is complete.

    Args:
        ledger: the ledger.
        path: a path ending in `.parquet` or `.csv`.

    Raises:
        UserError: the path has another suffix, or cannot be written.
    """
    check_name(path)
    if path.suffix == ".parquet":
        with written_whole(path) as fresh:
            _write_parquet(ledger, fresh)
        return [path]
    beside = runs_beside(path)
    with written_whole(beside) as fresh_beside, written_whole(path) as fresh:
        _write_csv(ledger, fresh)
        ledger.runs.to_csv(fresh_beside, index=False, lineterminator="\n")
    return [path, beside]


def check_name(path: Path) -> None:
    """Raise UserError if a ledger cannot be written under a name, or at that place.

    Args:
        path: the path of the ledger.
    """
    if path.suffix not in (".parquet", ".csv"):
        remedy = "end the name in .parquet or .csv"
        raise UserError(Problem("a ledger is written as Parquet or CSV", Place(str(path)), remedy))
    check_place(path)


def runs_beside(path: Path) -> Path:
    """Return the path of the table of runs that belongs to a ledger in CSV.

    Args:
        path: the path of the ledger.
    """
    return path.with_name(f"{path.stem}.runs.csv")


def runs_from_json(content: bytes) -> pd.DataFrame:
    """Return the table of runs from Parquet's metadata.

    Args:
        content: the JSON.
    """
    return typed_runs(pd.DataFrame(json.loads(content)))


def _write_parquet(ledger: Ledger, path: Path) -> None:
    import pyarrow as pa  # noqa: PLC0415  slow to import
    import pyarrow.parquet as pq  # noqa: PLC0415

    runs = ledger.runs.to_json(orient="records", date_format="iso", date_unit="ns", double_precision=15)
    unread = json.dumps([astuple(each) for each in ledger.unread])
    more = {RUNS: runs.encode(), UNREAD: unread.encode()}
    batches = (pa.Table.from_pandas(entries, preserve_index=False) for entries in ledger.batches())
    first = next(batches)
    schema = first.schema.with_metadata({**(first.schema.metadata or {}), **more})
    with pq.ParquetWriter(path, schema) as writer:
        for table in chain([first], batches):
            writer.write_table(table.replace_schema_metadata(schema.metadata))


def _write_csv(ledger: Ledger, path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as out:
        for place, entries in enumerate(ledger.batches()):
            entries.to_csv(out, index=False, header=place == 0, lineterminator="\n")


def unread_from_json(content: bytes) -> tuple[Unread, ...]:
    """Return what could not be read, from Parquet's metadata.

    Args:
        content: the JSON.
    """
    return tuple(Unread(*values) for values in json.loads(content))
