"""A ledger that grows row by row in flat arrays: some 250 bytes an entry, whatever the log's lines hold."""

from array import array
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import pandas as pd

from simbudget.ledger.entry import Entry
from simbudget.ledger.frame import DTYPES

_NOT_KNOWN: Final = -1
"""What stands for NA in an array of counts or of yes and no; neither has negative values."""


class _Words:
    """The words of a column, each once, and their numbers."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def number(self, word: str) -> int:
        return self.numbers.setdefault(word, len(self.numbers))


class GrowingColumns:
    """The columns of a ledger, to which entries are added."""

    def __init__(self) -> None:
        self._words = {name: _Words() for name, dtype in DTYPES.items() if dtype == "category"}
        self._arrays = {name: array("d" if dtype == "float64" else "q") for name, dtype in DTYPES.items()}
        self._stores = [self._store(name) for name in Entry._fields]

    def __len__(self) -> int:
        """Return the number of entries."""
        return len(self._arrays["run"])

    def append(self, entry: Entry) -> int:
        """Add an entry, and return its row."""
        for store, value in zip(self._stores, entry, strict=True):
            store(value)
        return len(self) - 1

    def set(self, row: int, name: str, value: float | None) -> None:
        """Change a number of a row that is there already."""
        numbers: array[Any] = self._arrays[name]
        numbers[row] = _NOT_KNOWN if value is None else value

    def get(self, row: int, name: str) -> float | None:
        """Return a number of a row; None if it is a count that is not known."""
        value: float = self._arrays[name][row]
        return None if value == _NOT_KNOWN and DTYPES[name] == "Int64" else value

    def frame(self) -> pd.DataFrame:
        """Return all entries as a frame with the columns and types of `DTYPES`."""
        return pd.DataFrame({name: self._column(name) for name in DTYPES})

    def _store(self, name: str) -> Callable[[Any], None]:
        append, dtype = self._arrays[name].append, DTYPES[name]
        if dtype == "category":
            number = self._words[name].number
            return lambda word: append(number(word))
        if dtype in ("Int64", "boolean"):
            return lambda value: append(_NOT_KNOWN if value is None else value)
        return append

    def _column(self, name: str) -> Any:
        dtype, numbers = DTYPES[name], self._arrays[name]
        values = np.array(numbers)
        if dtype == "category":
            return pd.Categorical.from_codes(
                values.astype(np.int32), pd.Index(list(self._words[name].numbers), dtype=object)
            )
        if dtype == "Int64":
            return pd.arrays.IntegerArray(values, values == _NOT_KNOWN)
        if dtype == "boolean":
            return pd.arrays.BooleanArray(values == 1, values == _NOT_KNOWN)
        return values
