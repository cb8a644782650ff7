"""The result of `simbudget review`: the queue, what the detectors are worth, and one submission in full."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simbudget.errors import Problem, UserError
from simbudget.pilot.review.played import played_hacks
from simbudget.pilot.review.queue import (
    Case,
    DetectorRecord,
    Review,
    case_of,
    decide,
    find_database,
    open_store,
    outcome,
    review,
    source_of,
)
from simbudget.results import Number, Result, Table


@dataclass(frozen=True)
class PilotReview(Result):
    """The state of the review of a pilot's submissions."""

    database: Path
    state: Review
    hacks: Mapping[int, str]
    """Which submissions were made by hacks that ship with the task, and by which."""
    shows_decided: bool = False
    """Whether the table also lists submissions that have been decided on."""
    notes: tuple[str, ...] = ()

    json_name = "review.json"

    def answer(self) -> str:
        """Return how many submissions await a decision, and how good the detectors were."""
        line = f"{len(self.state.queue)} of {len(self.state.cases)} submissions await a decision"
        if not self.hacks:
            return f"{line}; none was made by a hack that ships with the task."
        known = outcome(self.state, self.hacks)
        return f"{line}; {known.caught} of {known.hacks} played hacks caught, {_blamed(known)}."

    def as_json(self) -> dict[str, Any]:
        """Return the state of the review, with every submission that was flagged, decided on, or a hack."""
        known = outcome(self.state, self.hacks)
        return {
            "submissions": len(self.state.cases),
            "waiting": [case.row.number for case in self.state.queue],
            "rejected": sorted(self.state.rejected),
            "hacks": {"played": known.hacks, "caught": known.caught, "missed": known.missed},
            "honest": {"submissions": known.honest, "blamed": known.blamed},
            "cases": [
                {
                    "submission": case.row.number,
                    "agent": case.row.agent,
                    "method": case.row.method,
                    "score": case.row.score,
                    "findings": [
                        {"detector": one.detector, "evidence": one.evidence} for one in case.findings
                    ],
                    "accepted": case.accepted,
                    "note": case.note,
                    "played_hack": self.hacks.get(case.row.number),
                }
                for case in self.state.cases
                if case.findings or case.accepted is not None or case.row.number in self.hacks
            ],
        }

    def tables(self) -> list[Table]:
        """Return the queue and the hacks that were played, without empty tables."""
        return [table for table in (self._queue(), self._hacks()) if table.rows]

    def case(self, number: int) -> str:
        """Return one submission with its evidence and code, as text.

        Raises:
            UserError: there is no such submission.
        """
        case = case_of(self.state, number)
        row, source = case.row, source_of(open_store(self.database), case)
        parts = ", ".join(f"{name} {score:.3f}" for name, score in row.parts.items())
        evidence = [f"  {one.detector}: {one.evidence}" for one in case.findings] or ["  nothing suspicious"]
        lines = [
            f"Submission {row.number} by agent {row.agent}: {row.method}, seed {row.seed}, "
            f"{dict(row.hyperparameters)}",
            f"Score {row.score:.3f} ({parts}); {decision(case)}",
            "Evidence",
            *evidence,
            f"Code {row.code[:12]}",
            *(f"  {number:3} {line}" for number, line in enumerate(source.splitlines(), 1)),
        ]
        return "\n".join(lines)

    def _queue(self) -> Table:
        cases = (
            [case for case in self.state.cases if case.findings or case.accepted is not None]
            if self.shows_decided
            else self.state.queue
        )
        rows = [
            (
                str(case.row.number),
                str(case.row.agent),
                case.row.method,
                Number(f"{case.row.score:.3f}", case.row.score),
                decision(case),
                "\n".join(f"{one.detector}: {one.evidence}" for one in case.findings),
            )
            for case in cases
        ]
        columns = ("no.", "agent", "method", "score", "decision", "reason to check it")
        return Table("Review", columns, rows, words=(2, 4, 5))

    def _hacks(self) -> Table:
        """Return, for each hack that was played, the number of submissions and how many were caught."""
        flagged = {case.row.number for case in self.state.cases if case.findings}
        played = Counter(self.hacks.values())
        caught = Counter(self.hacks[number] for number in self.hacks if number in flagged)
        rows = [(name, str(played[name]), str(caught[name])) for name in sorted(played)]
        return Table("Hacks that were played", ("hack", "submissions", "caught"), rows)


def review_pilot(
    folder: Path,
    accept: Sequence[int] = (),
    reject: Sequence[int] = (),
    note: str = "",
    shows_decided: bool = False,
) -> PilotReview:
    """Record decisions on a pilot's submissions, and return the state of the review.

    Args:
        folder: the pilot's folder, or its service's database.
        accept: numbers of submissions to accept.
        reject: numbers of submissions to reject.
        note: reason, kept with each decision.
        shows_decided: whether the table also lists submissions that have been decided on.

    Raises:
        UserError: there is no such pilot or submission, or one is both accepted and rejected.
    """
    both = sorted(set(accept) & set(reject))
    if both:
        raise UserError(
            Problem(f"submission {both[0]} cannot be both accepted and rejected", remedy="choose one of them")
        )
    database = find_database(folder)
    store = open_store(database)
    decide(store, [*((number, True) for number in accept), *((number, False) for number in reject)], note)
    state = review(store)
    return PilotReview(database, state, played_hacks(state), shows_decided)


def decision(case: Case) -> str:
    """Return a person's decision as text."""
    if case.accepted is None:
        return "pending" if case.findings else "not flagged"
    return ("accepted" if case.accepted else "rejected") + (f": {case.note}" if case.note else "")


def _blamed(known: DetectorRecord) -> str:
    """Return how many honest submissions were flagged."""
    return f"{known.blamed} of {known.honest} honest submissions blamed"
