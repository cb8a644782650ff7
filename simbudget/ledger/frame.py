"""A ledger as a pandas frame with fixed column types.

Token counts are nullable integers: what a log does not report is NA, and sums skip it, so code that adds up has to
check whether everything was known (`frame["output_tokens"].isna()`).
"""

from collections.abc import Iterable
from typing import Final

import pandas as pd

from simbudget.ledger.entry import Entry

PROMPT_CLASSES: Final = ("uncached_input_tokens", "cache_write_tokens", "cache_read_tokens")
"""Columns of the token classes that make up a prompt."""

DTYPES: Final = {
    "run": "int64",
    "agent": "int64",
    "cycle": "int64",
    "session": "int64",
    "turn": "int64",
    "kind": "category",
    "started_s": "float64",
    "duration_s": "float64",
    "queued_s": "float64",
    "model": "category",
    "uncached_input_tokens": "Int64",
    "cache_write_tokens": "Int64",
    "cache_read_tokens": "Int64",
    "output_tokens": "Int64",
    "gpus": "Int64",
    "component": "category",
    "cost_usd": "float64",
    "score": "float64",
    "outcome": "category",
    "source": "category",
    "context_tokens": "Int64",
    "cache_write_1h_tokens": "Int64",
    "thinking_tokens": "Int64",
    "calls": "Int64",
    "reported_cost_usd": "float64",
    "list_cost_usd": "float64",
    "status": "category",
    "kept": "boolean",
    "name": "category",
    "parent": "category",
    "service": "category",
    "inference_geo": "category",
    "web_searches": "Int64",
    "task_number": "Int64",
    "attempt": "Int64",
}
"""Columns of all ledgers, simulated, imported or live."""


def ledger_frame(entries: Iterable[Entry]) -> pd.DataFrame:
    """Return entries as a frame with the columns and types of `DTYPES`, one row each in the same order."""
    frame = pd.DataFrame(list(entries), columns=list(Entry._fields)).astype(DTYPES)
    return with_context_tokens(frame)


def with_context_tokens(frame: pd.DataFrame) -> pd.DataFrame:
    """Fill in `context_tokens` where all token classes of the prompt are known."""
    prompt = frame[list(PROMPT_CLASSES)].sum(axis="columns", skipna=False)
    known = frame["context_tokens"].fillna(prompt.where(frame["component"] == "tokens"))
    return frame.assign(context_tokens=known.astype("Int64"))


def typed_entries(frame: pd.DataFrame) -> pd.DataFrame:
    """Return entries with the columns and types of `DTYPES`, filling in missing values."""
    frame = frame.reindex(columns=list(DTYPES))
    for name, dtype in DTYPES.items():
        if dtype == "int64":
            frame[name] = frame[name].fillna(0 if name in ("run", "agent") else -1)
        elif dtype == "category":
            frame[name] = frame[name].astype(object).where(frame[name].notna(), "").astype(str)
    return frame.astype(DTYPES)
