"""The result of reading logs of real runs: a ledger, a table of runs, and what could not be read."""

import datetime
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

import pandas as pd

from simbudget.ledger.frame import DTYPES, typed_entries

RUN_DTYPES: Final = {
    "run": "int64",
    "source": "category",
    "path": "object",
    "project": "object",
    "name": "object",
    "task": "object",
    "began_at": "datetime64[ns, UTC]",
    "ended_at": "datetime64[ns, UTC]",
    "agents": "int64",
    "model": "object",
    "entries": "int64",
    "repeated": "int64",
    "reported_cost_usd": "float64",
    "reported_turns": "Int64",
    "api_duration_s": "float64",
    "duration_s": "float64",
    "metric": "object",
    "better": "object",
    "not_known": "object",
    "oddities": "object",
}
"""Columns of the table of runs, which has one row per run of the ledger.

`source` is the format (`claude-code`, `codex`, …); `path` is the file in which the run was first seen; `project`
groups runs of one piece of work (name of the working directory or repository); `name` is the run's own id; `task` is
the task that the run is an attempt at, where the log names one (else empty); `began_at` is the time from which
`started_s` counts (NaT if the log has no dates); `repeated` counts duplicates in the logs that were left out;
`reported_cost_usd`, `reported_turns`, `api_duration_s` and `duration_s` are what the log reports for the run as a
whole (NaN or NA if nothing); `metric` and `better` (`higher`, `lower` or empty) describe the scores of experiments;
`not_known` and `oddities` are short texts separated by `; `, on what the log lacks (`output tokens of 31 of 40 calls`)
and on what is odd (`clock went back 2 times`).
"""


def typed_runs(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table of runs with the columns and types of `RUN_DTYPES`, filling in missing values.

    Args:
        frame: runs with any of these columns; others are left out.
    """
    frame = frame.reindex(columns=list(RUN_DTYPES))
    for name in ("began_at", "ended_at"):
        frame[name] = pd.to_datetime(frame[name], utc=True, format="ISO8601").dt.as_unit("ns")
    for name, dtype in RUN_DTYPES.items():
        if dtype == "object":
            words = frame[name].astype(object)
            frame[name] = words.where(words.notna(), "").map(str).astype(object)
        elif dtype == "int64":
            frame[name] = frame[name].fillna(0)
    return frame.astype(RUN_DTYPES)


@dataclass(frozen=True)
class Unread:
    """Lines of one file that could not be read for the same reason."""

    path: str
    line: int
    """The first of these lines, from 1; 0 for the file as a whole."""
    why: str
    count: int = 1


@dataclass(frozen=True)
class Assumed:
    """Assumptions about calls whose logs are incomplete."""

    model: str = ""
    """Model of calls that name none; the name of a router (`auto`) does not count as one."""
    on: datetime.date | None = None
    """Date (UTC) of runs without one."""


NOTHING_ASSUMED: Final = Assumed()

_ROUTERS: Final = re.compile("auto(-.*)?|default")
"""Names that stand for whichever model a tool chooses."""


def names_no_model(model: str) -> bool:
    """Return whether a model's name in a log does not say which model answered: empty, or a router's.

    Args:
        model: the name in the log.
    """
    return not model or _ROUTERS.fullmatch(model) is not None


class Ledger(Protocol):
    """The runs recorded in logs, whether or not all entries are in memory."""

    @property
    def runs(self) -> pd.DataFrame:
        """One row per run, with the columns and types of `RUN_DTYPES`; referred to by `run` of the entries."""

    @property
    def unread(self) -> tuple[Unread, ...]:
        """What could not be read and why, one item per file and reason."""

    def batches(self) -> Iterator[pd.DataFrame]:
        """Yield all entries in order, in batches, with the columns and types of `frame.DTYPES`."""


@dataclass(frozen=True)
class ImportedLedger:
    """The runs recorded in logs, with all entries in memory."""

    entries: pd.DataFrame
    """One row per event, with the columns and types of `frame.DTYPES`, sorted by run and, within a run, by start
    time."""
    runs: pd.DataFrame
    """One row per run, with the columns and types of `RUN_DTYPES`; `entries.run` refers to `runs.run`."""
    unread: tuple[Unread, ...] = ()
    """What could not be read and why, one item per file and reason."""

    def __post_init__(self) -> None:
        """Add the columns that a table made by hand lacks, as unknown."""
        if missing := [name for name in DTYPES if name not in self.entries]:
            unknown = typed_entries(pd.DataFrame(index=self.entries.index))[missing]
            object.__setattr__(self, "entries", pd.concat([self.entries, unknown], axis=1))
        if missing := [name for name in RUN_DTYPES if name not in self.runs]:
            unknown = typed_runs(pd.DataFrame(index=self.runs.index))[missing]
            object.__setattr__(self, "runs", pd.concat([self.runs, unknown], axis=1))

    def batches(self) -> Iterator[pd.DataFrame]:
        """Yield all entries at once."""
        yield self.entries


@dataclass(frozen=True)
class StreamedLedger:
    """The runs recorded in logs, with entries that can be read repeatedly, in batches."""

    runs: pd.DataFrame
    unread: tuple[Unread, ...]
    entries: Callable[[], Iterator[pd.DataFrame]]

    def batches(self) -> Iterator[pd.DataFrame]:
        """Yield all entries in order; at least one batch, which may be empty."""
        return self.entries()

    def whole(self) -> ImportedLedger:
        """Return the ledger with all entries in memory."""
        return ImportedLedger(pd.concat(self.batches(), ignore_index=True), self.runs, self.unread)
