"""Pictures of a comparison: cost against results, and the probability of being the best buy."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter, StrMethodFormatter

from simbudget.deciding.compare import Comparison
from simbudget.deciding.net_benefit import NOTHING
from simbudget.deciding.outcomes import RESULTS, SPEND
from simbudget.drawing import entitle, new_figure

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")
MARKS = ("o", "s", "D", "^", "v", "P", "X", "*")


def _rests_on(comparison: Comparison) -> str:
    return f"{comparison.replications:,} replications each in {comparison.worlds:,} worlds, the same for all"


def _rows(data: pd.DataFrame) -> list[Any]:
    """Return the rows of a frame, named."""
    return list(data.itertuples(index=False))


def spend_compared(comparison: Comparison) -> tuple[Figure, pd.DataFrame]:
    """Return the picture of what each alternative spends: p10 to p90, and the mean with its error."""
    rows = []
    for alternative, projection in zip(comparison.alternatives, comparison.projections, strict=True):
        spend = projection.replications[SPEND.column]
        p10, p50, p90 = np.quantile(spend, (0.1, 0.5, 0.9))
        rows.append((alternative.name, float(spend.mean()), p10, p50, p90))
    data = pd.DataFrame(rows, columns=["alternative", "mean_usd", "p10_usd", "p50_usd", "p90_usd"])
    figure, axes = new_figure(height=1.6 + 0.5 * len(data))
    for place, row in enumerate(_rows(data)):
        colour = COLOURS[place % len(COLOURS)]
        axes.plot(
            [row.p10_usd, row.p90_usd], [place, place], color=colour, lw=6, alpha=0.45, solid_capstyle="butt"
        )
        axes.plot(row.p50_usd, place, marker="|", ms=14, color=colour, mew=2)
        axes.plot(row.mean_usd, place, marker=MARKS[place % len(MARKS)], color=colour, ms=6)
    axes.set_yticks(range(len(data)), data["alternative"])
    axes.set(xlabel="spend (US dollars): p10 to p90, bar at the median, mark at the mean")
    axes.set_ylim(len(data) - 0.5, -0.5)
    axes.set_xlim(left=0)
    axes.xaxis.set_major_formatter(StrMethodFormatter("${x:,.0f}"))
    entitle(axes, "Spend of each alternative", _rests_on(comparison))
    return figure, data


def cost_against_results(comparison: Comparison) -> tuple[Figure, pd.DataFrame]:
    """Return the picture of mean spend against mean results, each with its 95 % Monte-Carlo interval."""
    rows = []
    for alternative, projection in zip(comparison.alternatives, comparison.projections, strict=True):
        frame = projection.replications
        means = frame.groupby("world")[[SPEND.column, RESULTS.column]].mean()
        errors = 1.96 * means.std(ddof=1) / np.sqrt(len(means)) if len(means) > 1 else 0.0 * means.iloc[0]
        centre = means.mean()
        rows.append(
            (
                alternative.name,
                centre[SPEND.column],
                errors[SPEND.column],
                centre[RESULTS.column],
                errors[RESULTS.column],
            )
        )
    columns = ["alternative", "spend_usd", "spend_error_usd", "results", "results_error"]
    data = pd.DataFrame(rows, columns=columns)
    figure, axes = new_figure()
    for place, row in enumerate(_rows(data)):
        axes.errorbar(
            row.spend_usd,
            row.results,
            xerr=row.spend_error_usd,
            yerr=row.results_error,
            fmt=MARKS[place % len(MARKS)],
            color=COLOURS[place % len(COLOURS)],
            capsize=3,
            label=row.alternative,
        )
    axes.set(xlabel="mean spend (US dollars)", ylabel="mean transferable results")
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_formatter(StrMethodFormatter("${x:,.0f}"))
    axes.legend(frameon=False, fontsize=8.5)
    entitle(axes, "Cost against results, with 95 % Monte-Carlo intervals", _rests_on(comparison))
    return figure, data


def best_buy(comparison: Comparison) -> tuple[Figure, pd.DataFrame]:
    """Return the acceptability curves, the best buy by mean net benefit drawn thick."""
    curves = comparison.acceptability
    assert curves is not None
    data = pd.DataFrame(curves.probabilities, columns=list(curves.names))
    data.insert(0, "worth_usd", curves.worths_usd)
    figure, axes = new_figure()
    best = np.array(curves.best)
    for place, name in enumerate(curves.names):
        colour = "#777777" if name == NOTHING else COLOURS[place % len(COLOURS)]
        style = ":" if name == NOTHING else "-"
        axes.plot(curves.worths_usd, data[name], color=colour, lw=1.4, ls=style, label=name)
        frontier = np.where(best == name, data[name], np.nan)
        axes.plot(curves.worths_usd, frontier, color=colour, lw=4, alpha=0.5)
    axes.set_xscale("log")
    axes.set(
        xlabel="what a transferable result is worth (US dollars)", ylabel="probability of being the best buy"
    )
    axes.set_ylim(0, 1.02)
    axes.xaxis.set_major_formatter(StrMethodFormatter("${x:,.0f}"))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.legend(frameon=False, fontsize=8.5)
    entitle(axes, "Acceptability; thick: the highest mean net benefit", _rests_on(comparison))
    return figure, data
