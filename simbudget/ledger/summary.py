"""What a ledger holds, in figures: runs, calls, tokens by class, cost, hours, gaps, and what is not known."""

import math
from collections import Counter
from dataclasses import asdict
from typing import Any, Final

import numpy as np
import pandas as pd

from simbudget.ledger.cost_check import compare_costs
from simbudget.ledger.imported import ImportedLedger

_CLASSES: Final = {
    "uncached_input": "uncached_input_tokens",
    "cache_write": "cache_write_tokens",
    "cache_write_1h": "cache_write_1h_tokens",
    "cache_read": "cache_read_tokens",
    "output": "output_tokens",
    "thinking": "thinking_tokens",
}
_WORK: Final = ("call", "calls", "compaction", "post", "poll")
LONG_GAP_H: Final = 1.0
"""Nothing noted for so long, and nobody waited for, is a gap."""
_SHOWN_GAPS: Final = 5

Figures = dict[str, Any]


def summarise(ledger: ImportedLedger) -> Figures:
    """Return the figures of a ledger, in all and by format, as JSON has them (None: not known)."""
    entries, runs = ledger.entries, ledger.runs
    sources = [
        {"source": str(source), **_figures(entries[entries["run"].isin(of_source["run"])], of_source)}
        for source, of_source in runs.groupby("source", observed=True)
    ]
    return {
        **_figures(entries, runs),
        "sources": sources,
        "cost_comparisons": [_plain(asdict(each)) for each in compare_costs(entries, runs)],
        "gaps": _gaps(entries, runs),
        "not_known": _notes(runs["not_known"]),
        "oddities": _notes(runs["oddities"]),
        "unread": [asdict(each) for each in ledger.unread],
        "unread_lines": sum(each.count for each in ledger.unread),
    }


def _figures(entries: pd.DataFrame, runs: pd.DataFrame) -> Figures:
    is_call = entries["kind"] == "call"
    told = entries.loc[entries["kind"] == "calls", "calls"]
    experiments = entries[entries["kind"] == "experiment"]
    return _plain(
        {
            "runs": len(runs),
            "agents": int(runs["agents"].sum()),
            "began_at": _iso(runs["began_at"].min()),
            "ended_at": _iso(runs["ended_at"].max()),
            "calls": int((is_call & (entries["outcome"] != "failed")).sum() + told.sum()),
            "failed_calls": int((is_call & (entries["outcome"] == "failed")).sum()),
            "compactions": int((entries["kind"] == "compaction").sum()),
            "tool_uses": int((entries["kind"] == "tool").sum()),
            "experiments": len(experiments),
            "failed_experiments": int((experiments["outcome"] == "failed").sum()),
            "kept_experiments": int(experiments["kept"].sum()),
            "repeated": int(runs["repeated"].sum()),
            "tokens": {name: int(entries[column].sum()) for name, column in _CLASSES.items()},
            "tokens_not_known_of_calls": _not_known(entries),
            "cost": _cost(entries, runs),
            "hours": _hours(entries, runs),
        }
    )


def _not_known(entries: pd.DataFrame) -> Figures:
    """Return of how many calls the count of each class is not known."""
    work = entries[entries["kind"].isin(_WORK) & (entries["component"] == "tokens")]
    return {
        name: int(work[column].isna().sum())
        for name, column in _CLASSES.items()
        if name not in ("thinking", "cache_write_1h")
    }


def _cost(entries: pd.DataFrame, runs: pd.DataFrame) -> Figures:
    """Return the cost as reported, by the list, and as it stands in the ledger."""
    paid = entries[entries["component"] == "tokens"]
    of_entries = paid.groupby("run")["reported_cost_usd"].sum(min_count=1).reindex(runs["run"])
    reported = of_entries.to_numpy()
    of_runs = np.where(np.isnan(reported), runs["reported_cost_usd"].to_numpy(), reported)
    return {
        "reported_usd": float(np.nansum(of_runs)) if np.isfinite(of_runs).any() else None,
        "runs_that_report": int(np.isfinite(of_runs).sum()),
        "by_list_usd": float(paid["list_cost_usd"].sum()) if paid["list_cost_usd"].notna().any() else None,
        "ledger_usd": float(paid["cost_usd"].sum()),
        "entries_without_cost": int(paid["cost_usd"].isna().sum()),
        "entries_without_price": int((paid["list_cost_usd"].isna()).sum()),
    }


def _hours(entries: pd.DataFrame, runs: pd.DataFrame) -> Figures:
    """Return the hours of the runs on the clock, and of the agents by what they did."""
    clock = (runs["ended_at"] - runs["began_at"]).dt.total_seconds()
    by_kind = entries.groupby(entries["kind"].astype(str))["duration_s"].sum()
    named = {
        "model": by_kind.reindex(_WORK).sum(),
        **{what: by_kind.get(what, 0.0) for what in ("tool", "experiment", "score")},
        "waiting_for_people": by_kind.get("wait", 0.0),
    }
    return {
        "clock": float(clock.sum() / 3600),
        **{name: float(value / 3600) for name, value in named.items()},
    }


def _gaps(entries: pd.DataFrame, runs: pd.DataFrame) -> Figures:
    """Return the long stretches within runs in which nothing was noted, and nobody waited for."""
    timed = entries.loc[entries["started_s"].notna(), ["run", "started_s", "duration_s"]]
    timed = timed.sort_values(["run", "started_s"], kind="stable")
    ended = (timed["started_s"] + timed["duration_s"].fillna(0.0)).groupby(timed["run"]).cummax()
    before = ended.groupby(timed["run"]).shift()
    gaps = pd.DataFrame(
        {"run": timed["run"], "after_h": before / 3600, "lasts_h": (timed["started_s"] - before) / 3600}
    )
    long = gaps[gaps["lasts_h"] > LONG_GAP_H].sort_values("lasts_h", ascending=False)
    names = dict(zip(runs["run"], runs["name"], strict=True))
    longest = zip(*(long.head(_SHOWN_GAPS)[name].tolist() for name in gaps), strict=True)
    return {
        "longer_than_hours": LONG_GAP_H,
        "count": len(long),
        "hours": float(long["lasts_h"].sum()),
        "longest": [
            {"run": names[run], "after_hours": after_h, "hours": lasts_h} for run, after_h, lasts_h in longest
        ],
    }


def _notes(column: pd.Series) -> dict[str, int]:
    """Return each note of runs, figures left out, with how many runs have it."""
    counts: Counter[str] = Counter()
    for notes in column[column != ""]:
        for note in str(notes).split("; "):
            words = [word for word in note.split() if not any(letter.isdigit() for letter in word)]
            counts[" ".join(words).replace(" of of calls", "").replace(" times)", "")] += 1
    return dict(counts.most_common())


def _iso(moment: Any) -> str | None:
    return None if pd.isna(moment) else str(moment.isoformat())


def _plain(figures: Figures) -> Figures:
    """Return figures without NaN, which JSON does not have."""
    return {
        name: None if isinstance(value, float) and math.isnan(value) else value
        for name, value in figures.items()
    }
