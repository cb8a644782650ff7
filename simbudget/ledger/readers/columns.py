"""A ledger that grows row by row: its newest rows in memory, those before them in a temporary file.

So a log of any size takes no more memory than `BLOCK` rows. A row is a record of fixed width (201 bytes), whatever
the log's lines hold, and can be read and changed wherever it is. When all has been read, `sealed` gives the
records, in which nothing changes any more.
"""

from array import array
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from simbudget.ledger.entry import Entry
from simbudget.ledger.frame import DTYPES
from simbudget.ledger.readers.scratch import ScratchFile

BLOCK: Final = 1 << 16
"""So many rows are held in memory."""

_NOT_KNOWN: Final = -1
"""What stands for NA in an array of counts or of yes and no; neither has negative values."""
_ON_DISK: Final = {"category": "<i4", "boolean": "i1", "float64": "<f8", "Int64": "<i8", "int64": "<i8"}

RECORD: Final = np.dtype([(name, _ON_DISK[dtype]) for name, dtype in DTYPES.items()])
"""A row: words as their numbers, what is not known as -1."""

RecordArray = npt.NDArray[np.void]
Rows = npt.NDArray[np.int64]


class Records:
    """The rows of a ledger as they were gathered, in the order of the logs."""

    def __init__(self, words: dict[str, list[str]], rows: RecordArray | ScratchFile, count: int) -> None:
        self.words = words
        """The words of each column of words, by their numbers."""
        self._rows, self._count = rows, count

    def __len__(self) -> int:
        """Return the number of rows."""
        return self._count

    def take(self, rows: Rows) -> RecordArray:
        """Return rows by their numbers, in any order; neighbours in the file are read in one go."""
        order = np.argsort(rows, kind="stable")
        ascending = rows[order]
        found = np.empty(len(rows), RECORD)
        ends = [*(np.flatnonzero(np.diff(ascending) != 1) + 1).tolist(), len(rows)]
        for begin, end in zip([0, *ends], ends, strict=False):
            if begin < end:
                self._read(int(ascending[begin]), found[begin:end])
        taken = np.empty_like(found)
        taken[order] = found
        return taken

    def frame(self, records: RecordArray) -> pd.DataFrame:
        """Return rows as a frame with the columns and types of `DTYPES`."""
        return pd.DataFrame({name: self._column(name, records[name].copy()) for name in DTYPES})

    def _read(self, first: int, into: RecordArray) -> None:
        if isinstance(self._rows, ScratchFile):
            self._rows.read_into(first * RECORD.itemsize, into.view(np.uint8))
        else:
            into[:] = self._rows[first : first + len(into)]

    def _column(self, name: str, values: npt.NDArray[Any]) -> Any:
        dtype = DTYPES[name]
        if dtype == "category":
            return pd.Categorical.from_codes(values, pd.Index(self.words[name], dtype=object))
        if dtype == "Int64":
            return pd.arrays.IntegerArray(values, values == _NOT_KNOWN)
        if dtype == "boolean":
            return pd.arrays.BooleanArray(values == 1, values == _NOT_KNOWN)
        return values


class GrowingColumns:
    """The columns of a ledger, to which entries are added."""

    def __init__(self, block: int = BLOCK) -> None:
        self._block = block
        self._words: dict[str, dict[str, int]] = {
            name: {} for name, dtype in DTYPES.items() if dtype == "category"
        }
        self._arrays = {name: array("d" if dtype == "float64" else "q") for name, dtype in DTYPES.items()}
        self._stores = [self._store(name) for name in Entry._fields]
        self._older = 0
        """How many rows are in the file."""
        self._file: ScratchFile | None = None

    def __len__(self) -> int:
        """Return the number of entries."""
        return self._older + len(self._arrays["run"])

    def append(self, entry: Entry) -> int:
        """Add an entry, and return its row."""
        if len(self._arrays["run"]) >= self._block:
            self._put_away()
        for store, value in zip(self._stores, entry, strict=True):
            store(value)
        return len(self) - 1

    def set(self, row: int, name: str, value: float | None) -> None:
        """Change a number of a row that is there already."""
        known = _NOT_KNOWN if value is None else value
        numbers: array[Any] = self._arrays[name]
        if self._file is None or row >= self._older:
            numbers[row - self._older] = known
        else:
            self._file.write_at(_place(row, name), np.array(known, RECORD[name]).tobytes())

    def get(self, row: int, name: str) -> float | None:
        """Return a number of a row; None if it is a count that is not known."""
        if self._file is None or row >= self._older:
            value: float = self._arrays[name][row - self._older]
        else:
            found = np.empty(1, RECORD[name])
            self._file.read_into(_place(row, name), found.view(np.uint8))
            value = found[0].item()
        return None if value == _NOT_KNOWN and DTYPES[name] == "Int64" else value

    def sealed(self) -> Records:
        """Return all rows; none may be added or changed after."""
        words = {name: list(numbers) for name, numbers in self._words.items()}
        if self._file is None:
            return Records(words, self._newest(), len(self))
        self._put_away()
        return Records(words, self._file, self._older)

    def _put_away(self) -> None:
        """Move the rows that are in memory to the file."""
        if self._file is None:
            self._file = ScratchFile()
        newest = self._newest()
        self._file.write_at(self._older * RECORD.itemsize, newest.tobytes())
        self._older += len(newest)
        for numbers in self._arrays.values():
            del numbers[:]

    def _newest(self) -> RecordArray:
        records = np.empty(len(self._arrays["run"]), RECORD)
        for name, numbers in self._arrays.items():
            records[name] = np.array(numbers)  # a copy: an array that is looked into cannot grow
        return records

    def _store(self, name: str) -> Callable[[Any], None]:
        append, dtype = self._arrays[name].append, DTYPES[name]
        if dtype == "category":
            words = self._words[name]
            return lambda word: append(words.setdefault(word, len(words)))
        if dtype in ("Int64", "boolean"):
            return lambda value: append(_NOT_KNOWN if value is None else value)
        return append


def _place(row: int, name: str) -> int:
    """Return where in the file a number of a row is."""
    fields: Any = RECORD.fields
    return row * RECORD.itemsize + int(fields[name][1])
