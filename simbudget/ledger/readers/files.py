"""A file that may be a log: its beginning, its lines, its one document, whatever is wrong with it.

Nothing here holds more than one line or, for formats that are one JSON document, one document.
"""

import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

import orjson

from simbudget.ledger.readers.values import JsonObject

LONGEST_LINE: Final = 64 << 20
"""Bytes; a longer line is reported and passed over."""
LARGEST_DOCUMENT: Final = 256 << 20
"""Bytes; a larger JSON document, which would have to be in memory as a whole, is reported and not read."""
_HEAD: Final = 256 << 10
_LONGEST_ODD_LINE: Final = 1 << 20
_GZIP: Final = b"\x1f\x8b"
_DAMAGED: Final = (EOFError, gzip.BadGzipFile, zlib.error)

CannotRead = Callable[[int, str], None]
"""Called with a line's number (0: the file as a whole) and why it cannot be read."""


@dataclass(frozen=True)
class LogFile:
    """A file that may be a log, gzipped or not."""

    path: Path

    def open(self) -> BinaryIO:
        """Return the file's content as a stream of bytes, unzipped."""
        with self.path.open("rb") as stream:
            is_zipped = stream.read(2) == _GZIP
        return cast(BinaryIO, gzip.open(self.path)) if is_zipped else self.path.open("rb")

    @cached_property
    def head(self) -> bytes:
        """The beginning of the content: at least one whole line, if that is no longer than a line may be."""
        with self.open() as stream:
            try:
                head = stream.read(_HEAD)
                if b"\n" not in head and head.lstrip()[:1] == b"{":
                    head += stream.readline(LONGEST_LINE) + stream.read(_HEAD)
            except _DAMAGED:
                return b""
            return head

    @cached_property
    def objects(self) -> list[JsonObject]:
        """The lines at the beginning that are JSON objects."""
        found = (loads(line) for line in self.head.split(b"\n") if line.lstrip()[:1] == b"{")
        return [value for value in found if isinstance(value, dict)]

    @cached_property
    def header(self) -> tuple[str, ...]:
        """The column names, if the file looks like a table of tab- or comma-separated values."""
        first = self.head.removeprefix(b"\xef\xbb\xbf").split(b"\n", 1)[0].rstrip(b"\r")
        if b"\0" in first or first[:1] in (b"{", b"["):
            return ()
        names = first.decode("utf-8", "replace").split(self.delimiter)
        return tuple(name.strip().strip('"').strip() for name in names) if len(names) > 1 else ()

    @cached_property
    def delimiter(self) -> str:
        """What parts the columns of a table."""
        return "\t" if b"\t" in self.head.split(b"\n", 1)[0] else ","

    @cached_property
    def is_document(self) -> bool:
        """Whether the content begins like one JSON document, that may stand on many lines, and not like many."""
        begin = self.head.lstrip()
        line, _, rest = begin.partition(b"\n")
        return begin[:1] in (b"{", b"[") and (not rest or rest.isspace() or loads(line) is None)

    @property
    def is_binary(self) -> bool:
        """Whether the content is no text."""
        return b"\0" in self.head[:8192] and not self.objects

    def lines(self, cannot_read: CannotRead) -> Iterator[tuple[int, bytes]]:
        """Yield each line that is not blank, with its number from 1."""
        number = 0
        with self.open() as stream:
            try:
                while line := stream.readline(LONGEST_LINE):
                    number += 1
                    if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
                        cannot_read(number, f"longer than {LONGEST_LINE >> 20} MB")
                        while line and not line.endswith(b"\n"):
                            line = stream.readline(LONGEST_LINE)
                    elif not line.isspace():
                        yield number, line
            except _DAMAGED:
                cannot_read(number + 1, "the gzip stream is damaged or ends early")

    def json_lines(self, cannot_read: CannotRead) -> Iterator[tuple[int, JsonObject]]:
        """Yield each line that is a JSON object, with its number from 1."""
        for number, line in self.lines(cannot_read):
            value = loads(line)
            if isinstance(value, dict):
                yield number, value
            elif value is not None:
                cannot_read(number, "not a JSON object")
            elif line.endswith(b"\n"):
                cannot_read(number, "not valid JSON")
            else:
                cannot_read(number, "the file ends within this line")

    @cached_property
    def document(self) -> Any:
        """The content as one JSON document; None if it is none.

        Raises:
            OSError: it is larger than a document may be.
        """
        with self.open() as stream:
            try:
                content = stream.read(LARGEST_DOCUMENT + 1)
            except _DAMAGED:
                return None
        if len(content) > LARGEST_DOCUMENT:
            raise OSError(f"one JSON document of more than {LARGEST_DOCUMENT >> 20} MB")
        return loads(content)


def loads(line: bytes) -> Any:
    """Return a JSON value; None if the bytes are none."""
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        pass
    if len(line) > _LONGEST_ODD_LINE or line.lstrip()[:1] not in (b"{", b"["):
        return None
    try:
        return json.loads(line)  # Python writes NaN and Infinity, which orjson rightly refuses
    except (ValueError, RecursionError):
        return None
