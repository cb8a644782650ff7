"""Predictive distribution for future runs: typical value, scatter, and differences between runs.

The model is that of `pooling`: y = level of its run + residual, levels normal around a common mean with standard
deviation tau. Tau's posterior is computed on a grid under a half-Cauchy prior, the mean integrated out (Gelman et al.,
Bayesian Data Analysis, 3rd edition, section 5.4). The scatter's prior is uniform in its logarithm between two wide
bounds: a few values that hardly differ give narrow intervals, and a few that differ give wide ones.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from simbudget.arrays import Floats
from simbudget.calibration.posteriors.pooling import Levels, levels_of, mean_of_draws, residuals_of
from simbudget.calibration.posteriors.shapes import Shape, choose_shape
from simbudget.distributions.posteriors import Posterior

_TAU_GRID: Final = np.linspace(0.0, 2.0, 201)
_TAU_SCALE: Final = 0.5
"""Scale of tau's half-Cauchy prior: exp(0.5) = 1.6 is a typical factor between runs."""
_CUT: Final = (0.05, 0.95)
_FACTORS: Final = np.linspace(0.2, 1.5, 27)
"""Grid of factors by which scatter is changed to keep the mean."""
_BOOTSTRAPPED: Final = 200
_PARTS_OF_RUN: Final = 20
_SCATTERS: Final = (0.02, 2.0)
"""Bounds of the prior of the scatter: p90/median of 1.03 to 13."""
_ABOVE_SEEN: Final = 1.5
"""If the observed scatter is above the bounds, the grid extends to this many times the observed value."""


def pool(
    runs: Sequence[Floats], worlds: int, rng: np.random.Generator, has_levels: bool = True
) -> tuple[Posterior, Shape]:
    """Return the posterior of a quantity for runs yet to come, and its shape.

    Args:
        runs: [runs] arrays of logarithms, each with a value at least.
        worlds: how many joint draws.
        rng: what the draws are made from.
        has_levels: whether the engine draws a level per context; if not, differences between runs are part of the
            scatter and of its shape, and no draw has a level.
    """
    if all(len(run) <= 1 for run in runs):  # what differs between runs is the scatter itself
        return _single_valued(np.concatenate(runs), worlds, rng)
    levels = _levels(runs)
    mean, tau = _draw_mean_and_tau(levels, worlds, rng)
    residuals, centre, scatter = residuals_of(runs, levels)
    count = sum(map(len, runs))
    # Levels are means of cut values; what was cut off moves them by `centre`, known no better than its spread says.
    beyond = np.sqrt(max(scatter**2 - levels.sigma2, 0.0) / count)
    location = mean + centre + beyond * rng.standard_normal(worlds)
    freedom = max(count - len(runs), 1)
    scatters = draw_scatter(scatter * np.sqrt(count / freedom), freedom, worlds, rng)
    if not has_levels:
        # The tail of residuals cannot be scaled up by the differences between runs: a long call of a run of short ones
        # lies far from its run's level, and would be drawn as far from everyone's.
        common = np.concatenate(runs).mean()
        residuals = [run - common for run in runs]
        scatters, tau = np.hypot(scatters, tau), np.zeros(worlds)
    shape = choose_shape(residuals)
    factor = _mean_keeping(runs, shape, scatters, tau, float(np.median(location)), rng)
    return Posterior(np.column_stack([location, factor * scatters, factor * tau]), shape.table), shape


def _levels(runs: Sequence[Floats]) -> Levels:
    """Return the levels of runs: means of values cut to the middle 90 % of what lies around runs' own means."""
    residuals = [run - run.mean() for run in runs]
    low, high = np.quantile(np.concatenate(residuals), _CUT)
    near = [np.clip(part, low, high) for part in residuals]
    cut = levels_of(near, (float(low), float(high)))
    return replace(cut, means=cut.means + np.array([run.mean() for run in runs]))


def _mean_keeping(
    runs: Sequence[Floats],
    shape: Shape,
    scatters: Floats,
    tau: Floats,
    location: float,
    rng: np.random.Generator,
) -> Floats:
    """Return [worlds] the factor on the scatter with which the mean of draws equals that of the logs.

    Totals are sums, and where the tail is not the family's, a mean on the log scale says little of the mean. But the
    logs' mean is a matter of chance too: draws' mean moves towards it by James and Stein's positive part, 1 - (standard
    error ÷ distance)², so that what chance explains changes nothing; and as uncertain as that leaves it.
    """
    seen = np.log(np.exp(np.concatenate(runs)).mean()) - location
    modelled = np.log(mean_of_draws(shape, scatters, tau, 1.0))
    distance = seen - modelled
    error = _error_of_mean(runs, rng)
    part = max(0.0, 1.0 - (error / distance) ** 2) if distance else 0.0
    wanted = modelled + part * distance + np.sqrt(part) * error * rng.standard_normal(len(scatters))
    reached = np.log([mean_of_draws(shape, scatters, tau, factor) for factor in _FACTORS])
    return np.asarray(np.interp(wanted, np.maximum.accumulate(reached), _FACTORS))


def _error_of_mean(runs: Sequence[Floats], rng: np.random.Generator) -> float:
    """Return the standard error of the logarithm of a mean over the exponential of the mean logarithm.

    Runs weigh as in the Bayesian bootstrap (Rubin, Annals of Statistics 9 (1981), 130-134); a single run's parts do.
    """
    parts = runs if len(runs) > 1 else [part for part in np.array_split(runs[0], _PARTS_OF_RUN) if len(part)]
    weights = rng.dirichlet(np.ones(len(parts)), _BOOTSTRAPPED)
    counts = weights @ np.array([float(len(part)) for part in parts])
    sums = weights @ np.array([np.exp(part).sum() for part in parts])
    logs = weights @ np.array([part.sum() for part in parts])
    few = len(parts) / max(len(parts) - 1, 1)
    return float(np.std(np.log(sums / counts) - logs / counts) * np.sqrt(few))


def _single_valued(values: Floats, worlds: int, rng: np.random.Generator) -> tuple[Posterior, Shape]:
    """Return the posterior of unrelated values, and their shape: of mean and variance of the logarithm.

    Bayesian Data Analysis, section 3.2, but for the bounds of the scatter.
    """
    count = len(values)
    sigma = draw_scatter(float(values.std(ddof=1)) if count > 1 else 0.0, max(count - 1, 1), worlds, rng)
    location = values.mean() + sigma / np.sqrt(count) * rng.standard_normal(worlds)
    shape = choose_shape([values[k : k + 1] - values.mean() for k in range(count)])
    return Posterior(np.column_stack([location, sigma, np.zeros(worlds)]), shape.table), shape


def draw_scatter(seen: float, freedom: float, worlds: int, rng: np.random.Generator) -> Floats:
    """Return [worlds] draws of a standard deviation, given its estimate `seen` and the degrees of freedom.

    Its square is the scaled inverse of a chi-squared variable, cut to where the scatter is looked for.

    Args:
        seen: its estimate.
        freedom: degrees of freedom of the estimate.
        worlds: number of joint draws.
        rng: what the draws are made from.
    """
    from scipy.special import chdtr, gammaincinv  # noqa: PLC0415  slow to import

    low, high = _SCATTERS
    high = max(high, _ABOVE_SEEN * seen)
    squares = freedom * max(seen, low) ** 2
    least, most = (float(chdtr(freedom, squares / end**2)) for end in (high, low))
    drawn = 2.0 * gammaincinv(freedom / 2.0, rng.uniform(least, most, worlds))
    return np.asarray(np.sqrt(squares / drawn))


def _draw_mean_and_tau(levels: Levels, worlds: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return [worlds] draws of the common mean and of tau, from tau's marginal posterior on a grid."""
    variances = levels.sigma2 / levels.counts
    log_posterior = np.empty(len(_TAU_GRID))
    centres, precisions = np.empty(len(_TAU_GRID)), np.empty(len(_TAU_GRID))
    for k, tau in enumerate(_TAU_GRID):
        weights = 1.0 / (variances + tau**2)
        precisions[k] = weights.sum()
        centres[k] = (weights * levels.means).sum() / precisions[k]
        squares = weights * (levels.means - centres[k]) ** 2
        log_posterior[k] = 0.5 * (np.log(weights) - squares).sum() - 0.5 * np.log(precisions[k])
        log_posterior[k] -= np.log1p((tau / _TAU_SCALE) ** 2)
    chances = np.exp(log_posterior - log_posterior.max())
    drawn = rng.choice(len(_TAU_GRID), size=worlds, p=chances / chances.sum())
    mean = centres[drawn] + rng.standard_normal(worlds) / np.sqrt(precisions[drawn])
    return mean, _TAU_GRID[drawn]
