"""Figures of a calibration with their data: before and after, and predictive checks."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from simbudget.distributions.base import NORMAL_P90
from simbudget.drawing import INK, entitle, new_figure
from simbudget.scenario.language.quantities import Quantity

if TYPE_CHECKING:
    from simbudget.calibration.scenarios.calibrate import Calibrated
    from simbudget.calibration.scenarios.checks import Check

_ASSUMED: Final = "#999999"
_DRAWS: Final = 2000
"""Draws of each quantity, enough for errors of p10 and p90 of about two per cent."""


def before_after(calibrated: "Calibrated") -> tuple[Figure, pd.DataFrame]:
    """Return the picture, and p10, median and p90 of each quantity before and after."""
    before, after = (
        {q.name: q for q in s.scenario.quantities()} for s in (calibrated.before, calibrated.after)
    )
    rows = []
    for change in calibrated.changes:
        if change.name in before and change.name in after:
            sides = (_quantiles(before[change.name]), _quantiles(after[change.name]))
            if all(side[1] > 0 for side in sides):
                rows.append((change.name, *sides[0], *sides[1], change.evidence.observations))
    columns = [
        "quantity",
        "before_p10",
        "before_p50",
        "before_p90",
        "after_p10",
        "after_p50",
        "after_p90",
        "n",
    ]
    data = pd.DataFrame(rows, columns=columns)
    figure, axes = new_figure(1.6 + 0.42 * max(len(data), 1))
    for place, row in enumerate(data.itertuples(index=False)):
        for offset, colour, values in ((-0.14, _ASSUMED, row[1:4]), (0.14, INK, row[4:7])):
            low, middle, high = np.maximum(np.array(values) / row[5], 1e-4)
            axes.plot([low, high], [place + offset] * 2, color=colour, lw=3, solid_capstyle="butt")
            axes.plot(middle, place + offset, "|", color="black", ms=9)
    axes.set_xscale("log")
    axes.set_yticks(range(len(data)), [f"{name}" for name in data["quantity"]])
    axes.invert_yaxis()
    axes.set_xlabel("middle 80 % and median of draws, over the calibrated median")
    entitle(
        axes, "Before (grey) and after (blue)", f"{len(calibrated.calibration.quantities)} quantities learnt"
    )
    return figure, data


def _quantiles(quantity: Quantity) -> tuple[float, float, float]:
    """Return p10, median and p90 of a quantity's draws, including its uncertainty."""
    rng = np.random.default_rng(0)
    scores = rng.standard_normal((2, _DRAWS))
    if quantity.posterior is not None:
        worlds = len(quantity.posterior.draws)
        many = rng.standard_normal((2, worlds, max(1, _DRAWS // worlds)))
        sample = quantity.posterior.sample(many[0], many[1])
    else:
        quantiles = np.array([quantity.distribution.quantile(u) for u in (np.arange(_DRAWS) + 0.5) / _DRAWS])
        spread = np.log(quantity.spread) / NORMAL_P90 if quantity.spread else 0.0
        sample = quantiles * np.exp(spread * scores[0])
    low, middle, high = np.quantile(sample, (0.1, 0.5, 0.9))
    return float(low), float(middle), float(high)


_COLUMNS = 4
_LEVELS = np.linspace(0.01, 0.99, 99)
_OBSERVED = "#E69F00"


def predictive_check(checks: "Sequence[Check]") -> tuple[Figure, pd.DataFrame]:
    """Return the picture, a small one for each check, and the percentiles that it shows."""
    shown = [check for check in checks if len(check.observed) > 1]
    rows = max(1, -(-len(shown) // _COLUMNS))
    height = 2.1 * rows + 0.4
    figure = Figure(figsize=(2.6 * _COLUMNS, height))  # a layout that fits itself would draw all of it twice
    figure.subplots_adjust(0.06, 0.35 / height, 0.98, 1 - 0.35 / height, wspace=0.25, hspace=0.45)
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
        axes.minorticks_off()
        axes.set_title(check.label.replace("models[others].", ""), fontsize=8.5)
        axes.tick_params(labelsize=7)
        if place == 0:
            axes.legend(frameon=False, fontsize=7.5)
            axes.set_ylabel("part at most this", fontsize=8)
    return figure, pd.DataFrame(table, columns=["quantity", "which", "part", "value"])
