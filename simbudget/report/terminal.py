"""The terminal: a result's answer, tables and notes go to stdout, progress to stderr.

A table whose longest words do not fit side by side would be cut in the middle of words or numbers. On a terminal
that is too narrow it is printed row by row instead: the row's first cell, and below it each value with its column's
name.
"""

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from copy import copy
from itertools import count
from pathlib import Path
from typing import TypeVar

from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, ConsoleRenderable, Group, RenderableType, RenderHook
from rich.live import Live
from rich.markup import escape
from rich.measure import Measurement
from rich.padding import Padding
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.segment import Segment
from rich.table import Column, Row
from rich.table import Table as RichTable
from rich.text import Text

from simbudget.errors import visible
from simbudget.interrupts import showing
from simbudget.results import Result, Table, cell_text

R = TypeVar("R", bound=Result)

_WIDEST = 110
"""Maximum width in columns; longer lines are hard to follow."""


class _Output(Console):
    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Return the segments to write, with control characters made visible.

        Text from logs, forums, code and names all passes through here, in whatever table or line it appears.
        """
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(visible(segment.text), segment.style)

    def on_broken_pipe(self) -> None:
        """Raise the error, as rich would exit with status 1, which means that a limit is not met."""
        raise BrokenPipeError


def standard_output() -> Console:
    """Return the console on stdout, of a readable width; wider tables become paragraphs."""
    console = _Output()
    console.width = min(console.width, _WIDEST)
    console.push_render_hook(ReadableTables(console))
    return console


def standard_error() -> Console:
    """Return the console on stderr, for progress."""
    return _Output(stderr=True)


def print_result(result: Result, quiet: bool = False) -> None:
    """Print a result: its answer and, unless `quiet`, its tables and notes."""
    console = standard_output()
    console.print(escape(result.answer()), highlight=False, soft_wrap=True)
    if quiet:
        return
    for table in result.tables():
        drawn = rich_table(table)
        caption, drawn.caption = drawn.caption, None
        if caption and len(table.caption) <= Measurement.get(console, console.options, drawn).maximum:
            drawn.caption, caption = caption, None
        console.print(drawn, highlight=False)
        if caption:  # wider than its table, which would break it into many lines
            console.print(caption, style="table.caption", highlight=False)
    for note in result.notes:
        console.print(f"Note: {escape(note)}.", highlight=False)


def rich_table(table: Table) -> RichTable:
    """Convert a table to rich's."""
    drawn = RichTable(
        title=escape(table.title) or None,
        title_justify="left",
        title_style="bold",
        box=SIMPLE_HEAD,
        pad_edge=False,
        caption=escape(table.caption) or None,
        caption_justify="left",
    )
    for place, name in enumerate(table.columns):
        if place in table.words:
            drawn.add_column(escape(name), overflow="fold")
        else:
            # A heading that is much longer than the column's content may wrap; numbers may not.
            longest = max((len(cell_text(row[place])) for row in table.rows), default=0)
            whole = len(name) <= longest + _HEADING_BEYOND
            drawn.add_column(escape(name), justify="right", no_wrap=whole, overflow="fold")
    for place, row in enumerate(table.rows):
        if place in table.rules and place:
            drawn.add_section()
        style = "dim" if place in table.dimmed else None
        drawn.add_row(*(escape(cell_text(cell)) for cell in row), style=style)
    return drawn


_HEADING_BEYOND = 4
"""Characters by which a heading may exceed its column before it is wrapped."""


@contextmanager
def reading() -> Iterator[Callable[[Path], None]]:
    """Show on stderr, if it is a terminal, which file is being read; yields the function to call with each path."""
    console = standard_error()
    if not console.is_terminal:
        yield lambda _: None
        return
    with console.status("reading") as status:
        yield lambda path: status.update(f"reading {escape(str(path))}")


@contextmanager
def working(hidden: bool, steps: int | None = None) -> Iterator[Callable[[str], None]]:
    """Show the current activity and its duration on stderr, if that is a terminal; yields the function to set it.

    Args:
        hidden: whether to say nothing.
        steps: number of calls to come, for a bar that each call moves on.
    """
    bar = () if steps is None else (BarColumn(), MofNCompleteColumn())
    columns = (SpinnerColumn(), *bar, TextColumn("{task.description}"), TimeElapsedColumn())
    is_shown = not hidden and sys.stderr.isatty()
    with Progress(*columns, console=standard_error(), transient=True, disable=not is_shown) as progress:
        task = progress.add_task("", total=steps)
        called = count(0)
        with _compilation_shown(progress, hidden):
            yield lambda doing: progress.update(task, description=escape(doing), completed=next(called))


@contextmanager
def progress_bar(hidden: bool) -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar on stderr, if it is a terminal; yields the function to call with (done, total)."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(
        *columns, console=standard_error(), transient=True, disable=hidden or not sys.stderr.isatty()
    ) as bar:
        task = bar.add_task("simulating", total=None)
        with _compilation_shown(bar, hidden):
            yield lambda done, total: bar.update(task, completed=done, total=total)


_COMPILING = "Compiling (once on this machine, about half a minute of processor time for all of it)."
"""Printed when a compilation begins; some of it takes a second, the engine's kernel most of the time."""

_NAME_WIDTH = 28
"""Characters of a function's name, so that the line of a compilation fits into 80 columns."""


@contextmanager
def _compilation_shown(bar: Progress, hidden: bool) -> Iterator[None]:
    """Say on stderr that something is being compiled when that begins, and show in the bar how far it is."""
    from simbudget.compilation import compilation_reported  # noqa: PLC0415  numba is slow to import

    tasks: list[TaskID] = []

    def show(name: str, part: float) -> None:
        if not tasks:
            standard_error().print(_COMPILING, highlight=False, soft_wrap=True)
            tasks.append(bar.add_task("", total=100))
        short = name.rpartition(".")[2].strip("_")[:_NAME_WIDTH]
        description = f"compiling {short}"
        bar.update(tasks[0], description=description, completed=round(100 * part), visible=part < 1.0)

    if hidden:
        yield
        return
    with compilation_reported(show):
        yield


def live_view(results: Iterator[R]) -> R:
    """Show each result in place of the previous one, and return the last; Ctrl-C ends it.

    Raises:
        KeyboardInterrupt: there was an interrupt before the first result.
    """
    last: R | None = None
    with Live(console=standard_output(), auto_refresh=False, vertical_overflow="visible") as live:
        try:
            for last in results:
                live.update(_view(last), refresh=True)
        except KeyboardInterrupt:
            if last is None:
                raise
            showing()
    assert last is not None
    return last


def _view(result: Result) -> Group:
    """Return everything that the terminal shows of a result."""
    parts: list[RenderableType] = [Text(result.answer()), "", *map(rich_table, result.tables())]
    return Group(*parts, *(Text(f"Note: {note}.") for note in result.notes))


_INDENT = 2
_TIGHT = (0, 1, 0, 0)
_ENDLESS = 10_000
"""A width that no table reaches, to measure how wide a table wants to be."""
_FOLDED = 20
"""A column whose words may be broken is still readable at this width."""
_WRAPPED = 12
"""A sentence in a narrower column has a word a line."""
_PIECE = re.compile(r"[^\s._/,-]*[._/,-]*")
"""A part of a long word such as `context.first_prompt_tokens` or an address, after which it may be broken."""


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
        if not isinstance(renderable, RichTable):
            return renderable
        if Measurement.get(self._console, self._wide, renderable).maximum <= self._console.width:
            return renderable
        for padding in (renderable.padding, _TIGHT):
            table = copy(renderable)
            table.padding = padding
            if widths := self._widths(table):
                return _of_widths(table, widths)
        return Group(*_paragraphs(renderable))

    def _widths(self, table: RichTable) -> list[int] | None:
        """Return a width for each column such that no word is cut, or None if there is not enough room.

        Columns that wrap get a readable width first. Then long words of columns that may fold are kept whole from the
        left on as far as there is room, and otherwise broken between their parts. Remaining room is distributed in
        proportion to what each column lacks.
        """
        cells = [[column.header, *column.cells] for column in table.columns]
        found = [[Measurement.get(self._console, self._wide, cell) for cell in column] for column in cells]
        words = [max(cell.minimum for cell in column) for column in found]
        most = [max(cell.maximum for cell in column) for column in found]
        gaps = Measurement.get(self._console, self._wide, table).minimum - sum(words)
        widths = [
            wide if column.no_wrap else _folded(column, word) if column.overflow == "fold" else word
            for column, word, wide in zip(table.columns, words, most, strict=True)
        ]
        room = self._console.width - gaps - sum(widths)
        if room < 0:
            return None
        # Sentences come before long words: a column of one word a line is worse to read than a path in two parts.
        for place, wide in enumerate(most):
            more = min(max(0, min(wide, _WRAPPED) - widths[place]), room)
            room -= more
            widths[place] += more
        for place, word in enumerate(words):
            if 0 < word - widths[place] <= room:
                room -= word - widths[place]
                widths[place] = word
        return _given(widths, most, room)

    @property
    def _wide(self) -> ConsoleOptions:
        return self._console.options.update(max_width=_ENDLESS)


def _given(widths: list[int], wanted: list[int], room: int) -> list[int]:
    """Add to each width the same share of what it lacks, as far as there is room."""
    lacks = [max(0, more - width) for width, more in zip(widths, wanted, strict=True)]
    part = min(1.0, room / max(1, sum(lacks)))
    return [width + int(part * lack) for width, lack in zip(widths, lacks, strict=True)]


def _folded(column: Column, longest_word: int) -> int:
    """Return the least width of a column whose long words may be broken between their parts.

    Numbers, which stand on the right, are never broken; only their heading may wrap.
    """
    header = max(map(len, _plain(column.header).split()), default=0)
    if column.justify == "right":
        lines = (len(line) for cell in column.cells for line in _plain(cell).splitlines())
        return max(header, max(lines, default=0))
    pieces = (len(piece) for cell in column.cells for piece in _PIECE.findall(_plain(cell)))
    return min(longest_word, max(header, min(_FOLDED, max(pieces, default=0))))


def _of_widths(table: RichTable, widths: list[int]) -> RichTable:
    """Return the table with fixed column widths."""
    fixed = copy(table)
    fixed.columns = [copy(column) for column in table.columns]
    for column, width in zip(fixed.columns, widths, strict=True):
        column.width = width
        if column.overflow == "fold" and column.justify != "right":
            column._cells = [_broken(cell, width) for cell in column.cells]
    return fixed


def _broken(cell: RenderableType, width: int) -> RenderableType:
    """Return a cell whose words longer than the width are broken between their parts, where that is possible."""
    text = _text(cell)
    if all(len(word) <= width for word in text.plain.split()):
        return cell
    breaks = []
    for word in re.finditer(r"\S+", text.plain):
        line = word.start()
        for piece in _PIECE.finditer(text.plain, word.start(), word.end()):
            if piece.end() - line > width and piece.start() > line:
                # A path is broken between folders where that is possible, so that file names stay whole.
                folders = text.plain.rfind("/", line, piece.start()) + 1
                line = folders if folders > line else piece.start()
                breaks.append(line)
    return Text("\n").join(text.divide(breaks))


def _paragraphs(table: RichTable) -> Iterator[RenderableType]:
    """Yield a table's title, rows and caption as lines of text."""
    if table.title:
        yield Text.assemble((_plain(table.title), "bold"))
    first, *others = table.columns
    rows = zip(table.rows, first.cells, zip(*(column.cells for column in others), strict=True), strict=True)
    for row, name, values in rows:
        yield _styled(name, row)
        said = [
            Text.assemble(f"{_plain(column.header)} ", _in_line(value)) if column.header else _in_line(value)
            for column, value in zip(others, values, strict=True)
            if _plain(value)
        ]
        yield Padding(_styled(Text("; ").join(said), row), (0, 0, 0, _INDENT))
    if table.caption:
        yield Text(_plain(table.caption))
    yield Text("")


def _in_line(cell: RenderableType) -> Text:
    """Return a cell on one line, such as `$17,400, $13,500 to $22,800`."""
    return Text(", ").join(_text(cell).split("\n"))


def _text(cell: RenderableType) -> Text:
    return cell if isinstance(cell, Text) else Text.from_markup(str(cell))


def _plain(cell: RenderableType) -> str:
    return _text(cell).plain.strip()


def _styled(cell: RenderableType, row: Row) -> Text:
    text = _text(cell).copy()
    text.stylize(row.style or "")
    return text
