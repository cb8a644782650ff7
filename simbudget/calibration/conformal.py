"""Conformal calibration: how forecasts have to be shifted and stretched, by what past backtests showed.

A past case says where the truth lay in the forecast: in units of the distance from the median to p10 or p90, in
logarithms where all is positive. The finite-sample quantiles of that over past cases replace p10, median and p90 of
the next forecast. Split conformal prediction with a scaled, signed score: Lei et al., "Distribution-free predictive
inference for regression", JASA 113 (2018); Romano, Patterson and Candès, "Conformalized quantile regression",
NeurIPS 2019. No case ever widens itself: a run's past cases are those of all other runs.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from simbudget.calibration.forecasts import Forecast

Floats = npt.NDArray[np.float64]

_FEWEST: Final = 8
"""With fewer past cases nothing is changed: there is no saying by how much."""
_FARTHEST: Final = 20.0
_NARROWEST: Final = 0.4
"""p10 and p90 come no closer to the median than this part of what they were."""
_ONE_PROJECT: Final = 20.0
"""Cases of any one other project count as so many at most: they are much alike."""
_SHIFT_NEEDS: Final = 20.0
"""The median is shifted half of what so many cases show, all of it with many more."""


@dataclass(frozen=True)
class PastCase:
    """Where a truth lay in its forecast."""

    project: str
    run: str
    position: float
    """0 at the median, -1 at p10, 1 at p90, in proportion between and beyond."""


@dataclass(frozen=True)
class Stretch:
    """What p10, median and p90 of a forecast become, as positions in what they were."""

    low: float = -1.0
    middle: float = 0.0
    high: float = 1.0

    @property
    def factor(self) -> float:
        """Return by how much the interval gets wider."""
        return (self.high - self.low) / 2.0


def position(forecast: Forecast) -> float:
    """Return where the truth lay in a forecast; see `PastCase.position`."""
    low, median, high, truth = _scaled(forecast, forecast.truth)
    side = high - median if truth > median else median - low
    distance = truth - median
    if side <= 0:
        return 0.0 if distance == 0 else float(np.sign(distance) * _FARTHEST)
    return float(np.clip(distance / side, -_FARTHEST, _FARTHEST))


def stretch_of(past: Sequence[PastCase], project: str) -> Stretch:
    """Return how forecasts of a project are to be stretched, by past cases of its own and of others."""
    if len(past) < _FEWEST:
        return Stretch()
    positions = np.array([case.position for case in past])
    weights = _weights(past, project)
    order = np.argsort(positions, kind="stable")
    positions, weights = positions[order], weights[order]
    count = float(weights.sum() ** 2 / (weights**2).sum())
    reach = np.cumsum(weights) / weights.sum()

    def at(level: float) -> float:
        return float(positions[min(int(np.searchsorted(reach, level - 1e-12)), len(positions) - 1)])

    middle = at(0.5) * count / (count + _SHIFT_NEEDS)
    tail = 0.1 * (1.0 - 1.0 / max(count, 2.0))  # the next case is one more than there were
    low, high = min(at(tail), middle - _NARROWEST), max(at(1.0 - tail), middle + _NARROWEST)
    return Stretch(low, middle, high)


def _weights(past: Sequence[PastCase], project: str) -> Floats:
    """Return what each case counts: those of the project itself fully, those of another together no more than 20."""
    names, member, counts = np.unique(
        np.array([case.project for case in past]), return_inverse=True, return_counts=True
    )
    share = np.minimum(1.0, _ONE_PROJECT / counts)
    share[names == project] = 1.0
    return np.asarray(share[member])


def stretched(forecast: Forecast, stretch: Stretch) -> Forecast:
    """Return a forecast with its sample moved: p10, median and p90 to where `stretch` says, the rest in proportion."""
    low, median, high, *_ = _scaled(forecast, forecast.truth)
    logs = _is_positive(forecast)
    values = np.log(forecast.sample) if logs else forecast.sample
    places = np.where(
        values < median,
        (values - median) / max(median - low, 1e-12),
        (values - median) / max(high - median, 1e-12),
    )
    span_low, span_high = stretch.middle - stretch.low, stretch.high - stretch.middle
    moved = stretch.middle + np.where(places < 0, places * span_low, places * span_high)
    sample = median + np.where(moved < 0, moved * (median - low), moved * (high - median))
    return replace(forecast, sample=np.exp(sample) if logs else np.maximum(sample, 0.0))


def conformal(
    forecasts: Sequence[Forecast], past: Iterable[PastCase] = ()
) -> tuple[list[Forecast], list[Stretch]]:
    """Return forecasts of one quantity of one task, each stretched by what all runs but its own showed; how each was.

    Args:
        forecasts: of one quantity of one task.
        past: cases of other backtests, such as those that ship with the product.
    """
    mine = [PastCase(f.project, f"{f.project}/{f.run}", position(f)) for f in forecasts]
    everything = [*mine, *past]
    stretches: dict[tuple[str, str], Stretch] = {}
    for case in mine:
        key = (case.project, case.run)
        if key not in stretches:
            others = [other for other in everything if other.run != case.run]
            stretches[key] = stretch_of(others, case.project)
    applied = [stretches[case.project, case.run] for case in mine]
    return [stretched(f, s) for f, s in zip(forecasts, applied, strict=True)], applied


def _is_positive(forecast: Forecast) -> bool:
    return bool((forecast.sample > 0).all())


def _scaled(forecast: Forecast, truth: float) -> tuple[float, float, float, float]:
    """Return p10, median, p90 and truth on the scale that a forecast is stretched on."""
    low, median, high = np.quantile(forecast.sample, (0.1, 0.5, 0.9))
    if _is_positive(forecast):
        least = float(forecast.sample.min()) * 1e-6
        low, median, high, truth = np.log([low, median, high, max(truth, least)])
    return float(low), float(median), float(high), float(truth)
