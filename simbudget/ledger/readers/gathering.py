"""What readers gather while they read: entries, runs, what stood there twice, and what could not be read.

A run is known by a key of its own (its format and id), so that files about the same run add to one run.
Of entries and of what was read before only the newest are in memory; of runs, all.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Final, Protocol, TypeVar, cast

from simbudget.ledger.entry import Entry
from simbudget.ledger.imported import Unread
from simbudget.ledger.readers.columns import GrowingColumns, Records
from simbudget.ledger.readers.scratch import Remembered
from simbudget.ledger.readers.values import MOST_TOKENS, MOST_USD, NOT_KNOWN, amount, number

_MOST_REASONS: Final = 10_000


@dataclass(slots=True)
class RunInMaking:
    """What is known so far of a run; there may be a million of them."""

    number: int
    source: str
    path: str
    project: str
    name: str
    task: str = ""
    """The task that the run is an attempt at; empty if the log names none."""
    part_of: str = ""
    """The key of the run whose sub-agents these are; empty if of none."""
    agents: dict[str, int] = field(default_factory=lambda: {"": 0})
    named_agents: dict[str, None] = field(default_factory=dict)
    """The keys of sub-agents that the log mentions, whether or not their own entries are there."""
    last_turns: Counter[int] = field(default_factory=Counter)
    """How many turns of each agent have been read."""
    repeated: int = 0
    reported_cost_usd: float = NOT_KNOWN
    reported_turns: int | None = None
    api_duration_s: float = NOT_KNOWN
    duration_s: float = NOT_KNOWN
    began_s: float = NOT_KNOWN
    """From when the run's times count, if that is not its first entry."""
    is_dated: bool = True
    """Whether times are since 1970, and not since the run's begin."""
    is_priced: bool = False
    """Whether its entries' costs are final."""
    metric: str = ""
    better: str = ""
    notes: str = ""
    odd_notes: str = ""
    missing: Counter[str] = field(default_factory=Counter)
    """What the log does not say, and how often."""
    odd: Counter[str] = field(default_factory=Counter)
    """What was odd in the log, and how often."""

    def agent(self, key: str) -> int:
        """Return the number of an agent of this run, known by a key of its own; the main one's is empty."""
        return self.agents.setdefault(key, len(self.agents))

    def note_odd(self, what: str) -> None:
        """Note something odd that is said once, however often it occurs."""
        if what not in self.odd_notes.split("; "):
            self.odd_notes = f"{self.odd_notes}; {what}" if self.odd_notes else what

    def note_missing(self, what: str) -> None:
        """Note something that the log does not say, once, however often it would be needed."""
        if what not in self.notes.split("; "):
            self.notes = f"{self.notes}; {what}" if self.notes else what

    def dollars(self, value: object) -> float:
        """Return a cost; NaN if the log gives none, or one that cannot be, which is noted as odd."""
        found = amount(value)
        if found <= MOST_USD:
            return found
        if value is not None and value == value:  # noqa: PLR0124  NaN is what is not known
            self.odd["impossible costs"] += 1
        return NOT_KNOWN

    def count(self, value: object, most: int = MOST_TOKENS) -> int | None:
        """Return a count; None if the log gives none, or one that cannot be, which is noted as odd."""
        if type(value) is int and 0 <= value <= most:
            return value
        if value is None:
            return None
        found = number(value)
        if 0 <= found <= most and found == int(found):
            return int(found)
        self.odd["impossible counts"] += 1
        return None


class ToTheEnd(Protocol):
    """Something that files tell together, and that makes entries when all of them were read."""

    def ends(self, gathering: "Gathering") -> None:
        """Add its entries."""


Whole = TypeVar("Whole", bound=ToTheEnd)


class Gathering:
    """Everything gathered so far, from any number of files."""

    def __init__(self) -> None:
        self.columns = GrowingColumns()
        self.runs: dict[str, RunInMaking] = {}
        self._read_before = Remembered()
        self._unread: dict[tuple[str, str], list[int]] = {}
        self._faulty: set[str] = set()
        self._reads_again = False
        self._met_again = 0
        self._told_of: set[int] = set()
        """The runs that have entries."""
        self._touched: dict[int, RunInMaking] = {}
        """The runs of the file that is being read."""
        self._to_the_end: dict[tuple[str, ...], ToTheEnd] = {}

    def begins_file(self, again: bool = False) -> int:
        """Note that another file is read from here on, and return a mark for `yielded_since`.

        `again`: the same file is read as one of a further format, so its bad lines have been noted.
        """
        self._touched.clear()
        self._reads_again = again
        return len(self.columns) + self._met_again

    def yielded_since(self, mark: int) -> bool:
        """Return whether the current file has had any content, even if other files had it before."""
        told = any(run.reported_cost_usd >= 0 or run.repeated for run in self._touched.values())
        return told or len(self.columns) + self._met_again > mark

    @property
    def only_repeats(self) -> bool:
        """Whether everything in the current file has been read before, as part of other runs."""
        dead = [run for run in self._touched.values() if not run.reported_cost_usd >= 0]
        return bool(dead) and len(dead) == len(self._touched) and not self._told_of & self._touched.keys()

    def tells_with_others(self) -> None:
        """Note that the file that is being read is a part of what other files tell, and needs no call of its own."""
        self._met_again += 1

    def gathered_to_the_end(self, key: tuple[str, ...], begin: Callable[[], Whole]) -> Whole:
        """Return what is gathered of a thing that several files may tell parts of, beginning it if it is new."""
        found = self._to_the_end.get(key)
        if found is None:
            found = self._to_the_end[key] = begin()
        return cast(Whole, found)

    def promises(self, run: RunInMaking) -> None:
        """Note that the current file mentions a run, whose entries are added when all files have been read."""
        self._told_of.add(run.number)
        self.tells_with_others()

    def ends(self, wrong_content: tuple[type[Exception], ...]) -> None:
        """Add the entries that are only known once all files have been read."""
        for (_, *name), whole in self._to_the_end.items():
            try:
                whole.ends(self)
            except wrong_content as error:
                self.cannot_read(Path(*name), 0, f"values that make no sense: {type(error).__name__}")
        self._to_the_end.clear()

    @property
    def missing_here(self) -> list[str]:
        """What the file that is being read does not say, as its reader noted it."""
        return list(dict.fromkeys(what for run in self._touched.values() for what in run.missing))

    def run(self, key: str, source: str, path: Path, name: str, project: str = "") -> RunInMaking:
        """Return the run of a key, beginning it if it is new."""
        known = self.runs.get(key)
        if known is None:
            shown, folder = _told_of(path)
            known = self.runs[key] = RunInMaking(len(self.runs), source, shown, project or folder, name)
        self._touched[known.number] = known
        return known

    def add(self, entry: Entry) -> int:
        """Add an entry, and return its row."""
        self._told_of.add(entry.run)
        return self.columns.append(entry)

    def row(self, key: tuple[str, ...]) -> int | None:
        """Return the row that was remembered for a thing in the log, if it was read before."""
        row = self._read_before.get(key)
        self._met_again += row is not None
        return row

    def remember(self, key: tuple[str, ...], row: int) -> None:
        """Remember the row of a thing in the log, to know it when it comes again."""
        self._read_before.set(key, row)

    def is_new(self, key: tuple[str, ...]) -> bool:
        """Return whether a thing in the log comes for the first time, and remember it."""
        is_new = self._read_before.is_new(key)
        self._met_again += not is_new
        return is_new

    def sealed(self) -> Records:
        """Return all rows, after which none can be added, and what was read before is forgotten."""
        self._read_before = Remembered()
        return self.columns.sealed()

    def cannot_read(self, path: Path, line: int, why: str, count: int = 1) -> None:
        """Note lines that cannot be read; for each file and reason the first is kept, and how many."""
        if self._reads_again and line:
            return
        if len(self._unread) >= _MOST_REASONS and (str(path), why) not in self._unread:
            path, line, why = Path("…"), 0, "further files with lines that cannot be read"
        if line == 0:
            self._faulty.add(str(path))
        first = self._unread.setdefault((str(path), why), [line, 0])
        first[1] += count

    def is_faulty(self, path: Path) -> bool:
        """Return whether a file as a whole was noted as one that cannot be read."""
        return str(path) in self._faulty

    @property
    def unread(self) -> tuple[Unread, ...]:
        """What could not be read."""
        return tuple(
            Unread(path, line, why, many) for (path, why), (line, many) in sorted(self._unread.items())
        )


@lru_cache(maxsize=64)
def _told_of(path: Path) -> tuple[str, str]:
    """Return a path and the name of its folder, as texts that all its runs share."""
    return str(path), path.resolve().parent.name
