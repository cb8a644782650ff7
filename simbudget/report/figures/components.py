"""Spend by component, each with its interval."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import StrMethodFormatter

from simbudget.ledger.entry import COMPONENTS
from simbudget.projection.projection import Projection
from simbudget.report.figures.style import COMPONENT_COLOURS, basis, entitle, new_figure
from simbudget.report.numbers import usd


def components(projection: Projection) -> tuple[Figure, pd.DataFrame]:
    """Return the picture, and the p10, p50, p90 and mean of each component that costs anything."""
    figures = projection.summary["spend_by_component_usd"]
    rows = [{"component": name, **figures[name]} for name in COMPONENTS if figures[name]["mean"]]
    data = pd.DataFrame(rows, columns=["component", "mean", "p10", "p50", "p90"])
    figure, axes = new_figure(1.6 + 0.5 * max(1, len(data)))
    for position, (name, mean, p10, _, p90) in enumerate(data.itertuples(index=False)):
        axes.barh(position, mean, color=COMPONENT_COLOURS[name], edgecolor="black", lw=0.6, height=0.6)
        if len(projection.replications) > 1:
            axes.plot([p10, p90], [position, position], color="black", lw=1.6, marker="|", ms=9)
        axes.annotate(
            f" {usd(mean)}",
            (max(mean, p90), position),
            va="center",
            xytext=(4, 0),
            textcoords="offset points",
        )
    axes.set_yticks(range(len(data)), data["component"])
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.set(xlabel="spend (US dollars): mean, and p10 to p90", xlim=(0, None))
    axes.xaxis.set_major_formatter(StrMethodFormatter("${x:,.0f}"))
    entitle(axes, "Spend by component", basis(len(projection.replications), projection.worlds))
    return figure, data
