"""The frontier of plans: what each plan tried spends and brings, and which of them no other beats in both."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter, StrMethodFormatter

from simbudget.deciding.outcomes import Unit
from simbudget.deciding.plan import Plan
from simbudget.drawing import BUDGET_COLOUR, INK, entitle, new_figure


def plan_frontier(found: Plan) -> tuple[Figure, pd.DataFrame]:
    """Return the picture, and every plan tried with its figures."""
    objective, chosen = found.question.objective, found.chosen
    on_frontier = {each.changes for each in found.frontier}
    data = pd.DataFrame(
        {
            "plan": [each.name for each in found.evaluations],
            "spend_usd": [each.spend_usd for each in found.evaluations],
            "spend_p10_usd": [each.spend_p10_usd for each in found.evaluations],
            "spend_p90_usd": [each.spend_p90_usd for each in found.evaluations],
            "value": [each.value for each in found.evaluations],
            "error": [each.error for each in found.evaluations],
            "within_limits": [each.is_feasible for each in found.evaluations],
            "on_frontier": [each.changes in on_frontier for each in found.evaluations],
        }
    )
    figure, axes = new_figure(height=4.4)
    drawn = data[np.isfinite(data["value"])]
    inside, outside = drawn[drawn["within_limits"]], drawn[~drawn["within_limits"]]
    axes.plot(outside["spend_usd"], outside["value"], "x", color="#999999", ms=5, label="beyond a limit")
    axes.plot(
        inside["spend_usd"],
        inside["value"],
        "o",
        color="#9ecae1",
        ms=5,
        mec="#555555",
        label="within the limits",
    )
    best = drawn[drawn["on_frontier"]].sort_values("spend_usd")
    axes.errorbar(
        best["spend_usd"],
        best["value"],
        yerr=1.96 * best["error"],
        color=INK,
        marker="o",
        lw=1.6,
        capsize=3,
        label="frontier",
    )
    if np.isfinite(chosen.value):
        spend = ([chosen.spend_usd - chosen.spend_p10_usd], [chosen.spend_p90_usd - chosen.spend_usd])
        axes.errorbar(
            [chosen.spend_usd],
            [chosen.value],
            xerr=np.maximum(0.0, spend),
            yerr=1.96 * chosen.error,
            color="black",
            marker="*",
            ms=13,
            capsize=3,
            label=f"chosen, in fresh worlds: {chosen.name}",
        )
    if found.question.budget_usd is not None:
        axes.axvline(found.question.budget_usd, color=BUDGET_COLOUR, ls="--", lw=1.4, label="budget")
    axes.set(xlabel="mean spend (US dollars); p10 to p90 for the chosen plan", ylabel=objective.text)
    axes.set_xlim(left=0)
    axes.xaxis.set_major_formatter(StrMethodFormatter("${x:,.0f}"))
    if objective.unit is Unit.SHARE:
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    elif objective.unit is Unit.USD:
        axes.yaxis.set_major_formatter(StrMethodFormatter("${x:,.0f}"))
    axes.legend(frameon=False, fontsize=8, loc="best")
    each = found.evaluations[0].replications
    rests_on = f"{len(data):,} plans tried with {each:,} replications each; bars: 95 % Monte-Carlo"
    entitle(axes, f"Cost against {objective.text}", rests_on)
    return figure, data
