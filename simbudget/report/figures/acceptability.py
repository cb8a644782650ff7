"""The cost-effectiveness acceptability curve: how likely the plan pays, at any worth of a transferable result."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter, StrMethodFormatter

from simbudget.projection.economics import acceptability, acceptability_by_world, decompose
from simbudget.projection.projection import Projection
from simbudget.report.figures.style import BUDGET_COLOUR, INK, basis, entitle, new_figure

_POINTS = 121


def acceptability_curve(projection: Projection) -> tuple[Figure, pd.DataFrame]:
    """Return the picture, and for each worth of a result the probability that the plan is worth its cost."""
    frame = projection.replications
    spend, results = frame["spend_usd"].to_numpy(), frame["transferable_true"].to_numpy()
    middle = spend.mean() / results.mean() if results.mean() > 0 else 100 * spend.mean()
    worths = middle * np.logspace(-1.5, 1.5, _POINTS)
    data = pd.DataFrame({"worth_usd": worths, "a_run_pays": acceptability(spend, results, worths)})
    figure, axes = new_figure()
    axes.plot(worths, data["a_run_pays"], color=INK, lw=1.8, label="one run pays")
    variance = decompose(results, frame["world"].to_numpy())
    if variance is not None:
        by_world = acceptability_by_world(float(spend.mean()), variance, worths)
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
    entitle(axes, "Acceptability curve, beside doing nothing", basis(projection, single=True))
    return figure, data
