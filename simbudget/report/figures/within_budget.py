"""The probability of staying within any budget, for the run as it is planned.

A run that stops at its own budget cannot spend much more; beyond that the curve says nothing of one that does not.
"""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter, StrMethodFormatter

from simbudget.projection.projection import Projection
from simbudget.report.figures.style import BUDGET_COLOUR, INK, basis, entitle, new_figure


def within_budget(projection: Projection) -> tuple[Figure, pd.DataFrame]:
    """Return the picture, and the share of replications that spent at most each sum."""
    spend = np.sort(projection.replications["spend_usd"].to_numpy())
    data = pd.DataFrame({"budget_usd": spend, "probability": np.arange(1, len(spend) + 1) / len(spend)})
    budget = projection.scenario.stop.budget
    figure, axes = new_figure()
    top = max(spend[-1], budget or 0.0) * 1.05 or 1.0
    axes.step([0, *spend, top], [0, *data["probability"], 1], where="post", color=INK, lw=1.8)
    if budget is not None:
        share = projection.figures.within_budget
        axes.axvline(
            budget, color=BUDGET_COLOUR, ls="--", lw=1.4, label=f"budget ${budget:,.0f}: {share:.0%}"
        )
        axes.legend(frameon=False, loc="upper left")
    axes.set(xlabel="spend (US dollars)", ylabel="probability of spending at most this", xlim=(0, top))
    axes.set_ylim(0, 1.02)
    axes.xaxis.set_major_formatter(StrMethodFormatter("${x:,.0f}"))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    entitle(axes, "Probability of staying within a budget", basis(projection, single=True))
    return figure, data
