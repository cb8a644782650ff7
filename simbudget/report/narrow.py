"""Tables on a terminal that is too narrow for them: a row becomes a paragraph.

A table whose longest words do not fit side by side would be cut in the middle of words, or of numbers. Such a one
is printed row by row instead: what the row is of, and below it each value with its column's name.
"""

from collections.abc import Iterator
from copy import copy

from rich.console import Console, ConsoleRenderable, Group, RenderableType, RenderHook
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Row, Table
from rich.text import Text

_INDENT = 2
_TIGHT = (0, 1, 0, 0)
_ENDLESS = 10_000
_FOLDED = 20
"""A column whose words may be broken can still be read at this width."""


class ReadableTables(RenderHook):
    """Has a console print tables as paragraphs where they are wider than it is."""

    def __init__(self, console: Console) -> None:
        """Look at this console's width whenever something is printed."""
        self._console = console

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """Return what to print instead."""
        return [Group(self._readable(renderable)) for renderable in renderables]

    def _readable(self, renderable: RenderableType) -> RenderableType:
        if isinstance(renderable, Group):
            return Group(*map(self._readable, renderable.renderables))
        if not isinstance(renderable, Table) or self._fits(renderable):
            return renderable
        tight = copy(renderable)
        tight.padding = _TIGHT
        return tight if self._fits(tight) else Group(*_paragraphs(renderable))

    def _fits(self, table: Table) -> bool:
        wide = self._console.options.update(max_width=_ENDLESS)
        needed = Measurement.get(self._console, wide, table).minimum
        for column in table.columns:
            cells = [Measurement.get(self._console, wide, cell) for cell in (column.header, *column.cells)]
            words = max(cell.minimum for cell in cells)
            if column.no_wrap:
                needed += max(cell.maximum for cell in cells) - words
            elif column.overflow == "fold":
                needed -= max(0, words - _FOLDED)
        return needed <= self._console.width


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
