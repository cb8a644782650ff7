"""Attempts at tasks: what a ledger's runs say of them where logs name the task of each run.

A run is one attempt. Its last score says whether it solved the task: 1 or more does. A log whose scores are not within
0 to 1 says nothing of that.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from simbudget.arrays import Floats, Integers
from simbudget.ledger.imported import ImportedLedger

_FULL_SCORE: Final = 1.0


@dataclass(frozen=True, eq=False)
class Attempts:
    """Attempts at tasks as arrays of one length, NaN where the log does not say."""

    run: Integers
    task: Integers
    """Number of the task, from 0 in the order of the ledger."""
    solved: Floats
    """1 if the attempt solved its task, otherwise 0."""
    cost_usd: Floats

    def __len__(self) -> int:
        """Return the number of attempts."""
        return len(self.run)

    def hits_and_tries(self) -> tuple[Integers, Integers]:
        """Return [tasks] the attempts that solved each task, and those of known outcome; of tasks that have any."""
        known = np.isfinite(self.solved)
        tries = np.bincount(self.task[known])
        hits = np.bincount(self.task[known], self.solved[known]).astype(np.int64)
        return hits[tries > 0], tries[tries > 0].astype(np.int64)


def attempts_of(ledger: ImportedLedger) -> Attempts:
    """Return the attempts of a ledger: its runs whose log names a task."""
    runs = ledger.runs[ledger.runs["task"] != ""]
    entries = ledger.entries[ledger.entries["run"].isin(runs["run"])]
    task, _ = pd.factorize(runs["task"])
    by_run = [column.reindex(runs["run"]) for column in (_scores(entries), _costs(entries))]
    score, cost = (column.to_numpy(np.float64) for column in by_run)
    reported = runs["reported_cost_usd"].to_numpy(np.float64)
    within = not ((score < 0) | (score > _FULL_SCORE)).any()
    solved = np.where(np.isfinite(score) & within, score >= _FULL_SCORE, np.nan)
    return Attempts(
        runs["run"].to_numpy(np.int64),
        task.astype(np.int64),
        solved.astype(np.float64),
        np.where(np.isfinite(cost), cost, reported),
    )


def _scores(entries: pd.DataFrame) -> pd.Series:
    """Return each run's last score; a job's result is none."""
    told = entries[entries["score"].notna() & (entries["kind"] != "experiment")]
    return told.groupby("run")["score"].last()


def _costs(entries: pd.DataFrame) -> pd.Series:
    """Return what each run cost; NaN if the cost of a part is not known, or nothing was paid for."""
    paid = entries[entries["component"] != ""]
    return paid.groupby("run")["cost_usd"].agg(lambda costs: costs.sum(skipna=False))
