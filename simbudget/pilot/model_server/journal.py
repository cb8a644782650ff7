"""The provider's record of billed requests: each by name, with usage and answer, written before it is answered.

It makes sure that a request repeated under the same name is billed once, and lets a client that was killed find out
what happened to a request. It is kept in SQLite, so that the server can be killed as well.
"""

import json
import sqlite3
from pathlib import Path
from typing import Any


class Journal:
    """The record of one server."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, timeout=60.0, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS requests (name TEXT PRIMARY KEY, user TEXT, at_s REAL, message TEXT)"
        )
        self._connection.execute("CREATE INDEX IF NOT EXISTS users ON requests (user)")

    def close(self) -> None:
        """Close the database."""
        self._connection.close()

    def write(self, name: str, user: str, at_s: float, message: dict[str, Any]) -> None:
        """Record a billed request.

        Args:
            name: its name, which a repeated request has in common.
            user: who sent it.
            at_s: when, in seconds of the run.
            message: the answer with its usage.
        """
        self._connection.execute(
            "INSERT INTO requests VALUES (?, ?, ?, ?)", [name, user, at_s, json.dumps(message)]
        )

    def find(self, name: str) -> dict[str, Any] | None:
        """Return the answer to a billed request, `{}` for one that was closed unbilled, or None if unknown."""
        row = self._connection.execute("SELECT message FROM requests WHERE name = ?", [name]).fetchone()
        if row is None:
            return None
        message: dict[str, Any] = json.loads(row[0])
        return message

    def settle(self, name: str, at_s: float) -> dict[str, Any]:
        """Return the answer to a request, or close its name so that it can never be billed."""
        found = self.find(name)
        if found is None:
            self.write(name, "", at_s, {})
            return {}
        return found

    def count(self, user: str) -> int:
        """Return the number of billed requests of a user."""
        row = self._connection.execute("SELECT count(*) FROM requests WHERE user = ?", [user]).fetchone()
        return int(row[0])

    def usages(self) -> dict[str, dict[str, Any]]:
        """Return the usage of every billed request by name."""
        rows = self._connection.execute("SELECT name, message FROM requests")
        messages = {name: json.loads(message) for name, message in rows}
        return {name: message["usage"] for name, message in messages.items() if message}

    def models(self) -> dict[str, str]:
        """Return the model of every billed request by name."""
        rows = self._connection.execute("SELECT name, message FROM requests")
        messages = {name: json.loads(message) for name, message in rows}
        return {name: message["model"] for name, message in messages.items() if message}
