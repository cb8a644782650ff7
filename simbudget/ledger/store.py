"""The durable ledger of a run that is going on: one SQLite file that several processes write at once.

A thing that costs money is written twice: before it is done, as an *open* entry at its worst case, and after,
when it is known what it came to. So whatever is killed at whatever moment, nothing that was billed is missing:
it stands there open, and counts at its worst case until someone finds out (`settle`, `discard`) or gives up
(`write_off`). Opening looks at what has been spent and what is open, and writes, in one transaction: however
many processes race, the cap holds.

    store = LedgerStore(path)
    key = store.open(Intent(entry, "request-7", worst_usd=0.40), cap_usd=5.0)
    ...                                                   # the call
    store.settle(key, duration_s=3.1, output_tokens=512, cost_usd=0.06)

The file has a table `runs`, a row for each run, and a table `entries`, whose columns are those of `Entry`, and
`request_id` and `worst_usd`. An open entry has the outcome `open`, tokens that are NULL, and its worst case as
`cost_usd`, so that a sum over the column is never too low. SQLite keeps it in WAL mode.
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

OPEN: Final = "open"
"""The outcome of an entry whose end has not been recorded."""

WORST_CASE: Final = "worst case"
"""The source of an entry whose true cost could not be found out, and which stays at its worst case."""

_PATIENCE_S: Final = 60.0
"""How long a writer waits for the others: a reservation takes about a millisecond, so even a hundred queue for less."""

_MONEY_ROUNDING_USD: Final = 1e-9
"""Sums of floats may differ in their last bits; a billionth of a dollar is below any price."""

_SQL_TYPES: Final = {"int": "INTEGER", "float": "REAL", "bool": "INTEGER", "str": "TEXT"}


class CapReachedError(Exception):
    """What was to be done could pass the cap, and was not written and must not be done.

    `settled_usd` is what is known to be spent, `open_usd` the worst case of what is under way, `worst_usd`
    that of what was asked for.
    """

    def __init__(self, limit: "Limit", spend: "Spend", worst_usd: float, worst_tokens: int = 0) -> None:
        if limit.usd is not None and spend.worst_usd + worst_usd > limit.usd + _MONEY_ROUNDING_USD:
            said = (
                f"the next ${worst_usd:.4f} at worst could pass {limit.name} of ${limit.usd:.2f}: "
                f"${spend.settled_usd:.4f} is spent and ${spend.open_usd:.4f} at worst is under way"
            )
        else:
            said = (
                f"the next {worst_tokens:,} tokens at worst could pass {limit.name} of {limit.tokens:,} tokens: "
                f"{spend.settled_tokens:,} are used and {spend.open_tokens:,} at worst are under way"
            )
        super().__init__(said)
        self.limit, self.worst_usd, self.worst_tokens = limit, worst_usd, worst_tokens
        self.settled_usd, self.open_usd = spend.settled_usd, spend.open_usd
        self.may_pass = limit.allows(spend.settled_usd, worst_usd, spend.settled_tokens, worst_tokens)
        """Whether it may fit once what is under way has ended."""


@dataclass(frozen=True)
class Spend:
    """What has been spent: what is known, and the worst case of what is open."""

    settled_usd: float
    open_usd: float
    settled_tokens: int = 0
    open_tokens: int = 0

    @property
    def worst_usd(self) -> float:
        """Return the most that can have been spent."""
        return self.settled_usd + self.open_usd


@dataclass(frozen=True)
class Limit:
    """What the entries that match `where` may come to at worst, in dollars, in tokens, or both."""

    usd: float | None = None
    tokens: int | None = None
    where: Mapping[str, str | int] = field(default_factory=dict)
    """Columns of the entries and the values that they must have; `run` and `component` are those of the intent."""
    name: str = "the cap"
    """How an error names it."""

    def allows(self, usd: float, more_usd: float, tokens: int, more_tokens: int) -> bool:
        """Return whether there is room for more on top of what there is."""
        in_dollars = self.usd is None or usd + more_usd <= self.usd + _MONEY_ROUNDING_USD
        return in_dollars and (self.tokens is None or tokens + more_tokens <= self.tokens)


@dataclass(frozen=True)
class Intent:
    """What is about to be done: its entry as far as it is known, under which name, and what it costs at worst."""

    entry: Entry
    request_id: str
    worst_usd: float
    worst_tokens: int = 0
    task: str = ""
    """Which task it is for, where a cap is kept for each."""
    day: str = ""
    """The day, ISO 8601 and UTC, on which it is done."""


@dataclass(frozen=True)
class OpenEntry:
    """An entry that has not been closed."""

    key: int
    entry: Entry
    request_id: str


@dataclass(frozen=True)
class RunRow:
    """A run as its store describes it."""

    run: int
    name: str
    """The scenario's."""
    source: str
    """What ran: `pilot` or `pilot live`; of another program's own guard: its name."""
    began_at: str
    """ISO 8601, with its zone: when `started_s` was 0."""
    model: str = ""
    agents: int = 0
    cap_usd: float | None = None
    time_scale: float = 1.0
    """Seconds of the ledger in a second of the clock on the wall."""
    task: str = ""
    scenario: str = ""
    """Its text."""
    settings: str = "{}"
    """JSON: what a resumed run has to know."""
    ended_at: str | None = None
    ended_because: str | None = None


class LedgerStore:
    """A connection to one store, for any number of threads; a process that is forked off opens one of its own."""

    def __init__(self, path: Path) -> None:
        """Open a store, made if it is not there. Raises UserError: the file is no store, or cannot be opened."""
        self.path = Path(path)
        self._open()

    def _open(self) -> None:
        remedy = "name a file that does not exist, or one that simbudget made"
        # One connection behind a lock, not one for each thread: a transaction that waits for another thread's
        # would spin in SQLite, and a pool of short-lived threads would open the file again and again.
        self._lock = threading.RLock()
        self._pid = os.getpid()
        try:
            self._opened = sqlite3.connect(
                self.path, timeout=_PATIENCE_S, isolation_level=None, check_same_thread=False
            )
        except sqlite3.Error as error:
            message = f"the ledger {self.path} cannot be opened: {error}"
            raise UserError(
                Problem(message, remedy="name a file in a folder that you may write to")
            ) from None
        try:
            self._opened.execute("PRAGMA journal_mode = WAL")
            self._opened.execute("PRAGMA synchronous = NORMAL")
            self._make_tables()
        except sqlite3.DatabaseError as error:
            self._opened.close()
            raise UserError(Problem(f"{self.path} is no ledger: {error}", remedy=remedy)) from None

    @property
    def _connection(self) -> sqlite3.Connection:
        """Return the connection of this process: SQLite's must not be used on both sides of a fork."""
        if self._pid != os.getpid():
            self._open()
        return self._opened

    def _execute(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one statement, whichever thread asks; returns its rows."""
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
        """Write the row of a run; one that is there stays as it is."""
        values = asdict(row)
        self._execute(
            f"INSERT OR IGNORE INTO runs ({', '.join(values)}) VALUES ({_marks(values)})",
            list(values.values()),
        )

    def update_run(self, run: int, **columns: str | float | None) -> None:
        """Change columns of a run's row."""
        changes = ", ".join(f"{name} = ?" for name in columns)
        self._execute(f"UPDATE runs SET {changes} WHERE run = ?", [*columns.values(), run])

    def runs(self) -> list[RunRow]:
        """Return the rows of all runs."""
        names = [each.name for each in fields(RunRow)]
        rows = self._execute(f"SELECT {', '.join(names)} FROM runs ORDER BY run")
        return [RunRow(*row) for row in rows]

    # Entries.

    def add(self, entry: Entry) -> int:
        """Write an entry of something that is over; returns its key."""
        with self._transaction():
            return self._insert(entry, None)

    def open(self, intent: Intent, cap_usd: float | None = None, limits: Sequence[Limit] = ()) -> int:
        """Write that something is about to be done; returns the key to close it with.

        Args:
            intent: what is about to be done.
            cap_usd: a limit on all of its run and component, in US dollars.
            limits: further ones; all must hold.

        Raises:
            CapReachedError: it could make what is spent pass one of them.
        """
        entry = intent.entry
        entry = entry._replace(outcome=OPEN, cost_usd=intent.worst_usd)
        if entry.model:
            entry = entry._replace(
                uncached_input_tokens=None,
                cache_write_tokens=None,
                cache_read_tokens=None,
                output_tokens=None,
            )
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
        """Close an open entry with what it came to; `columns` are those of `Entry`. A closed one stays as it is."""
        columns = {"outcome": "ok", **columns}
        changes = ", ".join(f"{name} = ?" for name in columns)
        self._execute(
            f"UPDATE entries SET {changes} WHERE id = ? AND outcome = '{OPEN}'", [*columns.values(), key]
        )

    def discard(self, key: int) -> None:
        """Take back an open entry: nothing was done, and nothing was billed."""
        self._execute(f"DELETE FROM entries WHERE id = ? AND outcome = '{OPEN}'", [key])

    def write_off(self, key: int) -> None:
        """Close an open entry whose true cost cannot be found out; it stays at its worst case, and says so."""
        self.settle(key, outcome="cut", source=WORST_CASE)

    def remove_kinds(self, run: int, kinds: tuple[str, ...]) -> None:
        """Take out a run's entries of some kinds, which are about to be written anew."""
        self._execute(f"DELETE FROM entries WHERE run = ? AND kind IN ({_marks(kinds)})", [run, *kinds])

    def open_entries(self, run: int, agent: int | None = None) -> list[OpenEntry]:
        """Return what is open of a run, or of one agent of it, oldest first."""
        query = f"SELECT id, request_id, {_COLUMNS} FROM entries WHERE run = ? AND outcome = '{OPEN}'"
        values: list[Any] = [run]
        if agent is not None:
            query, values = f"{query} AND agent = ?", [run, agent]
        rows = self._execute(f"{query} ORDER BY id", values)
        return [OpenEntry(row[0], _entry(row[2:]), row[1]) for row in rows]

    def entries(self, run: int | None = None) -> list[Entry]:
        """Return the entries of a run, or of all, by run and start."""
        where, values = ("WHERE run = ?", [run]) if run is not None else ("", [])
        rows = self._execute(f"SELECT {_COLUMNS} FROM entries {where} ORDER BY run, started_s, id", values)
        return [_entry(row) for row in rows]

    def spend(
        self, run: int, component: str = "tokens", where: Mapping[str, str | int] | None = None
    ) -> Spend:
        """Return what a run has spent on a component, or what those entries have that match `where`."""
        columns = {"run": run, "component": component, **(where or {})}
        settled, opened, used, at_most = self._execute(
            f"SELECT total(CASE WHEN outcome != '{OPEN}' THEN cost_usd END),"
            f" total(CASE WHEN outcome = '{OPEN}' THEN cost_usd END),"
            f" total(CASE WHEN outcome != '{OPEN}' THEN {_ALL_TOKENS} END),"
            f" total(CASE WHEN outcome = '{OPEN}' THEN worst_tokens END)"
            f" FROM entries WHERE {' AND '.join(f'{name} = ?' for name in columns)}",
            list(columns.values()),
        )[0]
        return Spend(settled, opened, int(used), int(at_most))

    def query(self, sql: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a reading query, for summaries."""
        return self._execute(sql, values)

    # Attempts that did not succeed, and what a run wants to keep between two lives of its processes.

    def note_attempt(self, attempt: Mapping[str, Any]) -> None:
        """Write down an attempt at a call that the provider refused or that failed."""
        self._execute(
            f"INSERT INTO attempts ({', '.join(attempt)}) VALUES ({_marks(attempt)})", list(attempt.values())
        )

    def remember(self, name: str, value: object) -> None:
        """Keep a value, as JSON, under a name."""
        self._execute("INSERT OR REPLACE INTO memory VALUES (?, ?)", [name, json.dumps(value)])

    def recall(self, name: str) -> Any:
        """Return the value that was kept under a name; None if there is none."""
        rows = self._execute("SELECT value FROM memory WHERE name = ?", [name])
        return json.loads(rows[0][0]) if rows else None

    # Inside.

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Let nobody else write until the end; nothing of it is written if an error leaves it."""
        connection = self._connection
        with self._lock:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def _insert(self, entry: Entry, intent: Intent | None) -> int:
        """Write an entry; returns its key. The lock is held."""
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
        """Make the tables that are missing."""
        with self._transaction():
            for table, columns in _TABLES.items():
                declared = ", ".join(f"{name} {type_}" for name, type_ in columns.items())
                self._opened.execute(f"CREATE TABLE IF NOT EXISTS {table} ({declared})")
                self._add_missing_columns(table, columns)
            self._opened.execute(
                "CREATE INDEX IF NOT EXISTS spend ON entries (run, component, outcome, cost_usd)"
            )

    def _add_missing_columns(self, table: str, columns: Mapping[str, str]) -> None:
        """Add the columns that a store of an earlier version lacks."""
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
_ALL_TOKENS: Final = " + ".join(
    f"coalesce({name}, 0)"
    for name in ("uncached_input_tokens", "cache_write_tokens", "cache_read_tokens", "output_tokens")
)


def _marks(values: Any) -> str:
    return ", ".join("?" * len(values))


def _stored(entry: Entry) -> list[Any]:
    """Return an entry's values as SQLite keeps them: what is not a number is NULL."""
    return [None if isinstance(value, float) and value != value else value for value in entry]  # noqa: PLR0124


_NAN_FIELDS: Final = frozenset(name for name, sql in _declared(Entry).items() if sql == "REAL")
_WORD_FIELDS: Final = frozenset(name for name, sql in _declared(Entry).items() if sql == "TEXT")


def _entry(row: tuple[Any, ...]) -> Entry:
    """Return the entry of a row of `_COLUMNS`."""
    values = dict(zip(Entry._fields, row, strict=True))
    for name in _NAN_FIELDS:
        if values[name] is None:
            values[name] = float("nan")
    for name in _WORD_FIELDS:  # those that an earlier version's rows do not have
        values[name] = values[name] or ""
    if values["kept"] is not None:
        values["kept"] = bool(values["kept"])
    return Entry(**values)
