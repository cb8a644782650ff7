"""Tables as rows: tab- or comma-separated values with a header, or a JSON object a line."""

import csv
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from simbudget.ledger.readers.files import WRONG_CONTENT, LogFile
from simbudget.ledger.readers.gathering import Gathering
from simbudget.ledger.readers.values import JsonObject

_LONGEST_FIELD: Final = 16 << 20


def table_rows(file: LogFile, gathering: Gathering) -> Iterator[tuple[int, JsonObject]]:
    """Yield each row of a table with a header, by column name, with its line's number.

    A row with fewer fields than columns lacks the last ones, unless it is cut by the end of the file, which is
    reported; what is too much in a row is left out.
    """
    header = file.header
    lines = _tab_lines(file, gathering) if file.delimiter == "\t" else _comma_lines(file, gathering)
    for number, fields, is_cut in lines:
        if is_cut and len(fields) < len(header):
            gathering.cannot_read(file.path, number, "the file ends within this line")
        elif len(fields) > 1 or len(header) == 1:
            yield number, dict(zip(header, fields, strict=False))
        else:
            gathering.cannot_read(file.path, number, "not a row of this table")


def each(
    rows: Iterable[tuple[int, JsonObject]],
    file: LogFile,
    gathering: Gathering,
    take: Callable[[int, JsonObject], None],
) -> None:
    """Give each row to a function; a row that it stumbles over is reported, and the next ones are read."""
    for number, row in rows:
        try:
            take(number, row)
        except WRONG_CONTENT as error:
            gathering.cannot_read(file.path, number, f"values that make no sense: {type(error).__name__}")


def json_rows(file: LogFile, gathering: Gathering) -> Iterator[tuple[int, JsonObject]]:
    """Yield each JSON object with its line's number."""
    return file.json_lines(lambda number, why: gathering.cannot_read(file.path, number, why))


def _tab_lines(file: LogFile, gathering: Gathering) -> Iterator[tuple[int, list[str], bool]]:
    """Yield the fields of each line; tab-separated logs have no line breaks within fields."""
    for number, line in file.lines(lambda number, why: gathering.cannot_read(file.path, number, why)):
        if number == 1:
            continue
        decoded = line.decode("utf-8", "replace").rstrip("\r\n")
        fields = [field.strip().removeprefix('"').removesuffix('"') for field in decoded.split("\t")]
        yield number, fields, not line.endswith(b"\n")


def _comma_lines(file: LogFile, gathering: Gathering) -> Iterator[tuple[int, list[str], bool]]:
    csv.field_size_limit(_LONGEST_FIELD)
    lines = file.lines(lambda number, why: gathering.cannot_read(file.path, number, why))
    reader = csv.reader(line.decode("utf-8-sig", "replace").replace("\0", "") for _, line in lines)
    try:
        next(reader, None)
        for fields in reader:
            if fields:
                yield file.line, [field.strip() for field in fields], False
    except csv.Error as error:
        gathering.cannot_read(file.path, file.line, f"not a row of this table: {error}".lower())
