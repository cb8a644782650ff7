"""One transaction of an SQLite store, as the ledger, a pilot's task list and its service write them."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Lock out other writers until the end of the block, which is rolled back if it raises.

    Args:
        connection: in autocommit mode (`isolation_level=None`); threads that share it need a lock of their own.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        if connection.in_transaction:  # with a full disk, SQLite has rolled back by now
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
