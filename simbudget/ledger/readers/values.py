"""What a log's values mean, and what to do where they make no sense: not known, never a guess, never an error."""

import datetime
import math
from typing import Any, Final

import numpy as np
import pandas as pd

from simbudget.ledger.frame import DTYPES

JsonObject = dict[str, Any]

NOT_KNOWN: Final = math.nan
"""A time, a duration or a cost that a log does not say."""

MOST_TOKENS: Final = 10**8
"""No single call has more tokens than this; a count above it is damage."""

MOST_USD: Final = 1e9
"""No entry of a log costs more than this; a cost above it is damage."""

_LONGEST: Final = 200
"""Characters of a name."""
_MOST: Final = 10**30

_EARLIEST_S: Final = 1_262_304_000.0
"""2010: dates before it are defaults of clocks that were not set."""
_LATEST_S: Final = 4_102_444_800.0
"""2100."""
_LONGEST_S: Final = 10.0 * 365 * 86400


def mapping(value: object) -> JsonObject:
    """Return a JSON object, empty if the value is none."""
    return value if isinstance(value, dict) else {}


def listing(value: object) -> list[Any]:
    """Return a JSON array, empty if the value is none."""
    return value if isinstance(value, list) else []


def text(value: object) -> str:
    """Return a text, or a whole number as text, without line breaks and of bearable length; else nothing."""
    if type(value) is int:
        value = str(value) if abs(value) < _MOST else ""
    if not isinstance(value, str):
        return ""
    shown = value[:_LONGEST]
    return shown if shown.isprintable() else "".join(letter for letter in shown if letter.isprintable())


def folder_name(value: object) -> str:
    """Return the last part of a folder's path, of whatever system."""
    return text(value).replace("\\", "/").rstrip("/").rpartition("/")[2]


def number(value: object) -> float:
    """Return a number, also one that stands as text; NaN for all else."""
    if isinstance(value, bool) or value is None:
        return NOT_KNOWN
    if isinstance(value, int | float | str):
        try:
            found = float(value)
        except (ValueError, OverflowError):
            return NOT_KNOWN
        return found if math.isfinite(found) else NOT_KNOWN
    return NOT_KNOWN


def is_known(value: float) -> bool:
    """Return whether a time, a duration or a cost is known."""
    return not math.isnan(value)


def amount(value: object) -> float:
    """Return a number that cannot be negative: money, a duration; NaN for all else."""
    found = number(value)
    return found if found >= 0 else NOT_KNOWN


def duration_s(value: object, unit_s: float = 1.0) -> float:
    """Return a duration in seconds from one in units of `unit_s`; NaN if it is negative or beyond ten years."""
    found = amount(value) * unit_s
    return found if found <= _LONGEST_S else NOT_KNOWN


def moment(value: object) -> float:
    """Return a date and time as seconds since 1970, NaN if it is none between 2010 and 2100.

    Texts are ISO 8601, in UTC if they do not say; numbers are seconds, or thousandths, millionths or
    billionths of them, told apart by their size.
    """
    if isinstance(value, str):
        return _plausible(_from_text(value))
    seconds = number(value)
    for _ in range(3):
        if seconds > _LATEST_S:
            seconds /= 1000
    return _plausible(seconds)


def _from_text(value: str) -> float:
    try:
        date = datetime.datetime.fromisoformat(value)
        return (date if date.tzinfo else date.replace(tzinfo=datetime.UTC)).timestamp()
    except (ValueError, OverflowError):
        pass
    seconds = number(value)
    return moment(seconds) if is_known(seconds) else NOT_KNOWN


def _plausible(seconds: float) -> float:
    return seconds if _EARLIEST_S <= seconds <= _LATEST_S else NOT_KNOWN


_COSTS: Final = ("cost_usd", "reported_cost_usd", "list_cost_usd")
_DURATIONS: Final = ("duration_s", "queued_s")
_MOST_IN_AN_ENTRY: Final = 10**13
"""Tokens: an entry may stand for all calls of a run."""


def possible_values(entries: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series]:
    """Return entries whose values could not be checked one by one, without those that cannot be.

    Negative, endless and huge counts, costs and durations are not known, in whatever file they stand: one's own ledgers
    are checked as other logs are. Beside the entries: how many of their values were taken out.
    """
    out: dict[str, Any] = {}
    impossible = np.zeros(len(entries), dtype=np.int64)
    for name, dtype in DTYPES.items():
        if name not in entries or dtype not in ("Int64", "float64"):
            continue
        try:
            values = pd.to_numeric(entries[name]).to_numpy(dtype=np.float64, na_value=np.nan)
        except (TypeError, ValueError):
            continue  # no number at all: the ledger is damaged, and is refused as a whole
        most = {**dict.fromkeys(_COSTS, MOST_USD), **dict.fromkeys(_DURATIONS, _LONGEST_S)}.get(
            name, _MOST_IN_AN_ENTRY if dtype == "Int64" else math.inf
        )
        least = 0.0 if dtype == "Int64" or name in (*_COSTS, *_DURATIONS) else -math.inf
        wrong = np.isinf(values) | (values < least) | (values > most)
        if wrong.any():
            impossible += wrong
            out[name] = np.where(wrong, np.nan, values)
    return entries.assign(**out), pd.Series(impossible, index=entries.index)
