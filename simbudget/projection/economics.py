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


_GRID: Final = 120
"""Points of the distribution over worlds: 5 % apart where prices differ a hundredfold."""
_DEGREE: Final = 5
"""Of the log-density over worlds: it may be skewed and have a second mode, which a normal has not."""
_RIDGE: Final = 0.02
"""How much wiggles of the log-density are held down, by the square of their degree; as strong as a few worlds."""
_MANY: Final = 0.1
"""With more worlds than that without any result in sight, p90 of the price has no end."""


@dataclass(frozen=True)
class PricesOverWorlds:
    """What a result costs in the long run of one world: its distribution over worlds."""

    p10: float
    p50: float
    p90: float
    """Infinite where too many worlds have no result to expect."""
    error_p10: float
    error_p50: float
    error_p90: float
    """Standard errors of the logarithms of the quantiles, from the number of worlds; NaN for an infinite one."""
    prices_usd: Floats
    """[points] ascending."""
    weights: Floats
    """[points] the share of worlds at each; they add up to 1 less the share without a result."""

    def share_below(self, usd: Floats) -> Floats:
        """Return the share of worlds in which a result costs less than each of these amounts."""
        middle = np.cumsum(self.weights) - self.weights / 2.0
        share: Floats = np.interp(np.log(usd), np.log(self.prices_usd), middle, 0.0, self.weights.sum())
        return share


def prices_over_worlds(
    spend_usd: Floats, expected: Floats, worlds: Integers, degree: int = _DEGREE
) -> PricesOverWorlds | None:
    """Return the distribution over worlds of mean spend ÷ expected results.

    None unless worlds have several runs, each world costs something, and in some world two runs bring results: one
    run alone cannot tell how often a run brings nothing.

    A world's results, estimated from a few runs, scatter more than the worlds do. The luck of the search is
    taken out by deconvolution: over worlds, the log of results per dollar has a density exp(polynomial), fitted
    by penalised maximum likelihood (B. Efron, "Empirical Bayes deconvolution estimates", Biometrika 103 (2016),
    1-20; section 3 gives the errors). Given its world, the mean of the runs is gamma-distributed, with the
    coefficient of variation that runs of the same world show. A run in which nothing can be expected (every
    finalist a hack, say) happens with the same probability in all worlds, unless more than a tenth of the
    worlds show nothing else.

    Args:
        spend_usd: [runs].
        expected: [runs] transferable results to expect, given what was found (`transferable_expected`).
        worlds: [runs] the world of each.
        degree: of the log-density; 2 makes the price lognormal over worlds.
    """
    _, members, sizes = np.unique(worlds, return_inverse=True, return_counts=True)
    if len(sizes) < 2 or sizes.max() < 2:
        return None
    spend = np.bincount(members, spend_usd) / sizes
    if not (spend > 0.0).all():  # the price of what costs nothing has no logarithm
        return None
    brings = expected > 0.0
    positive = np.bincount(members, brings).astype(np.int64)
    if not brings.any():
        return _no_result()
    barren = _barren_runs(positive, sizes)
    if barren == 1.0:
        return None
    without = _worlds_without(positive, sizes, barren)
    rate = expected / spend[members]
    sums = np.bincount(members, rate)
    some = positive > 0
    means = sums[some] / positive[some]
    off = rate - (sums / np.maximum(positive, 1))[members]
    squares: Floats = np.bincount(members, np.where(brings, off**2, 0.0)).astype(np.float64)
    shapes = positive[some] / _relative_variance(means, squares[some], positive[some])
    grid, weights, errors = _density(np.log(means), shapes, degree)
    prices = np.exp(-grid[::-1]) / (1.0 - barren)
    return _quantiles_over_worlds(prices, weights[::-1], errors, without)


def _no_result() -> PricesOverWorlds:
    infinite, none = float("inf"), float("nan")
    return PricesOverWorlds(infinite, infinite, infinite, none, none, none, np.array([1.0]), np.array([0.0]))


def _barren_runs(positive: Integers, sizes: Integers) -> float:
    """Return the probability that a run brings nothing, from worlds in which another run brought something."""
    others = (positive * (sizes - 1)).sum()
    return float((positive * (sizes - positive)).sum() / others) if others else 0.0


def _worlds_without(positive: Integers, sizes: Integers, barren: float) -> float:
    """Return the share of worlds without any result to expect; 0 unless it is told from a tenth."""
    seen, some = float((positive == 0).mean()), positive > 0
    by_chance = float((barren**sizes).mean())
    share = (seen - by_chance) / (1.0 - by_chance) if by_chance < 1.0 else 1.0
    error = np.sqrt(share * (1.0 - share) / len(sizes)) if 0.0 < share < 1.0 else 0.0
    return share if share - 2.0 * error > _MANY or not some.any() else 0.0


def _relative_variance(means: Floats, squares: Floats, runs: Integers) -> float:
    """Return the variance of a run relative to its world's mean squared; worlds weigh alike, whatever their mean."""
    several = runs > 1
    if not several.any():
        return 1.0
    means, variances, runs = means[several], squares[several] / (runs[several] - 1), runs[several]
    weights = 1.0 / np.maximum(means, np.quantile(means, 0.05)) ** 2
    squared = (weights * (means**2 - variances / runs)).sum()  # a mean of few runs, squared, is too large
    found = (weights * variances).sum() / squared if squared > 0.0 else np.inf
    return float(np.clip(found, 1e-3, 10.0))


def _density(logs: Floats, shapes: Floats, degree: int) -> tuple[Floats, Floats, Floats]:
    """Return a grid of logs, the [points] weights over worlds, and the [points] errors of their cumulative sum.

    Args:
        logs: [worlds] of the means that were seen.
        shapes: [worlds] of the gamma distribution of each mean around the true one.
        degree: of the polynomial.
    """
    from scipy.optimize import minimize  # noqa: PLC0415  slow to import, and seldom needed

    grid = np.linspace(logs.min() - 0.3, logs.max() + 0.3, _GRID)
    distance = logs[:, np.newaxis] - grid
    likelihood = shapes[:, np.newaxis] * (distance - np.exp(np.minimum(distance, 50.0)))
    seen = np.exp(likelihood - likelihood.max(axis=1, keepdims=True))
    table = np.polynomial.legendre.legvander(np.linspace(-1.0, 1.0, _GRID), degree)[:, 1:]
    penalty = _RIDGE * np.arange(1, degree + 1) ** 2

    def weights_of(coefficients: Floats) -> Floats:
        exponents = table @ coefficients
        weights = np.exp(exponents - exponents.max())
        return np.asarray(weights / weights.sum(), dtype=np.float64)

    def scores(weights: Floats) -> Floats:
        """Return each world's [worlds, degree] derivative of the log-likelihood."""
        posterior = seen * weights
        posterior /= posterior.sum(axis=1, keepdims=True)
        return np.asarray((posterior - weights) @ table, dtype=np.float64)

    def objective(coefficients: Floats) -> tuple[float, Floats]:
        weights = weights_of(coefficients)
        loss = -np.log(seen @ weights).sum() + 0.5 * (penalty * coefficients**2).sum()
        return float(loss), -scores(weights).sum(axis=0) + penalty * coefficients

    weights = weights_of(minimize(objective, np.zeros(degree), jac=True, method="BFGS").x)
    of_worlds = scores(weights)
    information = of_worlds.T @ of_worlds
    inverse = np.linalg.pinv(information + np.diag(penalty))
    covariance = inverse @ information @ inverse
    slopes = np.cumsum(weights[:, np.newaxis] * (table - weights @ table), axis=0)
    variance = np.einsum("ij,jk,ik->i", slopes, covariance, slopes)
    return grid, weights, np.sqrt(np.maximum(variance, 0.0))


def _quantiles_over_worlds(
    prices: Floats, weights: Floats, errors: Floats, without: float
) -> PricesOverWorlds:
    """Return the quantiles of prices in ascending order, with errors from those of the cumulative sum."""
    weights = (1.0 - without) * weights
    logs, middle = np.log(prices), np.cumsum(weights) - weights / 2.0
    density = np.maximum(weights / (logs[1] - logs[0]), 1e-9)
    found = {}
    for name, level in _LEVELS.items():
        ends = level < 1.0 - without
        at = float(np.interp(level, middle, logs))
        found[name] = float(np.exp(at)) if ends else float("inf")
        error = float(np.interp(at, logs, errors[::-1] / density))
        found[f"error_{name}"] = error if ends else float("nan")
    return PricesOverWorlds(**found, prices_usd=prices, weights=weights)


_LEVELS: Final = {"p10": 0.1, "p50": 0.5, "p90": 0.9}


_FEWEST_WORLDS: Final = 50
"""So that a fifth of the worlds is ten: fewer say nothing of what moves the price."""
_LOW, _HIGH = 0.2, 0.8
_TELLING: Final = 3.0
"""Standard errors by which two prices have to differ: one in 370 by chance, and some thirty unknowns are looked at."""


@dataclass(frozen=True)
class Move:
    """What a result costs where an unknown is low, and where it is high."""

    unknown: int
    at_low_usd: float
    """In the fifth of the worlds in which it is lowest, whose middle is its p10."""
    at_high_usd: float
    """In the fifth in which it is highest."""


def price_moves(spend_usd: Floats, expected: Floats, worlds: Integers, ranks: Floats) -> list[Move]:
    """Return the unknowns that move the price of a result, the strongest first, without those that chance explains.

    Args:
        spend_usd: [runs].
        expected: [runs] transferable results to expect.
        worlds: [runs] the world of each.
        ranks: [worlds, unknowns] where each unknown stands in its distribution, from 0 to 1; in the worlds' order.
    """
    _, members, sizes = np.unique(worlds, return_inverse=True, return_counts=True)
    if len(sizes) < _FEWEST_WORLDS:
        return []
    spend, results = (np.bincount(members, values) / sizes for values in (spend_usd, expected))
    moves = []
    for unknown, of_worlds in enumerate(ranks.T):
        (low, low_error), (high, high_error) = (
            _price_in(spend[part], results[part]) for part in (of_worlds <= _LOW, of_worlds >= _HIGH)
        )
        if np.isfinite([low, high]).all() and abs(np.log(high / low)) > _TELLING * np.hypot(
            low_error, high_error
        ):
            moves.append(Move(unknown, low, high))
    return sorted(moves, key=lambda move: -abs(np.log(move.at_high_usd / move.at_low_usd)))


def _price_in(spend_usd: Floats, results: Floats) -> tuple[float, float]:
    """Return mean spend over mean results of some worlds, and the standard error of its logarithm (delta method)."""
    if len(results) < 2 or results.sum() <= 0.0 or spend_usd.sum() <= 0.0:
        return float("inf"), float("inf")
    price = spend_usd.mean() / results.mean()
    error = (spend_usd - price * results).std(ddof=1) / np.sqrt(len(results)) / spend_usd.mean()
    return float(price), float(error)


def acceptability(spend_usd: Floats, results: Floats, worths_usd: Floats) -> Floats:
    """Return for each worth of a result the probability that a run is worth more than it costs.

    Against doing nothing, whose net benefit is 0 (Fenwick, O'Brien and Briggs 2004).
    """
    net_benefit = worths_usd[:, np.newaxis] * results - spend_usd
    pays: Floats = (net_benefit > 0.0).mean(axis=1)
    return pays
