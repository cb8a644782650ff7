"""A model's speed: decomposition of call durations into time to first token and tokens per second.

The slope of duration over output is Theil's and Sen's, robust to pauses, with the confidence interval that goes with it
(Sen, JASA 63 (1968), 1379-1389). The remainder of each call is its time to first token. A steeper slope leaves less, so
both are drawn jointly: a slope per world, and the times to first token given that slope.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from simbudget.arrays import Floats
from simbudget.calibration.observed.observations import FLOORS, NO_SPEED
from simbudget.calibration.observed.sessions import Session
from simbudget.calibration.posteriors.pooling import log_of
from simbudget.distributions.posteriors import Posterior

_MOST_POINTS: Final = 800
_FEWEST_POINTS: Final = 10
_ONE_ERROR: Final = 0.3173
"""Probability outside one standard error on either side."""
_SLOPES: Final = np.linspace(-2.5, 2.5, 11)
"""Offsets from the slope, in standard errors, at which times to first token are computed."""


@dataclass(frozen=True, eq=False)
class Slope:
    """Seconds per token, with the standard error."""

    seconds: float
    error: float

    def drawn(self, worlds: int, rng: np.random.Generator) -> Floats:
        """Return [worlds] draws of it, as standard errors away from the best.

        Args:
            worlds: number of joint draws.
            rng: what the draws are made from.
        """
        lowest = max(_SLOPES[0], (1.0 / NO_SPEED - self.seconds) / max(self.error, 1e-12))
        return np.clip(rng.standard_normal(worlds), lowest, _SLOPES[-1])


def slope_of(sessions: Sequence[Session]) -> Slope | None:
    """Return the slope of calls' durations over their outputs; None if they show none."""
    from scipy.stats import theilslopes  # noqa: PLC0415  slow to import

    output = np.concatenate([session.output for session in sessions])
    duration_s = np.concatenate([session.duration_s for session in sessions])
    known = np.isfinite(output) & np.isfinite(duration_s) & (duration_s > 0)
    stride = max(1, int(known.sum()) // _MOST_POINTS)
    output, duration_s = output[known][::stride], duration_s[known][::stride]
    if len(output) < _FEWEST_POINTS or np.ptp(output) == 0:
        return None
    with np.errstate(invalid="ignore"):  # the interval is undefined if most outputs are equal
        found = theilslopes(duration_s, output, alpha=_ONE_ERROR)
    if found.slope <= 0:
        return None
    half = (found.high_slope - found.low_slope) / 2
    error = min(half, found.slope) if np.isfinite(half) else found.slope
    return Slope(float(found.slope), float(error))


def under_slopes(first_token: Posterior, sessions: Sequence[Session], slope: Slope, at: Floats) -> Posterior:
    """Return first tokens as they are in worlds of other slopes.

    Args:
        first_token: as it is under the best slope.
        sessions: whose calls are looked at.
        slope: the best slope.
        at: [worlds] each world's slope, in standard errors away from the best.
    """
    means, spreads = [], []
    for errors in _SLOPES:
        seconds = slope.seconds + errors * slope.error
        left = [session.duration_s - session.output * seconds for session in sessions]
        logs = log_of(np.concatenate([part[np.isfinite(part)] for part in left]), FLOORS["first_token"])
        means.append(logs.mean())
        spreads.append(max(logs.std(), 1e-6))
    best = len(_SLOPES) // 2
    draws = first_token.draws.copy()
    draws[:, 0] += np.interp(at, _SLOPES, np.array(means) - means[best])
    draws[:, 1:] *= np.interp(at, _SLOPES, np.array(spreads) / spreads[best])[:, None]
    return replace(first_token, draws=draws)
