"""A ledger that grows row by row: its newest rows in memory, those before them in a temporary file.

So a log of any size takes no more memory than `BLOCK` rows. In the file a row is a record of fixed width (201
bytes), whatever the log's lines hold, and can be read and changed wherever it is. When all has been read, `sealed`
gives the records, in which nothing changes any more.
"""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from simbudget.arrays import Integers
from simbudget.ledger.entry import Entry
from simbudget.ledger.frame import DTYPES
from simbudget.ledger.readers.scratch import ScratchFile

BLOCK: Final = 1 << 15
"""Number of rows held in memory."""

_NOT_KNOWN: Final = -1
"""What stands for NA in an array of counts or of yes and no; neither has negative values."""
_ON_DISK: Final = {"category": "<i4", "boolean": "i1", "float64": "<f8", "Int64": "<i8", "int64": "<i8"}

RECORD: Final = np.dtype([(name, _ON_DISK[dtype]) for name, dtype in DTYPES.items()])
"""A row: words as their numbers, what is not known as -1."""

RecordArray = npt.NDArray[np.void]
Rows = Integers


class Records:
    """The rows of a ledger as they were gathered, in the order of the logs."""

    def __init__(self, words: dict[str, list[str]], rows: RecordArray | ScratchFile, count: int) -> None:
        self.words = words
        """The words of each column of words, by their numbers."""
        self.block = BLOCK
        """Number of rows processed at a time."""
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

    def blocks(self) -> Iterator[RecordArray]:
        """Yield all rows in their order, some at a time."""
        for begin in range(0, len(self), self.block):
            yield self.take(np.arange(begin, min(begin + self.block, len(self))))

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

    def __init__(self) -> None:
        self._words: dict[str, dict[str, int]] = {
            name: {} for name, dtype in DTYPES.items() if dtype == "category"
        }
        self._newest: list[list[Any]] = []
        self._older = 0
        """How many rows are in the file."""
        self._file: ScratchFile | None = None

    def __len__(self) -> int:
        """Return the number of entries."""
        return self._older + len(self._newest)

    def append(self, entry: Entry) -> int:
        """Add an entry, and return its row."""
        if len(self._newest) >= BLOCK:
            self._put_away()
        self._newest.append(list(entry))
        return len(self) - 1

    def set(self, row: int, name: str, value: float | None) -> None:
        """Change a number of a row that is there already."""
        if self._file is None or row >= self._older:
            self._newest[row - self._older][_PLACES[name]] = value
        else:
            known = _NOT_KNOWN if value is None else value
            self._file.write_at(_place(row, name), np.array(known, RECORD[name]).tobytes())

    def get(self, row: int, name: str) -> float | None:
        """Return a number of a row; None if it is a count that is not known."""
        if self._file is None or row >= self._older:
            newest: float | None = self._newest[row - self._older][_PLACES[name]]
            return newest
        found = np.empty(1, RECORD[name])
        self._file.read_into(_place(row, name), found.view(np.uint8))
        value: float = found[0].item()
        return None if value == _NOT_KNOWN and DTYPES[name] == "Int64" else value

    def word(self, row: int, name: str) -> str:
        """Return a word of a row."""
        if self._file is None or row >= self._older:
            newest: str = self._newest[row - self._older][_PLACES[name]]
            return newest
        found = np.empty(1, RECORD[name])
        self._file.read_into(_place(row, name), found.view(np.uint8))
        return next(word for word, number in self._words[name].items() if number == found[0])

    def sealed(self) -> Records:
        """Return all rows; none may be added or changed after."""
        if self._file is None:
            rows: RecordArray | ScratchFile = self._records()
        else:
            self._put_away()
            rows = self._file
        words = {name: list(numbers) for name, numbers in self._words.items()}
        return Records(words, rows, len(self))

    def _put_away(self) -> None:
        """Move the rows that are in memory to the file."""
        if self._file is None:
            self._file = ScratchFile()
        self._file.write_at(self._older * RECORD.itemsize, self._records().tobytes())
        self._older += len(self._newest)
        self._newest.clear()

    def _records(self) -> RecordArray:
        """Return the rows that are in memory as records."""
        records = np.empty(len(self._newest), RECORD)
        for name, values in zip(Entry._fields, zip(*self._newest, strict=True), strict=False):
            if DTYPES[name] == "category":
                words = self._words[name]
                records[name] = [words.setdefault(word, len(words)) for word in values]
            elif DTYPES[name] in ("Int64", "boolean"):
                records[name] = [_NOT_KNOWN if value is None else value for value in values]
            else:
                records[name] = values
        return records


_PLACES: Final = {name: place for place, name in enumerate(Entry._fields)}


def _place(row: int, name: str) -> int:
    """Return where in the file a number of a row is."""
    fields: Any = RECORD.fields
    return row * RECORD.itemsize + int(fields[name][1])
