"""A Gantt picture of one replication: what each agent did when."""

from typing import Final

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from simbudget.drawing import entitle, new_figure
from simbudget.ledger.entry import FLEET
from simbudget.projection.figures import ACTIVITY_COLOURS

MOST_AGENTS: Final = 24
"""A picture with more rows cannot be read; the first agents are shown."""

_ACTIVITY_OF_KIND: Final = {
    "call": "model",
    "compaction": "model",
    "post": "model",
    "tool": "tool",
    "experiment": "experiment",
    "score": "scoring",
    "wait": "waiting_other",
    "down": "down",
}
_QUEUES: Final = {
    "experiment": "waiting_gpu",
    "score": "waiting_scorer",
    "call": "waiting_api",
    "post": "waiting_api",
}
_LABELS: Final = {"model": "model call", "tool": "tool", "scoring": "scoring"}


def gantt(ledger: pd.DataFrame, agent_names: tuple[str, ...]) -> tuple[Figure, pd.DataFrame]:
    """Return the picture, and the bars that it shows: agent, activity, start and length in hours."""
    shown = agent_names[:MOST_AGENTS]
    data = _bars(ledger[(ledger["agent"] != FLEET) & (ledger["agent"] < len(shown))])
    figure, axes = new_figure(1.8 + 0.26 * len(shown))
    used = []
    for activity, colour in ACTIVITY_COLOURS.items():
        bars = data[data["activity"] == activity]
        if bars.empty:
            continue
        used.append(Patch(facecolor=colour, label=_LABELS.get(activity, activity.replace("_", " "))))
        for agent, own in bars.groupby("agent"):
            spans = list(zip(own["start_hours"], own["length_hours"], strict=True))
            axes.broken_barh(spans, (float(str(agent)) - 0.4, 0.8), facecolors=colour, lw=0, rasterized=True)
    axes.set_yticks(range(len(shown)), shown, fontsize=8)
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.set_xlabel("time since the start (hours)")
    axes.set_xlim(0, None)
    figure.legend(handles=used, loc="outside lower center", ncols=5, frameon=False, fontsize=8)
    rest = "" if len(shown) == len(agent_names) else f"; the first {len(shown)} of {len(agent_names)} agents"
    entitle(axes, "What each agent does", f"1 replication{rest}")
    return figure, data


def _bars(ledger: pd.DataFrame) -> pd.DataFrame:
    """Return the bars of things done and of queues waited in, merging an agent's neighbours of one activity."""
    kinds = ledger["kind"].astype(str)
    done = pd.DataFrame(
        {
            "agent": ledger["agent"],
            "activity": kinds.map(_ACTIVITY_OF_KIND),
            "start_s": ledger["started_s"],
            "length_s": ledger["duration_s"],
        }
    )
    queued = pd.DataFrame(
        {
            "agent": ledger["agent"],
            "activity": kinds.map(_QUEUES),
            "start_s": ledger["started_s"] - ledger["queued_s"],
            "length_s": ledger["queued_s"],
        }
    )
    bars = pd.concat([done, queued]).dropna(subset=["activity"])
    bars = bars[bars["length_s"] > 0].sort_values(["agent", "start_s", "activity"])
    ends = bars["start_s"] + bars["length_s"]
    touches = (bars["start_s"] - ends.shift()).abs() < 1e-6
    same = (bars["activity"] == bars["activity"].shift()) & (bars["agent"] == bars["agent"].shift())
    run = (~(touches & same)).cumsum()
    merged = bars.groupby(run, sort=False).agg(
        agent=("agent", "first"),
        activity=("activity", "first"),
        start_s=("start_s", "first"),
        length_s=("length_s", "sum"),
    )
    merged["start_hours"], merged["length_hours"] = merged["start_s"] / 3600, merged["length_s"] / 3600
    return merged[["agent", "activity", "start_hours", "length_hours"]]
