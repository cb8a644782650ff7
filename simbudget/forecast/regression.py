"""A ridge regression of what remains on what a beginning shows, and its pool with the simulator.

The simulator knows how contexts grow and what caches do, the regression knows what usually followed a beginning like
this one, pauses and all. Their errors differ, so the average of their quantiles (of logarithms, a geometric mean) is
better than either (Vincentization: Lichtendahl, Grushka-Cockayne and Winkler, Management Science 59 (2013), 1594-1611).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from weakref import WeakKeyDictionary

import numpy as np

from simbudget.arrays import Floats
from simbudget.calibration.observed.sessions import Session
from simbudget.calibration.observed.totals import truths

CUTS: Final = (0.1, 0.2, 0.35, 0.5, 0.7)
"""Where other sessions are cut to learn what followed."""
_RIDGE: Final = 8.0
"""Weight of the penalty, in sessions: of eight standardised features each takes about one session to be believed."""
_FEWEST_SESSIONS: Final = 8
"""With fewer, a regression on eight features says nothing."""
_FEWEST_CALLS: Final = 3
_NEAR: Final = 0.8
"""Spread of the logarithm of the odds of a cut: residuals of cuts like that of the run at hand count most."""
_LEAST: Final = {"cost_usd": 1e-6}
"""Added to a mean per call before its logarithm is taken; 0.1 (tokens, seconds) of everything else."""
_FOLDS: Final = 8
_ERRORS_ALIKE: Final = 0.75
"""Correlation of the errors of simulator and regression: 0.71 to 0.96 over projects and quantities, taken low since
intervals of the plain average held the truth in 84 to 88 % of the cases (benchmarks/remaining_run.md)."""


@dataclass(frozen=True, eq=False)
class Regression:
    """What followed beginnings of other sessions, for one quantity."""

    centre: Floats
    scale: Floats
    slopes: Floats
    level: float
    residuals: Floats
    """[rows] of sessions that the regression was not fitted to."""
    odds: Floats
    """[rows] logarithms of calls left over calls so far."""
    sessions: int

    def draws(self, features: Floats, odds: Floats, rng: np.random.Generator) -> Floats:
        """Return [worlds] draws of the logarithm of the mean per call.

        Args:
            features: [worlds, features] of the beginning.
            odds: [worlds] logarithms of calls left over calls so far.
            rng: what residuals are drawn with.
        """
        expected = self.level + ((features - self.centre) / self.scale) @ self.slopes
        weights = np.exp(-0.5 * ((self.odds - float(np.median(odds))) / _NEAR) ** 2) + 1e-9
        residuals = rng.choice(self.residuals, len(odds), p=weights / weights.sum())
        return np.asarray(expected + residuals)


def regressions(sessions: Sequence[Session]) -> dict[str, Regression]:
    """Return a regression for each quantity that enough sessions know."""
    rows: dict[str, list[tuple[int, Floats, float, float]]] = {}
    for number, session in enumerate(sessions):
        for quantity, x, y, odds in _rows_of(session):
            rows.setdefault(quantity, []).append((number, x, y, odds))
    return {name: fitted for name, of_name in rows.items() if (fitted := _fitted(of_name)) is not None}


_Row = tuple[str, Floats, float, float]
_ROWS: Final[WeakKeyDictionary[Session, list[_Row]]] = WeakKeyDictionary()
"""What each session teaches, worked out once: a backtest learns from it in nine tenths of its forecasts."""


def _rows_of(session: Session) -> list[_Row]:
    """Return by quantity and cut: features of the beginning, the logarithm of what followed, and calls left over."""
    if session not in _ROWS:
        found: list[_Row] = []
        for cut in CUTS:
            first = max(_FEWEST_CALLS, int(np.ceil(cut * len(session))))
            left = len(session) - first
            if left < _FEWEST_CALLS:
                continue
            begun = session.part(0, first)
            seen, common = truths(begun, 0), _common(begun)
            for quantity, total in truths(session, first).items():
                if quantity != "calls":
                    x = np.array([_shown(seen, len(begun), quantity), *common, np.log(left)])
                    found.append((quantity, x, _log(total / left, quantity), float(np.log(left / first))))
        _ROWS[session] = found
    return _ROWS[session]


def features_of(begun: Session, quantity: str, left: Floats) -> Floats:
    """Return [worlds, 8] what a beginning shows that the remaining run may depend on; `left` is [worlds] calls."""
    fixed = [_shown(truths(begun, 0), len(begun), quantity), *_common(begun)]
    return np.column_stack([np.tile(fixed, (len(left), 1)), np.log(np.maximum(left, 1.0))])


def _common(begun: Session) -> list[float]:
    """Return the features that do not depend on which quantity is wanted."""
    return [
        float(np.log1p(_mean(begun.growth))),
        float(np.log1p(begun.context[-1])),
        float(np.log(len(begun))),
        _log(_mean(begun.duration_s), "call_s"),
        _log(_mean(begun.gap_s), "gap_s"),
        float(np.log1p(_mean(np.nan_to_num(begun.write) + np.nan_to_num(begun.uncached)))),
    ]


def _shown(seen: Mapping[str, float], calls: int, quantity: str) -> float:
    """Return the logarithm of the quantity's mean per call so far."""
    return _log(seen[quantity] / calls, quantity) if quantity in seen else 0.0


def _mean(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else 0.0


def _log(value: float, quantity: str) -> float:
    return float(np.log(value + least(quantity)))


def least(quantity: str) -> float:
    """Return what is added to a mean per call before its logarithm is taken."""
    return _LEAST.get(quantity, 0.1)


def _fitted(rows: Sequence[tuple[int, Floats, float, float]]) -> Regression | None:
    member = np.array([row[0] for row in rows])
    x, y, odds = (np.array([row[k] for row in rows]) for k in (1, 2, 3))
    count = len(np.unique(member))
    if count < _FEWEST_SESSIONS:
        return None
    centre, scale = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-6)
    z = (x - centre) / scale
    weights = 1.0 / np.bincount(member)[member]  # each session counts once, however often it was cut
    level, slopes = _ridge(z, y, weights)
    residuals = np.empty(len(y))
    folds = np.unique(member, return_inverse=True)[1] % _FOLDS
    for fold in np.unique(folds):
        out = folds == fold
        if out.all():
            return None
        own_level, own_slopes = _ridge(z[~out], y[~out], weights[~out])
        residuals[out] = y[out] - own_level - z[out] @ own_slopes
    return Regression(centre, scale, slopes, level, residuals, odds, count)


def _ridge(z: Floats, y: Floats, weights: Floats) -> tuple[float, Floats]:
    centre, level = np.average(z, axis=0, weights=weights), float(np.average(y, weights=weights))
    weighed = (z - centre) * weights[:, None]
    slopes = np.linalg.solve(weighed.T @ (z - centre) + _RIDGE * np.eye(z.shape[1]), weighed.T @ (y - level))
    return level - float(centre @ slopes), np.asarray(slopes)


def pooled(simulated: Floats, other: Floats, weight: float, errors_alike: float = _ERRORS_ALIKE) -> Floats:
    """Return [worlds] draws whose quantiles are the geometric means of both, in the order of the simulated ones.

    The average of two forecasts errs less than either, so its quantiles are drawn towards their median by as much as
    the standard deviation of a weighted mean of two equally large errors is below theirs.

    Args:
        simulated: [worlds] draws, whose order over worlds is kept, so that what goes together stays together.
        other: [worlds] draws of the same by another forecaster.
        weight: of the other, from 0 to 1.
        errors_alike: correlation of their errors; 1: what neither knows decides.
    """
    smallest = 1e-9
    order = np.argsort(np.argsort(simulated, kind="stable"), kind="stable")
    logs = (1.0 - weight) * np.log(np.maximum(np.sort(simulated), smallest))
    logs += weight * np.log(np.maximum(np.sort(other), smallest))
    spread = np.sqrt(1.0 - 2.0 * (1.0 - errors_alike) * weight * (1.0 - weight))
    middle = np.median(logs)
    return np.asarray(np.exp(middle + spread * (logs - middle))[order])
