"""The review queue: submissions that detectors flagged and nobody has decided on, and how good the detectors were."""

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from simbudget.errors import Problem, UserError
from simbudget.pilot.review.detectors import Code, Finding, find
from simbudget.pilot.service.store import DamagedStoreError, Store, SubmissionRow


@dataclass(frozen=True)
class Case:
    """A submission with its findings, and a person's decision, which is None until there is one."""

    row: SubmissionRow
    findings: tuple[Finding, ...]
    accepted: bool | None
    note: str


@dataclass(frozen=True)
class Review:
    """All submissions of a run, flagged or not."""

    cases: tuple[Case, ...]

    @property
    def queue(self) -> tuple[Case, ...]:
        """Return the flagged submissions that await a decision."""
        return tuple(case for case in self.cases if case.findings and case.accepted is None)

    @property
    def rejected(self) -> frozenset[int]:
        """Return the submissions that do not count: rejected by a person, or flagged and not yet decided on."""
        return frozenset(
            case.row.number
            for case in self.cases
            if case.accepted is False or (case.findings and case.accepted is None)
        )


@dataclass(frozen=True)
class DetectorRecord:
    """The detectors' performance where the truth is known, as with the researcher program."""

    hacks: int
    caught: int
    honest: int
    blamed: int

    @property
    def missed(self) -> int:
        """Return the number of hacks that no detector found."""
        return self.hacks - self.caught


DATABASE = "site.sqlite"
"""The service's database in a pilot's folder."""


def find_database(directory: Path) -> Path:
    """Return the path of the service's database, given it or a pilot's folder."""
    return directory / DATABASE if directory.is_dir() else directory


def open_store(database: Path) -> Store:
    """Open the store of a service that has been started before.

    Raises:
        UserError: there is no database, or it is damaged.
    """
    if not database.is_file():
        raise UserError(
            Problem(
                f"{database} does not exist", remedy="give the folder of a pilot, or the service's database"
            )
        )
    with database.open("rb") as file:
        if file.read(16) not in (b"SQLite format 3\0", b""):
            raise UserError(Problem(f"{database} is not a database", remedy="give the folder of a pilot"))
    with _said_plainly(database):
        return Store(database)


_DAMAGED: Final = (
    *(sqlite3.Error, DamagedStoreError, OverflowError, UnicodeError),
    *(ValueError, TypeError, KeyError, AttributeError),  # stored answers that are inconsistent
)


@contextmanager
def _said_plainly(database: Path) -> Iterator[None]:
    """Turn the errors of a damaged database into a UserError."""
    try:
        yield
    except _DAMAGED as error:
        found = str(error).partition("\n")[0] or type(error).__name__
        remedy = "restore it from a copy"
        raise UserError(Problem(f"{database} is damaged: {found}", remedy=remedy)) from None


def review(store: Store) -> Review:
    """Return the state of the review of a service's submissions.

    Raises:
        UserError: the database is damaged.
    """
    with _said_plainly(store.path):
        return _review(store)


def _review(store: Store) -> Review:
    rows = store.submissions()
    found = find(rows, Code(store.sources(sorted({row.code for row in rows})), store.known_sources()))
    decided = store.verdicts()
    return Review(tuple(_case(row, found, decided.get(row.number)) for row in rows))


def _case(row: SubmissionRow, found: Sequence[Finding], decided: tuple[bool, str] | None) -> Case:
    """Return a submission as a case."""
    own = tuple(one for one in found if one.submission == row.number)
    return Case(row, own, *(decided or (None, "")))


def case_of(state: Review, submission: int) -> Case:
    """Return one submission's case.

    Raises:
        UserError: there is no such submission.
    """
    for case in state.cases:
        if case.row.number == submission:
            return case
    there = f"there are 1 to {len(state.cases)}" if state.cases else "there are none yet"
    raise UserError(Problem(f"there is no submission {submission}", remedy=there))


def source_of(store: Store, case: Case) -> str:
    """Return the code of a submission; empty if it is not stored.

    Raises:
        UserError: the database is damaged.
    """
    with _said_plainly(store.path):
        return store.source(case.row.code) or ""


def decide(store: Store, decisions: Collection[tuple[int, bool]], note: str) -> None:
    """Store a person's decisions, all or none of them.

    Args:
        store: the service's store.
        decisions: submissions, and whether each is accepted.
        note: the reason, stored with each.

    Raises:
        UserError: there is no such submission.
    """
    if not decisions:
        return
    state = review(store)
    numbers = [(case_of(state, number).row.number, accepted) for number, accepted in decisions]
    with _said_plainly(store.path), store.change():
        for number, accepted in numbers:
            store.decide(number, accepted, note)


def outcome(state: Review, hacks: Collection[int]) -> DetectorRecord:
    """Return how good the detectors were, given which submissions were hacks."""
    flagged = {case.row.number for case in state.cases if case.findings}
    honest = {case.row.number for case in state.cases} - set(hacks)
    return DetectorRecord(len(hacks), len(flagged & set(hacks)), len(honest), len(flagged & honest))
