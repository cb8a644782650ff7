"""A ledger as evidence: numbers of observations and runs, sources, and the latest date."""

from collections.abc import Collection

import pandas as pd

from simbudget.arrays import Integers
from simbudget.ledger.imported import ImportedLedger
from simbudget.scenario.calibration_file import LearntFrom


def evidence_of_ledger(
    ledger: ImportedLedger, kinds: Collection[str], count: int, remark: str = ""
) -> LearntFrom:
    """Return the runs that have entries of these kinds as the evidence for something learnt from them.

    Args:
        ledger: logs of real runs.
        kinds: of the entries that tell.
        count: number of observations.
        remark: what a reader should know.
    """
    entries = ledger.entries[ledger.entries["kind"].isin(kinds)]
    runs = ledger.runs[ledger.runs["run"].isin(entries["run"])]
    sources = ", ".join(sorted(entries["source"].astype(str).unique()))
    return LearntFrom(count, len(runs), sources, _last_day(runs), 0, remark)


def evidence_of_runs(ledger: ImportedLedger, which: Integers, remark: str = "") -> LearntFrom:
    """Return runs as the evidence for something learnt from one observation of each.

    Args:
        ledger: logs of real runs.
        which: [observations] numbers of the runs.
        remark: what a reader should know.
    """
    runs = ledger.runs[ledger.runs["run"].isin(which)]
    sources = ", ".join(sorted(runs["source"].astype(str).unique()))
    return LearntFrom(len(runs), len(runs), sources, _last_day(runs), 0, remark)


def _last_day(runs: pd.DataFrame) -> str:
    ended = runs["ended_at"].max()
    return "" if pd.isna(ended) else str(ended.date())
