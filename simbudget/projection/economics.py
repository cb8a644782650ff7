"""The economics of a projection: what a transferable result costs, in the terms of health-care decision models.

A run's effect is its number of transferable results, its cost the whole spend. Methods and names follow A. Briggs,
K. Claxton and M. Sculpher, "Decision Modelling for Health Economic Evaluation", Oxford 2006 (the ratio of means,
chapter 4 and 5: probabilistic analysis), and E. Fenwick, B. J. O'Brien and A. Briggs, "Cost-effectiveness
acceptability curves: facts, fallacies and frequently asked questions", Health Economics 13 (2004), 405-415.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_RESAMPLES: Final = 2000
_SEED: Final = 0  # an interval's own error is small, and has to be the same each time


@dataclass(frozen=True)
class Ratio:
    """Expected cost over expected effect, and the middle 80 % of its bootstrap over worlds; infinite for no effect."""

    estimate: float
    p10: float
    p90: float


@dataclass(frozen=True)
class Variance:
    """The variance of an outcome, split into what differs between worlds and what is luck within a world."""

    mean: float
    between: float
    within: float

    @property
    def prior_share(self) -> float:
        """Return the part of the variance that comes from what is unknown; NaN where nothing varies."""
        total = self.between + self.within
        return self.between / total if total > 0.0 else float("nan")


def cost_per_result(spend_usd: Floats, results: Floats, worlds: Integers) -> Ratio:
    """Return E[spend] / E[results], with an interval: worlds are drawn with replacement, replications with them.

    The interval is that of the estimate: it narrows with more worlds. A mean of ratios would be infinite, since
    runs without a result are among them (Briggs, Claxton and Sculpher 2006, section 5.2).
    """
    _, members = np.unique(worlds, return_inverse=True)
    if members.max() == 0:
        members = np.arange(len(spend_usd))
    count = members.max() + 1
    spend_of = np.bincount(members, spend_usd, count)
    results_of = np.bincount(members, results, count)
    drawn = np.random.default_rng(_SEED).integers(count, size=(_RESAMPLES, count))
    resampled = _quotient(spend_of[drawn].sum(axis=1), results_of[drawn].sum(axis=1))
    p10, p90 = np.quantile(resampled, (0.1, 0.9), method="nearest")  # interpolation has no way with infinity
    return Ratio(float(_quotient(spend_usd.sum(), results.sum())), float(p10), float(p90))


def _quotient(cost: Floats, effect: Floats) -> Floats:
    infinite = np.full(np.shape(cost), np.inf)
    quotient: Floats = np.divide(cost, effect, out=infinite, where=np.asarray(effect) > 0.0)
    return quotient


def decompose(values: Floats, worlds: Integers) -> Variance | None:
    """Return the split of the variance of an outcome over worlds; None unless several worlds have several runs.

    One-way analysis of variance with random effects, whose estimate of the variance between worlds is unbiased
    before it is cut at 0 (Searle, Casella and McCulloch, "Variance Components", 1992, section 3.6).
    """
    _, members, sizes = np.unique(worlds, return_inverse=True, return_counts=True)
    count, total = len(sizes), len(values)
    if count < 2 or total == count:
        return None
    means = np.bincount(members, values) / sizes
    within = float(((values - means[members]) ** 2).sum() / (total - count))
    mean_square_between = float((sizes * (means - values.mean()) ** 2).sum() / (count - 1))
    size = (total - (sizes**2).sum() / total) / (count - 1)
    return Variance(float(values.mean()), max(0.0, (mean_square_between - within) / float(size)), within)


def price_by_world(mean_spend_usd: float, results: Variance) -> dict[str, float]:
    """Return p10, p50 and p90 over worlds of what a result costs in the long run of one world.

    Expected results are taken to be gamma-distributed over worlds, with the mean and the variance between worlds
    that were found; the spend to be the same. Unlike the interval of the estimate this one does not narrow with
    more replications: it is what evidence would have to narrow. Infinite where no result is to be expected.
    """
    from scipy.special import gammaincinv  # noqa: PLC0415  slow to import, and seldom needed

    if results.mean <= 0.0:
        return dict.fromkeys(("p10", "p50", "p90"), float("inf"))
    if results.between <= 0.0:
        return dict.fromkeys(("p10", "p50", "p90"), mean_spend_usd / results.mean)
    shape, scale = results.mean**2 / results.between, results.between / results.mean
    effects = {name: float(gammaincinv(shape, 1.0 - p)) * scale for name, p in _LEVELS.items()}
    return {
        name: mean_spend_usd / effect if effect > 0.0 else float("inf") for name, effect in effects.items()
    }


_LEVELS: Final = {"p10": 0.1, "p50": 0.5, "p90": 0.9}


def acceptability(spend_usd: Floats, results: Floats, worths_usd: Floats) -> Floats:
    """Return for each worth of a result the probability that a run is worth more than it costs.

    Against doing nothing, whose net benefit is 0 (Fenwick, O'Brien and Briggs 2004).
    """
    net_benefit = worths_usd[:, np.newaxis] * results - spend_usd
    pays: Floats = (net_benefit > 0.0).mean(axis=1)
    return pays


def acceptability_by_world(mean_spend_usd: float, results: Variance, worths_usd: Floats) -> Floats:
    """Return for each worth of a result the probability of a world in which such runs pay in the long run."""
    from scipy.special import gammaincc  # noqa: PLC0415

    needed = mean_spend_usd / worths_usd
    if results.mean <= 0.0 or results.between <= 0.0:
        return np.where(results.mean > needed, 1.0, 0.0)
    shape, scale = results.mean**2 / results.between, results.between / results.mean
    return np.asarray(gammaincc(shape, needed / scale), dtype=np.float64)
