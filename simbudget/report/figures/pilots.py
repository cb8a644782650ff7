"""Pilots: what each costs, and how much narrower the projection of the run would get."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter, StrMethodFormatter

from simbudget.deciding.pilots import PilotPlan
from simbudget.drawing import entitle, new_figure
from simbudget.report.figures.comparison import COLOURS, MARKS


def pilots(found: PilotPlan) -> tuple[Figure, pd.DataFrame]:
    """Return the picture, and every pilot with its figures."""
    columns = {
        "agents": [pilot.agents for pilot in found.pilots],
        "hours": [pilot.hours for pilot in found.pilots],
        "cost_usd": [pilot.cost_usd for pilot in found.pilots],
        "narrowing": [pilot.narrowing for pilot in found.pilots],
        "rehearsed": [pilot.rehearsed for pilot in found.pilots],
        "variance_explained": [pilot.explained for pilot in found.pilots],
    }
    data = pd.DataFrame(columns)
    figure, axes = new_figure()
    for place, (size, rows) in enumerate(data.groupby("agents")):
        colour, mark = COLOURS[place % len(COLOURS)], MARKS[place % len(MARKS)]
        axes.plot(
            rows["cost_usd"],
            rows["narrowing"],
            color=colour,
            marker=mark,
            label=f"{size} agent{'s' * (size != 1)}",
        )
        for hours, cost, narrowing in zip(rows["hours"], rows["cost_usd"], rows["narrowing"], strict=True):
            axes.annotate(
                f"{hours:g} h", (cost, narrowing), xytext=(5, 4), textcoords="offset points", fontsize=8
            )
    axes.axhline(found.most, color="#777777", ls=":", lw=1.2, label="if all that is unknown were known")
    tried = data[data["rehearsed"].notna()]
    if len(tried):
        label = f"calibrated on, rehearsed in {found.rehearsals} worlds"
        axes.plot(
            tried["cost_usd"],
            tried["rehearsed"].clip(lower=0),
            "o",
            mfc="none",
            color="black",
            ms=9,
            label=label,
        )
    if found.recommended is not None:
        best = found.recommended
        axes.plot([best.cost_usd], [best.promised], "*", color="black", ms=14, label="recommended")
    axes.set_xscale("log")
    axes.set(
        xlabel="what the pilot costs (US dollars)",
        ylabel="narrower spread of the projected spend",
        ylim=(0, 1),
    )
    axes.xaxis.set_major_formatter(StrMethodFormatter("${x:,.0f}"))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.legend(frameon=False, fontsize=8.5)
    entitle(
        axes,
        "What a pilot would tell",
        f"expected over {found.worlds:,} worlds, in each of which both are run",
    )
    return figure, data
