"""How every picture looks: sizes, one colour for each component and activity, and how it is written."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from simbudget.ledger.entry import ACTIVITIES, COMPONENTS
from simbudget.projection.projection import Projection

# Okabe and Ito's colours for all kinds of colour vision, in an order whose greys differ from their neighbours'.
# M. Okabe and K. Ito, "Color Universal Design", 2008, https://jfly.uni-koeln.de/color/
_COLOURS: Final = (
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

COMPONENT_COLOURS: Final = dict(zip(COMPONENTS, _COLOURS, strict=False))
ACTIVITY_COLOURS: Final = dict(
    zip(
        ACTIVITIES,
        ("#0072B2", "#56B4E9", "#009E73", "#CC79A7", "#E69F00", "#F0E442", "#D55E00", "#BBBBBB", "#444444"),
        strict=True,
    )
)
BUDGET_COLOUR: Final = "#D55E00"
INK: Final = "#0072B2"

_DPI: Final = 130


def new_figure(height: float = 4.0) -> tuple[Figure, Axes]:
    """Return an empty figure 7.5 inches wide, and its axes."""
    figure = Figure(figsize=(7.5, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def basis(projection: Projection, single: bool = False) -> str:
    """Return what a picture rests on, for its title: all replications, or every single one that was kept."""
    made, kept, worlds = projection.figures.replications, len(projection.replications), projection.worlds
    if made == 1:
        return "1 replication"
    if single and kept < made:
        return f"the first {kept:,} of {made:,} replications"
    return f"{made:,} replications in {worlds:,} world{'s' if worlds > 1 else ''}"


def entitle(axes: Axes, title: str, rests_on: str) -> None:
    """Give a picture its title, and say what it rests on."""
    axes.set_title(f"{title}\n", loc="left", fontsize=11, fontweight="bold")
    axes.text(0, 1.02, rests_on, transform=axes.transAxes, fontsize=8.5, color="#555555")


def interval_bars(
    axes: Axes, data: pd.DataFrame, colours: dict[str, str], show: Callable[[float | None], str]
) -> None:
    """Draw a bar for each row of `data` (name, mean, p10, p50, p90): its mean, and p10 to p90 as an interval."""
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
    """Write a picture as PNG and its data as CSV, the same bytes for the same data; return both paths."""
    picture, table = folder / f"{name}.png", folder / f"{name}.csv"
    figure.savefig(picture, dpi=_DPI, metadata={"Software": None})
    data.to_csv(table, index=False, float_format="%.10g", lineterminator="\n")
    return [picture, table]
