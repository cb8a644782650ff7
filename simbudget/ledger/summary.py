"""Figures of a ledger: runs, calls, tokens by class, cost, hours, gaps, and what is unknown."""

import math
from collections import Counter
from dataclasses import asdict
from typing import Any, Final

import numpy as np
import pandas as pd

from simbudget.ledger.cost_check import CostCheck
from simbudget.ledger.costs import counted_usd, is_counted
from simbudget.ledger.imported import Ledger
from simbudget.pricing.charge import COUNTS, TOKEN_CLASSES

_LONG_GAP_H: Final = 1.0
"""Length from which a stretch without entries counts as a gap, in hours: longer than nearly all calls and tools."""
_SHOWN_GAPS: Final = 5
"""Number of gaps listed."""

_WORK: Final = ("call", "calls", "compaction", "post", "poll")
_HOURS_OF: Final = {
    "model": _WORK,
    "tool": ("tool",),
    "experiment": ("experiment",),
    "score": ("score",),
    "waiting_for_people": ("wait",),
}
_EVENTS: Final = (
    "calls",
    "failed_calls",
    "compactions",
    "tool_uses",
    "experiments",
    "failed_experiments",
    "kept_experiments",
)
Figures = dict[str, Any]


def summarise(ledger: Ledger) -> Figures:
    """Return the figures of a ledger, in total and by format, as plain values for JSON (None if unknown)."""
    runs, gaps, costs = ledger.runs, _Gaps(), CostCheck(ledger.runs)
    tallies = []
    for entries in ledger.batches():
        tallies.append(_tally(entries))
        gaps.add(entries)
        costs.add(entries)
    by_run = pd.concat(tallies).groupby(level=0).sum().reindex(runs["run"], fill_value=0)
    sources = [
        {"source": str(source), **_figures(by_run.loc[of_source["run"]], of_source)}
        for source, of_source in runs.groupby("source", observed=True)
    ]
    return {
        **_figures(by_run, runs),
        "sources": sources,
        "apart": costs.apart.figures(),
        "cost_comparisons": [_plain(asdict(each)) for each in costs.comparisons()],
        "gaps": gaps.figures(runs),
        "not_known": _notes(runs["not_known"]),
        "oddities": _notes(runs["oddities"]),
        "unread": [asdict(each) for each in ledger.unread],
        "unread_lines": sum(each.count for each in ledger.unread),
    }


def _tally(entries: pd.DataFrame) -> pd.DataFrame:
    """Return the contributions of entries to the figures of their runs, one row per run, additive over batches."""
    kind = entries["kind"].astype(object)
    is_call, is_failed = kind == "call", entries["outcome"] == "failed"
    is_experiment, is_paid = kind == "experiment", entries["component"] == "tokens"
    work = is_paid & kind.isin(_WORK)
    columns: dict[str, Any] = {
        "calls": (is_call & ~is_failed) + entries["calls"].where(kind == "calls").fillna(0).astype("int64"),
        "failed_calls": is_call & is_failed,
        "compactions": kind == "compaction",
        "tool_uses": kind == "tool",
        "experiments": is_experiment,
        "failed_experiments": is_experiment & is_failed,
        "kept_experiments": is_experiment & entries["kept"].fillna(False),
        **{f"tokens {name}": entries[f"{name}_tokens"].fillna(0) for name in COUNTS},
        **{f"not known {name}": work & entries[f"{name}_tokens"].isna() for name in TOKEN_CLASSES},
        **{f"{what}_s": entries["duration_s"].where(kind.isin(kinds)) for what, kinds in _HOURS_OF.items()},
        "without_cost": is_paid & entries["cost_usd"].isna(),
    }
    for name in ("reported_cost_usd", "list_cost_usd", "cost_usd"):
        paid = entries[name].where(is_paid)
        columns |= {name: paid, f"{name} known": paid.notna()}
    counts = is_counted(entries)
    columns |= {
        "counted_usd": counted_usd(entries).where(counts),
        "counted": counts,
        "lower_bounds": counts & entries["cost_usd"].isna(),
    }
    columns["without_price"] = is_paid & entries["list_cost_usd"].isna()
    return pd.DataFrame(columns).astype(_ADDED).groupby(entries["run"]).sum()


_ADDED: Final = {
    **dict.fromkeys(_EVENTS, "int64"),
    **{f"tokens {name}": "int64" for name in COUNTS},
    **{f"not known {name}": "int64" for name in TOKEN_CLASSES},
    **{f"{what}_s": "float64" for what in _HOURS_OF},
    **dict.fromkeys(("without_cost", "without_price", "counted", "lower_bounds"), "int64"),
    **dict.fromkeys(("reported_cost_usd", "list_cost_usd", "cost_usd", "counted_usd"), "float64"),
    **{f"{name} known": "int64" for name in ("reported_cost_usd", "list_cost_usd", "cost_usd")},
}
"""Types of the additive contributions."""


def _figures(by_run: pd.DataFrame, runs: pd.DataFrame) -> Figures:
    """Return the combined figures of runs from those of each run."""
    total = by_run.sum()
    return _plain(
        {
            "runs": len(runs),
            "agents": int(runs["agents"].sum()),
            "began_at": _iso(runs["began_at"].min()),
            "ended_at": _iso(runs["ended_at"].max()),
            **{name: int(by_run[name].sum()) for name in _EVENTS},
            "repeated": int(runs["repeated"].sum()),
            "tokens": {name: int(by_run[f"tokens {name}"].sum()) for name in COUNTS},
            "tokens_not_known_of_calls": {name: int(total[f"not known {name}"]) for name in TOKEN_CLASSES},
            "cost": _cost(by_run, runs),
            "hours": _hours(by_run, runs),
        }
    )


def _cost(by_run: pd.DataFrame, runs: pd.DataFrame) -> Figures:
    """Return the cost as reported, by the list, as entered in the ledger, and as `usage` counts it."""
    of_entries = by_run["reported_cost_usd"].where(by_run["reported_cost_usd known"] > 0).to_numpy()
    of_runs = np.where(np.isnan(of_entries), runs["reported_cost_usd"].to_numpy(), of_entries)
    return {
        "reported_usd": float(np.nansum(of_runs)) if np.isfinite(of_runs).any() else None,
        "runs_that_report": int(np.isfinite(of_runs).sum()),
        "by_list_usd": float(by_run["list_cost_usd"].sum()) if by_run["list_cost_usd known"].any() else None,
        "ledger_usd": float(by_run["cost_usd"].sum()),
        "counted_usd": float(by_run["counted_usd"].sum()),
        "counted_is_lower_bound": bool(by_run["lower_bounds"].any()),
        "runs_counted": int((by_run["counted"] > 0).sum()),
        "entries_without_cost": int(by_run["without_cost"].sum()),
        "entries_without_price": int(by_run["without_price"].sum()),
    }


def _hours(by_run: pd.DataFrame, runs: pd.DataFrame) -> Figures:
    """Return elapsed hours of the runs, and hours of agents by activity."""
    clock = (runs["ended_at"] - runs["began_at"]).dt.total_seconds()
    return {
        "clock": float(clock.sum() / 3600),
        **{what: float(by_run[f"{what}_s"].sum() / 3600) for what in _HOURS_OF},
    }


def _notes(column: pd.Series) -> dict[str, int]:
    """Return the number of runs with each note, ignoring the numbers in notes."""
    counts: Counter[str] = Counter()
    for notes in column[column != ""]:
        for note in str(notes).split("; "):
            words = [word for word in note.split() if not any(letter.isdigit() for letter in word)]
            counts[" ".join(words).replace(" of of calls", "").replace(" times)", "")] += 1
    return dict(counts.most_common())


def _iso(moment: Any) -> str | None:
    return None if pd.isna(moment) else str(moment.isoformat())


def _plain(figures: Figures) -> Figures:
    """Replace NaN by None, as JSON has no NaN."""
    return {
        name: None if isinstance(value, float) and math.isnan(value) else value
        for name, value in figures.items()
    }


class _Gaps:
    """The gaps of a ledger whose entries arrive in order, in batches: long stretches in which nothing was recorded."""

    def __init__(self) -> None:
        self._long: list[pd.DataFrame] = []
        self._before: pd.DataFrame | None = None
        """The last entry so far, with the latest end of its run's entries."""

    def add(self, entries: pd.DataFrame) -> None:
        """Look for gaps before each of the next entries."""
        timed = entries.loc[entries["started_s"].notna(), ["run", "started_s", "duration_s"]]
        timed = timed.assign(ended_s=timed["started_s"] + timed.pop("duration_s").fillna(0.0))
        if self._before is not None:
            timed = pd.concat([self._before, timed], ignore_index=True)
        timed["ended_s"] = timed.groupby("run")["ended_s"].cummax()
        before_s = timed.groupby("run")["ended_s"].shift()
        lasts_h = (timed["started_s"] - before_s) / 3600
        gaps = pd.DataFrame({"run": timed["run"], "after_h": before_s / 3600, "lasts_h": lasts_h})
        self._long.append(gaps[lasts_h > _LONG_GAP_H])
        self._before = timed.tail(1)

    def figures(self, runs: pd.DataFrame) -> dict[str, Any]:
        """Return the number and total duration of gaps, and the longest ones."""
        long = pd.concat(self._long).sort_values("lasts_h", ascending=False)
        names = dict(zip(runs["run"], runs["name"], strict=True))
        longest = long.head(_SHOWN_GAPS).itertuples(index=False)
        return {
            "longer_than_hours": _LONG_GAP_H,
            "count": len(long),
            "hours": float(long["lasts_h"].sum()),
            "longest": [
                {"run": names[gap.run], "after_hours": gap.after_h, "hours": gap.lasts_h} for gap in longest
            ],
        }
