"""Draws from uniform numbers: the compiled inverse distribution function of a lowered row.

One uniform number in (0, 1) gives one draw, always by inversion. A draw increases with its uniform number, so that two
scenarios with the same uniform numbers are compared under common random numbers, whatever their families.
"""

import math
from typing import Final

from simbudget.arrays import Floats
from simbudget.compilation import compiled
from simbudget.distributions.base import (
    CONSTANT,
    EXPONENTIAL,
    LOG_SCORES,
    LOGIT_SCORES,
    LOGNORMAL,
    NORMAL,
    SCORE_LIMIT,
    SCORE_POINTS,
    SHAPED,
    STEPS,
    TRIANGULAR,
    UNIFORM,
)

_SCORES_PER_UNIT: Final = (SCORE_POINTS - 1) / (2 * SCORE_LIMIT)
_LARGEST_EXPONENT: Final = 709.0  # exp(710) overflows


@compiled
def normal_score(u: float) -> float:
    """Return the standard normal quantile of `u` in (0, 1), to a relative accuracy of about 1e-15.

    Algorithm AS 241, PPND16: M. J. Wichura, "The percentage points of the normal distribution", Applied
    Statistics 37 (1988), 477-484. 0 gives minus infinity, 1 infinity.

    Args:
        u: uniform in (0, 1).
    """
    q = u - 0.5
    if abs(q) > 0.425:
        return _tail_score(u, q)
    r = 0.180625 - q * q
    numerator = 2.5090809287301226727e3 * r + 3.3430575583588128105e4
    numerator = numerator * r + 6.7265770927008700853e4
    numerator = numerator * r + 4.5921953931549871457e4
    numerator = numerator * r + 1.3731693765509461125e4
    numerator = numerator * r + 1.9715909503065514427e3
    numerator = numerator * r + 1.3314166789178437745e2
    numerator = numerator * r + 3.3871328727963666080e0
    denominator = 5.2264952788528545610e3 * r + 2.8729085735721942674e4
    denominator = denominator * r + 3.9307895800092710610e4
    denominator = denominator * r + 2.1213794301586595867e4
    denominator = denominator * r + 5.3941960214247511077e3
    denominator = denominator * r + 6.8718700749205790830e2
    denominator = denominator * r + 4.2313330701600911252e1
    return q * numerator / (denominator * r + 1.0)


@compiled
def _tail_score(u: float, q: float) -> float:
    """Return the score for |u - 0.5| > 0.425: two rational functions of the square root of -log of the tail."""
    r = math.sqrt(-math.log(u if q < 0.0 else 1.0 - u))
    score = _near_tail(r - 1.6) if r <= 5.0 else _far_tail(r - 5.0)
    return -score if q < 0.0 else score


@compiled
def _near_tail(r: float) -> float:
    numerator = 7.74545014278341407640e-4 * r + 2.27238449892691845833e-2
    numerator = numerator * r + 2.41780725177450611770e-1
    numerator = numerator * r + 1.27045825245236838258e0
    numerator = numerator * r + 3.64784832476320460504e0
    numerator = numerator * r + 5.76949722146069140550e0
    numerator = numerator * r + 4.63033784615654529590e0
    numerator = numerator * r + 1.42343711074968357734e0
    denominator = 1.05075007164441684324e-9 * r + 5.47593808499534494600e-4
    denominator = denominator * r + 1.51986665636164571966e-2
    denominator = denominator * r + 1.48103976427480074590e-1
    denominator = denominator * r + 6.89767334985100004550e-1
    denominator = denominator * r + 1.67638483018380384940e0
    denominator = denominator * r + 2.05319162663775882187e0
    return numerator / (denominator * r + 1.0)


@compiled
def _far_tail(r: float) -> float:
    numerator = 2.01033439929228813265e-7 * r + 2.71155556874348757815e-5
    numerator = numerator * r + 1.24266094738807843860e-3
    numerator = numerator * r + 2.65321895265761230930e-2
    numerator = numerator * r + 2.96560571828504891230e-1
    numerator = numerator * r + 1.78482653991729133580e0
    numerator = numerator * r + 5.46378491116411436990e0
    numerator = numerator * r + 6.65790464350110377720e0
    denominator = 2.04426310338993978564e-15 * r + 1.42151175831644588870e-7
    denominator = denominator * r + 1.84631831751005468180e-5
    denominator = denominator * r + 7.86869131145613259100e-4
    denominator = denominator * r + 1.48753612908506148525e-2
    denominator = denominator * r + 1.36929880922735805310e-1
    denominator = denominator * r + 5.99832206555887937690e-1
    return numerator / (denominator * r + 1.0)


@compiled
def _tabulated(score: float, start: int, table: Floats) -> float:
    """Interpolate a table at a normal score by the cubic through the four nearest points (Lagrange)."""
    position = (score + SCORE_LIMIT) * _SCORES_PER_UNIT
    left = min(max(int(position), 1), SCORE_POINTS - 3)
    t = position - left
    at = start + left
    before, after = t * (t - 1.0), (t + 1.0) * (t - 2.0)
    outer = before * ((t + 1.0) * table[at + 2] - (t - 2.0) * table[at - 1]) / 6.0
    inner = after * ((t - 1.0) * table[at] - t * table[at + 1]) / 2.0
    return outer + inner


@compiled
def _triangular(low: float, mode: float, high: float, u: float) -> float:
    width, left = high - low, mode - low
    if u * width <= left:
        return low + math.sqrt(u * width * left)
    return high - math.sqrt((1.0 - u) * width * (high - mode))


@compiled
def lognormal(mean_of_log: float, deviation_of_log: float, u: float) -> float:
    """Return the lognormal draw for the uniform number `u` in (0, 1).

    Args:
        mean_of_log: mean of the logarithm.
        deviation_of_log: standard deviation of the logarithm.
        u: uniform in (0, 1).
    """
    return math.exp(min(mean_of_log + deviation_of_log * normal_score(u), _LARGEST_EXPONENT))


@compiled
def _step(start: int, length: int, table: Floats, u: float) -> float:
    """Return the first value whose cumulative probability is at least `u`."""
    low, high = 0, length - 1
    while low < high:
        middle = (low + high) // 2
        if table[start + length + middle] >= u:
            high = middle
        else:
            low = middle + 1
    return table[start + low]


@compiled
def quantile(  # noqa: PLR0911, PLR0913, PLR0917  a row is plain numbers, and every code has its own formula
    code: int, a: float, b: float, c: float, start: int, length: int, table: Floats, u: float
) -> float:
    """Return the draw of a row (see `base`) for the uniform number `u` in (0, 1).

    Args:
        code: formula of the draw.
        a: first parameter of the formula.
        b: second parameter.
        c: third parameter.
        start: index of the row's first value in the table.
        length: number of values in the table.
        table: lookup values of all rows, shape (values,).
        u: uniform number.
    """
    if code == CONSTANT:
        return a
    if code == UNIFORM:
        return a + u * (b - a)
    if code == TRIANGULAR:
        return _triangular(a, b, c, u)
    if code == EXPONENTIAL:
        return -a * math.log1p(-u)
    if code == STEPS:
        return _step(start, length, table, u)
    if code == LOGNORMAL:
        return lognormal(a, b, u)
    score = normal_score(u)
    if code == NORMAL:
        return a + b * score
    tabulated = _tabulated(score, start, table)
    if code == SHAPED:
        return math.exp(min(a + b * tabulated, _LARGEST_EXPONENT))
    if code == LOG_SCORES:
        return math.exp(min(tabulated, _LARGEST_EXPONENT))
    if code == LOGIT_SCORES:
        return 1.0 / (1.0 + math.exp(-tabulated))
    return math.nan
