"""Before and after: what was assumed of each quantity, and what logs showed, as the middle 80 % of its draws."""

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure

from simbudget.calibration.scenarios.calibrate import Calibrated
from simbudget.drawing import INK, entitle, new_figure
from simbudget.scenario.quantities import Quantity

Floats = npt.NDArray[np.float64]

_ASSUMED = "#999999"
_DRAWS = 2000


def before_after(calibrated: Calibrated) -> tuple[Figure, pd.DataFrame]:
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
    """Return p10, median and p90 of a quantity's draws, what is unknown included."""
    rng = np.random.default_rng(0)
    scores = rng.standard_normal((2, _DRAWS))
    if quantity.posterior is not None:
        worlds = len(quantity.posterior.draws)
        many = rng.standard_normal((2, worlds, max(1, _DRAWS // worlds)))
        sample = quantity.posterior.sample(many[0], many[1])
    else:
        quantiles = np.array([quantity.distribution.quantile(u) for u in (np.arange(_DRAWS) + 0.5) / _DRAWS])
        spread = np.log(quantity.spread) / 1.2815515655446004 if quantity.spread else 0.0
        sample = quantiles * np.exp(spread * scores[0])
    low, middle, high = np.quantile(sample, (0.1, 0.5, 0.9))
    return float(low), float(middle), float(high)
