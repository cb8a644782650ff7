"""Spend by component, each with its interval."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import StrMethodFormatter

from simbudget.ledger.entry import COMPONENTS
from simbudget.projection.projection import Projection
from simbudget.report.figures.style import COMPONENT_COLOURS, basis, entitle, interval_bars, new_figure
from simbudget.report.numbers import usd


def components(projection: Projection) -> tuple[Figure, pd.DataFrame]:
    """Return the picture, and the p10, p50, p90 and mean of each component that costs anything."""
    figures = projection.summary["spend_by_component_usd"]
    rows = [{"component": name, **figures[name]} for name in COMPONENTS if figures[name]["mean"]]
    data = pd.DataFrame(rows, columns=["component", "mean", "p10", "p50", "p90"])
    figure, axes = new_figure(1.6 + 0.5 * max(1, len(data)))
    interval_bars(axes, data, COMPONENT_COLOURS, usd)
    axes.set(xlabel="spend (US dollars): mean, and p10 to p90", xlim=(0, None))
    axes.xaxis.set_major_formatter(StrMethodFormatter("${x:,.0f}"))
    entitle(axes, "Spend by component", basis(projection))
    return figure, data
