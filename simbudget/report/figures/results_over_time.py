"""Cost against transferable results over time: what a run has cost and brought by each hour, and what the next buys."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import StrMethodFormatter

from simbudget.projection.projection import Projection
from simbudget.projection.research import over_time
from simbudget.report.figures.style import INK, basis, entitle, new_figure
from simbudget.report.numbers import hours


def results_over_time(projection: Projection) -> tuple[Figure, pd.DataFrame]:
    """Return the picture, and the mean spend and results had the run stopped at each look.

    Its slope is what another dollar buys: where it flattens, the next result gets dear.
    """
    data = over_time(projection)
    figure, axes = new_figure()
    axes.plot([0, *data["spend_usd"]], [0, *data["results"]], color=INK, lw=1.8, marker=".", ms=5)
    for position in range(3, len(data), 4):
        row = data.iloc[position]
        place = (row["spend_usd"], row["results"])
        axes.annotate(hours(row["hours"]), place, xytext=(4, -11), textcoords="offset points", fontsize=8.5)
    axes.set(xlabel="mean spend by then, gates left out (US dollars)")
    axes.set(ylabel="mean transferable results, had it stopped then", xlim=(0, None), ylim=(0, None))
    axes.xaxis.set_major_formatter(StrMethodFormatter("${x:,.0f}"))
    entitle(axes, "Cost against results over time", basis(projection, single=True))
    return figure, data
