"""Results: the return value of every command, which knows how to show itself.

A result knows its answer in a sentence, its tables, its figures, its JSON, and how to write itself to a folder. The
command line, the HTML report, Markdown and notebooks are views of it and need nothing else, so a new result needs no
renderer of its own. For example:

    @dataclass(frozen=True)
    class Idle(Result):
        hours_by_agent: Mapping[str, float]
        notes: tuple[str, ...] = ()

        def answer(self) -> str:
            return f"Agents idle for {hours(sum(self.hours_by_agent.values()))} in total."

        def as_json(self) -> dict[str, Any]:
            return {"hours_by_agent": as_plain(self.hours_by_agent), "notes": list(self.notes)}

        def tables(self) -> list[Table]:
            rows = [(name, Number(hours(idle), idle)) for name, idle in self.hours_by_agent.items()]
            return [Table("Idle time", ("agent", "idle"), rows)]

        def figures(self) -> dict[str, Picture]:
            from simbudget.projection import figures  # here because it imports matplotlib, which is slow

            return {"idle_time": Picture("Idle time", partial(figures.idle_time, self))}

A new command needs such a result, and one module in `cli/` that parses its options, makes one call and ends with
`show(result, as_json=..., quiet=..., out=...)` (`cli/options.py`). Everything to be said about a result is in its
`notes` from the start; views never add to them.
"""

import json
import math
from abc import ABC, abstractmethod
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from difflib import get_close_matches
from functools import cached_property
from html import escape
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from simbudget.errors import Problem, UserError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_DPI: Final = 130
"""Resolution of figures in files: 7.5 inches become 975 pixels, the width of a page of text on most screens."""

_LONGEST_REPR: Final = 300
"""Characters of a result's repr, about three lines of a terminal."""


@dataclass(frozen=True)
class Number:
    """A number in a table: its text, its value, and its place in the result's JSON."""

    text: str
    value: float | None = None
    path: str = ""
    """Keys of `as_json()` from the top, joined by dots; empty if the number is not in the JSON."""


Cell = str | Number


@dataclass(frozen=True)
class Table:
    """A table as a plain value, which views draw."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[Cell, ...]]
    """One cell per column."""
    caption: str = ""
    words: tuple[int, ...] = (0,)
    """Columns of text, which are left-aligned and may wrap; all others are right-aligned and never wrap."""
    rules: tuple[int, ...] = ()
    """Rows above which a line is drawn."""
    dimmed: frozenset[int] = frozenset()
    """Less important rows, such as defaults."""

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(
                    f"a row of {self.title!r} has {len(row)} cells for {len(self.columns)} columns"
                )

    def texts(self) -> list[tuple[str, ...]]:
        """Return the text of every cell, row by row."""
        return [tuple(cell_text(cell) for cell in row) for row in self.rows]

    def _repr_html_(self) -> str:
        return "".join(_html_table(self))


@dataclass(frozen=True)
class Picture:
    """A figure and its data, drawn on first access. Notebooks display it."""

    title: str
    draw: "Callable[[], tuple[Figure, pd.DataFrame]]"

    @cached_property
    def drawn(self) -> "tuple[Figure, pd.DataFrame]":
        """Return the matplotlib figure and the data."""
        return self.draw()

    @property
    def figure(self) -> "Figure":
        """Return the matplotlib figure."""
        return self.drawn[0]

    @property
    def data(self) -> "pd.DataFrame":
        """Return the data behind the figure."""
        return self.drawn[1]

    def png(self, dpi: int = _DPI) -> bytes:
        """Return the figure as PNG; the same data give the same bytes."""
        file = BytesIO()
        # Without the version of matplotlib, which it writes by default and which would change the bytes.
        self.figure.savefig(file, format="png", dpi=dpi, metadata={"Software": None})
        return file.getvalue()

    def write(self, folder: Path, name: str) -> list[Path]:
        """Write the figure as PNG and its data as CSV, and return both paths."""
        picture, table = folder / f"{name}.png", folder / f"{name}.csv"
        picture.write_bytes(self.png())
        self.data.to_csv(table, index=False, float_format="%.10g", lineterminator="\n")
        return [picture, table]

    def __repr__(self) -> str:
        return f"<Picture: {self.title}>"

    def _repr_png_(self) -> bytes:
        return self.png(dpi=100)


class Result(ABC):
    """The return value of a command. Subclasses are frozen dataclasses; the module's docstring shows one."""

    notes: tuple[str, ...] = ()
    """Remarks to show with the answer, each a sentence without its full stop."""

    json_name: ClassVar[str] = "result.json"
    """The file in which `write` puts `as_json()`."""

    def __init_subclass__(cls, **options: Any) -> None:
        """Give subclasses the short repr, which `@dataclass` would otherwise replace by one of every field."""
        super().__init_subclass__(**options)
        if "__repr__" not in vars(cls):
            cls.__repr__ = Result.__repr__  # type: ignore[method-assign]

    @abstractmethod
    def answer(self) -> str:
        """Return the answer: a sentence, or a few."""

    @abstractmethod
    def as_json(self) -> dict[str, Any]:
        """Return everything as plain values, as printed by `--json`; see `as_plain`."""

    def tables(self) -> list[Table]:
        """Return the tables in display order."""
        return []

    def figures(self) -> dict[str, Picture]:
        """Return the figures by name (`spend_over_time`), in display order."""
        return {}

    @property
    def is_met(self) -> bool:
        """Return whether every limit of the scenario is met; if not, the command exits with status 1."""
        return True

    def figure(self, name: str) -> Picture:
        """Return a figure by name; hyphens and underscores are the same.

        Raises:
            UserError: there is no such figure.
        """
        figures = self.figures()
        name = name.replace("-", "_")
        if name not in figures:
            near = get_close_matches(name, figures, 1)
            remedy = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(figures) or 'none'}"
            raise UserError(Problem(f"there is no figure {name!r}", remedy=remedy))
        return figures[name]

    def write(self, folder: str | Path) -> list[Path]:
        """Write the JSON, the files of `_write_files`, and every figure with its data; return the paths written."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        summary = folder / self.json_name
        summary.write_text(json.dumps(self.as_json(), indent=2, allow_nan=False) + "\n", encoding="utf-8")
        return [summary, *self._write_files(folder), *self.write_figures(folder)]

    def write_figures(self, folder: str | Path) -> list[Path]:
        """Write every figure with its data (`spend-over-time.png` and `.csv`); return the paths written."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        return [
            path
            for name, picture in self.figures().items()
            for path in picture.write(folder, name.replace("_", "-"))
        ]

    def _write_files(self, folder: Path) -> list[Path]:
        """Write further files, such as a table of replications, and return their paths."""
        return []

    def __repr__(self) -> str:
        answer = self.answer()
        short = answer if len(answer) <= _LONGEST_REPR else f"{answer[:_LONGEST_REPR]}…"
        return f"<{type(self).__name__}: {short}>"

    def _repr_html_(self) -> str:
        """Return the HTML that a notebook displays: the answer, the first figure, the tables and the notes."""
        return "".join(_html(self))


def as_plain(value: Any) -> Any:  # noqa: PLR0911  one for each kind of value
    """Convert a value to what JSON can hold.

    Dataclasses and mappings become dicts, sequences and arrays become lists, NumPy numbers become Python numbers, and
    dates and paths become text. An object with an `as_json` method is replaced by its result. Infinities and NaN
    become None, since JSON has neither.
    """
    if value is None or isinstance(value, bool | int | str | float):
        return None if isinstance(value, float) and not math.isfinite(value) else value
    if hasattr(value, "as_json"):
        return value.as_json()
    if is_dataclass(value):
        return {field.name: as_plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): as_plain(each) for key, each in value.items()}
    if hasattr(value, "tolist"):  # NumPy arrays and scalars, without importing NumPy
        return as_plain(value.tolist())
    if isinstance(value, Sequence | set | frozenset):
        return [as_plain(each) for each in value]
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def cell_text(cell: Cell) -> str:
    """Return the text of a cell."""
    return cell if isinstance(cell, str) else cell.text


def sentence(note: str) -> str:
    """Return a note as a sentence, with a capital letter and a full stop."""
    return f"{note[:1].upper()}{note[1:]}."


def _html(result: Result) -> Iterator[str]:
    yield f"<p><strong>{escape(result.answer())}</strong></p>"
    figures = result.figures()
    for picture in list(figures.values())[:1]:
        yield f'<img alt="{escape(picture.title)}" src="data:image/png;base64,{b64encode(picture.png(90)).decode()}">'
    for table in result.tables():
        yield from _html_table(table)
    for note in result.notes:
        yield f"<p>Note: {escape(note)}.</p>"
    if len(figures) > 1:
        names = ", ".join(f"<code>{escape(name)}</code>" for name in list(figures)[1:])
        yield f"<p>More pictures with <code>.figure(name)</code>: {names}.</p>"


def _html_table(table: Table) -> Iterator[str]:
    align = ["left" if place in table.words else "right" for place in range(len(table.columns))]
    yield f"<p><em>{escape(table.title)}</em></p><table><thead><tr>"
    for column, side in zip(table.columns, align, strict=True):
        yield f'<th style="text-align:{side}">{escape(column)}</th>'
    yield "</tr></thead><tbody>"
    for row in table.texts():
        cells = (
            f'<td style="text-align:{side};white-space:pre-wrap">{escape(cell)}</td>'
            for cell, side in zip(row, align, strict=True)
        )
        yield f"<tr>{''.join(cells)}</tr>"
    yield "</tbody></table>"
    if table.caption:
        yield f"<p>{escape(table.caption)}</p>"
