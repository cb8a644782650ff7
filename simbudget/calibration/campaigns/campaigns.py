"""Campaigns of experiments in logs, in the order in which results were logged.

A log of results gets a row when an experiment ends. The known part of a campaign at some time therefore consists of the
experiments that have ended, and the remainder of those that end later.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd

from simbudget.arrays import Flags, Floats, Integers
from simbudget.ledger.imported import ImportedLedger
from simbudget.scenario.calibration_file import LearntFrom

FEWEST: Final = 12
"""Campaigns of fewer experiments are too short to be split."""
NO_TRY: Final = "baseline"
"""The status of the state before the campaign."""
_MOSTLY: Final = 0.8
"""If fewer of the kept results are the best so far, the metric was not the criterion for keeping results."""


@dataclass(frozen=True, eq=False)
class Campaign:
    """The experiments of one campaign, in the order in which they ended; arrays of one length."""

    name: str
    source: str
    project: str
    agent: Integers
    started_s: Floats
    ended_s: Floats
    """As far as is known: the start where a duration is not known."""
    duration_s: Floats
    failed: Flags
    kept: Flags
    gain: Floats
    """Gain of the best result so far over the baseline, in the metric's unit; NaN if unknown."""
    baseline: float = np.nan
    """The initial score."""
    better: str = ""
    """Whether `higher` or `lower` scores are better; empty: not known."""
    is_timed: bool = True
    """Whether the log has times; otherwise only the order is known."""
    run: int = -1
    """Its number in the ledger."""
    ended_on: str = ""
    """The day on which its log ends; empty: not known."""

    def __len__(self) -> int:
        """Return the number of experiments."""
        return len(self.started_s)

    @property
    def begins_s(self) -> float:
        """Return when the first experiment started."""
        return float(self.started_s.min())

    @property
    def ends_s(self) -> float:
        """Return when the last experiment ended."""
        return float(self.ended_s.max())

    @property
    def agents(self) -> int:
        """Return how many agents there are."""
        return len(np.unique(self.agent))

    @property
    def knows_durations(self) -> bool:
        """Return whether most durations are known."""
        return bool(np.isfinite(self.duration_s).mean() > _MOSTLY)

    def until(self, part: float) -> Flags:
        """Return which experiments had ended when this part of the campaign's time had passed."""
        return self.ended_s <= self.begins_s + part * (self.ends_s - self.begins_s)

    def part(self, which: Flags) -> "Campaign":
        """Return the campaign of some of its experiments."""
        return replace(
            self,
            agent=self.agent[which],
            started_s=self.started_s[which],
            ended_s=self.ended_s[which],
            duration_s=self.duration_s[which],
            failed=self.failed[which],
            kept=self.kept[which],
            gain=self.gain[which],
        )

    def pauses_s(self) -> Floats:
        """Return what lay between the end of each agent's experiment and the start of its next, at least 0."""
        pauses = []
        for agent in np.unique(self.agent):
            mine = self.agent == agent
            pauses.append(np.maximum(self.started_s[mine][1:] - self.ended_s[mine][:-1], 0.0))
        return np.concatenate(pauses) if pauses else np.zeros(0)


def campaigns_of(ledger: ImportedLedger, timed: bool = True) -> list[Campaign]:
    """Return the campaigns of a ledger that have enough experiments, and a clock; or else only an order.

    Args:
        ledger: logs of real runs.
        timed: whether campaigns without a clock are left out.
    """
    about = ledger.runs.set_index("run")
    jobs = ledger.entries[ledger.entries["kind"] == "experiment"]
    found = []
    for run, rows in jobs.groupby("run", sort=True):
        clock = rows[np.isfinite(rows["started_s"])]
        is_timed = not clock.empty
        if not timed and not is_timed:  # rows stand in the order in which they were written
            clock = rows.assign(started_s=np.arange(len(rows), dtype=np.float64), duration_s=np.nan)
        tries = clock[clock["status"] != NO_TRY]
        if len(tries) >= FEWEST and np.ptp(tries["started_s"]) > 0:
            about_run = about[about.index == run].iloc[0]
            campaign = _campaign(about_run, tries, clock[clock["status"] == NO_TRY])
            found.append(replace(campaign, run=int(tries["run"].iloc[0]), is_timed=is_timed))
    return found


def _campaign(about: pd.Series, tries: pd.DataFrame, before: pd.DataFrame) -> Campaign:
    ended_s = tries["started_s"] + tries["duration_s"].fillna(0.0)
    tries = tries.assign(ended_s=ended_s).sort_values("ended_s", kind="stable")
    failed = tries["outcome"].astype(str).eq("failed").to_numpy()
    kept = tries["kept"].fillna(False).to_numpy(np.bool_)
    scores = tries["score"].to_numpy(np.float64)
    counts = kept if kept.any() else ~failed
    told = [*before["score"].dropna(), *scores[counts & np.isfinite(scores)], np.nan]
    return Campaign(
        name=str(about["name"]),
        source=str(about["source"]),
        project=f"{about['project']}/{about['name']}",
        agent=tries["agent"].to_numpy(np.int64),
        started_s=tries["started_s"].to_numpy(np.float64),
        ended_s=tries["ended_s"].to_numpy(np.float64),
        duration_s=_durations(tries["duration_s"].to_numpy(np.float64), failed),
        failed=failed,
        kept=kept,
        gain=best_gain(scores, counts, str(about["better"]), told[0], tries["session"].nunique() > 1),
        baseline=float(told[0]),
        better=str(about["better"]),
        ended_on="" if pd.isna(about["ended_at"]) else str(about["ended_at"].date()),
    )


def _durations(duration_s: Floats, failed: Flags) -> Floats:
    """Return durations; in a log with durations of successes, a failure without a duration did not run."""
    told = np.isfinite(duration_s)
    if not (~failed).any() or told[~failed].mean() < _MOSTLY:
        return duration_s
    return np.asarray(np.where(failed & ~told, 0.0, duration_s))


def best_gain(scores: Floats, counts: Flags, better: str, baseline: float, changed: bool = False) -> Floats:
    """Return by how much the best of the scores so far is better than the baseline.

    Args:
        scores: in the order in which they came.
        counts: which of them can be the best: what was kept.
        better: `higher` or `lower`; with neither nothing is known.
        baseline: what the campaign began with.
        changed: whether scores mean something else from some experiment on; then nothing is known.
    """
    nothing = np.full(len(scores), np.nan)
    known = counts & np.isfinite(scores)
    if changed or better not in ("higher", "lower") or not known.any() or not np.isfinite(baseline):
        return nothing
    sign = 1.0 if better == "higher" else -1.0
    gains = np.where(known, sign * (scores - baseline), -np.inf)
    best = np.maximum.accumulate(gains)
    records = gains[known] >= best[known]
    return nothing if records.mean() < _MOSTLY else np.maximum(best, 0.0)


def others_than(campaign: Campaign, campaigns: Sequence[Campaign]) -> list[Campaign]:
    """Return the other campaigns.

    Args:
        campaign: the one that is left out.
        campaigns: all of them.
    """
    return [other for other in campaigns if other is not campaign]


def evidence_of(campaigns: Sequence[Campaign], count: int, remark: str) -> LearntFrom:
    """Return campaigns as the evidence for a fit to the given number of observations.

    Args:
        campaigns: those that tell.
        count: number of observations.
        remark: what a reader should know.
    """
    sources = ", ".join(sorted({campaign.source for campaign in campaigns}))
    day = max(campaign.ended_on for campaign in campaigns)
    return LearntFrom(count, len(campaigns), sources, day, 0, remark)
