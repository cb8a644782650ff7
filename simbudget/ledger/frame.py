"""A ledger as a pandas frame with fixed column types.

Token counts are nullable integers: what a log does not report is NA, and sums skip it, so code that adds up has to
check whether everything was known (`frame["output_tokens"].isna()`).
"""

from collections.abc import Iterable
from typing import Any, Final, get_type_hints

import pandas as pd

from simbudget.ledger.entry import Entry
from simbudget.pricing.charge import PROMPT_CLASSES, TOKEN_CLASSES

TOKEN_COLUMNS: Final = tuple(f"{name}_tokens" for name in TOKEN_CLASSES)
"""Columns of the classes of tokens, which exclude each other."""

PROMPT_COLUMNS: Final = tuple(f"{name}_tokens" for name in PROMPT_CLASSES)
"""Columns of the classes that make up a prompt."""

_DTYPE_OF: Final[dict[Any, str]] = {
    int: "int64",
    float: "float64",
    str: "category",
    int | None: "Int64",
    bool | None: "boolean",
}

DTYPES: Final = {name: _DTYPE_OF[declared] for name, declared in get_type_hints(Entry).items()}
"""Columns of all ledgers, simulated, imported or live, with the types that hold the fields of an entry."""


def ledger_frame(entries: Iterable[Entry]) -> pd.DataFrame:
    """Return entries as a frame with the columns and types of `DTYPES`, one row each in the same order.

    Args:
        entries: entries in the order of the rows.
    """
    frame = pd.DataFrame(list(entries), columns=list(Entry._fields)).astype(DTYPES)
    return with_context_tokens(frame)


def with_context_tokens(frame: pd.DataFrame) -> pd.DataFrame:
    """Fill in `context_tokens` where all token classes of the prompt are known.

    Args:
        frame: entries with the columns of `DTYPES`.
    """
    prompt = frame[list(PROMPT_COLUMNS)].sum(axis="columns", skipna=False)
    known = frame["context_tokens"].fillna(prompt.where(frame["component"] == "tokens"))
    return frame.assign(context_tokens=known.astype("Int64"))


def typed_entries(frame: pd.DataFrame) -> pd.DataFrame:
    """Return entries with the columns and types of `DTYPES`, filling in missing values.

    Args:
        frame: entries with any of these columns; others are left out.
    """
    frame = frame.reindex(columns=list(DTYPES))
    for name, dtype in DTYPES.items():
        if dtype == "int64":
            frame[name] = frame[name].fillna(0 if name in ("run", "agent") else -1)
        elif dtype == "category":
            frame[name] = frame[name].astype(object).where(frame[name].notna(), "").astype(str)
    return frame.astype(DTYPES)
