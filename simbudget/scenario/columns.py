"""A column of a CSV file as numbers: what an empirical distribution is drawn from."""

import csv
from itertools import islice
from pathlib import Path
from typing import Final

from simbudget.scenario.reading import nearest

_MOST_VALUES: Final = 100_000
_MOST_BYTES: Final = 20_000_000


def read_column(path: Path, column: str) -> list[float]:
    """Return the numbers of a column, in the file's order; empty cells are left out.

    Raises:
        ValueError: the file or its column cannot be read as numbers, or is too large; after a semicolon, the remedy.
    """
    try:
        if path.exists() and not path.is_file():
            raise ValueError(f"{path.name} is no regular file; write a CSV file")
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError(f"{path.name} has more than {_MOST_BYTES:,} bytes; take a sample")
        with path.open(newline="", encoding="utf-8-sig") as lines:
            rows = csv.DictReader(lines)
            names = [str(name)[:40] for name in rows.fieldnames or ()][:20]
            if column not in (rows.fieldnames or ()):
                raise ValueError(f"{path.name} has no column `{column}`; {nearest(column, names)}")
            texts = list(islice((row[column] for row in rows if row[column]), _MOST_VALUES + 1))
    except (OSError, UnicodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ValueError(f"{path.name} cannot be read: {reason.lower()}; write a CSV file") from None
    if not 0 < len(texts) <= _MOST_VALUES:
        found = "no value" if not texts else f"more than {_MOST_VALUES:,} values"
        raise ValueError(f"column `{column}` of {path.name} has {found}; 1 to {_MOST_VALUES:,} are allowed")
    return [_number(text, line, path.name) for line, text in enumerate(texts, 2)]


def _number(text: str, line: int, file: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(
            f"`{text[:40]}` in row {line} of {file} is no number; write numbers in base units"
        ) from None
