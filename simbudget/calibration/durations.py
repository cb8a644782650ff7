"""Durations of a run, on the scale on which they add up: calls, and the gaps between them.

A few gaps in a hundred (builds, people, nights) make up most of the time, so a mean of logarithms says little of a sum.
A run's level here is the logarithm of its mean duration; what one duration is of that mean has the observed
distribution of such ratios, whose mean is 1 by construction and whose tail is as long as any that was seen. Levels of
the beginning and of the rest are jointly normal over runs, and their means over projects (Gelman et al., Bayesian Data
Analysis, 3rd edition, sections 3.6 and 5.4), so that a short beginning, a few other runs and what is usual each speak
as far as they know something.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from simbudget.calibration.shapes import EMPIRICAL, LOGNORMAL, Shape, choose_shape
from simbudget.distributions.posteriors import Posterior, score_grid

Floats = npt.NDArray[np.float64]

_FEWEST: Final = 5
"""Shorter runs have no beginning and no rest."""
_LONG: Final = 14
_ENOUGH: Final = 8
"""With so many runs that are long, shorter ones are left aside: they are of another kind."""
_CUT: Final = 0.95
"""A beginning's durations count no more than this quantile of all: one night says nothing of the next."""
_FLOOR_S: Final = 0.1
"""Is added to a mean before its logarithm is taken: what is below does not matter."""
_SMALLEST_RATIO: Final = 1e-3
_PRIOR_RATIOS: Final = 50
"""So many ratios of the prior's shape join those that were seen."""
_SHOW_SHAPE: Final = 40
"""So many values show a shape."""
_LEAST_PART: Final = 0.3
"""Of the variance of levels so much is left at least."""
_MOST_BETWEEN: Final = 1.5
_MIDPOINTS: Final = 40_000
_SCATTERS: Final = 12
"""At so many scatters the mean is computed, and interpolated between."""
_MOST_LOG: Final = 18.0
"""No mean duration is longer than e^18 s, some two years."""


@dataclass(frozen=True)
class Prior:
    """What is known of runs of any project, of the logarithms of their mean durations."""

    mean: tuple[float, float]
    """Of beginning and rest, over projects."""
    between: float
    """Variance over projects, which beginning and rest share but for a twentieth."""
    first: float
    rest: float
    """Variances of beginning and rest over runs of a project."""
    shared: float
    """Their covariance."""
    log_scatter: float
    """Standard deviation of the logarithm of a duration over its run's mean."""

    @property
    def over_projects(self) -> Floats:
        """Return the [2, 2] covariance of projects' levels of beginning and rest."""
        return self.between * np.array([[1.0, _ALIKE], [_ALIKE, 1.0]])

    @property
    def over_runs(self) -> Floats:
        """Return the [2, 2] covariance over runs of a project."""
        return np.array([[self.first, self.shared], [self.shared, self.rest]])


PRIORS: Final = {
    "tool_time": Prior((1.8, 2.1), 6.0, 3.0, 1.5, 0.8, 1.7),
    "first_token": Prior((1.2, 1.3), 1.0, 0.3, 0.2, 0.1, 0.6),
}
"""By quantity, rounded from the projects that the models were built on (docs/calibration.md)."""

_ALIKE: Final = 0.95
_RUNS_WORTH: Final = 4.0
"""The prior's covariance over runs counts as so many runs."""


def rest_durations(
    prior: Prior,
    others: Sequence[Floats],
    begun: Floats,
    cut: float,
    worlds: int,
    rng: np.random.Generator,
) -> Posterior:
    """Return the posterior of durations for the rest of a run that has begun.

    Args:
        prior: of this kind of duration.
        others: [runs] arrays of seconds, of whole runs.
        begun: seconds, of what the run has shown.
        cut: the part of a run that the beginning is, such as 0.2.
        worlds: how many joint draws.
        rng: what the draws are made from.
    """
    parts = [np.split(run, [_first(run, cut)]) for run in telling(others)]
    most_s = float(np.quantile(np.concatenate([*others, begun]), _CUT))
    levels = np.array([[_level(np.minimum(a, most_s)), _level(b)] for a, b in parts]).reshape(-1, 2)
    own = _level(np.minimum(begun, most_s)) if len(begun) else None
    location, scale, freedom = _predictive(prior, levels, own)
    scale *= _without_chance(scale, [b for _, b in parts])
    mean_logs = np.minimum(location + scale * rng.standard_t(freedom, worlds), _MOST_LOG)
    ratios = [_ratios(rest) for _, rest in parts] or [_ratios(begun)]
    shape, centre, scatter = _shape(np.concatenate(ratios), prior.log_scatter)
    return Posterior(np.column_stack([mean_logs + centre, np.full(worlds, scatter), np.zeros(worlds)]), shape)


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
    ratios = [_ratios(run) if has_levels else run / mean for run in runs]
    logs = [np.log(np.maximum(run, _SMALLEST_RATIO)) for run in ratios]
    shape = choose_shape(logs)
    table, _, scatter = _shape(np.concatenate(ratios), None)
    if shape.family == LOGNORMAL:
        table, scatter = score_grid(), float(max(np.concatenate(logs).std(), 1e-6))
    few = np.sqrt(len(runs) / rng.chisquare(freedom, worlds))
    weights = rng.dirichlet(np.ones(len(runs)), worlds)
    means = np.log(mean) + few * np.log((weights @ sums) / (weights @ counts) / mean)
    scatters = scatter * np.exp(few * np.log(_scatter_of(logs, weights)))
    taus = between * np.sqrt(freedom / rng.chisquare(freedom, worlds))
    draws = np.column_stack([means - taus**2 / 2 - _log_mean(table, scatters), scatters, taus])
    if shape.family == LOGNORMAL:
        return Posterior(draws), shape
    return Posterior(draws, table), Shape(EMPIRICAL, table, shape.log_scores)


def _scatter_of(logs: Sequence[Floats], weights: Floats) -> Floats:
    """Return [worlds] the scatter of logarithms where runs weigh so, over what it is where all weigh the same."""
    counts, sums, squares = (
        weights @ np.array([f(run) for run in logs]) for f in (len, np.sum, lambda run: (run**2).sum())
    )
    variances = np.maximum(squares / counts - (sums / counts) ** 2, 1e-12)
    return np.asarray(np.sqrt(variances / max(float(np.concatenate(logs).var()), 1e-12)))


def _log_mean(table: Floats, scatters: Floats) -> Floats:
    """Return [worlds] the logarithm of the mean of draws of a standardised shape with such scatter."""
    from scipy.special import ndtri  # noqa: PLC0415  slow to import

    scores = ndtri((np.arange(_MIDPOINTS) + 0.5) / _MIDPOINTS)
    t = np.interp(scores, score_grid(), table)
    at = np.linspace(scatters.min(), scatters.max(), _SCATTERS)
    means = [float(np.log(np.exp(np.minimum(scatter * t, _MOST_LOG)).mean())) for scatter in at]
    return np.asarray(np.interp(scatters, at, means))


def _between(runs: Sequence[Floats]) -> float:
    """Return the standard deviation of runs' levels."""
    seen = float(np.std([_level(run) for run in runs], ddof=1))
    return min(seen * _without_chance(seen, runs), _MOST_BETWEEN)


def _without_chance(scatter: float, runs: Sequence[Floats]) -> float:
    """Return the part of the scatter of means' logarithms that is not the chance of which durations a run had.

    That chance comes again when durations are drawn around a level.
    """
    ratios = [_ratios(run) for run in runs if len(run) > 1]
    chance = float(np.mean([((r - 1.0) ** 2).sum() / len(r) ** 2 for r in ratios])) if ratios else 0.0
    return float(np.sqrt(max(1.0 - chance / scatter**2, _LEAST_PART))) if scatter else 1.0


def telling(runs: Sequence[Floats]) -> list[Floats]:
    """Return the runs that say something of one that is long enough to be projected."""
    long = [run for run in runs if len(run) >= _LONG]
    return long if len(long) >= _ENOUGH else [run for run in runs if len(run) >= _FEWEST]


def _first(run: Floats, cut: float) -> int:
    """Return how many of a run's values belong to its beginning."""
    return min(max(2, int(np.ceil(cut * len(run)))), len(run) - 1)


def _level(values: Floats) -> float:
    return float(np.log(values.mean() + _FLOOR_S))


def _ratios(values: Floats) -> Floats:
    """Return durations over their run's mean."""
    return values / max(float(values.mean()), 1e-9) if len(values) else values


def _predictive(prior: Prior, levels: Floats, first: float | None) -> tuple[float, float, float]:
    """Return location, scale and degrees of freedom of the t that a run's level of the rest has.

    Args:
        prior: what is known beforehand.
        levels: [runs, 2] of beginning and rest of other runs.
        first: that of its own beginning; None if it has none.
    """
    count = len(levels)
    off = levels - levels.mean(axis=0) if count else levels
    freedom = _RUNS_WORTH + max(count - 1, 0)
    runs = (_RUNS_WORTH * prior.over_runs + off.T @ off) / freedom
    mean, project = np.array(prior.mean), prior.over_projects
    if count:
        gain = project @ np.linalg.inv(project + runs / count)
        mean = mean + gain @ (levels.mean(axis=0) - mean)
        project = project - gain @ project
    spread = project + runs
    if first is None:
        return float(mean[1]), float(np.sqrt(spread[1, 1])), freedom
    slope = spread[0, 1] / spread[0, 0]
    left = spread[1, 1] - slope * spread[0, 1]
    return float(mean[1] + slope * (first - mean[0])), float(np.sqrt(left)), freedom


def _shape(ratios: Floats, log_scatter: float | None) -> tuple[Floats, float, float]:
    """Return the table of ratios' logarithms, standardised, and their centre and scatter; draws have mean 1.

    Not smoothed: a kernel on the scale of logarithms would make the longest ones longer still.
    """
    from scipy.special import ndtri  # noqa: PLC0415  slow to import

    everything = np.sort(ratios)
    if log_scatter is not None:
        usual = np.exp(log_scatter * ndtri((np.arange(_PRIOR_RATIOS) + 0.5) / _PRIOR_RATIOS))
        everything = np.sort(np.concatenate([ratios, usual / usual.mean()]))
    logs = np.log(np.maximum(everything, _SMALLEST_RATIO))
    table = np.interp(score_grid(), ndtri((np.arange(len(logs)) + 0.5) / len(logs)), logs)
    scores = ndtri((np.arange(_MIDPOINTS) + 0.5) / _MIDPOINTS)
    table -= np.log(np.exp(np.interp(scores, score_grid(), table)).mean())
    centre, scatter = float(table.mean()), float(max(table.std(), 1e-6))
    return (table - centre) / scatter, centre, scatter
