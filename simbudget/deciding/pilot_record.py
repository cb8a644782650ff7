"""The record of a short pilot: a few figures of its ledger, from which its evidence is valued.

For quantities that scatter lognormally the mean and the spread of the logarithms are all that a record says of them
(sufficient statistics); counts and shares stand for what happens or fails at a rate.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]

_HOUR_S: Final = 3600.0

FIGURES: Final = (
    "output per call",
    "scatter of output",
    "speed of calls",
    "tool time",
    "scatter of tool time",
    "new input per call",
    "calls per cycle",
    "calls between steps",
    "time of experiments",
    "scatter of experiments",
    "experiments ended",
    "experiments that failed",
    "experiments under way",
    "cycles begun",
    "submissions",
    "best score",
    "mean score",
    "scatter of scores",
    "time of reviews",
    "crashes",
    "cost per hour",
)
"""The figures of a record, in this order."""


def figures_of(ledger: pd.DataFrame, hours: float) -> Floats:
    """Return the `FIGURES` of the first hours of a run; NaN for figures that it does not show."""
    end_s = hours * _HOUR_S
    seen = ledger[ledger["started_s"] < end_s]
    ended_s = (seen["started_s"] + seen["duration_s"]).to_numpy()
    kind, outcome = seen["kind"].to_numpy(), seen["outcome"].to_numpy()
    over = (ended_s <= end_s) & (outcome != "cut")
    duration_s = seen["duration_s"].to_numpy(dtype=np.float64)
    output = seen["output_tokens"].to_numpy(dtype=np.float64)
    calls, jobs = over & (kind == "call"), kind == "experiment"
    scores = seen["score"].to_numpy(dtype=np.float64)[over & (kind == "score")]
    tool_time, job_time = (
        _logs(duration_s[over & (kind == "tool")]),
        _logs(duration_s[jobs & (outcome == "ok") & over]),
    )
    spoken, fresh = _logs(output[calls]), seen["cache_write_tokens"].to_numpy(dtype=np.float64)[calls]
    per_cycle = seen[calls].groupby(["agent", "cycle"]).size().to_numpy(dtype=np.float64)
    known = scores[~np.isnan(scores)]
    spent = float(seen["cost_usd"].to_numpy(dtype=np.float64)[over].sum())
    values = (
        _mean(spoken),
        _spread(spoken),
        _mean(_logs(output[calls] / np.maximum(duration_s[calls], 1e-3))),
        _mean(tool_time),
        _spread(tool_time),
        _mean(_logs(fresh[fresh < 15_000])),
        _mean(_logs(per_cycle)),
        _mean(_logs(_calls_before(kind, seen["agent"].to_numpy(), over))),
        _mean(job_time),
        _spread(job_time),
        float(len(job_time)),
        float((jobs & over & (outcome != "ok")).sum()) / max(1.0, float((jobs & over).sum())),
        float((jobs & ~over).sum()),
        float(len(per_cycle)),
        float(len(known)),
        float(known.max()) if len(known) else np.nan,
        _mean(known),
        _spread(known),
        _mean(_logs(duration_s[over & (kind == "review")])),
        float((kind == "down").sum()),
        spent / hours,
    )
    return np.array(values)


def _calls_before(
    kind: npt.NDArray[np.object_], agent: npt.NDArray[np.int64], over: npt.NDArray[np.bool_]
) -> Floats:
    """Return the number of calls of an agent before each experiment that it started."""
    counts: list[int] = []
    for number in np.unique(agent):
        own = kind[(agent == number) & (over | (kind == "experiment"))]
        begun = np.flatnonzero(own == "experiment")
        total = np.cumsum(own == "call")
        counts.extend(np.diff([0, *total[begun]]))
    return np.array(counts, dtype=np.float64)


def _logs(values: Floats) -> Floats:
    return np.log(values[values > 0.0])


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else np.nan


def _spread(values: Floats) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else np.nan
