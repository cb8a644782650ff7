"""The cost-effectiveness plane: what each run spent, against the transferable results that came of it."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from simbudget.projection.projection import Projection
from simbudget.report.figures.style import BUDGET_COLOUR, INK, basis, entitle, new_figure
from simbudget.report.numbers import usd

_WIDTH = 0.35


def cost_effectiveness(projection: Projection) -> tuple[Figure, pd.DataFrame]:
    """Return the picture, and the world, spend and transferable results of each replication.

    Equal numbers of results are drawn side by side, so that every run is seen. The line through the origin is the
    expected cost of a result (Briggs, Claxton and Sculpher 2006, section 5.1).
    """
    frame = projection.replications
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
    entitle(axes, "Cost-effectiveness plane", basis(projection, single=True))
    return figure, data
