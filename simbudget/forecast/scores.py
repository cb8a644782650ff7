"""Scores of forecasts: error, bias, coverage, width and CRPS, each with its own uncertainty."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from simbudget.arrays import Floats
from simbudget.forecast.cases import Case

_RESAMPLES: Final = 400
_SEED: Final = 5
_SMALL: Final = 1.0
"""A truth of zero counts as this where an error is divided by it, and in logarithms."""
_SMALLEST: Final = 1e-9
"""Smaller draws count as this in logarithms."""


def score(forecasts: Sequence[Case], raw: Sequence[Case] | None = None) -> dict[str, Any]:
    """Return the scores of forecasts of one quantity; `raw` are the same before they were widened.

    Errors, widths and CRPS are parts of the truth. Intervals in square brackets are 90 % of a bootstrap over runs.
    """
    cases = _Cases(forecasts)
    result: dict[str, Any] = {
        "cases": len(forecasts),
        "runs": len(set(cases.runs)),
        **cases.scores(),
        **cases.uncertainty(),
    }
    if raw is not None:
        unstretched = _Cases(raw)
        before = unstretched.scores()
        result["raw"] = {
            key: before[key]
            for key in (
                "median_abs_error",
                "bias",
                "coverage_50",
                "coverage_80",
                "relative_width_80",
                "crps",
                "log_crps",
            )
        }
        result["raw"] |= unstretched.uncertainty()
    methods = sorted({method for forecast in forecasts for method in forecast.naive})
    result["naive"] = {method: _Cases(_as_naive(forecasts, method)).scores() for method in methods}
    return result


def _as_naive(forecasts: Sequence[Case], method: str) -> list[Case]:
    """Return the forecasts of a naive method as if they were ours."""
    return [
        Case(f.task, f.source, f.project, f.run, f.quantity, f.truth, f.naive[method], {})
        for f in forecasts
        if method in f.naive
    ]


class _Cases:
    """The cases of one quantity as arrays."""

    def __init__(self, forecasts: Sequence[Case]) -> None:
        truth = np.array([f.truth for f in forecasts])
        at = np.array([np.quantile(f.sample, (0.1, 0.25, 0.5, 0.75, 0.9)) for f in forecasts])
        unit = np.maximum(np.abs(truth), _SMALL) if (truth == 0).any() else np.abs(truth)
        self.runs = np.array([f"{f.project}/{f.run}" for f in forecasts])
        self.has_interval = any(len(f.sample) > 1 for f in forecasts)
        self.error = (at[:, 2] - truth) / unit
        self.within_80 = (at[:, 0] <= truth) & (truth <= at[:, 4])
        self.within_50 = (at[:, 1] <= truth) & (truth <= at[:, 3])
        self.width = (at[:, 4] - at[:, 0]) / unit
        self.crps = np.array([_crps(f) for f in forecasts]) / unit
        smallest = _SMALL if (truth == 0).any() else _SMALLEST
        self.log_crps = np.array([log_crps(f.sample, f.truth, smallest) for f in forecasts])

    def scores(self) -> dict[str, float | None]:
        """Return the scores of all cases."""
        return {name: figure(self, slice(None)) for name, figure in _FIGURES.items()}

    def uncertainty(self) -> dict[str, list[float]]:
        """Return 90 % intervals of error, bias and coverage by drawing runs again, with all their cases."""
        rng = np.random.default_rng(_SEED)
        names, member = np.unique(self.runs, return_inverse=True)
        by_run = [np.flatnonzero(member == k) for k in range(len(names))]
        drawn = [
            np.concatenate([by_run[k] for k in rng.integers(len(names), size=len(names))])
            for _ in range(_RESAMPLES)
        ]
        return {
            f"{name}_interval": [
                float(q) for q in np.quantile([_FIGURES[name](self, d) for d in drawn], (0.05, 0.95))
            ]
            for name in ("median_abs_error", "bias", "coverage_80")
        }


_FIGURES: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "median_abs_error": lambda cases, which: float(np.median(np.abs(cases.error[which]))),
    "bias": lambda cases, which: float(np.median(cases.error[which])),
    "coverage_50": lambda cases, which: float(cases.within_50[which].mean()) if cases.has_interval else None,
    "coverage_80": lambda cases, which: float(cases.within_80[which].mean()) if cases.has_interval else None,
    "relative_width_80": lambda cases, which: (
        float(np.median(cases.width[which])) if cases.has_interval else None
    ),
    "crps": lambda cases, which: float(np.median(cases.crps[which])),
    "log_crps": lambda cases, which: float(np.mean(cases.log_crps[which])),
}
"""Each figure of some cases; a method that gives one number only has no intervals."""


def log_crps(sample: Floats, truth: float, smallest: float = _SMALLEST) -> float:
    """Return the CRPS of the logarithm, from the sample's quantiles: large and small cases count alike.

    Args:
        sample: [draws] the forecast.
        truth: what came true.
        smallest: what smaller values count as.
    """
    logs = np.sort(np.log(np.maximum(sample, smallest)))
    levels = (np.arange(len(logs)) + 0.5) / len(logs)
    away = np.log(max(truth, smallest)) - logs
    return float(2.0 * np.maximum(levels * away, (levels - 1.0) * away).mean())


def _crps(forecast: Case) -> float:
    """Return the continuous ranked probability score (Gneiting and Raftery 2007); of one number its absolute error."""
    import scoringrules  # noqa: PLC0415  slow to import

    if len(forecast.sample) == 1:
        return float(abs(forecast.sample[0] - forecast.truth))
    return float(scoringrules.crps_ensemble(forecast.truth, forecast.sample, backend="numpy"))
