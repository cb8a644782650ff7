"""SQLite files: what tables they have, and their rows."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Final

from simbudget.ledger.readers.files import CannotRead, LogFile
from simbudget.ledger.readers.values import JsonObject

_MAGIC: Final = b"SQLite format 3\0"


def is_sqlite(file: LogFile) -> bool:
    """Return whether a file is an SQLite database, as it is on the disk."""
    return file.head.startswith(_MAGIC)


def columns_of(file: LogFile, table: str) -> set[str]:
    """Return the columns of a table; none if the file has no such table, or is damaged."""
    try:
        with closing(connect(file)) as database:
            return {str(row[1]) for row in database.execute(f"PRAGMA table_info({table})")}
    except sqlite3.Error:
        return set()


def rows_of(file: LogFile, table: str, cannot_read: CannotRead) -> Iterator[JsonObject]:
    """Yield each row of a table, by column name."""
    try:
        with closing(connect(file)) as database:
            cursor = database.execute(f"SELECT * FROM {table}")  # the name is ours
            names = [column[0] for column in cursor.description]
            for row in cursor:
                yield dict(zip(names, row, strict=True))
    except sqlite3.Error as error:
        cannot_read(0, f"a damaged database: {error}")


def connect(file: LogFile) -> sqlite3.Connection:
    """Return a connection that can only read."""
    return sqlite3.connect(f"{file.path.resolve().as_uri()}?mode=ro", uri=True)
