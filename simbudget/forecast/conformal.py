"""Conformal calibration: how forecasts have to be shifted and stretched, by what past backtests showed.

A past case says where the truth lay in the forecast: in units of the distance from the median to p10 or p90, in
logarithms where all is positive. The finite-sample quantiles of that over past cases replace p10, median and p90 of
the next forecast. Split conformal prediction with a scaled, signed score: Lei et al., "Distribution-free predictive
inference for regression", JASA 113 (2018); Romano, Patterson and Candès, "Conformalized quantile regression",
NeurIPS 2019. No case ever widens itself: a run's past cases are those of all other runs.

Cases of one project are alike, so what a new one may differ by is learnt from whole projects: each of the others
counts the same however many cases it has (Dunn, Wasserman and Ramdas, "Distribution-free prediction sets for two-layer
hierarchical models", JASA 118 (2023)), all of them together as few cases of one's own. Whether forecasts are too high
or too low is a project's own: the cases of others count on both sides, and never make an interval narrower.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from simbudget.arrays import Floats
from simbudget.forecast.cases import Case

_FEWEST: Final = 8
"""With fewer past cases nothing is changed: there is no saying by how much."""
_FARTHEST: Final = 20.0
_NARROWEST: Final = 0.4
"""As far as a project's own cases speak, p10 and p90 come no closer to the median than this part of what they were."""
_OTHERS_WORTH: Final = 5.0
"""All other projects together count as so many cases of a project's own."""
_SHIFT_NEEDS: Final = 20.0
"""The median is shifted half of what so many of its own cases show, all of it with many more."""


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


def position(forecast: Case) -> float:
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
    own = np.array([case.position for case in past if case.project == project])
    others = [case for case in past if case.project != project]
    positions, weights = np.concatenate([own, *_both_sides(others)]), np.ones(len(own) + 2 * len(others))
    weights[len(own) :] = np.tile(_equally(others), 2) * _OTHERS_WORTH / 2
    order = np.argsort(positions, kind="stable")
    positions, reach = positions[order], np.cumsum(weights[order]) / weights.sum()

    def at(level: float) -> float:
        return float(positions[min(int(np.searchsorted(reach, level - 1e-12)), len(positions) - 1)])

    count = len(own)
    share = count / weights.sum()
    middle = float(np.median(own)) * count / (count + _SHIFT_NEEDS) if count else 0.0
    tail = 0.1 * (1.0 - share / (count + 1.0))  # the next case is one more than there were
    closest = _NARROWEST * share + 1.0 - share
    return Stretch(min(at(tail), middle - closest), middle, max(at(1.0 - tail), middle + closest))


def _both_sides(cases: Sequence[PastCase]) -> tuple[Floats, Floats]:
    """Return where truths lay, and the same on the other side of the median."""
    positions = np.array([case.position for case in cases])
    return positions, -positions


def _equally(cases: Sequence[PastCase]) -> Floats:
    """Return what each case counts so that each project counts the same; 1 in all."""
    names, member, counts = np.unique(
        np.array([case.project for case in cases]), return_inverse=True, return_counts=True
    )
    return np.asarray(1.0 / (counts[member] * max(len(names), 1)))


def stretched(forecast: Case, stretch: Stretch) -> Case:
    """Return a forecast with its sample moved: p10, median and p90 to where `stretch` says, the rest in proportion."""
    low, median, high, *_ = _scaled(forecast, forecast.truth)
    logs = _is_positive(forecast)
    values = np.log(forecast.sample) if logs else forecast.sample
    places = np.where(
        values < median,
        (values - median) / max(median - low, 1e-12),
        (values - median) / max(high - median, 1e-12),
    )
    middle = stretch.middle if low < median < high else 0.0  # a value of many stays: one call, no failure
    span_low, span_high = middle - stretch.low, stretch.high - middle
    moved = middle + np.where(places < 0, places * span_low, places * span_high)
    sample = median + np.where(moved < 0, moved * (median - low), moved * (high - median))
    return replace(forecast, sample=np.exp(sample) if logs else np.maximum(sample, 0.0))


def conformal(forecasts: Sequence[Case], past: Iterable[PastCase] = ()) -> tuple[list[Case], list[Stretch]]:
    """Return forecasts of one quantity of one task, each stretched by what all runs but its own showed; how each was.

    Args:
        forecasts: of one quantity of one task.
        past: cases of other backtests, such as those that ship with the product; those of the same projects are left
            out, since they may be of the same runs.
    """
    mine = [PastCase(f.project, f"{f.project}/{f.run}", position(f)) for f in forecasts]
    projects = {case.project for case in mine}
    everything = [*mine, *(case for case in past if case.project not in projects)]
    stretches: dict[tuple[str, str], Stretch] = {}
    for case in mine:
        key = (case.project, case.run)
        if key not in stretches:
            others = [other for other in everything if other.run != case.run]
            stretches[key] = stretch_of(others, case.project)
    applied = [stretches[case.project, case.run] for case in mine]
    return [stretched(f, s) for f, s in zip(forecasts, applied, strict=True)], applied


def _is_positive(forecast: Case) -> bool:
    return bool((forecast.sample > 0).all())


def _scaled(forecast: Case, truth: float) -> tuple[float, float, float, float]:
    """Return p10, median, p90 and truth on the scale that a forecast is stretched on."""
    low, median, high = np.quantile(forecast.sample, (0.1, 0.5, 0.9))
    if _is_positive(forecast):
        least = float(forecast.sample.min()) * 1e-6
        low, median, high, truth = np.log([low, median, high, max(truth, least)])
    return float(low), float(median), float(high), float(truth)
