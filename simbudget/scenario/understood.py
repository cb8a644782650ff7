"""What was understood of a scenario: every value, its kind, and where it came from."""

from dataclasses import dataclass
from typing import Any

from simbudget.results import Result, Table
from simbudget.scenario.reading import Provenance


@dataclass(frozen=True)
class Understood(Result):
    """Every value of a scenario, as `simbudget check` shows it."""

    file: str
    name: str
    """Of the scenario."""
    values: tuple[Provenance, ...]
    notes: tuple[str, ...] = ()

    json_name = "check.json"

    def answer(self) -> str:
        """Return how many values there are, and how many of them are defaults."""
        defaults = sum(row.is_default for row in self.values)
        return f"{self.file}: fine; {len(self.values)} values, {defaults} of them defaults."

    def as_json(self) -> dict[str, Any]:
        """Return every value with its kind and its source."""
        return {
            "scenario": self.name,
            "values": [vars(row) for row in self.values],
            "notes": list(self.notes),
        }

    def tables(self) -> list[Table]:
        """Return every value; defaults are dimmed."""
        rows = [(row.name, row.text, row.kind, _source(row)) for row in self.values]
        dimmed = frozenset(place for place, row in enumerate(self.values) if row.is_default)
        columns = ("quantity", "value", "kind", "where from")
        return [Table("", columns, rows, words=(0, 1, 2, 3), dimmed=dimmed)]


def _source(row: Provenance) -> str:
    line = row.source.rpartition(":")[2]
    return f"line {line}" if line.isdigit() else row.source
