"""Where the agents' time goes: the share of each activity, with its interval."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from simbudget.ledger.entry import ACTIVITIES
from simbudget.projection.projection import Projection
from simbudget.report.figures.style import ACTIVITY_COLOURS, basis, entitle, new_figure
from simbudget.report.numbers import percent


def agent_time(projection: Projection) -> tuple[Figure, pd.DataFrame]:
    """Return the picture, and the p10, p50, p90 and mean share of each activity that takes any time."""
    figures = projection.summary["agent_time_share"]
    rows = [
        {"activity": name, **figures[name]} for name in ACTIVITIES if figures[name] and figures[name]["mean"]
    ]
    data = pd.DataFrame(rows, columns=["activity", "mean", "p10", "p50", "p90"])
    figure, axes = new_figure(1.6 + 0.42 * max(1, len(data)))
    for position, (name, mean, p10, _, p90) in enumerate(data.itertuples(index=False)):
        axes.barh(position, mean, color=ACTIVITY_COLOURS[name], edgecolor="black", lw=0.6, height=0.6)
        if len(projection.replications) > 1:
            axes.plot([p10, p90], [position, position], color="black", lw=1.6, marker="|", ms=9)
        axes.annotate(
            f" {percent(mean)}",
            (max(mean, p90), position),
            va="center",
            xytext=(4, 0),
            textcoords="offset points",
        )
    axes.set_yticks(range(len(data)), data["activity"].str.replace("_", " "))
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set(xlabel="share of the agents' time: mean, and p10 to p90", xlim=(0, None))
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    entitle(axes, "Where the agents' time goes", basis(len(projection.replications), projection.worlds))
    return figure, data
