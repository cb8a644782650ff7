"""The common look of all figures: size, colours, title, and a line on the data behind them."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from simbudget.results import Picture

# The palette of Okabe and Ito, safe for colour-blind readers, ordered so that neighbours also differ in greyscale.
# M. Okabe and K. Ito, "Color Universal Design", 2008, https://jfly.uni-koeln.de/color/
COLOURS: Final = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#F0E442",
    "#CC79A7",
    "#56B4E9",
    "#D55E00",
    "#999999",
    "#000000",
)

BUDGET_COLOUR: Final = "#D55E00"
INK: Final = "#0072B2"


def new_figure(height: float = 4.0) -> tuple[Figure, Axes]:
    """Return an empty figure 7.5 inches wide, and its axes."""
    figure = Figure(figsize=(7.5, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def entitle(axes: Axes, title: str, rests_on: str) -> None:
    """Set a figure's title, and a line below it that says what the figure rests on.

    Args:
        axes: where it is drawn.
        title: the title.
        rests_on: such as `1,000 replications in 500 worlds`.
    """
    axes.set_title(f"{title}\n", loc="left", fontsize=11, fontweight="bold")
    axes.text(0, 1.02, rests_on, transform=axes.transAxes, fontsize=8.5, color="#555555")


def interval_bars(
    axes: Axes, data: pd.DataFrame, colours: dict[str, str], show: Callable[[float | None], str]
) -> None:
    """Draw one horizontal bar per row of `data`, with its p10 to p90 interval.

    Args:
        axes: the axes to draw on.
        data: columns (name, mean, p10, p50, p90), one row per bar.
        colours: fill colour by name.
        show: formats a mean for its label.
    """
    for position, (name, mean, p10, _, p90) in enumerate(data.itertuples(index=False)):
        axes.barh(position, mean, color=colours[name], edgecolor="black", lw=0.6, height=0.6)
        if p10 < p90:
            axes.plot([p10, p90], [position, position], color="black", lw=1.6, marker="|", ms=9)
        end = (max(mean, p90), position)
        axes.annotate(f" {show(mean)}", end, va="center", xytext=(4, 0), textcoords="offset points")
    axes.set_yticks(range(len(data)), data.iloc[:, 0].str.replace("_", " "))
    axes.invert_yaxis()
    axes.margins(x=0.14)


def write_picture(figure: Figure, data: pd.DataFrame, folder: Path, name: str) -> list[Path]:
    """Write a figure as PNG and its data as CSV, and return both paths."""
    return Picture(name, lambda: (figure, data)).write(folder, name)
