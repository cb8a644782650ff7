"""The service's storage: one SQLite file in WAL mode, in which every change is a transaction that is durable on return.

A change and the reply to it are written together under the agent's idempotency key. A request that is repeated after
a crash therefore finds its reply, and one that was interrupted left nothing behind.
"""

import hashlib
import json
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from simbudget.ledger.transaction import transaction

OF_THE_TASK = -1
"""The owner of the sources that came with the task."""

_JSON = frozenset({"hyperparameters", "answer", "parts", "majority_share"})
_SCHEMA = """
create table if not exists facts (name text primary key, value real not null);
create table if not exists code (
    code text primary key, agent integer not null, stored_at_s real not null, source text not null
) without rowid;
create table if not exists replies (
    agent integer not null, key text not null, request text not null, reply text not null,
    primary key (agent, key)
) without rowid;
create table if not exists submissions (
    number integer primary key, agent integer not null, submitted_at_s real not null,
    method text not null, seed integer not null, hyperparameters text not null,
    code text not null references code, answer text not null,
    score real not null, parts text not null, shown_score real not null, majority_share text not null
);
create index if not exists submissions_of on submissions (agent, submitted_at_s);
create table if not exists posts (
    number integer primary key, agent integer not null, posted_at_s real not null, post text not null
);
create table if not exists verdicts (
    submission integer primary key references submissions, accepted integer not null,
    note text not null, decided_at_s real not null
);
"""


@dataclass(frozen=True)
class SubmissionRow:
    """A stored submission: unrounded, with everything that review needs."""

    number: int
    agent: int
    submitted_at_s: float
    method: str
    seed: int
    hyperparameters: Mapping[str, Any]
    code: str
    answer: Mapping[str, Any]
    score: float
    parts: Mapping[str, float]
    shown_score: float
    majority_share: Mapping[str, float]


_TYPES: dict[str, type | tuple[type, ...]] = {
    "number": int,
    "agent": int,
    "submitted_at_s": (int, float),
    "method": str,
    "seed": int,
    "hyperparameters": dict,
    "code": str,
    "answer": dict,
    "score": (int, float),
    "parts": dict,
    "shown_score": (int, float),
    "majority_share": dict,
}
"""Types of a submission's columns, checked because a database may be damaged or written by another program."""


class DamagedStoreError(Exception):
    """A database does not hold what a service writes; the message says where."""


class Store:
    """A connection to a service's database; several connections and processes may share one database."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
        self._connection.execute("pragma journal_mode = wal")
        self._connection.execute("pragma synchronous = full")
        self._connection.execute("pragma foreign_keys = on")
        self._connection.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    @contextmanager
    def change(self) -> Iterator[None]:
        """Run the block in one transaction, which is rolled back if it raises."""
        with transaction(self._connection):
            yield

    def first_start_s(self) -> float:
        """Return the time of the service's first start, in seconds since the epoch."""
        self._connection.execute("insert or ignore into facts values ('first start', ?)", (time.time(),))
        return float(self._one("select value from facts where name = 'first start'")[0])

    def _one(self, query: str, *values: Any) -> Any:
        return self._connection.execute(query, values).fetchone()

    def reply_to(self, agent: int, key: str) -> tuple[str, str] | None:
        """Return the request's digest and the reply stored under a key."""
        found: tuple[str, str] | None = self._one(
            "select request, reply from replies where agent = ? and key = ?", agent, key
        )
        return found

    def keep_reply(self, agent: int, key: str, request: str, reply: str) -> None:
        """Store a reply under its key; call it within `change`.

        Args:
            agent: the agent that sent the request.
            key: its idempotency key.
            request: the request's digest.
            reply: the reply, as JSON.
        """
        self._connection.execute("insert into replies values (?, ?, ?, ?)", (agent, key, request, reply))

    def add_code(self, agent: int, source: str) -> str:
        """Store a source under its SHA-256, unless it is stored already."""
        code = hashlib.sha256(source.encode()).hexdigest()
        self._connection.execute(
            "insert or ignore into code values (?, ?, ?, ?)", (code, agent, time.time(), source)
        )
        return code

    def source(self, code: str) -> str | None:
        """Return a stored source."""
        found = self._one("select source from code where code = ?", code)
        return None if found is None else str(found[0])

    def sources(self, codes: Sequence[str]) -> dict[str, str]:
        """Return stored sources by name."""
        found = {code: self.source(code) for code in codes}
        return {code: source for code, source in found.items() if source is not None}

    def known_sources(self) -> list[str]:
        """Return the sources that came with the task."""
        rows = self._connection.execute("select source from code where agent = ?", (OF_THE_TASK,))
        return [source for (source,) in rows]

    def add_submission(self, row: SubmissionRow) -> None:
        """Add a submission; call it within `change`."""
        values = (
            *(row.number, row.agent, row.submitted_at_s, row.method, row.seed),
            *(json.dumps(row.hyperparameters), row.code, json.dumps(row.answer), row.score),
            *(json.dumps(row.parts), row.shown_score, json.dumps(row.majority_share)),
        )
        self._connection.execute(f"insert into submissions values ({', '.join('?' * len(values))})", values)

    def next_submission(self) -> int:
        """Return the number of the next submission."""
        return int(self._one("select coalesce(max(number), 0) + 1 from submissions")[0])

    def submissions(self) -> list[SubmissionRow]:
        """Return all submissions, in order."""
        return [
            _submission(row) for row in self._connection.execute("select * from submissions order by number")
        ]

    def count_since(self, agent: int, since_s: float) -> int:
        """Return the number of submissions that an agent has made since a time."""
        query = "select count(*) from submissions where agent = ? and submitted_at_s >= ?"
        return int(self._one(query, agent, since_s)[0])

    def last_submission_s(self, agent: int) -> float | None:
        """Return the time of an agent's last submission."""
        found = self._one("select max(submitted_at_s) from submissions where agent = ?", agent)[0]
        return None if found is None else float(found)

    def best_shown(self, agent: int) -> float | None:
        """Return the best score that has been shown to an agent."""
        found = self._one("select max(shown_score) from submissions where agent = ?", agent)[0]
        return None if found is None else float(found)

    def add_post(self, agent: int, post: str) -> int:
        """Add a post, as JSON; call it within `change`."""
        number = int(self._one("select coalesce(max(number), 0) + 1 from posts")[0])
        self._connection.execute("insert into posts values (?, ?, ?, ?)", (number, agent, time.time(), post))
        return number

    def posts(self, since: int, at_most: int, not_by: int | None) -> Sequence[tuple[int, int, float, str]]:
        """Return number, agent, time and JSON of the posts after `since`, oldest first."""
        query = "select * from posts where number > ? and agent is not ? order by number limit ?"
        return self._connection.execute(query, (since, not_by, at_most)).fetchall()

    def verdicts(self) -> dict[int, tuple[bool, str]]:
        """Return people's decisions by submission: whether it was accepted, and the note."""
        rows = self._connection.execute("select submission, accepted, note from verdicts")
        return {number: (bool(accepted), str(note)) for number, accepted, note in rows}

    def decide(self, submission: int, accepted: bool, note: str) -> None:
        """Store a person's decision, replacing an earlier one."""
        self._connection.execute(
            "insert or replace into verdicts values (?, ?, ?, ?)", (submission, accepted, note, time.time())
        )


def _submission(row: tuple[Any, ...]) -> SubmissionRow:
    """Convert a row of the table to a submission; columns and fields are in the same order."""
    names = [one.name for one in fields(SubmissionRow)]
    try:
        values = dict(zip(names, row, strict=True))
        read = {name: json.loads(value) if name in _JSON else value for name, value in values.items()}
    except (ValueError, TypeError, RecursionError) as error:
        raise DamagedStoreError(f"submission {row[0]!r}: {error}") from None
    wrong = next((name for name, value in read.items() if not isinstance(value, _TYPES[name])), None)
    if wrong is not None:
        raise DamagedStoreError(f"submission {row[0]!r}: its {wrong} is of the wrong type")
    if not all(isinstance(value, int | float) for value in read["parts"].values()):
        raise DamagedStoreError(f"submission {row[0]!r}: its parts are not scores")
    return SubmissionRow(**read)
