"""What was read from logs of real runs: a ledger, what is known of each run, and what could not be read."""

import datetime
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

import pandas as pd

RUN_DTYPES: Final = {
    "run": "int64",
    "source": "category",
    "path": "object",
    "project": "object",
    "name": "object",
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
"""The columns of a table of runs, a row for each run of the ledger.

`source` is the format (`claude-code`, `codex`, …); `path` the file that it was first seen in; `project` what
groups runs of one piece of work (the working directory's or repository's name); `name` the run's own id;
`began_at` is the moment from which `started_s` counts (NaT: the log has no dates); `repeated` counts what
stood in the logs again and was left out; `reported_cost_usd`, `reported_turns`, `api_duration_s` and
`duration_s` are what the log says of the run as a whole (NaN, NA: nothing); `metric` and `better` (`higher`,
`lower`, or empty) belong to experiments' scores; `not_known` and `oddities` are short texts, parted by `; `:
what the log could not say (`output tokens of 31 of 40 calls`), what was odd (`clock went back 2 times`).
"""


@dataclass(frozen=True)
class Unread:
    """Lines of one file that could not be read for one reason."""

    path: str
    line: int
    """The first of them, from 1; 0: the file as a whole."""
    why: str
    count: int = 1


@dataclass(frozen=True)
class Assumed:
    """What calls are taken to be whose logs do not say."""

    model: str = ""
    """The model of calls that name none; a router's name (`auto`) is none."""
    on: datetime.date | None = None
    """The day (UTC) of runs without a date."""


NOTHING_ASSUMED: Final = Assumed()


class Ledger(Protocol):
    """The runs that logs tell of, whether or not all entries are in memory."""

    @property
    def runs(self) -> pd.DataFrame:
        """A row for each run, with the columns and types of `RUN_DTYPES`; `run` of the entries refers to `run` here."""

    @property
    def unread(self) -> tuple[Unread, ...]:
        """What could not be read and why, one for each file and reason."""

    def batches(self) -> Iterator[pd.DataFrame]:
        """Yield all entries in their order, some at a time, with the columns and types of `frame.DTYPES`."""


@dataclass(frozen=True)
class ImportedLedger:
    """The runs that logs tell of, all entries in memory."""

    entries: pd.DataFrame
    """A row for each thing that happened, with the columns and types of `frame.DTYPES`, sorted by run, and
    within a run by start."""
    runs: pd.DataFrame
    """A row for each run, with the columns and types of `RUN_DTYPES`; `entries.run` refers to `runs.run`."""
    unread: tuple[Unread, ...] = ()
    """What could not be read and why, one for each file and reason."""

    def batches(self) -> Iterator[pd.DataFrame]:
        """Yield all entries at once."""
        yield self.entries


@dataclass(frozen=True)
class StreamedLedger:
    """The runs that logs tell of, with entries that come a batch at a time, as often as they are asked for."""

    runs: pd.DataFrame
    unread: tuple[Unread, ...]
    entries: Callable[[], Iterator[pd.DataFrame]]

    def batches(self) -> Iterator[pd.DataFrame]:
        """Yield all entries in their order; at least one batch, be it empty."""
        return self.entries()

    def whole(self) -> ImportedLedger:
        """Return the ledger with all entries in memory."""
        return ImportedLedger(pd.concat(self.batches(), ignore_index=True), self.runs, self.unread)
