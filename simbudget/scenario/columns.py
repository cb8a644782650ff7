"""Columns of CSV files, to which an empirical distribution may refer."""

import csv
from itertools import islice
from pathlib import Path
from typing import Final

MOST_VALUES: Final = 100_000
"""Maximum number of values of an empirical distribution: enough for any shape, and quick to read."""
_MOST_BYTES: Final = 20_000_000
"""Maximum size of a CSV file."""


def read_column(path: Path, column: str) -> list[float]:
    """Read a column of a CSV file, in the file's order and without empty cells.

    Raises:
        ValueError: the file is too large, or the column cannot be read as numbers; the remedy follows a semicolon.
    """
    try:
        if path.exists() and not path.is_file():
            raise ValueError(f"{path.name} is not a regular file; write a CSV file")
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError(f"{path.name} has more than {_MOST_BYTES:,} bytes; use a sample")
        with path.open(newline="", encoding="utf-8-sig") as lines:
            rows = csv.DictReader(lines)
            if column not in (rows.fieldnames or ()):
                # Column names are not listed: the file may be any that this user can read, and its first line secret.
                there = len(rows.fieldnames or ())
                raise ValueError(
                    f"{path.name} has no column `{column}`; write the name of one of its {there}"
                )
            texts = list(islice((row[column] for row in rows if row[column]), MOST_VALUES + 1))
    except (OSError, UnicodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ValueError(f"{path.name} cannot be read: {reason.lower()}; write a CSV file") from None
    if not 0 < len(texts) <= MOST_VALUES:
        found = "no value" if not texts else f"more than {MOST_VALUES:,} values"
        raise ValueError(f"column `{column}` of {path.name} has {found}; 1 to {MOST_VALUES:,} are allowed")
    return [_number(text, line, path.name) for line, text in enumerate(texts, 2)]


def _number(text: str, line: int, file: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"row {line} of {file} is not a number; write numbers in base units") from None
