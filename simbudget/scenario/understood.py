"""How a scenario was understood: every value, its kind and its origin."""

from dataclasses import dataclass
from typing import Any

from simbudget.results import Result, Table
from simbudget.scenario.reading import Provenance


@dataclass(frozen=True)
class Understood(Result):
    """Every value of a scenario, as shown by `simbudget check`."""

    file: str
    name: str
    """The scenario's name."""
    values: tuple[Provenance, ...]
    notes: tuple[str, ...] = ()

    json_name = "check.json"

    def answer(self) -> str:
        """Return the number of values and of defaults."""
        defaults = sum(row.is_default for row in self.values)
        return f"{self.file}: valid; {len(self.values)} values, {defaults} of them defaults."

    def as_json(self) -> dict[str, Any]:
        """Return every value with its kind and origin."""
        return {
            "scenario": self.name,
            "values": [vars(row) for row in self.values],
            "notes": list(self.notes),
        }

    def tables(self) -> list[Table]:
        """Return a table of all values, with defaults dimmed."""
        rows = [(row.name, row.text, row.kind, _source(row)) for row in self.values]
        dimmed = frozenset(place for place, row in enumerate(self.values) if row.is_default)
        columns = ("quantity", "value", "kind", "source")
        return [Table("", columns, rows, words=(0, 1, 2, 3), dimmed=dimmed)]


def _source(row: Provenance) -> str:
    line = row.source.rpartition(":")[2]
    return f"line {line}" if line.isdigit() else row.source
