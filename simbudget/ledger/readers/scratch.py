"""What does not fit into memory while logs are read: a temporary file, and what was read before.

Both lie where the system keeps temporary files (`TMPDIR`), have no name there, and are gone when nobody refers to
them any more, however the program ends.
"""

import os
import sqlite3
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from simbudget.errors import Problem, UserError

MOST_NEW: Final = 1 << 18
"""Number of the last things read that are remembered in memory: about 30 MB."""
_PAGES_KB: Final = 16 << 10
"""Part of the database of earlier things that is held in memory."""
_NO_ROW: Final = -1
_BYTES: Final = (16 << 20) - 1
"""The last of the bytes whose bits tell what may be in the database."""


class ScratchFile:
    """A file without a name, read and written at any place.

    Raises:
        UserError: from every method, if there is no room for it.
    """

    def __init__(self) -> None:
        with room():
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115  closed when it is forgotten
        weakref.finalize(self, self._file.close)

    def write_at(self, place: int, content: bytes) -> None:
        """Write bytes at a place."""
        rest = memoryview(content)
        with room():
            while rest:
                written = os.pwrite(self._file.fileno(), rest, place)
                rest, place = rest[written:], place + written

    def read_into(self, place: int, into: Any) -> None:
        """Fill an array of bytes with what stands from a place on."""
        rest = memoryview(into)
        with room():
            while rest:
                read = os.preadv(self._file.fileno(), [rest], place)
                if not read:
                    raise OSError("a temporary file became shorter")
                rest, place = rest[read:], place + read


class Remembered:
    """Which things were read before, each with a row: the newest in memory, the older in a temporary database.

    Things are known by 64-bit hashes: among a hundred million the chance that any two are taken for one is 3 in
    10,000. Most things are new, and a bit for each of the older ones (a Bloom filter with one hash function) tells
    that of nearly all of them without a look into the database.
    """

    def __init__(self) -> None:
        self._new: dict[int, int] = {}
        self._older: sqlite3.Connection | None = None
        self._bits = bytearray()

    def get(self, key: tuple[str, ...]) -> int | None:
        """Return the row of a thing; None if it was not read before."""
        number = hash(key)
        row = self._new.get(number)
        if row is not None or self._older is None or not self._bits[number >> 3 & _BYTES] >> (number & 7) & 1:
            return row
        return self._from_older(self._older, number)

    def is_new(self, key: tuple[str, ...]) -> bool:
        """Return whether a thing was not read before, and remember it, with no row."""
        number = hash(key)
        if number in self._new or (self._older is not None and self.get(key) is not None):
            return False
        if len(self._new) >= MOST_NEW:
            self._put_away()
        self._new[number] = _NO_ROW
        return True

    def set(self, key: tuple[str, ...], row: int) -> None:
        """Remember a thing with its row, instead of the row that it may have had before."""
        if len(self._new) >= MOST_NEW:
            self._put_away()
        self._new[hash(key)] = row

    def _from_older(self, older: sqlite3.Connection, number: int) -> int | None:
        with room():
            found = older.execute("SELECT row FROM things WHERE number = ?", (number,)).fetchone()
        return None if found is None else int(found[0])

    def _put_away(self) -> None:
        """Move what is in memory to the database, in its order, which is the quickest."""
        with room():
            if self._older is None:
                self._older, self._bits = _temporary_database(), bytearray(_BYTES + 1)
                weakref.finalize(self, self._older.close)
            self._older.execute("BEGIN")
            self._older.executemany("INSERT OR REPLACE INTO things VALUES (?, ?)", sorted(self._new.items()))
            self._older.execute("COMMIT")
        for number in self._new:
            self._bits[number >> 3 & _BYTES] |= 1 << (number & 7)
        self._new.clear()


def _temporary_database() -> sqlite3.Connection:
    """Return a database that is written to the disk only as far as its pages do not fit into memory."""
    database = sqlite3.connect("", isolation_level=None)
    for setting in (
        f"cache_size = -{_PAGES_KB}",
        "journal_mode = OFF",
        "synchronous = OFF",
        "temp_store = FILE",
    ):
        database.execute(f"PRAGMA {setting}")
    database.execute("CREATE TABLE things (number INTEGER PRIMARY KEY, row INTEGER NOT NULL)")
    return database


@contextmanager
def room() -> Iterator[None]:
    """Say where room is missing, if the disk is full."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        what = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        remedy = "make room there, or name another folder in the environment variable TMPDIR"
        raise UserError(
            Problem(f"temporary files in {_temporary_folder()}: {what.lower()}", remedy=remedy)
        ) from error


def _temporary_folder() -> str:
    return os.environ.get("TMPDIR") or tempfile.gettempdir()
