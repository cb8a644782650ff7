"""The durable ledger of a run in progress: one SQLite file that several processes write concurrently.

Whatever costs money is written twice: before it happens, as an *open* entry at its worst case, and afterwards with its
actual outcome. So nothing that was billed is missing, whatever process is killed at whatever moment: it remains as an
open entry, and counts at its worst case until its outcome is found out (`settle`, `discard`) or given up on
(`write_off`). Opening an entry checks settled and open spend and writes in one transaction, so that the cap holds
however many processes race.

    store = LedgerStore(path)
    key = store.open(Intent(entry, "request-7", worst_usd=0.40), cap_usd=5.0)
    ...                                                   # the call
    store.settle(key, duration_s=3.1, output_tokens=512, cost_usd=0.06)

The table `runs` has one row per run. The table `entries` has the columns of `Entry`, and `request_id` and `worst_usd`.
An open entry has the outcome `open`, NULL token counts, and its worst case as `cost_usd`, so that a sum over the
column is never too low. SQLite runs in WAL mode.
"""

import json
import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Final, get_type_hints

from simbudget.errors import Problem, UserError
from simbudget.ledger.entry import Entry
from simbudget.ledger.frame import TOKEN_COLUMNS
from simbudget.ledger.transaction import transaction

OPEN: Final = "open"
"""Outcome of an entry that has not been closed."""

WORST_CASE: Final = "worst case"
"""Source of an entry whose true cost could not be found out, and which stays at its worst case."""

_PATIENCE_S: Final = 60.0
"""How long a writer waits for others: a reservation takes about a millisecond, so even hundreds wait less."""

_MONEY_ROUNDING_USD: Final = 1e-9
"""Sums of floats may differ in their last bits; a billionth of a dollar is below any price."""

_SQL_TYPES: Final = {"int": "INTEGER", "float": "REAL", "bool": "INTEGER", "str": "TEXT"}


class CapReachedError(Exception):
    """An action could exceed a cap; it was not recorded and must not be carried out.

    `settled_usd` is the known spend, `open_usd` the worst case of open entries, and `worst_usd` that of the action.
    """

    def __init__(self, limit: "Limit", spend: "Spend", worst_usd: float, worst_tokens: int = 0) -> None:
        if limit.usd is not None and spend.worst_usd + worst_usd > limit.usd + _MONEY_ROUNDING_USD:
            said = (
                f"the next call, up to ${worst_usd:.4f}, could exceed {limit.name} of ${limit.usd:.2f}: "
                f"${spend.settled_usd:.4f} is spent and up to ${spend.open_usd:.4f} is in flight"
            )
        else:
            said = (
                f"the next call, up to {worst_tokens:,} tokens, could exceed {limit.name} of {limit.tokens:,} tokens: "
                f"{spend.settled_tokens:,} are used and up to {spend.open_tokens:,} are in flight"
            )
        super().__init__(said)
        self.limit, self.worst_usd, self.worst_tokens = limit, worst_usd, worst_tokens
        self.settled_usd, self.open_usd = spend.settled_usd, spend.open_usd
        self.may_pass = limit.allows(spend.settled_usd, worst_usd, spend.settled_tokens, worst_tokens)
        """Whether it may fit once calls in flight have ended."""


@dataclass(frozen=True)
class Spend:
    """Spend so far: the known part, and the worst case of open entries."""

    settled_usd: float
    open_usd: float
    settled_tokens: int = 0
    open_tokens: int = 0

    @property
    def worst_usd(self) -> float:
        """Return the maximum of what has been spent."""
        return self.settled_usd + self.open_usd


@dataclass(frozen=True)
class Limit:
    """Maximum spend of the entries that match `where`, in dollars, in tokens, or both."""

    usd: float | None = None
    tokens: int | None = None
    where: Mapping[str, str | int] = field(default_factory=dict)
    """Columns of the entries with their required values; `run` and `component` are those of the intent."""
    name: str = "the cap"
    """Its name in error messages."""

    def allows(self, usd: float, more_usd: float, tokens: int, more_tokens: int) -> bool:
        """Return whether there is room for more in addition to what is spent.

        Args:
            usd: spend so far, in dollars.
            more_usd: what is to be added, in dollars.
            tokens: tokens so far.
            more_tokens: tokens to be added.
        """
        in_dollars = self.usd is None or usd + more_usd <= self.usd + _MONEY_ROUNDING_USD
        return in_dollars and (self.tokens is None or tokens + more_tokens <= self.tokens)


@dataclass(frozen=True)
class Intent:
    """An action about to be carried out: its entry as far as known, its name, and its worst case."""

    entry: Entry
    request_id: str
    worst_usd: float
    worst_tokens: int = 0
    task: str = ""
    """The task that it is for, where there is a cap per task."""
    day: str = ""
    """The date on which it is carried out (ISO 8601, UTC)."""


@dataclass(frozen=True)
class OpenEntry:
    """An entry that has not been closed."""

    key: int
    entry: Entry
    request_id: str


@dataclass(frozen=True)
class RunRow:
    """A run as described in its store."""

    run: int
    name: str
    """Name of the scenario."""
    source: str
    """What ran: `pilot` or `pilot live`, or the name of a program with a guard of its own."""
    began_at: str
    """Time at which `started_s` was 0 (ISO 8601 with time zone)."""
    model: str = ""
    agents: int = 0
    cap_usd: float | None = None
    time_scale: float = 1.0
    """Seconds of the ledger per second of real time."""
    task: str = ""
    scenario: str = ""
    """Text of the scenario."""
    settings: str = "{}"
    """JSON with what a resumed run has to know."""
    ended_at: str | None = None
    ended_because: str | None = None


class LedgerStore:
    """A connection to a store, for any number of threads; a forked process opens its own."""

    def __init__(self, path: Path) -> None:
        """Open a store, creating it if necessary.

        Raises:
            UserError: the file is not a store, or cannot be opened.
        """
        self.path = Path(path)
        self._file = self.path.absolute()  # for a forked process, which may have changed its directory
        self._open()

    def _open(self) -> None:
        remedy = "give a file that does not exist, or one that simbudget made"
        # One connection behind a lock rather than one per thread: a transaction that waits for another thread's would
        # spin in SQLite, and a pool of short-lived threads would open the file again and again.
        self._lock = threading.RLock()
        self._pid = os.getpid()
        try:
            self._opened = sqlite3.connect(
                self._file, timeout=_PATIENCE_S, isolation_level=None, check_same_thread=False
            )
        except sqlite3.Error as error:
            message = f"the ledger {self.path} cannot be opened: {error}"
            raise UserError(
                Problem(message, remedy="give a file in a folder that you may write to")
            ) from None
        try:
            self._opened.execute("PRAGMA journal_mode = WAL")
            self._opened.execute("PRAGMA synchronous = NORMAL")
            self._make_tables()
        except sqlite3.DatabaseError as error:
            self._opened.close()
            raise UserError(Problem(f"{self.path} is not a ledger: {error}", remedy=remedy)) from None

    @property
    def _connection(self) -> sqlite3.Connection:
        """Return the connection of this process, as SQLite connections must not be used across a fork."""
        if self._pid != os.getpid():
            self._open()
        return self._opened

    def _execute(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one statement from any thread, and return its rows."""
        connection = self._connection
        with self._lock:
            return connection.execute(sql, values).fetchall()

    def __enter__(self) -> "LedgerStore":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; what was written stays."""
        self._connection.close()

    # Runs.

    def begin_run(self, row: RunRow) -> None:
        """Write the row of a run, unless it exists.

        Args:
            row: the run.
        """
        values = asdict(row)
        self._execute(
            f"INSERT OR IGNORE INTO runs ({', '.join(values)}) VALUES ({_marks(values)})",
            list(values.values()),
        )

    def update_run(self, run: int, **columns: str | float | None) -> None:
        """Change columns of a run's row.

        Args:
            run: number of the run.
            columns: new values by column of `RunRow`.
        """
        changes = ", ".join(f"{name} = ?" for name in columns)
        self._execute(f"UPDATE runs SET {changes} WHERE run = ?", [*columns.values(), run])

    def runs(self) -> list[RunRow]:
        """Return the rows of all runs."""
        names = [each.name for each in fields(RunRow)]
        rows = self._execute(f"SELECT {', '.join(names)} FROM runs ORDER BY run")
        return [RunRow(*row) for row in rows]

    # Entries.

    def add(self, entry: Entry) -> int:
        """Write an entry of something that is complete, and return its key.

        Args:
            entry: the entry, with its true cost.
        """
        with self._transaction():
            return self._insert(entry, None)

    def open(self, intent: Intent, cap_usd: float | None = None, limits: Sequence[Limit] = ()) -> int:
        """Record that an action is about to be carried out, and return the key for closing it.

        Args:
            intent: the action.
            cap_usd: a limit on the whole run and component, in US dollars.
            limits: further limits; all of them apply.

        Raises:
            CapReachedError: the action could exceed one of them.
        """
        entry = intent.entry
        entry = entry._replace(outcome=OPEN, cost_usd=intent.worst_usd)
        if entry.model:
            unknown: dict[str, Any] = dict.fromkeys(TOKEN_COLUMNS)
            entry = entry._replace(**unknown)
        with self._transaction():
            for limit in (*limits, *([] if cap_usd is None else [Limit(usd=cap_usd)])):
                spend = self.spend(entry.run, entry.component, limit.where)
                if not limit.allows(
                    spend.worst_usd,
                    intent.worst_usd,
                    spend.settled_tokens + spend.open_tokens,
                    intent.worst_tokens,
                ):
                    raise CapReachedError(limit, spend, intent.worst_usd, intent.worst_tokens)
            return self._insert(entry, intent)

    def settle(self, key: int, **columns: Any) -> None:
        """Close an open entry with its outcome; `columns` are those of `Entry`. No effect on a closed entry.

        Args:
            key: key of the entry.
            columns: new values by column of `Entry`.
        """
        columns = {"outcome": "ok", **columns}
        changes = ", ".join(f"{name} = ?" for name in columns)
        self._execute(
            f"UPDATE entries SET {changes} WHERE id = ? AND outcome = '{OPEN}'", [*columns.values(), key]
        )

    def discard(self, key: int) -> None:
        """Remove an open entry, as nothing was done and nothing was billed.

        Args:
            key: key of the entry.
        """
        self._execute(f"DELETE FROM entries WHERE id = ? AND outcome = '{OPEN}'", [key])

    def write_off(self, key: int) -> None:
        """Close an open entry whose true cost cannot be found out; it stays at its worst case and is marked.

        Args:
            key: key of the entry.
        """
        self.settle(key, outcome="cut", source=WORST_CASE)

    def remove_kinds(self, run: int, kinds: tuple[str, ...]) -> None:
        """Remove a run's entries of some kinds, which are about to be rewritten.

        Args:
            run: number of the run.
            kinds: kinds of entries to remove.
        """
        self._execute(f"DELETE FROM entries WHERE run = ? AND kind IN ({_marks(kinds)})", [run, *kinds])

    def open_entries(self, run: int, agent: int | None = None) -> list[OpenEntry]:
        """Return the open entries of a run, or of one of its agents, oldest first.

        Args:
            run: number of the run.
            agent: number of the agent; None for all.
        """
        query = f"SELECT id, request_id, {_COLUMNS} FROM entries WHERE run = ? AND outcome = '{OPEN}'"
        values: list[Any] = [run]
        if agent is not None:
            query, values = f"{query} AND agent = ?", [run, agent]
        rows = self._execute(f"{query} ORDER BY id", values)
        return [OpenEntry(row[0], _entry(row[2:]), row[1]) for row in rows]

    def entries(self, run: int | None = None) -> list[Entry]:
        """Return the entries of one run or of all runs, ordered by run and start time.

        Args:
            run: number of the run; None for all runs.
        """
        where, values = ("WHERE run = ?", [run]) if run is not None else ("", [])
        rows = self._execute(f"SELECT {_COLUMNS} FROM entries {where} ORDER BY run, started_s, id", values)
        return [_entry(row) for row in rows]

    def spend(
        self, run: int, component: str = "tokens", where: Mapping[str, str | int] | None = None
    ) -> Spend:
        """Return the spend of a run on a component, or of those of its entries that match `where`.

        Args:
            run: number of the run.
            component: what the money is spent on.
            where: further columns of the entries with their required values.
        """
        columns = {"run": run, "component": component, **(where or {})}
        settled, opened, used, at_most = self._execute(
            f"SELECT total(CASE WHEN outcome != '{OPEN}' THEN cost_usd END),"
            f" total(CASE WHEN outcome = '{OPEN}' THEN cost_usd END),"
            f" total(CASE WHEN outcome != '{OPEN}' THEN {ALL_TOKENS} END),"
            f" total(CASE WHEN outcome = '{OPEN}' THEN worst_tokens END)"
            f" FROM entries WHERE {' AND '.join(f'{name} = ?' for name in columns)}",
            list(columns.values()),
        )[0]
        return Spend(settled, opened, int(used), int(at_most))

    def query(self, sql: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a read-only query, for summaries.

        Args:
            sql: the query, with `?` for each value.
            values: the values.
        """
        return self._execute(sql, values)

    # Failed attempts, and values that survive a restart of the processes.

    def note_attempt(self, attempt: Mapping[str, Any]) -> None:
        """Record an attempt at a call that failed or was refused by the provider.

        Args:
            attempt: values by column of the table of attempts.
        """
        self._execute(
            f"INSERT INTO attempts ({', '.join(attempt)}) VALUES ({_marks(attempt)})", list(attempt.values())
        )

    def remember(self, name: str, value: object) -> None:
        """Store a value, as JSON, under a name.

        Args:
            name: the name; an earlier value under it is replaced.
            value: a value that JSON can hold.
        """
        self._execute("INSERT OR REPLACE INTO memory VALUES (?, ?)", [name, json.dumps(value)])

    def recall(self, name: str) -> Any:
        """Return the value stored under a name, or None.

        Args:
            name: the name.
        """
        rows = self._execute("SELECT value FROM memory WHERE name = ?", [name])
        return json.loads(rows[0][0]) if rows else None

    # Internals.

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Lock out other writers until the end of the block, which is rolled back if it raises."""
        with self._lock, transaction(self._connection):
            yield

    def _insert(self, entry: Entry, intent: Intent | None) -> int:
        """Write an entry and return its key; the caller holds the lock."""
        own = (
            (intent.request_id, intent.worst_usd, intent.worst_tokens, intent.task, intent.day)
            if intent
            else ()
        )
        values = [*_stored(entry), *(own or (None, 0.0, 0, "", ""))]
        cursor = self._connection.execute(
            f"INSERT INTO entries ({_COLUMNS}, {', '.join(_OF_THE_INTENT)}) VALUES ({_marks(values)})", values
        )
        key = cursor.lastrowid
        assert key is not None
        return key

    def _make_tables(self) -> None:
        """Create missing tables."""
        with self._transaction():
            for table, columns in _TABLES.items():
                declared = ", ".join(f"{name} {type_}" for name, type_ in columns.items())
                self._opened.execute(f"CREATE TABLE IF NOT EXISTS {table} ({declared})")
                self._add_missing_columns(table, columns)
            self._opened.execute(
                "CREATE INDEX IF NOT EXISTS spend ON entries (run, component, outcome, cost_usd)"
            )

    def _add_missing_columns(self, table: str, columns: Mapping[str, str]) -> None:
        """Add columns that a store written by an earlier version lacks."""
        there = {name for _, name, *_ in self._opened.execute(f"PRAGMA table_info({table})")}
        for name, type_ in columns.items():
            if name not in there:
                self._opened.execute(f"ALTER TABLE {table} ADD COLUMN {name} {type_}")


def _declared(row_type: Any) -> dict[str, str]:
    """Return the SQL types of a row type's columns."""
    hints = get_type_hints(row_type)
    return {
        name: next(sql for python, sql in _SQL_TYPES.items() if python in str(hint))
        for name, hint in hints.items()
    }


_TABLES: Final[dict[str, dict[str, str]]] = {
    "runs": {**_declared(RunRow), "run": "INTEGER PRIMARY KEY"},
    "entries": {
        "id": "INTEGER PRIMARY KEY",
        **_declared(Entry),
        "request_id": "TEXT UNIQUE",
        "worst_usd": "REAL NOT NULL",
        "worst_tokens": "INTEGER NOT NULL DEFAULT 0",
        "task": "TEXT NOT NULL DEFAULT ''",
        "day": "TEXT NOT NULL DEFAULT ''",
    },
    "attempts": {
        "id": "INTEGER PRIMARY KEY",
        "run": "INTEGER",
        "agent": "INTEGER",
        "request_id": "TEXT",
        "status": "INTEGER",
        "what": "TEXT",
        "started_s": "REAL",
        "duration_s": "REAL",
    },
    "memory": {"name": "TEXT PRIMARY KEY", "value": "TEXT"},
}

_COLUMNS: Final = ", ".join(Entry._fields)
_OF_THE_INTENT: Final = ("request_id", "worst_usd", "worst_tokens", "task", "day")
ALL_TOKENS: Final = " + ".join(f"coalesce({name}, 0)" for name in TOKEN_COLUMNS)
"""SQL for the tokens of an entry, of all classes."""


def _marks(values: Any) -> str:
    return ", ".join("?" * len(values))


def _stored(entry: Entry) -> list[Any]:
    """Return an entry's values as stored in SQLite, with NaN as NULL."""
    return [None if isinstance(value, float) and value != value else value for value in entry]  # noqa: PLR0124


_NAN_FIELDS: Final = frozenset(name for name, sql in _declared(Entry).items() if sql == "REAL")
_WORD_FIELDS: Final = frozenset(name for name, sql in _declared(Entry).items() if sql == "TEXT")


def _entry(row: tuple[Any, ...]) -> Entry:
    """Convert a row of `_COLUMNS` to an entry."""
    values = dict(zip(Entry._fields, row, strict=True))
    for name in _NAN_FIELDS:
        if values[name] is None:
            values[name] = float("nan")
    for name in _WORD_FIELDS:  # missing in rows of an earlier version
        values[name] = values[name] or ""
    if values["kept"] is not None:
        values["kept"] = bool(values["kept"])
    return Entry(**values)
