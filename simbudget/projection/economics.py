"""The economics of a projection: the price of a transferable result, in the terms of health-care decision models.

The effect of a run is its number of transferable results, its cost the total spend. Methods and names follow A. Briggs,
K. Claxton and M. Sculpher, "Decision Modelling for Health Economic Evaluation", Oxford 2006 (the ratio of means,
chapter 4 and 5: probabilistic analysis), and E. Fenwick, B. J. O'Brien and A. Briggs, "Cost-effectiveness
acceptability curves: facts, fallacies and frequently asked questions", Health Economics 13 (2004), 405-415.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from simbudget.arrays import Floats, Integers

_RESAMPLES: Final = 2000
"""Bootstrap resamples, as in `deciding.differences`."""
_SEED: Final = 0  # fixed, so that equal projections state equal intervals


@dataclass(frozen=True)
class Ratio:
    """Expected cost divided by expected effect, with the middle 80 % of its bootstrap; infinite without effect."""

    estimate: float
    p10: float
    p90: float


@dataclass(frozen=True)
class Variance:
    """The variance of an outcome, split into that between worlds and that within a world (chance)."""

    mean: float
    between: float
    within: float

    @property
    def prior_share(self) -> float:
        """Return the share of the variance that lies between worlds; NaN if nothing varies."""
        total = self.between + self.within
        return self.between / total if total > 0.0 else float("nan")


def cost_per_result(spend_usd: Floats, results: Floats, worlds: Integers) -> Ratio:
    """Return E[spend] / E[results] with a bootstrap interval: worlds are drawn with replacement.

    The interval is that of the estimate: it narrows with more worlds. A mean of ratios would be infinite, since
    some runs have no result (Briggs, Claxton and Sculpher 2006, section 5.2).

    Args:
        spend_usd: [runs].
        results: [runs] transferable results, counted or expected.
        worlds: [runs] the world of each run; with a single world, runs are drawn.
    """
    _, members = np.unique(worlds, return_inverse=True)
    if members.max() == 0:
        members = np.arange(len(spend_usd))
    count = members.max() + 1
    spend_of = np.bincount(members, spend_usd, count)
    results_of = np.bincount(members, results, count)
    drawn = np.random.default_rng(_SEED).integers(count, size=(_RESAMPLES, count))
    resampled = _quotient(spend_of[drawn].sum(axis=1), results_of[drawn].sum(axis=1))
    p10, p90 = np.quantile(
        resampled, (0.1, 0.9), method="nearest"
    )  # values may be infinite, which cannot be interpolated
    return Ratio(float(_quotient(spend_usd.sum(), results.sum())), float(p10), float(p90))


def _quotient(cost: Floats, effect: Floats) -> Floats:
    infinite = np.full(np.shape(cost), np.inf)
    quotient: Floats = np.divide(cost, effect, out=infinite, where=np.asarray(effect) > 0.0)
    return quotient


def decompose(values: Floats, worlds: Integers) -> Variance | None:
    """Return the variance components of an outcome; None unless there are several worlds, and one has several runs.

    One-way analysis of variance with random effects. The estimate of the variance between worlds is unbiased before
    it is truncated at 0 (Searle, Casella and McCulloch, "Variance Components", 1992, section 3.6).

    Args:
        values: [runs] the outcome.
        worlds: [runs] the world of each run.
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
"""Number of points of the distribution over worlds: 5 % apart if prices differ by a factor of a hundred."""
_DEGREE: Final = 5
"""Degree of the log-density over worlds, which unlike that of a normal may be skewed and have two modes."""
_RIDGE: Final = 0.02
"""Penalty on the coefficients of the log-density, times the square of the degree; as strong as a few worlds."""
_MANY: Final = 0.1
"""If more than this share of the worlds has no result to expect, p90 of the price is infinite."""


@dataclass(frozen=True)
class PricesOverWorlds:
    """The distribution over worlds of the long-run price of a result."""

    p10: float
    p50: float
    p90: float
    """Infinite if too many worlds have no result to expect."""
    error_p10: float
    error_p50: float
    error_p90: float
    """Standard errors of the logarithms of the quantiles, from the number of worlds; NaN for an infinite one."""
    prices_usd: Floats
    """[points] ascending."""
    weights: Floats
    """[points] the share of worlds at each price; the sum is 1 less the share of worlds without a result."""

    def share_below(self, usd: Floats) -> Floats:
        """Return the [amounts] share of worlds in which a result costs less than each of the amounts in US dollars.

        Args:
            usd: [amounts] prices of a result, in US dollars.
        """
        middle = np.cumsum(self.weights) - self.weights / 2.0
        share: Floats = np.interp(np.log(usd), np.log(self.prices_usd), middle, 0.0, self.weights.sum())
        return share


def prices_over_worlds(
    spend_usd: Floats, expected: Floats, worlds: Integers, degree: int = _DEGREE
) -> PricesOverWorlds | None:
    """Return the distribution over worlds of mean spend ÷ expected results.

    None unless worlds have several runs, each world costs something, and two runs of some world have results to
    expect: a single run does not show how often a run has none.

    Estimates from a few runs vary more than the worlds do. The chance of the search is removed by deconvolution:
    over worlds, the log of results per dollar has a density exp(polynomial), fitted by penalised maximum likelihood
    (B. Efron, "Empirical Bayes deconvolution estimates", Biometrika 103 (2016), 1-20; errors as in section 3). Given
    the world, the mean of the runs is gamma-distributed, with the coefficient of variation between runs of the same
    world. A run with nothing to expect (for example because every finalist is a hack) has the same probability in
    all worlds, unless more than a tenth of the worlds have only such runs.

    Args:
        spend_usd: [runs].
        expected: [runs] expected transferable results given the run's finalists (`transferable_expected`).
        worlds: [runs] the world of each run.
        degree: degree of the log-density; 2 makes the price lognormal over worlds.
    """
    _, members, sizes = np.unique(worlds, return_inverse=True, return_counts=True)
    if len(sizes) < 2 or sizes.max() < 2:
        return None
    spend = np.bincount(members, spend_usd) / sizes
    if not (spend > 0.0).all():  # a price of zero has no logarithm
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
    """Return the probability of a run without results to expect, from worlds in which another run has some."""
    others = (positive * (sizes - 1)).sum()
    return float((positive * (sizes - positive)).sum() / others) if others else 0.0


def _worlds_without(positive: Integers, sizes: Integers, barren: float) -> float:
    """Return the share of worlds without any result to expect; 0 unless significantly above a tenth."""
    seen, some = float((positive == 0).mean()), positive > 0
    by_chance = float((barren**sizes).mean())
    share = (seen - by_chance) / (1.0 - by_chance) if by_chance < 1.0 else 1.0
    error = np.sqrt(share * (1.0 - share) / len(sizes)) if 0.0 < share < 1.0 else 0.0
    return share if share - 2.0 * error > _MANY or not some.any() else 0.0


def _relative_variance(means: Floats, squares: Floats, runs: Integers) -> float:
    """Return the variance of a run relative to the square of its world's mean; all worlds have the same weight."""
    several = runs > 1
    if not several.any():
        return 1.0
    means, variances, runs = means[several], squares[several] / (runs[several] - 1), runs[several]
    weights = 1.0 / np.maximum(means, np.quantile(means, 0.05)) ** 2
    squared = (
        weights * (means**2 - variances / runs)
    ).sum()  # the square of a noisy mean is too large on average
    found = (weights * variances).sum() / squared if squared > 0.0 else np.inf
    return float(np.clip(found, 1e-3, 10.0))


def _density(logs: Floats, shapes: Floats, degree: int) -> tuple[Floats, Floats, Floats]:
    """Return a [points] grid of logs, the weights over worlds, and the errors of their cumulative sum.

    Args:
        logs: [worlds] logs of the observed means.
        shapes: [worlds] shapes of the gamma distributions of the means around the true ones.
        degree: degree of the polynomial.
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
    """Return the quantiles of ascending prices, with errors derived from those of the cumulative sum."""
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
"""A fifth of the worlds is then ten; fewer show nothing about what moves the price."""
_LOW, _HIGH = 0.2, 0.8
_TELLING: Final = 3.0
"""Standard errors by which two prices must differ: by chance 1 in 370 do, and there are some thirty unknowns."""


@dataclass(frozen=True)
class PriceDriver:
    """The price of a result if an unknown is low, and if it is high."""

    unknown: int
    """Column of the unknown."""
    at_low_usd: float
    """In the fifth of the worlds with its lowest values, whose middle is its p10."""
    at_high_usd: float
    """In the fifth of the worlds with its highest values."""


def price_moves(spend_usd: Floats, expected: Floats, worlds: Integers, ranks: Floats) -> list[PriceDriver]:
    """Return the unknowns that move the price of a result significantly, the strongest first.

    Args:
        spend_usd: [runs].
        expected: [runs] expected transferable results.
        worlds: [runs] the world of each run.
        ranks: [worlds, unknowns] probability of a lower value of each unknown, from 0 to 1; worlds in ascending order.
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
            moves.append(PriceDriver(unknown, low, high))
    return sorted(moves, key=lambda move: -abs(np.log(move.at_high_usd / move.at_low_usd)))


def _price_in(spend_usd: Floats, results: Floats) -> tuple[float, float]:
    """Return mean spend divided by mean results, and the standard error of its logarithm (delta method)."""
    if len(results) < 2 or results.sum() <= 0.0 or spend_usd.sum() <= 0.0:
        return float("inf"), float("inf")
    price = spend_usd.mean() / results.mean()
    error = (spend_usd - price * results).std(ddof=1) / np.sqrt(len(results)) / spend_usd.mean()
    return float(price), float(error)


def acceptability(spend_usd: Floats, results: Floats, worths_usd: Floats) -> Floats:
    """Return the [worths] probability that a run is worth more than it costs.

    Compared with doing nothing, whose net benefit is 0 (Fenwick, O'Brien and Briggs 2004).

    Args:
        spend_usd: [runs].
        results: [runs] transferable results.
        worths_usd: [worths] values of a transferable result.
    """
    net_benefit = worths_usd[:, np.newaxis] * results - spend_usd
    pays: Floats = (net_benefit > 0.0).mean(axis=1)
    return pays
