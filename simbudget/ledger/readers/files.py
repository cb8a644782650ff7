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
MOST_VALUES: Final = 10_000_000
"""Values in one line or document: more of them, even of a byte each, would take more than a gigabyte as objects."""
_LONG: Final = 4 << 20
"""Bytes below which values need no counting: no line of this length can hold too many."""
_BOMB: Final = 64 << 20
"""Bytes of unzipped content from which a gzip stream has to look like a log; see `_BOMB_RATIO`."""
_BOMB_RATIO: Final = 200
"""Logs shrink to a fifth or a thirtieth; gzip's own limit is 1,032 times, which only emptiness comes near."""
_MOST_BAD_LINES: Final = 100_000
"""A file is given up after this many bad lines, if they outnumber the good ones: the rest would take minutes."""
_HEAD: Final = 256 << 10
_LOOKED_AT: Final = 1 << 16
"""Lines after which a gzip stream is measured; measuring costs as much as reading a few."""
_LONGEST_ODD_LINE: Final = 1 << 20
_GZIP: Final = b"\x1f\x8b"
_DAMAGED: Final = (EOFError, gzip.BadGzipFile, zlib.error)

WRONG_CONTENT: Final = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What readers, and the libraries that they use, raise for content that makes no sense."""

CannotRead = Callable[[int, str], None]
"""Called with a line's number (0: the file as a whole) and why it cannot be read."""


@dataclass
class LogFile:
    """A file that may be a log, gzipped or not."""

    path: Path
    line: int = 0
    """The line that was read last, from 1; 0 before the first, and in a document."""

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
        return [value for value in found if isinstance(value, dict) and not _odd(value)]

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
        number, look_at = 0, _LOOKED_AT
        with self.open() as stream:
            try:
                while line := stream.readline(LONGEST_LINE):
                    number += 1
                    is_long = len(line) == LONGEST_LINE and not line.endswith(b"\n")
                    if is_long or number >= look_at:
                        look_at = number + _LOOKED_AT
                        if self._is_bomb(stream):
                            cannot_read(
                                number, "the gzip stream swells beyond what a log does: not read further"
                            )
                            return
                    if is_long:
                        cannot_read(number, f"longer than {LONGEST_LINE >> 20} MB")
                        while line and not line.endswith(b"\n") and not self._is_bomb(stream):
                            line = stream.readline(LONGEST_LINE)
                    elif not line.isspace():
                        self.line = number
                        yield number, line
                    else:
                        number += _skip_blank(stream)
            except _DAMAGED:
                cannot_read(number + 1, "the gzip stream is damaged or ends early")

    def _is_bomb(self, stream: BinaryIO) -> bool:
        """Return whether what was unzipped so far is out of all proportion to the file."""
        unzipped = stream.tell() if isinstance(stream, gzip.GzipFile) else 0
        return unzipped > max(_BOMB, _BOMB_RATIO * self.path.stat().st_size)

    def json_lines(self, cannot_read: CannotRead) -> Iterator[tuple[int, JsonObject]]:
        """Yield each line that is a JSON object, with its number from 1."""
        good = bad = 0
        for number, line in self.lines(cannot_read):
            value = loads(line)
            why = _odd(value) if isinstance(value, dict) else _no_object(line, value)
            if not why:
                good += 1
                yield number, value
                continue
            cannot_read(number, why)
            bad += 1
            if bad > max(good, _MOST_BAD_LINES):
                cannot_read(number, "too many bad lines: not read further")
                return

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


def _skip_blank(stream: BinaryIO) -> int:
    """Pass over blank lines in large pieces, and return how many there were."""
    lines = passed = 0
    while passed < _BOMB and (ahead := cast(gzip.GzipFile, stream).peek(1)) and ahead.isspace():
        lines += ahead.count(b"\n")
        passed += len(stream.read(len(ahead)))
    return lines


def _no_object(line: bytes, value: Any) -> str:
    """Return why a line is no JSON object."""
    if value is not None:
        return "not a JSON object"
    if not line.endswith(b"\n"):
        return "the file ends within this line"
    return "too many values" if _is_vast(line) else "not valid JSON"


def _odd(line: JsonObject) -> str:
    """Return why an object is a line of no format at all; every format that has a `type` has a text there."""
    kind = line.get("type")
    return "" if kind is None or isinstance(kind, str | int) else "its type is not a text"


def _is_vast(content: bytes) -> bool:
    """Return whether there are more values in a line or document than may be in memory as objects."""
    return len(content) > _LONG and sum(map(content.count, (b",", b"[", b"{"))) > MOST_VALUES


def loads(line: bytes) -> Any:
    """Return a JSON value; None if the bytes are none, or hold more values than `MOST_VALUES`."""
    if _is_vast(line):
        return None
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
