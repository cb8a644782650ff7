"""Predictive checks: distributions of what was observed, and of what the calibrated model simulates."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from simbudget.calibration.scenarios.checks import Check
from simbudget.drawing import INK

_COLUMNS = 4
_LEVELS = np.linspace(0.01, 0.99, 99)
_OBSERVED = "#E69F00"


def predictive_check(checks: Sequence[Check]) -> tuple[Figure, pd.DataFrame]:
    """Return the picture, a small one for each check, and the percentiles that it shows."""
    shown = [check for check in checks if len(check.observed) > 1]
    rows = max(1, -(-len(shown) // _COLUMNS))
    figure = Figure(figsize=(2.6 * _COLUMNS, 2.1 * rows + 0.4), layout="constrained")
    FigureCanvasAgg(figure)
    table: list[tuple[str, str, float, float]] = []
    for place, check in enumerate(shown):
        axes = figure.add_subplot(rows, _COLUMNS, place + 1)
        axes.spines[["top", "right"]].set_visible(False)
        for values, colour, line, label in (
            (check.observed, _OBSERVED, "-", "observed"),
            (check.simulated, INK, "--", "simulated"),
        ):
            quantiles = np.quantile(values, _LEVELS)
            axes.plot(np.maximum(quantiles, 1e-2), _LEVELS, line, color=colour, lw=1.6, label=label)
            table.extend((check.label, label, level, q) for level, q in zip(_LEVELS, quantiles, strict=True))
        axes.set_xscale("log")
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_title(check.label.replace("models[model].", ""), fontsize=8.5)
        axes.tick_params(labelsize=7)
        if place == 0:
            axes.legend(frameon=False, fontsize=7.5)
            axes.set_ylabel("part at most this", fontsize=8)
    return figure, pd.DataFrame(table, columns=["quantity", "which", "part", "value"])
