"""The provider's books: each billed request by its name, with its usage and its answer, before it is answered.

They are how a request that comes again under the same name is billed once, and how a client that was killed
finds out what became of a request. SQLite, so that the server can be killed too.
"""

import json
import sqlite3
from pathlib import Path
from typing import Any


class Journal:
    """The books of one server."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, timeout=60.0, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS requests (name TEXT PRIMARY KEY, user TEXT, at_s REAL, message TEXT)"
        )
        self._connection.execute("CREATE INDEX IF NOT EXISTS users ON requests (user)")

    def close(self) -> None:
        """Close the books."""
        self._connection.close()

    def write(self, name: str, user: str, at_s: float, message: dict[str, Any]) -> None:
        """Bill a request."""
        self._connection.execute(
            "INSERT INTO requests VALUES (?, ?, ?, ?)", [name, user, at_s, json.dumps(message)]
        )

    def find(self, name: str) -> dict[str, Any] | None:
        """Return the answer to a request that was billed; `{}` for one that was closed unbilled; None if unknown."""
        row = self._connection.execute("SELECT message FROM requests WHERE name = ?", [name]).fetchone()
        if row is None:
            return None
        message: dict[str, Any] = json.loads(row[0])
        return message

    def settle(self, name: str, at_s: float) -> dict[str, Any]:
        """Return the answer to a request, or close its name for good, so that it cannot be billed any more."""
        found = self.find(name)
        if found is None:
            self.write(name, "", at_s, {})
            return {}
        return found

    def count(self, user: str) -> int:
        """Return how many requests of a user were billed."""
        row = self._connection.execute("SELECT count(*) FROM requests WHERE user = ?", [user]).fetchone()
        return int(row[0])

    def usages(self) -> dict[str, dict[str, Any]]:
        """Return the usage of every billed request, by its name."""
        rows = self._connection.execute("SELECT name, message FROM requests")
        messages = {name: json.loads(message) for name, message in rows}
        return {name: message["usage"] for name, message in messages.items() if message}

    def models(self) -> dict[str, str]:
        """Return the model of every billed request, by its name."""
        rows = self._connection.execute("SELECT name, message FROM requests")
        messages = {name: json.loads(message) for name, message in rows}
        return {name: message["model"] for name, message in messages.items() if message}
