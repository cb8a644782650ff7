"""Tornados: how far each unknown, and each choice, moves an outcome; the widest on top."""

from collections.abc import Sequence
from typing import Final

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from simbudget.deciding.compare import Against
from simbudget.deciding.outcomes import Outcome
from simbudget.deciding.sensitivity import Sensitivity
from simbudget.deciding.splits import Split
from simbudget.drawing import BUDGET_COLOUR, INK, entitle, new_figure
from simbudget.numbers import usd

_BARS: Final = 12


def tornado(split: Split, found: Sensitivity) -> tuple[Figure, pd.DataFrame]:
    """Return the picture of an outcome's means where each unknown is at its p10, and at its p90."""
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
    choices: Sequence[Against], outcome: Outcome, mean: float
) -> tuple[Figure, pd.DataFrame]:
    """Return the picture of how far each change moves an outcome's mean, with Monte-Carlo intervals."""
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
        f"One choice otherwise: {outcome.label}",
        f"95 % Monte-Carlo intervals; mean as it stands {_shown(outcome, mean)}",
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
