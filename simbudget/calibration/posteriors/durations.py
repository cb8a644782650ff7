"""Durations and counts whose sums matter: calls, the gaps between them, and numbers of calls.

A few gaps in a hundred (builds, people, nights) make up most of the time, so a mean of logarithms says little about a
sum. A run's level here is the logarithm of its mean. The ratio of a duration to that mean follows the empirical
distribution of such ratios, whose mean is 1 by construction and whose tail is that of the data.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from simbudget.arrays import Floats
from simbudget.calibration.posteriors.shapes import EMPIRICAL, LOGNORMAL, Shape, choose_shape, midpoint_scores
from simbudget.distributions.posteriors import Posterior, score_grid

_FLOOR_S: Final = 0.1
"""Added to a mean before its logarithm is taken; smaller values are negligible."""
_SMALLEST_RATIO: Final = 1e-3
_PRIOR_RATIOS: Final = 50
"""Number of pseudo-observations from an assumed shape that are added to the observed ratios."""
_SHOW_SHAPE: Final = 40
"""Fewest values for an empirical shape."""
_LEAST_PART: Final = 0.3
"""Smallest share of the variance of levels that remains after the correction for chance."""
_MOST_BETWEEN: Final = 1.5
_MOST_APART: Final = 3.0
_MOST_SPREAD: Final = 0.7
"""Two or three runs say next to nothing of how runs differ: yet a mean is not beyond 20 times what was seen, nor a
scatter beyond twice."""
_MIDPOINTS: Final = 40_000
_SCATTERS: Final = 12
"""Number of scatters at which the mean is computed; values between them are interpolated."""
_MOST_LOG: Final = 18.0
"""Durations are cut at e^18 times the mean."""


def new_durations(
    runs: Sequence[Floats], worlds: int, rng: np.random.Generator, has_levels: bool = True
) -> tuple[Posterior, Shape] | None:
    """Return the posterior for runs yet to come, and its shape, so that each world's mean is one that the logs allow.

    Runs weigh as in the Bayesian bootstrap (Rubin, Annals of Statistics 9 (1981), 130-134), which says how mean and
    scatter are uncertain together; few runs say less, as with Student's t. The shape is the observed one, unless the
    lognormal predicts as well. None where there are too few values to show a shape.

    Args:
        runs: [runs] arrays of durations, or of one number each, such as of calls.
        worlds: how many joint draws.
        rng: what the draws are made from.
        has_levels: whether a simulated run has a level of its own, as it has of a turn's quantities only.
    """
    sums, counts = (np.array([f(run) for run in runs], dtype=np.float64) for f in (np.sum, len))
    if counts.sum() < _SHOW_SHAPE or sums.sum() <= 0 or len(runs) < 2:
        return None
    mean = sums.sum() / counts.sum()
    freedom = len(runs) - 1.0
    has_levels = has_levels and bool((counts > 1).any())
    between = _between(runs) if has_levels else 0.0
    ratios = [ratios_of(run) if has_levels else run / mean for run in runs]
    logs = [np.log(np.maximum(run, _SMALLEST_RATIO)) for run in ratios]
    shape = choose_shape(logs)
    table, _, scatter = shape_of_ratios(np.concatenate(ratios), None)
    if shape.family == LOGNORMAL:
        table, scatter = score_grid(), float(max(np.concatenate(logs).std(), 1e-6))
    few = np.sqrt(len(runs) / rng.chisquare(freedom, worlds))
    weights = rng.dirichlet(np.ones(len(runs)), worlds)
    apart = np.clip(few * np.log((weights @ sums) / (weights @ counts) / mean), -_MOST_APART, _MOST_APART)
    means = np.log(mean) + apart
    spread = few * np.log(_scatter_of(logs, weights))
    scatters = scatter * np.exp(np.clip(spread, -_MOST_SPREAD, _MOST_SPREAD))
    taus = between * np.sqrt(freedom / rng.chisquare(freedom, worlds))
    draws = np.column_stack([means - taus**2 / 2 - _log_mean(table, scatters), scatters, taus])
    if shape.family == LOGNORMAL:
        return Posterior(draws), shape
    return Posterior(draws, table), Shape(EMPIRICAL, table, shape.log_scores)


def _scatter_of(logs: Sequence[Floats], weights: Floats) -> Floats:
    """Return [worlds] the scatter of logarithms with the given weights of runs, relative to equal weights."""
    counts, sums, squares = (
        weights @ np.array([f(run) for run in logs]) for f in (len, np.sum, lambda run: (run**2).sum())
    )
    variances = np.maximum(squares / counts - (sums / counts) ** 2, 1e-12)
    return np.asarray(np.sqrt(variances / max(float(np.concatenate(logs).var()), 1e-12)))


def _log_mean(table: Floats, scatters: Floats) -> Floats:
    """Return [worlds] the logarithm of the mean of draws of a standardised shape with such scatter."""
    scores = midpoint_scores(_MIDPOINTS)
    t = np.interp(scores, score_grid(), table)
    at = np.linspace(scatters.min(), scatters.max(), _SCATTERS)
    means = [float(np.log(np.exp(np.minimum(scatter * t, _MOST_LOG)).mean())) for scatter in at]
    return np.asarray(np.interp(scatters, at, means))


def _between(runs: Sequence[Floats]) -> float:
    """Return the standard deviation of runs' levels."""
    seen = float(np.std([level_of(run) for run in runs], ddof=1))
    return min(seen * without_chance(seen, runs), _MOST_BETWEEN)


def without_chance(scatter: float, runs: Sequence[Floats]) -> float:
    """Return the share of the scatter of log means that is not due to the sampling of each run's durations.

    That chance comes again when durations are drawn around a level.

    Args:
        scatter: standard deviation of the logarithms of runs' means.
        runs: [runs] arrays of durations.
    """
    ratios = [ratios_of(run) for run in runs if len(run) > 1]
    chance = float(np.mean([((r - 1.0) ** 2).sum() / len(r) ** 2 for r in ratios])) if ratios else 0.0
    return float(np.sqrt(max(1.0 - chance / scatter**2, _LEAST_PART))) if scatter else 1.0


def level_of(values: Floats) -> float:
    """Return the logarithm of the mean."""
    return float(np.log(values.mean() + _FLOOR_S))


def ratios_of(values: Floats) -> Floats:
    """Return durations over their run's mean."""
    return values / max(float(values.mean()), 1e-9) if len(values) else values


def shape_of_ratios(ratios: Floats, log_scatter: float | None) -> tuple[Floats, float, float]:
    """Return the table of ratios' logarithms, standardised, and their centre and scatter; draws have mean 1.

    Not smoothed: a kernel on the scale of logarithms would make the longest ones longer still.

    Args:
        ratios: durations over their run's mean.
        log_scatter: scatter of a lognormal that counts as further ratios; None for none.
    """
    everything = np.sort(ratios)
    if log_scatter is not None:
        usual = np.exp(log_scatter * midpoint_scores(_PRIOR_RATIOS))
        everything = np.sort(np.concatenate([ratios, usual / usual.mean()]))
    logs = np.log(np.maximum(everything, _SMALLEST_RATIO))
    table = np.interp(score_grid(), midpoint_scores(len(logs)), logs)
    scores = midpoint_scores(_MIDPOINTS)
    table -= np.log(np.exp(np.interp(scores, score_grid(), table)).mean())
    centre, scatter = float(table.mean()), float(max(table.std(), 1e-6))
    return (table - centre) / scatter, centre, scatter
