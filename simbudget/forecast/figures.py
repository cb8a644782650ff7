"""Reliability: how often truths fell inside intervals, against how often they should have."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from simbudget.drawing import INK, entitle, new_figure

_LEVELS = np.arange(0.1, 0.96, 0.1)
_LINES = (
    (INK, "-", "o"),
    ("#E69F00", "--", "s"),
    ("#009E73", "-.", "^"),
    ("#CC79A7", ":", "D"),
    ("#56B4E9", "-", "v"),
    ("#D55E00", "--", "x"),
    ("#444444", "-.", "+"),
)


def reliability(positions: Mapping[str, Sequence[float]], title: str) -> tuple[Figure, pd.DataFrame]:
    """Return the picture, and the share of cases inside each central interval.

    Args:
        positions: by quantity, where each truth lay in its forecast: the part of the sample below it.
        title: what was projected.
    """
    figure, axes = new_figure(5.0)
    rows: list[tuple[str, int, float, float]] = []
    axes.plot([0, 1], [0, 1], color="#999999", lw=1, label="as it should be")
    for (name, values), (colour, line, marker) in zip(positions.items(), _LINES, strict=False):
        inside = [float(np.mean(np.abs(np.array(values) - 0.5) <= level / 2)) for level in _LEVELS]
        axes.plot(
            _LEVELS, inside, line, color=colour, marker=marker, ms=5, lw=1.5, label=f"{name} ({len(values)})"
        )
        rows.extend((name, len(values), level, share) for level, share in zip(_LEVELS, inside, strict=True))
    axes.set(xlabel="central interval", ylabel="part of the truths inside it", xlim=(0, 1), ylim=(0, 1))
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.legend(frameon=False, loc="upper left", fontsize=8.5)
    entitle(axes, "Reliability of intervals", title)
    return figure, pd.DataFrame(rows, columns=["quantity", "cases", "interval", "inside"])
