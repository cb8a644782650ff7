"""Experiments of a ledger as arrays: durations, outcomes and runs."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from simbudget.arrays import Flags, Floats, Integers
from simbudget.ledger.imported import ImportedLedger


@dataclass(frozen=True, eq=False)
class Jobs:
    """Experiments in the order of their starts within each run; arrays of one length."""

    run: Integers
    agent: Integers
    started_s: Floats
    duration_s: Floats
    """NaN where the log does not say."""
    failed: Flags
    censored: Flags
    """Whether it was still running at the end of the log."""
    kept: Flags
    score: Floats
    gpus: Floats
    source: str
    date: str
    runs: int

    def __len__(self) -> int:
        """Return the number of experiments."""
        return len(self.run)

    def by_run(self, which: Flags) -> list[tuple[Floats, Flags]]:
        """Return each run's known durations of the experiments in `which`, and which of them are censored.

        A single run has no information on differences between runs, so its experiments are treated as independent.
        """
        which = which & np.isfinite(self.duration_s)
        runs = self.run[which] if self.runs > 1 else np.arange(int(which.sum()))
        duration_s, censored = self.duration_s[which], self.censored[which]
        return [(duration_s[runs == run], censored[runs == run]) for run in np.unique(runs)]

    def failures_by_run(self) -> tuple[Floats, Floats]:
        """Return [runs] the numbers of failures and of experiments."""
        runs = np.unique(self.run)
        hits = np.array([self.failed[self.run == run].sum() for run in runs], dtype=np.float64)
        tries = np.array([(self.run == run).sum() for run in runs], dtype=np.float64)
        return hits, tries


def jobs_of(ledger: ImportedLedger) -> Jobs | None:
    """Return a ledger's experiments; None if it has none."""
    entries = ledger.entries
    jobs = entries[entries["kind"] == "experiment"].sort_values(["run", "started_s"], kind="stable")
    if jobs.empty:
        return None
    outcome = jobs["outcome"].astype(str)
    began = ledger.runs["began_at"].max()
    return Jobs(
        run=jobs["run"].to_numpy(np.int64),
        agent=jobs["agent"].to_numpy(np.int64),
        started_s=jobs["started_s"].to_numpy(np.float64),
        duration_s=jobs["duration_s"].to_numpy(np.float64),
        failed=outcome.eq("failed").to_numpy(),
        censored=outcome.eq("cut").to_numpy(),
        kept=jobs["kept"].fillna(False).to_numpy(np.bool_),
        score=jobs["score"].to_numpy(np.float64),
        gpus=jobs["gpus"].to_numpy(np.float64),
        source=", ".join(sorted(jobs["source"].astype(str).unique())),
        date="" if pd.isna(began) else str(began.date()),
        runs=int(jobs["run"].nunique()),
    )
