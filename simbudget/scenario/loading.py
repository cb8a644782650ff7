"""Loads scenarios: a YAML file becomes a scenario, or a list of everything that is wrong with it."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from simbudget.errors import visible
from simbudget.results import Result, Table
from simbudget.scenario.calibration_file import Calibration
from simbudget.scenario.known_models import facts_on_caches
from simbudget.scenario.language.document import parse_document, read_file
from simbudget.scenario.language.reading import MOST_PROBLEMS, Provenance, Reading
from simbudget.scenario.scenario import Group, OwnStep, Scenario
from simbudget.scenario.without_effect import notes_on_idle_keys

_LONGEST_DEFAULT_NAME: Final = 100
"""Characters of a file name used as a scenario's name; file systems allow longer ones."""


@dataclass(frozen=True)
class LoadedScenario:
    """A scenario, and how it came about."""

    scenario: Scenario
    provenance: tuple[Provenance, ...]
    """Origin of each value, in the order of the file's blocks."""
    notes: tuple[str, ...]
    """Remarks for readers of its projection."""
    calibration: Calibration | None = None
    """What was learnt from logs, with the track record of the method."""


def load_scenario(path: str | Path) -> LoadedScenario:
    """Load a scenario from a file.

    Raises:
        UserError: the file cannot be read, or the scenario is invalid; lists every mistake.
    """
    path = Path(path)
    return loads_scenario(read_file(path), str(path), path.parent)


def loads_scenario(
    text: str, name: str = "<text>", folder: Path | None = None, calibration: Calibration | None = None
) -> LoadedScenario:
    """Load a scenario from text.

    Args:
        text: YAML.
        name: file name to use in messages.
        folder: folder of the CSV and Python files that the scenario names.
        calibration: what was learnt from logs, unless the text itself names a calibration file.

    Raises:
        UserError: the scenario is invalid; lists every mistake.
    """
    document, problems = parse_document(text, name)
    reading = Reading(folder or Path(), problems[: MOST_PROBLEMS // 2])
    reading.calibration = calibration
    scenario = Scenario.read(reading, document, visible(Path(name).stem)[:_LONGEST_DEFAULT_NAME], None)
    reading.require_right()
    facts, departures = facts_on_caches(scenario)
    notes = (*_notes(scenario), *departures, *notes_on_idle_keys(reading, scenario))
    return LoadedScenario(
        scenario,
        (*reading.provenance, *facts),
        notes + _record(reading.calibration),
        reading.calibration,
    )


def _record(calibration: Calibration | None) -> tuple[str, ...]:
    """Return the track record of the method with which a scenario was calibrated."""
    words = calibration.record.get("words") if calibration else None
    return (str(words),) if words else ()


def _notes(scenario: Scenario) -> tuple[str, ...]:
    """Return remarks on a valid scenario."""
    late = [note for group in scenario.fleet for note in _late(group, scenario.stop.after.exact_value)]
    scores = any(step.kind == "score" for group in scenario.fleet for step in group.cycle)
    if scenario.research is not None and not scores:
        late.append("no cycle has a `score` step, so there are no scores and no results")
    return tuple(late)


def _late(group: Group, ends_s: float) -> list[str]:
    """Return a remark on agents of a group that would start after the end of the run."""
    first_s, every_s = group.start.first.exact_value, group.start.then_every.exact_value
    started = group.agents if every_s == 0 else min(group.agents, math.ceil((ends_s - first_s) / every_s))
    late = group.agents - started
    return (
        [f"group {group.group}: {late:,} of {group.agents:,} agents would start after the end"]
        if late
        else []
    )


def code_notes(scenario: Scenario) -> tuple[str, ...]:
    """List the functions and files whose code a scenario runs, to decide whether it may."""
    steps = [step for group in scenario.fleet for step in group.cycle if isinstance(step, OwnStep)]
    found = dict.fromkeys((str(step.file), str(step.function)) for step in steps)
    return tuple(
        f"a step runs the function `{function}` of {file}: code, with all the rights of the user who runs it"
        for file, function in found
    )


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
