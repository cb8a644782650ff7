"""Long stretches of runs in which nothing was recorded and nobody was waited for."""

from typing import Any, Final

import pandas as pd

LONG_GAP_H: Final = 1.0
"""Length from which such a stretch counts as a gap, in hours: longer than nearly all calls and tools."""
_SHOWN: Final = 5
"""Number of gaps listed."""


class Gaps:
    """The gaps of a ledger whose entries arrive in order, in batches."""

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
        self._long.append(gaps[lasts_h > LONG_GAP_H])
        self._before = timed.tail(1)

    def figures(self, runs: pd.DataFrame) -> dict[str, Any]:
        """Return the number and total duration of gaps, and the longest ones."""
        long = pd.concat(self._long).sort_values("lasts_h", ascending=False)
        names = dict(zip(runs["run"], runs["name"], strict=True))
        longest = long.head(_SHOWN).itertuples(index=False)
        return {
            "longer_than_hours": LONG_GAP_H,
            "count": len(long),
            "hours": float(long["lasts_h"].sum()),
            "longest": [
                {"run": names[gap.run], "after_hours": gap.after_h, "hours": gap.lasts_h} for gap in longest
            ],
        }
