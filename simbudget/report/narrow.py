"""Tables on a terminal that is too narrow for them: each row becomes a paragraph.

A table whose longest words do not fit side by side would be cut in the middle of words or numbers. It is printed row
by row instead: the row's first cell, and below it each value with its column's name.
"""

from collections.abc import Iterator
from copy import copy

from rich.console import Console, ConsoleOptions, ConsoleRenderable, Group, RenderableType, RenderHook
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Row, Table
from rich.text import Text

_INDENT = 2
_TIGHT = (0, 1, 0, 0)
_ENDLESS = 10_000
"""A width that no table reaches, to measure how wide a table wants to be."""
_USUAL = 72
"""From this width on, rich's own layout is kept, although it may break words of a header."""

_FOLDED = 20
"""A column whose words may be broken is still readable at this width."""


class ReadableTables(RenderHook):
    """Makes a console print tables as paragraphs when they are wider than it is."""

    def __init__(self, console: Console) -> None:
        """Attach to a console, whose width is read at every print."""
        self._console = console

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """Return what to print in place of the given renderables."""
        return [Group(self._readable(renderable)) for renderable in renderables]

    def _readable(self, renderable: RenderableType) -> RenderableType:
        if isinstance(renderable, Group):
            return Group(*map(self._readable, renderable.renderables))
        if not isinstance(renderable, Table):
            return renderable
        if Measurement.get(self._console, self._wide, renderable).maximum <= self._console.width:
            return renderable
        for padding in (renderable.padding, _TIGHT):
            table = copy(renderable)
            table.padding = padding
            if widths := self._widths(table):
                return table if self._console.width >= _USUAL else _of_widths(table, widths)
        return Group(*_paragraphs(renderable))

    def _widths(self, table: Table) -> list[int] | None:
        """Return a width for each column such that no word is cut, or None if there is not enough room.

        Remaining room is distributed in proportion to what each column lacks.
        """
        cells = [[column.header, *column.cells] for column in table.columns]
        found = [[Measurement.get(self._console, self._wide, cell) for cell in column] for column in cells]
        words = [max(cell.minimum for cell in column) for column in found]
        most = [max(cell.maximum for cell in column) for column in found]
        gaps = Measurement.get(self._console, self._wide, table).minimum - sum(words)
        least = [
            wide if column.no_wrap else min(word, _FOLDED) if column.overflow == "fold" else word
            for column, word, wide in zip(table.columns, words, most, strict=True)
        ]
        room = self._console.width - gaps - sum(least)
        if room < 0:
            return None
        return _given(least, most, room)

    @property
    def _wide(self) -> ConsoleOptions:
        return self._console.options.update(max_width=_ENDLESS)


def _given(widths: list[int], wanted: list[int], room: int) -> list[int]:
    """Add to each width the same share of what it lacks, as far as there is room."""
    lacks = [max(0, more - width) for width, more in zip(widths, wanted, strict=True)]
    part = min(1.0, room / max(1, sum(lacks)))
    return [width + int(part * lack) for width, lack in zip(widths, lacks, strict=True)]


def _of_widths(table: Table, widths: list[int]) -> Table:
    """Return the table with fixed column widths."""
    fixed = copy(table)
    fixed.columns = [copy(column) for column in table.columns]
    for column, width in zip(fixed.columns, widths, strict=True):
        column.width = width
    return fixed


def _paragraphs(table: Table) -> Iterator[RenderableType]:
    """Yield a table's title, rows and caption as lines of text."""
    if table.title:
        yield Text.assemble((_plain(table.title), "bold"))
    first, *others = table.columns
    rows = zip(table.rows, first.cells, zip(*(column.cells for column in others), strict=True), strict=True)
    for row, name, values in rows:
        yield _styled(name, row)
        said = [
            Text.assemble(f"{_plain(column.header)} ", _text(value)) if column.header else _text(value)
            for column, value in zip(others, values, strict=True)
            if _plain(value)
        ]
        yield Padding(_styled(Text("; ").join(said), row), (0, 0, 0, _INDENT))
    if table.caption:
        yield Text(_plain(table.caption))
    yield Text("")


def _text(cell: RenderableType) -> Text:
    return cell if isinstance(cell, Text) else Text.from_markup(str(cell))


def _plain(cell: RenderableType) -> str:
    return _text(cell).plain.strip()


def _styled(cell: RenderableType, row: Row) -> Text:
    text = _text(cell).copy()
    text.stylize(row.style or "")
    return text
