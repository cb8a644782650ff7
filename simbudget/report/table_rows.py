"""What the tables of a projection are made of: a figure a row, with its interval and its mean."""

from collections.abc import Callable
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from simbudget.report.numbers import Figure

Summary = dict[str, Any]


def is_certain(summary: Summary) -> bool:
    """Return whether there was one replication, which says all there is to say."""
    return bool(summary["replications"] == 1)


def new_table(title: str, summary: Summary, first: str) -> Table:
    """Return an empty table of figures, each with its interval or its one value."""
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column(first)
    for column in ("amount",) if is_certain(summary) else ("p10", "p50", "p90", "mean"):
        table.add_column(column, justify="right", no_wrap=True)
    return table


def add_row(
    table: Table, summary: Summary, name: str, figure: Figure, show: Callable[[float | None], str]
) -> None:
    """Add a figure, if it applies: its interval with its mean, or its one value."""
    if figure is None:
        return
    columns = ("mean",) if is_certain(summary) else ("p10", "p50", "p90", "mean")
    table.add_row(name, *(show(figure[column]) for column in columns))
