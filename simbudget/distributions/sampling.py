"""Draws from uniforms: the compiled inverse distribution function of a lowered row.

One uniform in (0, 1) gives one draw, always by inversion: a draw grows with its uniform, so two scenarios
that share their uniforms share their luck, whatever their families.
"""

import math

import numpy as np
import numpy.typing as npt

from simbudget.compilation import compiled
from simbudget.distributions.base import (
    CONSTANT,
    LOG_SCORES,
    LOGIT_SCORES,
    LOGNORMAL,
    NORMAL,
    SCORE_LIMIT,
    SCORE_POINTS,
    STEPS,
    TRIANGULAR,
    UNIFORM,
)

_SCORES_PER_UNIT = (SCORE_POINTS - 1) / (2 * SCORE_LIMIT)


@compiled
def normal_score(u: float) -> float:
    """Return the standard normal quantile of `u` in (0, 1), to about 1e-15 relative.

    Algorithm AS 241, PPND16: M. J. Wichura, "The percentage points of the normal distribution", Applied
    Statistics 37 (1988), 477-484. 0 gives minus infinity, 1 infinity.
    """
    q = u - 0.5
    if abs(q) <= 0.425:
        r = 0.180625 - q * q
        numerator = 2.5090809287301226727e3
        for coefficient in (
            3.3430575583588128105e4,
            6.7265770927008700853e4,
            4.5921953931549871457e4,
            1.3731693765509461125e4,
            1.9715909503065514427e3,
            1.3314166789178437745e2,
            3.3871328727963666080e0,
        ):
            numerator = numerator * r + coefficient
        denominator = 5.2264952788528545610e3
        for coefficient in (
            2.8729085735721942674e4,
            3.9307895800092710610e4,
            2.1213794301586595867e4,
            5.3941960214247511077e3,
            6.8718700749205790830e2,
            4.2313330701600911252e1,
            1.0,
        ):
            denominator = denominator * r + coefficient
        return q * numerator / denominator
    return _tail_score(u)
