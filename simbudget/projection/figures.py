"""The pictures of a projection, each with its data.

Each function returns a matplotlib figure and the frame that it shows; `Projection.figures` lists them.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, PercentFormatter, StrMethodFormatter

from simbudget.drawing import BUDGET_COLOUR, COLOURS, INK, entitle, interval_bars, new_figure
from simbudget.engine.laws.tasks import TENTHS, TWENTIETHS
from simbudget.engine.totals import money_column, task_tenth_column
from simbudget.ledger.entry import ACTIVITIES, COMPONENTS, FLEET
from simbudget.numbers import hours as written_hours
from simbudget.numbers import percent, usd
from simbudget.projection.economics import acceptability, prices_over_worlds
from simbudget.projection.research import over_time
from simbudget.projection.simulated import Simulated
from simbudget.projection.tracks import Track, sub_agents_of, tracks

ACTIVITY_COLOURS: Final = dict(
    zip(
        ACTIVITIES,
        ("#0072B2", "#56B4E9", "#009E73", "#CC79A7", "#E69F00", "#F0E442", "#D55E00", "#BBBBBB", "#444444"),
        strict=True,
    )
)
"""One colour for each activity, in every picture."""

COMPONENT_COLOURS: Final = dict(zip(COMPONENTS, COLOURS, strict=False))
"""One colour for each component, in every picture."""


_QUANTILES = {"p10_usd": 0.1, "p25_usd": 0.25, "p50_usd": 0.5, "p75_usd": 0.75, "p90_usd": 0.9}


def spend_over_time(simulated: Simulated) -> tuple[Figure, pd.DataFrame]:
    """Return the picture, and its quantiles of cumulative spend by hour.

    Args:
        simulated: the simulated replications.
    """
    spent = simulated.spend_by_time_usd.cumsum(axis=1)
    spent = np.concatenate([np.zeros((len(spent), 1)), spent], axis=1)
    hours = simulated.bin_edges_hours
    quantiles = {name: np.quantile(spent, p, axis=0) for name, p in _QUANTILES.items()}
    data = pd.DataFrame({"hours": hours, **quantiles})
    figure, axes = new_figure()
    if len(spent) > 1:
        axes.fill_between(
            hours, data["p10_usd"], data["p90_usd"], color=INK, alpha=0.2, lw=0, label="p10 to p90"
        )
        axes.fill_between(
            hours, data["p25_usd"], data["p75_usd"], color=INK, alpha=0.35, lw=0, label="p25 to p75"
        )
    axes.plot(hours, data["p50_usd"], color=INK, lw=1.8, label="median" if len(spent) > 1 else "spend")
    budget = simulated.scenario.stop.budget
    if budget is not None:
        axes.axhline(budget, color=BUDGET_COLOUR, ls="--", lw=1.4, label=f"budget ${budget:,.0f}")
    axes.set(xlabel="time since the start (hours)", ylabel="spent so far (US dollars)")
    axes.set(xlim=(0, hours[-1]), ylim=(0, 1.3 * max(data["p90_usd"].iloc[-1], budget or 0.0) or 1.0))
    axes.yaxis.set_major_formatter(StrMethodFormatter("${x:,.0f}"))
    axes.legend(frameon=False, loc="upper left", ncols=2)
    entitle(axes, "Spend over time", simulated.rests_on(single=True))
    return figure, data


def within_budget(simulated: Simulated) -> tuple[Figure, pd.DataFrame]:
    """Return the picture, and the share of replications with a spend of at most each amount.

    Args:
        simulated: the simulated replications.
    """
    spend = np.sort(simulated.replications["spend_usd"].to_numpy())
    data = pd.DataFrame({"budget_usd": spend, "probability": np.arange(1, len(spend) + 1) / len(spend)})
    budget = simulated.scenario.stop.budget
    figure, axes = new_figure()
    top = max(spend[-1], budget or 0.0) * 1.05 or 1.0
    axes.step([0, *spend, top], [0, *data["probability"], 1], where="post", color=INK, lw=1.8)
    if budget is not None:
        share = simulated.statistics.within_budget
        axes.axvline(
            budget, color=BUDGET_COLOUR, ls="--", lw=1.4, label=f"budget ${budget:,.0f}: {share:.0%}"
        )
        axes.legend(frameon=False, loc="upper left")
    axes.set(xlabel="spend (US dollars)", ylabel="probability of spending at most this", xlim=(0, top))
    axes.set_ylim(0, 1.02)
    axes.xaxis.set_major_formatter(StrMethodFormatter("${x:,.0f}"))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    entitle(axes, "Probability of staying within a budget", simulated.rests_on(single=True))
    return figure, data


def components(simulated: Simulated) -> tuple[Figure, pd.DataFrame]:
    """Return the picture, and the p10, p50, p90 and mean spend of each component that is not zero.

    Args:
        simulated: the simulated replications.
    """
    data = _spreads(simulated, "component", {name: f"spend_{name}_usd" for name in COMPONENTS})
    figure, axes = new_figure(1.6 + 0.5 * max(1, len(data)))
    interval_bars(axes, data, COMPONENT_COLOURS, usd)
    axes.set(xlabel="spend (US dollars): mean, and p10 to p90", xlim=(0, None))
    axes.xaxis.set_major_formatter(StrMethodFormatter("${x:,.0f}"))
    entitle(axes, "Spend by component", simulated.rests_on())
    return figure, data


def agent_time(simulated: Simulated) -> tuple[Figure, pd.DataFrame]:
    """Return the picture, and the p10, p50, p90 and mean share of each activity that is not zero.

    Args:
        simulated: the simulated replications.
    """
    data = _spreads(simulated, "activity", {name: f"share_{name}" for name in ACTIVITIES})
    figure, axes = new_figure(1.6 + 0.42 * max(1, len(data)))
    interval_bars(axes, data, ACTIVITY_COLOURS, percent)
    axes.set(xlabel="share of the agents' time: mean, and p10 to p90", xlim=(0, None))
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    entitle(axes, "Where the agents' time goes", simulated.rests_on())
    return figure, data


_WIDTH = 0.35
"""Half the width over which points are scattered beside each other, in units of one row's distance."""


def _spreads(simulated: Simulated, heading: str, columns: dict[str, str]) -> pd.DataFrame:
    """Return the mean, p10, p50 and p90 of each column by name, omitting those that are zero."""
    spreads = ((name, simulated.spread(column)) for name, column in columns.items())
    rows = [(name, s.mean, s.p10, s.p50, s.p90) for name, s in spreads if s and s.mean]
    return pd.DataFrame(rows, columns=[heading, "mean", "p10", "p50", "p90"])


def cost_effectiveness(simulated: Simulated) -> tuple[Figure, pd.DataFrame]:
    """Return the picture, and the world, spend and transferable results of each replication.

    Equal numbers of results are drawn side by side, so that every run is seen. The line through the origin is the
    expected cost of a result (Briggs, Claxton and Sculpher 2006, section 5.1).

    Args:
        simulated: the simulated replications.
    """
    frame = simulated.replications
    data = pd.DataFrame(
        {"world": frame["world"], "spend_usd": frame["spend_usd"], "results": frame["transferable_true"]}
    )
    beside = np.random.default_rng(0).uniform(-_WIDTH, _WIDTH, len(data))
    figure, axes = new_figure()
    axes.scatter(data["results"] + beside, data["spend_usd"], s=14, color=INK, alpha=0.5, lw=0, label="a run")
    results, spend = float(data["results"].mean()), float(data["spend_usd"].mean())
    most = max(1.0, float(data["results"].max())) + 0.5
    top = 1.15 * float(data["spend_usd"].max())
    axes.plot(results, spend, "D", color="black", ms=7, label=f"mean: {results:.2g} results, {usd(spend)}")
    if results > 0:
        end = min(most, top * results / spend)
        label = f"{usd(spend / results)} a result"
        axes.plot([0, end], [0, end * spend / results], color=BUDGET_COLOUR, ls="--", lw=1.4, label=label)
    axes.set(xlabel="transferable results of a run (beside doing nothing)", ylabel="spend (US dollars)")
    axes.set(xlim=(-0.5, most), ylim=(0, top))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_formatter(StrMethodFormatter("${x:,.0f}"))
    axes.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=3)
    entitle(axes, "Cost-effectiveness plane", simulated.rests_on(single=True))
    return figure, data


_POINTS = 121
"""Points of the curve: 40 for each power of ten, which looks smooth."""


def acceptability_curve(simulated: Simulated) -> tuple[Figure, pd.DataFrame]:
    """Return the picture, and for each worth of a result the probability that the plan is worth its cost.

    Args:
        simulated: the simulated replications.
    """
    frame = simulated.replications
    spend, results = frame["spend_usd"].to_numpy(), frame["transferable_true"].to_numpy()
    middle = spend.mean() / results.mean() if results.mean() > 0 else 100 * spend.mean()
    worths = middle * np.logspace(-1.5, 1.5, _POINTS)
    data = pd.DataFrame({"worth_usd": worths, "a_run_pays": acceptability(spend, results, worths)})
    figure, axes = new_figure()
    axes.plot(worths, data["a_run_pays"], color=INK, lw=1.8, label="one run pays")
    expected, in_worlds = frame["transferable_expected"].to_numpy(), frame["world"].to_numpy()
    over_worlds = prices_over_worlds(spend, expected, in_worlds)
    if over_worlds is not None:
        by_world = over_worlds.share_below(worths)
        data["pays_in_the_long_run"] = by_world
        axes.plot(
            worths, by_world, color=BUDGET_COLOUR, ls="--", lw=1.8, label="such runs pay in the long run"
        )
    axes.set_xscale("log")
    axes.set(xlabel="worth of a transferable result (US dollars)", ylabel="probability that the plan pays")
    axes.set(xlim=(worths[0], worths[-1]), ylim=(0, 1.02))
    axes.xaxis.set_major_formatter(StrMethodFormatter("${x:,.0f}"))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.legend(frameon=False, loc="upper left")
    entitle(axes, "Acceptability curve, beside doing nothing", simulated.rests_on(single=True))
    return figure, data


_LABEL_WIDTH: Final = 0.11
"""Share of the picture's width taken by a time such as "4.17 days"."""


def _apart(data: pd.DataFrame, positions: list[int]) -> "Iterator[pd.Series[float]]":
    """Return the rows whose labels do not overlap, always including the last one."""
    least_usd = _LABEL_WIDTH * float(data["spend_usd"].max())
    kept: list[int] = []
    for position in reversed(positions):
        spend_usd = float(data["spend_usd"].iloc[position])
        if not kept or float(data["spend_usd"].iloc[kept[-1]]) - spend_usd >= least_usd:
            kept.append(position)
    return (data.iloc[position] for position in reversed(kept))


def spend_by_task(simulated: Simulated) -> tuple[Figure, pd.DataFrame]:
    """Return the picture, and the cost of a task by tenths of the tasks, the cheapest first: mean, p10 to p90.

    Args:
        simulated: the simulated replications.
    """
    tenths = {f"{10 * tenth + 10} %": task_tenth_column(tenth) for tenth in range(TENTHS)}
    spreads = [(name, spread) for name, column in tenths.items() if (spread := simulated.spread(column))]
    data = pd.DataFrame(
        [(name, s.mean, s.p10, s.p50, s.p90) for name, s in spreads],
        columns=["cheapest", "mean", "p10", "p50", "p90"],
    )
    figure, axes = new_figure()
    places = np.arange(len(data))
    axes.bar(places, data["mean"], color=INK, alpha=0.35, width=0.8)
    axes.vlines(places, data["p10"], data["p90"], color=INK, lw=1.8)
    axes.set_xticks(places, data["cheapest"])
    axes.set(xlabel="tenths of the tasks, the cheapest first: mean of the runs, and p10 to p90")
    axes.set(ylabel="cost of a task (US dollars)", ylim=(0, None))
    axes.yaxis.set_major_formatter(StrMethodFormatter("${x:,.2f}"))
    entitle(axes, "Spend by task", simulated.rests_on())
    return figure, data


def solved_over_money(simulated: Simulated) -> tuple[Figure, pd.DataFrame]:
    """Return the picture, and the spend of runs at the time when each share of the tasks was solved.

    Quantiles are over all runs, those that never got so far among them as infinitely dear; a quantile that is infinite
    is left out. `reached` is the share of runs that got so far.

    Args:
        simulated: the simulated replications.
    """
    assert simulated.scenario.tasks is not None
    tasks = simulated.scenario.tasks.count
    rows = []
    for step in range(TWENTIETHS):
        spent = simulated.replications[money_column(step)].to_numpy()
        ordered = np.where(np.isnan(spent), np.inf, spent)
        quantiles = np.quantile(ordered, (0.1, 0.5, 0.9), method="higher")
        solved = np.ceil((step + 1) * tasks / TWENTIETHS)
        rows.append((solved, *quantiles, float(np.isfinite(ordered).mean())))
    data = pd.DataFrame(rows, columns=["solved", "p10_usd", "p50_usd", "p90_usd", "reached"])
    data = data.replace(np.inf, np.nan)
    figure, axes = new_figure()
    banded = data.dropna(subset=["p10_usd", "p90_usd"])
    axes.fill_betweenx(
        banded["solved"], banded["p10_usd"], banded["p90_usd"], color=INK, alpha=0.2, lw=0, label="p10 to p90"
    )
    median = data.dropna(subset=["p50_usd"])
    axes.plot([0, *median["p50_usd"]], [0, *median["solved"]], color=INK, lw=1.8, label="median")
    axes.legend(frameon=False, loc="upper left")
    axes.set(xlabel="spent so far (US dollars)", ylabel=f"tasks solved, of {tasks:,}")
    axes.set(xlim=(0, None), ylim=(0, tasks))
    axes.xaxis.set_major_formatter(StrMethodFormatter("${x:,.0f}"))
    entitle(axes, "Solved tasks over money", simulated.rests_on(single=True))
    return figure, data


def results_over_time(simulated: Simulated) -> tuple[Figure, pd.DataFrame]:
    """Return the picture, and mean spend and results if the run had stopped at each of a number of times.

    Its slope is what another dollar buys: where it flattens, the next result gets dear.

    Args:
        simulated: the simulated replications.
    """
    data = over_time(simulated)
    figure, axes = new_figure()
    axes.fill_between(
        data["spend_usd"],
        data["results_p10"],
        data["results_p90"],
        color=INK,
        alpha=0.2,
        lw=0,
        label="p10 to p90 over worlds",
    )
    axes.plot(
        [0, *data["spend_usd"]], [0, *data["results"]], color=INK, lw=1.8, marker=".", ms=5, label="mean"
    )
    axes.legend(frameon=False, loc="upper left")
    for row in _apart(data, list(range(3, len(data), 4))):
        place = (row["spend_usd"], row["results"])
        axes.annotate(
            written_hours(row["hours"]), place, xytext=(4, -11), textcoords="offset points", fontsize=8.5
        )
    axes.set(xlabel="mean spend, had it stopped then and tried its finalists (US dollars)")
    axes.set(ylabel="transferable results to expect", xlim=(0, None), ylim=(0, None))
    axes.xaxis.set_major_formatter(StrMethodFormatter("${x:,.0f}"))
    entitle(axes, "Cost against results over time", simulated.rests_on(single=True))
    return figure, data


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

    Args:
        ledger: the entries of one replication.
        agent_names: names of the agents, by number.
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
