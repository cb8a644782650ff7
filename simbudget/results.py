"""Results: what a command gives, as a value that shows itself.

A result knows its answer in a sentence, its tables, its pictures, its JSON and how it is written to a folder. The
command line, the HTML report, Markdown and notebooks are views of it and need nothing else, so a new result needs no
renderer of its own. It looks like this:

    @dataclass(frozen=True)
    class Idle(Result):
        hours_by_agent: Mapping[str, float]
        notes: tuple[str, ...] = ()

        def answer(self) -> str:
            return f"Agents idle for {hours(sum(self.hours_by_agent.values()))} in all."

        def as_json(self) -> dict[str, Any]:
            return {"hours_by_agent": as_plain(self.hours_by_agent), "notes": list(self.notes)}

        def tables(self) -> list[Table]:
            rows = [(name, Number(hours(idle), idle)) for name, idle in self.hours_by_agent.items()]
            return [Table("Idle time", ("agent", "idle"), rows)]

        def figures(self) -> dict[str, Picture]:
            from simbudget.projection import figures  # a module that imports matplotlib, which is slow to import

            return {"idle_time": Picture("Idle time", partial(figures.idle_time, self))}

A new command is such a result, and one module in `cli/` that parses its options, makes one call and ends with
`show(result, as_json=..., quiet=..., out=...)` (`cli/options.py`). Whatever has to be said about a result is in its
`notes` from the start: views never add to it.
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
"""Of pictures in files: 7.5 inches make 975 pixels, the width of a page of text on most screens."""

_LONGEST_REPR: Final = 300
"""Characters of a result's repr: about three lines of a terminal."""


@dataclass(frozen=True)
class Number:
    """A number in a table: how it is written, what it is, and where it stands in the result's JSON."""

    text: str
    value: float | None = None
    path: str = ""
    """Keys of `as_json()` from the top, joined by dots; empty if it is not there."""


Cell = str | Number


@dataclass(frozen=True)
class Table:
    """A table as a plain value; views draw it."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[Cell, ...]]
    """A cell for each column."""
    caption: str = ""
    words: tuple[int, ...] = (0,)
    """Columns of words, which are aligned left and may wrap; all others are aligned right and are kept whole."""
    rules: tuple[int, ...] = ()
    """Rows above which a line is drawn."""
    dimmed: frozenset[int] = frozenset()
    """Rows that matter less, such as defaults."""

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(
                    f"a row of {self.title!r} has {len(row)} cells for {len(self.columns)} columns"
                )

    def texts(self) -> list[tuple[str, ...]]:
        """Return the rows as they are written."""
        return [tuple(cell_text(cell) for cell in row) for row in self.rows]

    def _repr_html_(self) -> str:
        return "".join(_html_table(self))


@dataclass(frozen=True)
class Picture:
    """A figure and its data, drawn when they are first looked at. A notebook shows it as it is."""

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
        """Return the data that it shows."""
        return self.drawn[1]

    def png(self, dpi: int = _DPI) -> bytes:
        """Return it as a PNG file; the same bytes for the same data."""
        file = BytesIO()
        self.figure.savefig(file, format="png", dpi=dpi, metadata={"Software": None})
        return file.getvalue()

    def write(self, folder: Path, name: str) -> list[Path]:
        """Write the picture as PNG and its data as CSV; return both paths."""
        picture, table = folder / f"{name}.png", folder / f"{name}.csv"
        picture.write_bytes(self.png())
        self.data.to_csv(table, index=False, float_format="%.10g", lineterminator="\n")
        return [picture, table]

    def __repr__(self) -> str:
        return f"<Picture: {self.title}>"

    def _repr_png_(self) -> bytes:
        return self.png(dpi=100)


class Result(ABC):
    """What a command gives. Subclasses are frozen dataclasses; the module's docstring shows one."""

    notes: tuple[str, ...] = ()
    """What has to be said beside the answer: sentences without their full stop."""

    json_name: ClassVar[str] = "result.json"
    """The file in which `write` puts `as_json()`."""

    def __init_subclass__(cls, **options: Any) -> None:
        """Give a subclass the short repr, which `@dataclass` would otherwise replace by one of every field."""
        super().__init_subclass__(**options)
        if "__repr__" not in vars(cls):
            cls.__repr__ = Result.__repr__  # type: ignore[method-assign]

    @abstractmethod
    def answer(self) -> str:
        """Return the answer: a sentence, or a few."""

    @abstractmethod
    def as_json(self) -> dict[str, Any]:
        """Return everything as plain values, as `--json` prints it; see `as_plain`."""

    def tables(self) -> list[Table]:
        """Return the tables, in the order in which they are shown."""
        return []

    def figures(self) -> dict[str, Picture]:
        """Return the pictures by name (`spend_over_time`), in the order in which they are shown."""
        return {}

    @property
    def is_met(self) -> bool:
        """Return whether every limit that the scenario sets is met; where one is not, a command exits with 1."""
        return True

    def figure(self, name: str) -> Picture:
        """Return a picture by its name.

        Raises:
            UserError: there is none of that name.
        """
        figures = self.figures()
        name = name.replace("-", "_")
        if name not in figures:
            near = get_close_matches(name, figures, 1)
            remedy = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(figures) or 'none'}"
            raise UserError(Problem(f"there is no figure {name!r}", remedy=remedy))
        return figures[name]

    def write(self, folder: str | Path) -> list[Path]:
        """Write the JSON, what else `_write_files` has, and every picture with its data; return what was written."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        summary = folder / self.json_name
        summary.write_text(json.dumps(self.as_json(), indent=2, allow_nan=False) + "\n", encoding="utf-8")
        return [summary, *self._write_files(folder), *self.write_figures(folder)]

    def write_figures(self, folder: str | Path) -> list[Path]:
        """Write every picture with its data (`spend-over-time.png` and `.csv`); return what was written."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        return [
            path
            for name, picture in self.figures().items()
            for path in picture.write(folder, name.replace("_", "-"))
        ]

    def _write_files(self, folder: Path) -> list[Path]:
        """Write what belongs into a folder beside JSON and pictures, such as a table of replications."""
        return []

    def __repr__(self) -> str:
        answer = self.answer()
        short = answer if len(answer) <= _LONGEST_REPR else f"{answer[:_LONGEST_REPR]}…"
        return f"<{type(self).__name__}: {short}>"

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the answer, the first picture, the tables and the notes."""
        return "".join(_html(self))


def as_plain(value: Any) -> Any:  # noqa: PLR0911  one for each kind of value
    """Return a value as JSON has it.

    Dataclasses and mappings become dicts, sequences and arrays lists, NumPy's numbers Python's, dates and paths text;
    what has an `as_json` of its own is asked for it. Infinite numbers and NaN become None, since JSON has neither.
    """
    if value is None or isinstance(value, bool | int | str | float):
        return None if isinstance(value, float) and not math.isfinite(value) else value
    if hasattr(value, "as_json"):
        return value.as_json()
    if is_dataclass(value):
        return {field.name: as_plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): as_plain(each) for key, each in value.items()}
    if hasattr(value, "tolist"):  # NumPy's arrays and numbers
        return as_plain(value.tolist())
    if isinstance(value, Sequence | set | frozenset):
        return [as_plain(each) for each in value]
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def cell_text(cell: Cell) -> str:
    """Return a cell as it is written."""
    return cell if isinstance(cell, str) else cell.text


def sentence(note: str) -> str:
    """Return a note as a sentence: a capital first, a full stop last."""
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
