"""Trials: outcomes of a ledger's gates and reviews by run, and the keys that identify runs.

A gate's entry identifies the gate by name, or by position (`turn`, from 0), as simulated ledgers do.
Its outcome is `ok` or `failed`; entries that were cut off do not count. A review accepted the submission (`ok`) or
considered it a hack (`blamed`).
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from simbudget.ledger.imported import ImportedLedger
from simbudget.scenario.scenario import gates_meant

Counts = tuple[int, int]
"""Successes and trials."""

_METERS: Final = ("sandbox", "staff", "reserved", "fixed")
"""Kinds of hourly charges, which are logged at the start of a run."""
_KNOWN_BY: Final = 12
"""Number of first entries that identify a run, so that a longer log of it is recognised as the same run."""
_MS: Final = 1000
_DIGITS: Final = 9


@dataclass(frozen=True)
class Trials:
    """Outcomes of a ledger's trials."""

    gates: Mapping[int, Mapping[str, Counts]]
    """By the gate's position in the scenario and by run: passed and tried."""
    reviews: Mapping[str, Counts]
    """By run: blamed and reviewed."""
    submissions: int
    """Number of submissions scored in runs with reviews."""
    unknown: tuple[str, ...]
    """Gates in the ledger that the scenario lacks."""


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
    """Return the position in the scenario of each try's gate; NA if the scenario lacks the gate.

    Args:
        tries: entries of kind `gate`.
        gates: names of the scenario's gates, in order.
    """
    return pd.Series([_place(name, turn, gates) for name, turn in _named(tries)], tries.index, dtype="Int64")


def _named(tries: pd.DataFrame) -> Iterator[tuple[str, int]]:
    return zip(tries["name"].astype(str), tries["turn"].astype(int), strict=True)


def _place(name: str, turn: int, gates: Sequence[str]) -> int | None:
    """Return the position of a gate in the scenario: by name or a prefix of it, otherwise by `turn`."""
    if not name:
        return turn if 0 <= turn < len(gates) else None
    meant = gates_meant(name, gates)
    return meant[0] if len(meant) == 1 else None


def _by_run(rows: pd.DataFrame, hit: str, keys: Mapping[int, str]) -> dict[str, Counts]:
    """Return by run the number of rows with an outcome and the number of rows."""
    hits = rows["outcome"].astype(str).eq(hit).groupby(rows["run"]).agg(["sum", "size"])
    return {keys[run]: (int(of[0]), int(of[1])) for run, of in zip(hits.index, hits.to_numpy(), strict=True)}


def run_key(entries: pd.DataFrame) -> str:
    """Return the key that identifies a run when it is read again, possibly from another file or longer."""
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
