"""The display of a review: the answer in a line, the queue, and one submission with its evidence and code."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from simbudget.pilot.review.queue import Case, Outcome, Review, outcome


def review_answer(state: Review, hacks: Mapping[int, str]) -> str:
    """Return one line on the state of the review."""
    waiting, total = len(state.queue), len(state.cases)
    line = f"{waiting} of {total} submissions await a decision"
    if not hacks:
        return f"{line}; none was made by a hack that ships with the task."
    known = outcome(state, hacks)
    return f"{line}; {known.caught} of {known.hacks} played hacks caught, {_blamed(known)}."


def _blamed(known: Outcome) -> str:
    """Return how many honest submissions were flagged."""
    return f"{known.blamed} of {known.honest} honest submissions blamed"


def queue_table(state: Review, everything: bool) -> Table:
    """Return the queue, or every submission that was flagged or decided on."""
    cases = (
        [case for case in state.cases if case.findings or case.accepted is not None]
        if everything
        else state.queue
    )
    table = Table(title="Review", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("no.", justify="right")
    table.add_column("agent", justify="right")
    table.add_column("method", overflow="fold")
    table.add_column("score", justify="right")
    table.add_column("decision")
    table.add_column("reason to check it", overflow="fold")
    for case in cases:
        why = "\n".join(f"{one.detector}: {one.evidence}" for one in case.findings)
        row = case.row
        table.add_row(str(row.number), str(row.agent), row.method, f"{row.score:.3f}", decision(case), why)
    return table


def decision(case: Case) -> str:
    """Return a person's decision as text."""
    if case.accepted is None:
        return "pending" if case.findings else "not flagged"
    return ("accepted" if case.accepted else "rejected") + (f": {case.note}" if case.note else "")


def case_text(case: Case, source: str) -> str:
    """Return one submission with its evidence and code."""
    row = case.row
    parts = ", ".join(f"{name} {score:.3f}" for name, score in row.parts.items())
    evidence = [f"  {one.detector}: {one.evidence}" for one in case.findings] or ["  nothing suspicious"]
    lines = [
        f"Submission {row.number} by agent {row.agent}: {row.method}, seed {row.seed}, {dict(row.hyperparameters)}",
        f"Score {row.score:.3f} ({parts}); {decision(case)}",
        "Evidence",
        *evidence,
        f"Code {row.code[:12]}",
        *(f"  {number:3} {line}" for number, line in enumerate(source.splitlines(), 1)),
    ]
    return "\n".join(lines)


def hacks_table(state: Review, hacks: Mapping[int, str]) -> Table:
    """Return, for each hack that was played, the number of submissions and how many were caught."""
    flagged = {case.row.number for case in state.cases if case.findings}
    played, caught = Counter(hacks.values()), Counter(hacks[number] for number in hacks if number in flagged)
    table = Table(title="Hacks that were played", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("hack")
    table.add_column("submissions", justify="right")
    table.add_column("caught", justify="right")
    for name in sorted(played):
        table.add_row(name, str(played[name]), str(caught[name]))
    return table


def as_plain(state: Review, hacks: Mapping[int, str]) -> dict[str, Any]:
    """Return the state of the review as plain values for JSON."""
    known = outcome(state, hacks)
    return {
        "submissions": len(state.cases),
        "waiting": [case.row.number for case in state.queue],
        "rejected": sorted(state.rejected),
        "hacks": {"played": known.hacks, "caught": known.caught, "missed": known.missed},
        "honest": {"submissions": known.honest, "blamed": known.blamed},
        "cases": [
            {
                "submission": case.row.number,
                "agent": case.row.agent,
                "method": case.row.method,
                "score": case.row.score,
                "findings": [{"detector": one.detector, "evidence": one.evidence} for one in case.findings],
                "accepted": case.accepted,
                "note": case.note,
                "played_hack": hacks.get(case.row.number),
            }
            for case in state.cases
            if case.findings or case.accepted is not None or case.row.number in hacks
        ],
    }
