"""Spend over time: a fan of what has been spent by each hour, with the budget."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import StrMethodFormatter

from simbudget.projection.projection import Projection
from simbudget.report.figures.style import BUDGET_COLOUR, INK, basis, entitle, new_figure

_QUANTILES = {"p10_usd": 0.1, "p25_usd": 0.25, "p50_usd": 0.5, "p75_usd": 0.75, "p90_usd": 0.9}


def spend_over_time(projection: Projection) -> tuple[Figure, pd.DataFrame]:
    """Return the picture, and its quantiles of cumulative spend by hour."""
    spent = projection.spend_by_time_usd.cumsum(axis=1)
    spent = np.concatenate([np.zeros((len(spent), 1)), spent], axis=1)
    hours = projection.bin_edges_hours
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
    budget = projection.scenario.stop.budget
    if budget is not None:
        axes.axhline(budget, color=BUDGET_COLOUR, ls="--", lw=1.4, label=f"budget ${budget:,.0f}")
    axes.set(xlabel="time since the start (hours)", ylabel="spent so far (US dollars)")
    axes.set(xlim=(0, hours[-1]), ylim=(0, 1.3 * max(data["p90_usd"].iloc[-1], budget or 0.0) or 1.0))
    axes.yaxis.set_major_formatter(StrMethodFormatter("${x:,.0f}"))
    axes.legend(frameon=False, loc="upper left", ncols=2)
    entitle(axes, "Spend over time", basis(projection, single=True))
    return figure, data
