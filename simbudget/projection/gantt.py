"""A Gantt chart of one replication: the activities of each agent and sub-agent over time."""

from typing import Final

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from simbudget.drawing import entitle, new_figure
from simbudget.ledger.entry import FLEET
from simbudget.projection.figures import ACTIVITY_COLOURS
from simbudget.projection.tracks import Track, sub_agents_of, tracks

MOST_ROWS: Final = 24
"""Maximum number of rows; more would not be legible."""

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
    """Return the picture, and the bars that it shows: agent, sub-agent, activity, start and length in hours.

    Sub-agents have rows below their agent's, which is empty while they work.
    """
    rows = tracks(ledger, len(agent_names))
    shown = {track: row for row, track in enumerate(rows[:MOST_ROWS])}
    bars = _bars(ledger[ledger["agent"] != FLEET])
    places = pd.Series(
        [shown.get(Track(*who)) for who in zip(bars["agent"], bars["sub_agent"], strict=True)],
        bars.index,
        float,
    )
    data = bars[places.notna()]
    figure, axes = new_figure(1.8 + 0.26 * len(shown))
    used = []
    for activity, colour in ACTIVITY_COLOURS.items():
        of_activity = data[data["activity"] == activity]
        if of_activity.empty:
            continue
        used.append(Patch(facecolor=colour, label=_LABELS.get(activity, activity.replace("_", " "))))
        for row, own in of_activity.groupby(places[of_activity.index]):
            spans = list(zip(own["start_hours"], own["length_hours"], strict=True))
            axes.broken_barh(spans, (float(str(row)) - 0.4, 0.8), facecolors=colour, lw=0, rasterized=True)
    axes.set_yticks(range(len(shown)), [_label(track, agent_names) for track in shown], fontsize=8)
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.set_xlabel("time since the start (hours)")
    axes.set_xlim(0, None)
    figure.legend(handles=used, loc="outside lower center", ncols=5, frameon=False, fontsize=8)
    of = "agents" if len(rows) == len(agent_names) else "agents and sub-agents"
    rest = "" if len(shown) == len(rows) else f"; the first {len(shown)} of {len(rows)} {of}"
    entitle(axes, "What each agent does", f"1 replication{rest}")
    return figure, data


def _label(track: Track, agent_names: tuple[str, ...]) -> str:
    """Return the label of a row; that of a sub-agent, below its agent, is only its name."""
    return track.sub_agent or track.label(agent_names)


def _bars(ledger: pd.DataFrame) -> pd.DataFrame:
    """Return the bars of activities and waiting times; adjacent bars of the same activity are merged."""
    kinds, sub_agents = ledger["kind"].astype(str), sub_agents_of(ledger)
    done = pd.DataFrame(
        {
            "agent": ledger["agent"],
            "sub_agent": sub_agents,
            "activity": kinds.map(_ACTIVITY_OF_KIND),
            "start_s": ledger["started_s"],
            "length_s": ledger["duration_s"],
        }
    )
    queued = pd.DataFrame(
        {
            "agent": ledger["agent"],
            "sub_agent": sub_agents,
            "activity": kinds.map(_QUEUES),
            "start_s": ledger["started_s"] - ledger["queued_s"],
            "length_s": ledger["queued_s"],
        }
    )
    bars = pd.concat([done, queued]).dropna(subset=["activity"])
    bars = bars[bars["length_s"] > 0].sort_values(["agent", "sub_agent", "start_s", "activity"])
    ends = bars["start_s"] + bars["length_s"]
    touches = (bars["start_s"] - ends.shift()).abs() < 1e-6
    of_whom = bars[["agent", "sub_agent", "activity"]]
    same = (of_whom == of_whom.shift()).all(axis=1)
    run = (~(touches & same)).cumsum()
    merged = bars.groupby(run, sort=False).agg(
        agent=("agent", "first"),
        sub_agent=("sub_agent", "first"),
        activity=("activity", "first"),
        start_s=("start_s", "first"),
        length_s=("length_s", "sum"),
    )
    merged["start_hours"], merged["length_hours"] = merged["start_s"] / 3600, merged["length_s"] / 3600
    return merged[["agent", "sub_agent", "activity", "start_hours", "length_hours"]]
