"""The table of published rates: how often results hold, are hacks, are caught, and keep their effect.

`claims.csv` has one row per claim, with its unit (per submission, per run, per finalist ...), its distance from the
benchmark, its source and its date. Its intervals are Clopper-Pearson intervals, which only cover sampling error within
a study; studies differ far more than that, which `random_effects` takes into account.
"""

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

COLLECTED_ON: Final = "2026-11-28"
"""Date on which the sources were read."""


@dataclass(frozen=True)
class Claim:
    """One published rate."""

    claim_id: str
    claim: str
    hits: int | None
    trials: int | None
    """None if only a rate was published."""
    rate: float
    unit: str
    """What one trial is: a rate of hacks per run of many submissions is not one per submission."""
    reach: str
    """How far from the benchmark it was tested; empty if that does not apply."""
    speaks_to: str
    """The key of the scenario language that it informs."""
    reading: str
    """In what way it does so, for example as an upper bound."""
    group: str
    """The group of claims that are pooled; empty for evidence outside the model."""
    study: str
    certainty: str
    """a: read in the source itself; b: one secondary source, or rounded; c: a count assumed or from memory."""
    source: str
    published: str
    """Year, or year and month."""


@cache
def list_claims() -> tuple[Claim, ...]:
    """Return every claim, in the order of the table."""
    text = files("simbudget.published").joinpath("claims.csv").read_text(encoding="utf-8")
    return tuple(
        Claim(
            claim_id=row["claim_id"],
            claim=row["claim"],
            hits=int(row["hits"]) if row["hits"] else None,
            trials=int(row["trials"]) if row["trials"] else None,
            rate=float(row["rate"]),
            unit=row["unit"],
            reach=row["reach"],
            speaks_to=row["speaks_to"],
            reading=row["reading"],
            group=row["group"],
            study=row["study"],
            certainty=row["certainty"],
            source=row["source"],
            published=row["published"],
        )
        for row in csv.DictReader(text.splitlines())
    )


def claims_of(group: str) -> tuple[Claim, ...]:
    """Return the claims of a group."""
    return tuple(claim for claim in list_claims() if claim.group == group)
