"""Figures of decisions: comparisons, tornado charts, the frontier of plans, and pilots, each with its data."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter, StrMethodFormatter

from simbudget.deciding.net_benefit import NOTHING
from simbudget.deciding.outcomes import RESULTS, SPEND, Outcome, Unit
from simbudget.drawing import BUDGET_COLOUR, INK, entitle, new_figure
from simbudget.numbers import usd

if TYPE_CHECKING:
    from simbudget.deciding.compare import Against, Comparison
    from simbudget.deciding.pilots import PilotPlan
    from simbudget.deciding.plan import BestPlan
    from simbudget.deciding.sensitivity import Sensitivity
    from simbudget.deciding.splits import Split


COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")
MARKS = ("o", "s", "D", "^", "v", "P", "X", "*")


def _rests_on(comparison: "Comparison") -> str:
    return f"{comparison.replications:,} replications each in {comparison.worlds:,} worlds, the same for all"


def _rows(data: pd.DataFrame) -> list[Any]:
    """Return the rows of a frame, named."""
    return list(data.itertuples(index=False))


def spend_compared(comparison: "Comparison") -> tuple[Figure, pd.DataFrame]:
    """Return the picture of the alternatives' spend: p10 to p90, and the mean with its error."""
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


def cost_against_results(comparison: "Comparison") -> tuple[Figure, pd.DataFrame]:
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


def best_buy(comparison: "Comparison") -> tuple[Figure, pd.DataFrame]:
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


_BARS: Final = 12
"""More bars than this are too thin to read in a picture of normal height."""


def tornado(split: "Split", found: "Sensitivity") -> tuple[Figure, pd.DataFrame]:
    """Return the picture of an outcome's mean with each unknown at its p10 and at its p90.

    Args:
        split: the variance decomposition of the outcome.
        found: the sensitivity that it belongs to.
    """
    seen = [driver for driver in split.drivers if driver.at_low != driver.at_high]
    seen.sort(key=lambda driver: -abs(driver.at_high - driver.at_low))
    rows = [(driver.unknown, driver.at_low, driver.at_high, driver.total, driver.error) for driver in seen]
    columns = ["unknown", "at_p10", "at_p90", "share_of_variance", "share_error"]
    data = pd.DataFrame(rows, columns=columns)
    rests_on = f"{len(found.projection.replications):,} replications in {found.worlds:,} worlds"
    figure = _bars(
        list(zip(data["unknown"], data["at_p10"], data["at_p90"], strict=True)),
        split.mean,
        split.outcome,
        (
            f"What moves {split.outcome.label}",
            f"mean at the p10 (light) and the p90 (dark) of each unknown; {rests_on}",
        ),
    )
    return figure, data


def tornado_of_choices(
    choices: "Sequence[Against]", outcome: Outcome, mean: float
) -> tuple[Figure, pd.DataFrame]:
    """Return the picture of the difference in an outcome's mean for each change, with Monte-Carlo intervals.

    Args:
        choices: the plan with one choice changed, each compared with the plan.
        outcome: the outcome that is shown.
        mean: its mean in the plan as it stands.
    """
    rows = [
        (against.name, found.mean, found.low, found.high)
        for against in choices
        if (found := against.differences.get(outcome)) is not None and not found.is_same
    ]
    rows.sort(key=lambda row: -abs(row[1]))
    data = pd.DataFrame(rows, columns=["change", "mean_difference", "low", "high"])
    figure, axes = new_figure(height=1.8 + 0.3 * max(1, len(data)))
    for place, (_, middle, low, high) in enumerate(rows):
        axes.barh(place, middle, color=INK if middle > 0 else BUDGET_COLOUR, height=0.6)
        axes.plot([low, high], [place, place], color="black", lw=1.2, marker="|", ms=6)
    axes.set_yticks(range(len(data)), data["change"])
    axes.invert_yaxis()
    axes.axvline(0.0, color="black", lw=0.8)
    axes.set(xlabel=f"difference in mean {outcome.label}{_unit(outcome)}")
    _format(axes, outcome)
    entitle(
        axes,
        f"One choice changed: {outcome.label}",
        f"95 % Monte-Carlo intervals; unchanged mean {_shown(outcome, mean)}",
    )
    return figure, data


def _bars(
    bars: Sequence[tuple[str, float, float]], mean: float, outcome: Outcome, titles: tuple[str, str]
) -> Figure:
    figure, axes = new_figure(height=1.8 + 0.3 * max(1, min(len(bars), _BARS)))
    for place, (_, low, high) in enumerate(bars[:_BARS]):
        axes.barh(place, low - mean, left=mean, color="#9ecae1", edgecolor="black", lw=0.5, height=0.6)
        axes.barh(place, high - mean, left=mean, color=INK, edgecolor="black", lw=0.5, height=0.6)
    axes.set_yticks(range(len(bars[:_BARS])), [name for name, _, _ in bars[:_BARS]])
    axes.invert_yaxis()
    axes.axvline(mean, color="black", lw=1)
    axes.set(xlabel=f"mean {outcome.label}{_unit(outcome)}")
    _format(axes, outcome)
    entitle(axes, *titles)
    return figure


def _unit(outcome: Outcome) -> str:
    return {"usd": " (US dollars)", "hours": " (hours)"}.get(outcome.unit.value, "")


def _shown(outcome: Outcome, value: float) -> str:
    return usd(value) if outcome.unit.value == "usd" else f"{value:.3g}"


def _format(axes: Axes, outcome: Outcome) -> None:
    if outcome.unit.value == "usd":
        axes.xaxis.set_major_formatter(
            FuncFormatter(lambda value, _: f"-${-value:,.0f}" if value < 0 else f"${value:,.0f}")
        )


def plan_frontier(found: "BestPlan") -> tuple[Figure, pd.DataFrame]:
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
            label=f"chosen, in new worlds: {chosen.name}",
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


def pilots(found: "PilotPlan") -> tuple[Figure, pd.DataFrame]:
    """Return the picture, and every pilot with its figures."""
    columns = {
        "agents": [pilot.agents for pilot in found.pilots],
        "hours": [pilot.hours for pilot in found.pilots],
        "cost_usd": [pilot.cost_usd for pilot in found.pilots],
        "narrowing": [pilot.narrowing for pilot in found.pilots],
        "rehearsed": [pilot.rehearsed for pilot in found.pilots],
        "variance_explained": [pilot.explained for pilot in found.pilots],
    }
    data = pd.DataFrame(columns)
    figure, axes = new_figure()
    for place, (size, rows) in enumerate(data.groupby("agents")):
        colour, mark = COLOURS[place % len(COLOURS)], MARKS[place % len(MARKS)]
        axes.plot(
            rows["cost_usd"],
            rows["narrowing"],
            color=colour,
            marker=mark,
            label=f"{size} agent{'s' * (size != 1)}",
        )
        for hours, cost, narrowing in zip(rows["hours"], rows["cost_usd"], rows["narrowing"], strict=True):
            axes.annotate(
                f"{hours:g} h", (cost, narrowing), xytext=(5, 4), textcoords="offset points", fontsize=8
            )
    axes.axhline(found.most, color="#777777", ls=":", lw=1.2, label="if all that is unknown were known")
    tried = data[data["rehearsed"].notna()]
    if len(tried):
        label = f"calibrated on, rehearsed in {found.rehearsals} worlds"
        axes.plot(
            tried["cost_usd"],
            tried["rehearsed"].clip(lower=0),
            "o",
            mfc="none",
            color="black",
            ms=9,
            label=label,
        )
    if found.recommended is not None:
        best = found.recommended
        axes.plot([best.cost_usd], [best.promised], "*", color="black", ms=14, label="recommended")
    axes.set_xscale("log")
    axes.set(
        xlabel="what the pilot costs (US dollars)",
        ylabel="narrower spread of the projected spend",
        ylim=(0, 1),
    )
    axes.xaxis.set_major_formatter(StrMethodFormatter("${x:,.0f}"))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.legend(frameon=False, fontsize=8.5)
    entitle(
        axes,
        "Expected information from pilots",
        f"expected over {found.worlds:,} worlds, in each of which both are run",
    )
    return figure, data
