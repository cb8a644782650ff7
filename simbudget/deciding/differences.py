"""Paired differences between two alternatives: size, precision, and whether more replications are needed.

There are two intervals. *p10 to p90* describes the variation of the difference between runs and worlds; it does not
narrow with more replications. The *Monte-Carlo interval* is the confidence interval of the mean difference; its width
is proportional to one over the square root of the number of worlds.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from simbudget.arrays import Floats, Integers

LEVEL: Final = 0.95
"""Confidence level of Monte-Carlo intervals."""

_FEWEST: Final = 6
"""Fewest worlds with a difference for significance: with 5, even the sign test's smallest p is 0.06."""

_Z_HALF_WIDTH: Final = 1.96
_Z_POWER: Final = 0.84
"""Normal quantiles for a two-sided level of 95 % and a power of 80 %."""

_RESAMPLES: Final = 2000
"""Bootstrap resamples: the ends of a 95 % interval are then the 50th values from either side."""


@dataclass(frozen=True)
class Difference:
    """The second alternative minus the first."""

    mean: float
    p10: float
    p50: float
    p90: float
    low: float
    """Bounds of the Monte-Carlo interval of the mean."""
    high: float
    replications: int
    is_same: bool
    """Whether there is no difference in any replication."""
    needed: int | None
    """Replications needed to distinguish the mean difference from zero; None if it is already, or is exactly zero."""

    @property
    def is_significant(self) -> bool:
        """Return whether the mean difference is distinguishable from zero, or exactly zero in every replication."""
        return self.needed is None and (self.is_same or not self.low <= 0.0 <= self.high)


def by_world(values: Floats, worlds: Integers) -> Floats:
    """Return the mean of each world's values.

    Args:
        values: [replications].
        worlds: [replications] the world of each.
    """
    _, members = np.unique(worlds, return_inverse=True)
    means: Floats = np.bincount(members, values) / np.bincount(members)
    return means


def difference(first: Floats, second: Floats, worlds: Integers) -> Difference:
    """Return the difference of paired replications; pairs with a missing value are left out.

    The Monte-Carlo interval is Student's over the means of worlds, which are independent, as replications in the
    same world are not. With one world its replications are taken.

    Args:
        first: [replications] an outcome of the first alternative.
        second: [replications] the same outcome of the second, paired by common random numbers.
        worlds: [replications] the world of each.
    """
    both = ~(np.isnan(first) | np.isnan(second))
    differences, worlds = (second - first)[both], worlds[both]
    if not len(differences):
        return Difference(*6 * (math.nan,), 0, False, None)
    means = by_world(differences, worlds)
    if len(means) == 1:
        means = differences
    mean = float(differences[0] + (differences - differences[0]).mean())
    half = _half_width(means)
    is_same = not differences.any()
    is_significant = is_same or (abs(mean) > half and int((means != 0.0).sum()) >= min(_FEWEST, len(means)))
    p10, p50, p90 = np.quantile(differences, (0.1, 0.5, 0.9))
    needed = None if is_significant else _needed(mean, half, len(differences))
    return Difference(
        mean, float(p10), float(p50), float(p90), mean - half, mean + half, len(differences), is_same, needed
    )


def _half_width(means: Floats) -> float:
    from scipy.special import stdtrit  # noqa: PLC0415  slow to import

    if len(means) < 2 or np.ptp(means) == 0.0:
        return 0.0
    return float(stdtrit(len(means) - 1, 0.5 + LEVEL / 2) * means.std(ddof=1) / math.sqrt(len(means)))


def _needed(mean: float, half: float, replications: int) -> int | None:
    """Return the replications that distinguish a difference of this size from zero, rounded up to two digits."""
    if mean == 0.0 or half == 0.0:
        return None
    exact = replications * ((1.0 + _Z_POWER / _Z_HALF_WIDTH) * half / abs(mean)) ** 2
    if exact > 1e9:
        return None
    digits = 10 ** max(0, math.floor(math.log10(exact)) - 1)
    return int(max(2 * replications, math.ceil(exact / digits) * digits))


@dataclass(frozen=True)
class RatioDifference:
    """The difference of two ratios of means, such as prices per result, with its Monte-Carlo interval."""

    estimate: float | None
    low: float | None
    high: float | None


def ratio_difference(
    costs: tuple[Floats, Floats], effects: tuple[Floats, Floats], worlds: Integers
) -> RatioDifference:
    """Return the difference in cost per effect, second minus first; None for infinite values.

    A paired bootstrap: worlds are drawn with replacement, and with them the replications of both alternatives.

    Args:
        costs: [replications] costs of both alternatives, in US dollars.
        effects: [replications] effects of both, such as transferable results.
        worlds: [replications] the world of each.
    """
    _, members = np.unique(worlds, return_inverse=True)
    if members.max() == 0:
        members = np.arange(len(worlds))
    count = int(members.max()) + 1
    drawn = np.random.default_rng(0).integers(count, size=(_RESAMPLES, count))
    estimates, resampled = [], []
    for cost, effect in zip(costs, effects, strict=True):
        cost_of, effect_of = np.bincount(members, cost, count), np.bincount(members, effect, count)
        estimates.append(_quotient(cost.sum(), effect.sum()))
        resampled.append(_quotient(cost_of[drawn].sum(axis=1), effect_of[drawn].sum(axis=1)))
    if np.array_equal(costs[0], costs[1]) and np.array_equal(effects[0], effects[1]):
        return RatioDifference(0.0, 0.0, 0.0) if effects[0].any() else RatioDifference(None, None, None)
    with np.errstate(invalid="ignore"):
        differences = resampled[1] - resampled[0]
    differences = differences[~np.isnan(differences)]
    tail = (1.0 - LEVEL) / 2
    if not len(differences):
        return RatioDifference(None, None, None)
    low, high = np.quantile(differences, (tail, 1.0 - tail), method="nearest")
    estimate = float(estimates[1] - estimates[0]) if np.isfinite(estimates).all() else math.nan
    return RatioDifference(*(float(value) if np.isfinite(value) else None for value in (estimate, low, high)))


def _quotient(cost: npt.ArrayLike, effect: npt.ArrayLike) -> Floats:
    cost, effect = np.asarray(cost, dtype=np.float64), np.asarray(effect, dtype=np.float64)
    quotient: Floats = np.divide(cost, effect, out=np.full(cost.shape, np.inf), where=effect > 0.0)
    return quotient
