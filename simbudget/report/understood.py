"""The table of `check`: every value of a scenario, its kind, and where it came from."""

from collections.abc import Iterable

from rich.box import SIMPLE_HEAD
from rich.table import Table

from simbudget.scenario.reading import Provenance


def understood_table(provenance: Iterable[Provenance]) -> Table:
    """Return what was understood as a table; defaults are dimmed."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("quantity", overflow="fold")
    table.add_column("value", overflow="fold")
    table.add_column("kind", no_wrap=True)
    table.add_column("where from", overflow="fold")
    for row in provenance:
        style = "dim" if row.is_default else None
        line = row.source.rpartition(":")[2]
        source = f"line {line}" if line.isdigit() else row.source
        cells = [text.replace("[", "\\[") for text in (row.name, row.text, row.kind, source)]
        table.add_row(*cells, style=style)
    return table
