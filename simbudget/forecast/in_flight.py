"""What is under way: calls and jobs that have begun and are in no log yet, since a log tells of them when they end.

At a moment that has nothing to do with them, what is under way is on average the sum over all that happened of its
amount times how long it took, divided by the time in which it happened: each was under way for that part of the time
(J. D. C. Little, "A proof for the queuing formula L = lambda W", Operations Research 9 (1961), 383-387; long ones are
met more often than short ones). Of a call all counts that it will come to, since it is paid in full; of a job what it
has used so far, half of it on average. How far that may be off is known as well, from the squares.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from simbudget.arrays import Floats
from simbudget.ledger.costs import counted_usd
from simbudget.ledger.frame import TOKEN_COLUMNS
from simbudget.pricing.charge import TOKEN_CLASSES

CALL_KINDS: Final = ("call", "post", "poll", "compaction")
TOKENS: Final = {f"tokens_{name}": column for name, column in zip(TOKEN_CLASSES, TOKEN_COLUMNS, strict=True)}
"""Totals of tokens, and the entries' columns that they add up."""


@dataclass(frozen=True)
class Amount:
    """What is under way of one total."""

    mean: float
    error: float
    """Its standard deviation."""

    def around(self, scores: Floats) -> Floats:
        """Return amounts for standard normal scores; none negative."""
        return np.maximum(0.0, self.mean + self.error * scores)


NOTHING: Final = Amount(0.0, 0.0)


def amounts_in_flight(seen: pd.DataFrame, elapsed_s: float, totals: Mapping[str, float]) -> dict[str, Amount]:
    """Return what is under way of those totals that are known.

    Args:
        seen: the entries that have ended by now, with `ended_s`.
        elapsed_s: now.
        totals: what these entries come to, by name.
    """
    kinds, outcomes = seen["kind"].astype(str), seen["outcome"].astype(str)
    calls = seen[kinds.isin(CALL_KINDS) & (outcomes != "failed")]
    jobs = seen[kinds.eq("experiment") & seen["gpus"].notna()]
    agents = seen.loc[seen["agent"] >= 0].groupby(["run", "agent"])["ended_s"].max()
    silent = int((agents < elapsed_s).sum())  # who has just ended something has nothing under way
    if not len(agents) or not silent:
        return {}
    clock = _Clock(elapsed_s, len(agents), silent)
    found = {name: _of_calls(calls, column, clock) for name, column in TOKENS.items()}
    found["model_calls"] = _of_calls(calls.assign(one=1.0), "one", clock)
    found["spend_tokens_usd"] = _of_calls(calls.assign(usd=counted_usd(calls)), "usd", clock)
    found["gpu_hours_used"] = _of_jobs(jobs, _numbers(jobs, "gpus") / 3600.0, clock)
    per_s_usd = counted_usd(jobs).to_numpy(np.float64) / np.maximum(_numbers(jobs, "duration_s"), 1e-9)
    found["spend_gpu_usd"] = _of_jobs(jobs, per_s_usd, clock)
    return {name: amount for name, amount in found.items() if name in totals and amount.mean > 0.0}


@dataclass(frozen=True)
class _Clock:
    elapsed_s: float
    agents: int
    silent: int

    def amount(self, weight: Floats, square: Floats) -> Amount:
        """Return the amount of the silent agents, given all agents' sums over entries."""
        part = self.silent / self.agents
        mean = part * float(np.nansum(weight)) / self.elapsed_s
        variance = part * float(np.nansum(square)) / self.elapsed_s - mean**2 / self.silent
        return Amount(mean, float(np.sqrt(max(0.0, variance))))


def _of_calls(calls: pd.DataFrame, column: str, clock: _Clock) -> Amount:
    amount, duration_s = _numbers(calls, column), _numbers(calls, "duration_s")
    return clock.amount(amount * duration_s, amount**2 * duration_s)


def _of_jobs(jobs: pd.DataFrame, per_s: Floats, clock: _Clock) -> Amount:
    duration_s = _numbers(jobs, "duration_s")
    return clock.amount(per_s * duration_s**2 / 2.0, per_s**2 * duration_s**3 / 3.0)


def _numbers(entries: pd.DataFrame, column: str) -> Floats:
    return np.asarray(entries[column].astype("float64"), dtype=np.float64)
