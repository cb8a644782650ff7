"""Where a run stands: what a ledger says has been done, used and spent up to its last entry, and up to half of that.

Only what the log speaks to is here. A count that is not known is left out, never taken for nothing.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from simbudget.arrays import Floats
from simbudget.errors import Problem, UserError
from simbudget.forecast.in_flight import CALL_KINDS, TOKENS, Amount, amounts_in_flight
from simbudget.ledger.costs import counted_usd
from simbudget.ledger.entry import CALLS
from simbudget.ledger.imported import ImportedLedger
from simbudget.ledger.store import OPEN

_CALL_KINDS: Final = (*CALL_KINDS, CALLS)
_NO_RESULT: Final = ("failed", "cut", "unserved", "preempted")
_KNOWN: Final = 0.9
"""A count is known if it is for so large a part of the calls; the others are taken as their mean."""
_PAID_WHEN_DUE: Final = ("tokens", "scorer", "review", "gates")
"""Components whose entries tell all at any time; what accrues (sandboxes, reserved GPUs) has none yet."""


@dataclass(frozen=True)
class RunState:
    """What a run has come to so far. Keys are columns of a projection's replications."""

    elapsed_s: float
    so_far: dict[str, float]
    halfway: dict[str, float]
    """The same, up to half the time that has passed."""
    paid_usd: dict[str, float]
    """By component, for those whose entries tell all that was paid."""
    in_flight: dict[str, Amount]
    """What has begun and is in no entry yet."""
    agents: int
    last_at: pd.Timestamp | None
    """When its last entry ended; None if the log has no dates."""
    notes: tuple[str, ...]


def run_state_of(
    ledger: ImportedLedger, elapsed_s: float | None = None, gpus_are_paid_when_due: bool = True
) -> RunState:
    """Return where the run that a ledger tells of stands.

    Several runs in a ledger, such as the sessions of a fleet's agents, are one run: they are laid on one clock by
    their dates, or all begin at once if they have none.

    Args:
        ledger: what was read.
        elapsed_s: how long the run has lasted; by default until the end of its last entry. What ended later is not
            looked at.
        gpus_are_paid_when_due: whether a job's GPUs are paid by its own entry, as on demand.

    Raises:
        UserError: nothing has happened in the run yet.
    """
    entries = _on_one_clock(ledger)
    if entries.empty or not (entries["ended_s"] > 0).any():
        raise UserError(Problem("nothing has happened in this run yet", remedy="ask again when it has begun"))
    last_s = float(entries["ended_s"].max())
    elapsed_s = elapsed_s or last_s
    seen = entries[entries["ended_s"] <= elapsed_s]
    so_far = _totals(seen)
    halfway = _totals(entries[entries["ended_s"] <= elapsed_s / 2], set(so_far))
    components = (*_PAID_WHEN_DUE, "gpu") if gpus_are_paid_when_due else _PAID_WHEN_DUE
    notes = []
    if not any(name.startswith("spend") for name in so_far):
        notes.append("the log does not say what anything cost: money is the scenario's, given what was done")
    if in_flight := int(_is_open(seen).sum()):
        notes.append(
            f"what is under way (calls or jobs: {in_flight:,}) is not among what was spent and done so far"
        )
    if len(ledger.runs) > 1:
        notes.append(f"{len(ledger.runs):,} runs in the log are taken as one")
    dated = ledger.runs["began_at"].min()
    return RunState(
        elapsed_s,
        so_far,
        {name: halfway.get(name, 0.0) for name in so_far},
        {name: so_far[f"spend_{name}_usd"] for name in components if f"spend_{name}_usd" in so_far},
        amounts_in_flight(seen, elapsed_s, so_far),
        int(entries.loc[entries["agent"] >= 0, ["run", "agent"]].drop_duplicates().shape[0]),
        None if pd.isna(dated) else dated + pd.Timedelta(seconds=last_s),
        tuple(notes),
    )


def _on_one_clock(ledger: ImportedLedger) -> pd.DataFrame:
    """Return the entries with the seconds since the start of all at which each ended."""
    entries, runs = ledger.entries, ledger.runs
    later_s = pd.Series(0.0, index=runs["run"].to_numpy())
    if runs["began_at"].notna().all() and len(runs):
        later_s = pd.Series(
            (runs["began_at"] - runs["began_at"].min()).dt.total_seconds().to_numpy(),
            index=runs["run"].to_numpy(),
        )
    began_s = entries["started_s"] + entries["run"].map(later_s).fillna(0.0)
    return entries.assign(ended_s=began_s + entries["duration_s"].fillna(0.0))


def _totals(seen: pd.DataFrame, names: set[str] | None = None) -> dict[str, float]:
    """Return the totals that entries tell, or those of them that have these names."""
    seen = seen[~_is_open(seen)]
    kinds, outcomes = seen["kind"].astype(str), seen["outcome"].astype(str)
    calls = seen[kinds.isin(_CALL_KINDS) & (outcomes != "failed")]
    jobs = seen[kinds == "experiment"]
    totals: dict[str, float] = {}
    if len(calls):
        totals |= _of_calls(calls)
    if len(jobs):
        totals["experiments"] = float((~outcomes[jobs.index].isin(_NO_RESULT)).sum())
        gpu_s = (jobs["gpus"].astype("float64") * jobs["duration_s"]).to_numpy(np.float64)
        if np.isfinite(gpu_s).mean() >= _KNOWN and np.nansum(gpu_s) > 0:
            totals["gpu_hours_used"] = _filled(gpu_s) / 3600.0
    scored = seen[kinds == "score"]
    if len(scored):
        totals["scorer_calls"] = float((outcomes[scored.index] == "ok").sum())
    totals |= _of_money(seen)
    return totals if names is None else {name: value for name, value in totals.items() if name in names}


def _is_open(entries: pd.DataFrame) -> pd.Series:
    """Return which things are under way, of which a pilot's ledger knows the worst case only."""
    return entries["outcome"].astype(str) == OPEN


def _of_calls(calls: pd.DataFrame) -> dict[str, float]:
    many = calls["calls"].astype("float64").fillna(1.0)
    totals = {"model_calls": float(many.sum())}
    for name, column in TOKENS.items():
        values = np.asarray(calls[column].astype("float64"), dtype=np.float64)
        if np.isfinite(values).mean() >= _KNOWN:
            totals[name] = _filled(values)
    return totals


def _of_money(seen: pd.DataFrame) -> dict[str, float]:
    """Return what was paid by component."""
    paid = counted_usd(seen).groupby(seen["component"].astype(str)).agg(["sum", "count", "size"])
    return {
        f"spend_{name}_usd": float(row["sum"])
        for name, row in paid.iterrows()
        if name and row["count"] >= _KNOWN * row["size"] and row["sum"] > 0
    }


def _filled(values: Floats) -> float:
    """Return a sum, a few values that are not known taken as the mean of the others."""
    return float(np.nanmean(values) * len(values))
