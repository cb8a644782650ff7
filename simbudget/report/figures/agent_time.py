"""Where the agents' time goes: the share of each activity, with its interval."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from simbudget.ledger.entry import ACTIVITIES
from simbudget.projection.projection import Projection
from simbudget.report.figures.style import ACTIVITY_COLOURS, basis, entitle, interval_bars, new_figure
from simbudget.report.numbers import percent


def agent_time(projection: Projection) -> tuple[Figure, pd.DataFrame]:
    """Return the picture, and the p10, p50, p90 and mean share of each activity that takes any time."""
    figures = projection.summary["agent_time_share"]
    rows = [
        {"activity": name, **figures[name]} for name in ACTIVITIES if figures[name] and figures[name]["mean"]
    ]
    data = pd.DataFrame(rows, columns=["activity", "mean", "p10", "p50", "p90"])
    figure, axes = new_figure(1.6 + 0.42 * max(1, len(data)))
    interval_bars(axes, data, ACTIVITY_COLOURS, percent)
    axes.set(xlabel="share of the agents' time: mean, and p10 to p90", xlim=(0, None))
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    entitle(axes, "Where the agents' time goes", basis(projection))
    return figure, data
