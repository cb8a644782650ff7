"""Drift along a run: whether a quantity differs between its beginning and its end."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_FEWEST_RUNS: Final = 8
_FEWEST_VALUES: Final = 12
_NOTABLE: Final = 0.15
_CERTAIN: Final = 3.0
"""Threshold of a drift in standard errors: about one false alarm in 400 quantities."""


def drift_words(runs: Sequence[Floats]) -> str:
    """Return in words how a quantity drifts from the first third of a run to the last; empty if it does not.

    Args:
        runs: [runs] arrays of values in the order in which they came.
    """
    ratios = []
    for values in runs:
        if len(values) >= _FEWEST_VALUES:
            first, _, last = np.array_split(values, 3)
            if first.mean() > 0 and last.mean() > 0:
                ratios.append(np.log(last.mean() / first.mean()))
    if len(ratios) < _FEWEST_RUNS:
        return ""
    drift, error = float(np.mean(ratios)), float(np.std(ratios, ddof=1) / np.sqrt(len(ratios)))
    if abs(drift) < _NOTABLE or abs(drift) < _CERTAIN * error:
        return ""
    return f"drifts: the last third of a run has {np.exp(drift):.2f} times the first's; not simulated"
