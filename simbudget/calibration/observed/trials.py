"""Trials: what gates and reviews of a ledger came to, run by run, and by what a run is known again.

A gate's entry says by its name which gate it is, or by its place in the scenario (`turn`, from 0), as simulated ones
do. It passed (`ok`) or not (`failed`); what was cut off says nothing. A review found nothing (`ok`) or took the
submission for a hack (`blamed`).
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from simbudget.ledger.imported import ImportedLedger
from simbudget.scenario.model import gates_meant

Counts = tuple[int, int]
"""So many of so many."""

_METERS: Final = ("sandbox", "staff", "reserved", "fixed")
"""Kinds of entries that tell what a run costs by the hour, and stand where it began."""
_KNOWN_BY: Final = 12
"""So many of a run's first entries say which run it is: it stays the same run when more of it is read."""
_MS: Final = 1000
_DIGITS: Final = 9


@dataclass(frozen=True)
class Trials:
    """What the trials of a ledger came to."""

    gates: Mapping[int, Mapping[str, Counts]]
    """By the gate's place in the scenario, by run: passed, of those tried."""
    reviews: Mapping[str, Counts]
    """By run: blamed, of those reviewed."""
    submissions: int
    """How many submissions were scored in the runs that have reviews."""
    unknown: tuple[str, ...]
    """Gates of the ledger that the scenario does not have."""


def trials_of(ledger: ImportedLedger, gates: Sequence[str]) -> Trials:
    """Return the trials of a ledger; `gates` are the names of the scenario's."""
    entries = ledger.entries
    told = entries[entries["kind"].isin(("gate", "review"))]
    keys = {run: run_key(entries[entries["run"] == run]) for run in told["run"].unique()}
    outcome = told["outcome"].astype(str)
    tries = told[(told["kind"] == "gate") & outcome.isin(("ok", "failed"))]
    reviews = told[(told["kind"] == "review") & outcome.isin(("ok", "blamed"))]
    places = places_of_gates(tries, gates)
    scored = entries[(entries["kind"] == "score") & entries["run"].isin(reviews["run"])]
    return Trials(
        {
            place: _by_run(tries[places.eq(place).to_numpy(np.bool_, na_value=False)], "ok", keys)
            for place in range(len(gates))
            if places.eq(place).any()
        },
        _by_run(reviews, "blamed", keys),
        int(scored["outcome"].astype(str).eq("ok").sum()),
        tuple(sorted({name or f"gate {turn + 1}" for name, turn in _named(tries[places.isna()])})),
    )


def places_of_gates(tries: pd.DataFrame, gates: Sequence[str]) -> pd.Series:
    """Return for each try the place of its gate in the scenario; NA where it has no such gate."""
    return pd.Series([_place(name, turn, gates) for name, turn in _named(tries)], tries.index, dtype="Int64")


def _named(tries: pd.DataFrame) -> Iterator[tuple[str, int]]:
    return zip(tries["name"].astype(str), tries["turn"].astype(int), strict=True)


def _place(name: str, turn: int, gates: Sequence[str]) -> int | None:
    """Return which of the scenario's gates one is: by its name or the beginning of it, else by its place."""
    if not name:
        return turn if 0 <= turn < len(gates) else None
    meant = gates_meant(name, gates)
    return meant[0] if len(meant) == 1 else None


def _by_run(rows: pd.DataFrame, hit: str, keys: Mapping[int, str]) -> dict[str, Counts]:
    """Return by run how many of its rows have an outcome, and how many there are."""
    hits = rows["outcome"].astype(str).eq(hit).groupby(rows["run"]).agg(["sum", "size"])
    return {keys[run]: (int(of[0]), int(of[1])) for run, of in zip(hits.index, hits.to_numpy(), strict=True)}


def run_key(entries: pd.DataFrame) -> str:
    """Return what a run is known by when it is read again, maybe from another file and grown since."""
    work = entries[~entries["kind"].isin(_METERS)]
    first = work.head(_KNOWN_BY if len(work) >= _KNOWN_BY else 1)
    rows = pd.concat([first, work[work["kind"] == "score"].head(1)])
    starts_ms = np.nan_to_num((rows["started_s"] - work["started_s"].min()) * _MS, nan=-1.0)
    values = (
        rows["agent"],
        rows["kind"].astype(str),
        starts_ms.round().astype(int),
        rows["score"].round(_DIGITS),
    )
    text = repr([tuple(map(str, row)) for row in zip(*values, strict=True)])
    return hashlib.sha256(text.encode()).hexdigest()[:16]
