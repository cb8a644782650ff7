"""A ledger as evidence: numbers of observations and runs, sources, and the latest date."""

from collections.abc import Collection

import pandas as pd

from simbudget.ledger.imported import ImportedLedger
from simbudget.scenario.calibration_file import Evidence


def evidence_of_ledger(
    ledger: ImportedLedger, kinds: Collection[str], count: int, remark: str = ""
) -> Evidence:
    """Return the runs that have entries of these kinds as the evidence for something learnt from them."""
    entries = ledger.entries[ledger.entries["kind"].isin(kinds)]
    runs = ledger.runs[ledger.runs["run"].isin(entries["run"])]
    ended = runs["ended_at"].max()
    sources = ", ".join(sorted(entries["source"].astype(str).unique()))
    return Evidence(count, len(runs), sources, "" if pd.isna(ended) else str(ended.date()), 0, remark)
