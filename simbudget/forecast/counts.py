"""The rest of a run that has begun: the level of its counts, from its own beginning and from how others went on.

A total is a sum, so what is projected is the arithmetic mean of the rest. Over other runs, its logarithm is
regressed on the beginning's level, which is a mean of logarithms, since single large values at the beginning say
little of the rest. What then remains has variance tau^2 + v/n for a rest of n values. Calls come in bursts, so v is
larger than independent values would have it; a simulation draws values independently, and its world's level takes up
the difference. Where v is smaller, single values are drawn with less scatter, since it is sums that are wanted. Both
are integrated over their posterior on a grid (Gelman et al., Bayesian Data Analysis, 3rd edition, chapter 5).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from simbudget.arrays import Floats
from simbudget.calibration.posteriors.shapes import Shape, midpoint_scores, observed_shape
from simbudget.distributions.posteriors import Posterior, score_grid

_CUT: Final = (0.05, 0.95)
_FEWEST: Final = 5
"""Runs of fewer values are left out."""
_TAU2: Final = np.array([0.0, 0.01, 0.02, 0.04, 0.06, 0.09, 0.12, 0.16, 0.25, 0.36, 0.5, 0.8])
_V: Final = np.array([0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 14.0, 20.0])
_PRIOR_SIZES: Final = (8.0, 20.0, 60.0, 150.0)
"""What is assumed of tau^2 and v counts as a run of each size."""
_PRIOR_TAU2: Final = 0.06
_PRIOR_V: Final = 4.0
_PRIOR_RUNS: Final = 4.0
_PRIOR_SHARED: Final = 0.03
_PRIOR_OWN: Final = 0.15
_PRIOR_SIGMA2: Final = 0.8
_BELOW_MEAN: Final = 0.5
"""So many times the variance of a lognormal's logarithm, the mean logarithm is below the mean's."""
_SMALLEST_SHARE: Final = 1e-3
_NOTHING: Final = -3.0
"""The logarithm of a count that rounds to nothing."""
_PARTS: Final = 2000
_GRID: Final = 60
_NOBODY: Final = np.zeros(0)


@dataclass(frozen=True)
class Usual:
    """What is known of the runs of a project that nobody has seen: of the logarithm of their rests' mean."""

    level: float
    between: float
    """Variance over projects."""
    freedom: float = 30.0
    """Of the t that a rest's level has around what is expected of it."""


@dataclass(frozen=True, eq=False)
class _Halves:
    """Other runs, each parted into beginning and rest; [runs] arrays but for the last three."""

    first: Floats
    """Mean logarithm of the beginning, cut to the middle 90 % of all."""
    rest: Floats
    """Logarithm of the mean of the rest."""
    first_count: Floats
    rest_count: Floats
    sigma2: float
    """Variance of a cut logarithm within a run."""
    relative: list[Floats]
    """[runs] the values of each rest, over its mean."""
    bounds: tuple[float, float]


@dataclass(frozen=True, eq=False)
class CountHistory:
    """What other runs teach of a count, each cut where the run at hand stands."""

    halves: _Halves
    shape: Shape
    scatter: float
    anything: bool
    """Whether any of them ever counted above zero."""


def count_history(others: Sequence[Floats], cut: float, begun: Floats = _NOBODY) -> CountHistory:
    """Return what other runs teach of a count.

    Args:
        others: [runs] values of other whole runs.
        cut: the part of a run that its beginning is, such as 0.2.
        begun: values of the run at hand, which give the bounds of what is usual where there are no others.
    """
    runs = [run for run in others if len(run) >= _FEWEST and run.any()]
    halves = _parted(runs, begun if not runs else _NOBODY, cut)
    return CountHistory(halves, *_shape(halves), any(run.any() for run in others))


def remaining_counts(  # noqa: PLR0913, PLR0917  what was seen of others and of the run, and what is wanted
    usual: Usual,
    history: CountHistory,
    begun: Floats,
    left: float,
    worlds: int,
    rng: np.random.Generator,
    evenness: float = 1.0,
) -> Posterior:
    """Return the posterior of a count for the remaining calls of a run that has begun.

    Args:
        usual: what is known of runs of any project.
        history: what other runs teach.
        begun: values that the run has shown.
        left: about how many values are still to come.
        worlds: how many joint draws.
        rng: what they are made from.
        evenness: a sum in which values count unevenly varies like one of this share of the values.
    """
    if not history.anything and not begun.any():
        return Posterior(np.tile([_NOTHING, 0.0, 0.0], (worlds, 1)))
    halves, shape = history.halves, history.shape
    level, tau2, v, unsure = _expected(usual, halves, begun, worlds, rng)
    scatters, independent = _not_above(v, shape, history.scatter * _scatters(halves, worlds, rng))
    bursts = np.maximum(v - independent, 0.0) / max(evenness * left, 1.0)
    deviation = np.sqrt(tau2 + bursts + unsure)
    location = level + deviation * rng.standard_t(usual.freedom, worlds) - _log_mean(shape, scatters)
    return Posterior(np.column_stack([location, scatters, np.zeros(worlds)]), shape.table)


def _parted(runs: Sequence[Floats], begun: Floats, cut: float) -> _Halves:
    together = np.concatenate([*runs, begun])
    low, high = (float(q) for q in np.quantile(_log(together), _CUT)) if len(together) else (0.0, 20.0)
    firsts = [min(max(2, int(np.ceil(cut * len(run)))), len(run) - 1) for run in runs]
    parts = [(run[:k], run[k:]) for run, k in zip(runs, firsts, strict=True) if run[k:].any()]
    cut_logs = [np.clip(_log(run), low, high) for run in runs] or [np.clip(_log(begun), low, high)]
    freedom = sum(len(run) - 1 for run in cut_logs)
    squares = sum(float(((run - run.mean()) ** 2).sum()) for run in cut_logs if len(run))
    return _Halves(
        np.array([np.clip(_log(first), low, high).mean() for first, _ in parts]),
        np.array([np.log(rest.mean()) for _, rest in parts]),
        np.array([float(len(first)) for first, _ in parts]),
        np.array([float(len(rest)) for _, rest in parts]),
        (squares + _PRIOR_RUNS * _PRIOR_SIGMA2) / (max(freedom, 0) + _PRIOR_RUNS),
        [rest / rest.mean() for _, rest in parts],
        (low, high),
    )


def _log(values: Floats) -> Floats:
    return np.asarray(np.log(np.maximum(values, 1.0)))


def _expected(
    usual: Usual, halves: _Halves, begun: Floats, worlds: int, rng: np.random.Generator
) -> tuple[float, Floats, Floats, float]:
    """Return the expected logarithm of the rest's mean, [worlds] draws of tau^2 and v, and its own variance."""
    weights = 1.0 / (_PRIOR_TAU2 + _PRIOR_V / halves.rest_count)
    known = usual.between / (usual.between + 1.0 / weights.sum()) if len(weights) else 0.0
    seen_rest = float(np.average(halves.rest, weights=weights)) if len(weights) else usual.level
    seen_first = float(halves.first.mean()) if len(weights) else 0.0
    project = usual.between * (1.0 - known)
    link = _link(halves, halves.rest - seen_rest, halves.first - seen_first)
    left_over = halves.rest - seen_rest - link.slope(halves.first_count, 0.0) * (halves.first - seen_first)
    shift = float(np.average(left_over, weights=weights)) if len(weights) else 0.0
    tau2, v = _draw_variances(left_over - shift, halves.rest_count, worlds, rng)
    level = usual.level + known * (seen_rest + shift - usual.level)
    if not len(begun):
        return level, tau2, v, project
    below = _BELOW_MEAN * halves.sigma2
    if len(weights):
        worth = len(weights) / (len(weights) + _PRIOR_RUNS)
        below += worth * (seen_rest + shift - seen_first - below)
    slope = float(link.slope(np.array([float(len(begun))]), project)[0])
    own = float(np.clip(_log(begun), *halves.bounds).mean())
    return level + slope * (own + below - level), tau2, v, project * (1.0 - slope)


@dataclass(frozen=True)
class _Link:
    """How levels of beginning and rest go together over runs: variances of logarithms."""

    shared: float
    own: float
    """Of the beginning alone."""
    sigma2: float

    def slope(self, counts: Floats, project: float) -> Floats:
        """Return how far the rest's level goes with that of a beginning of so many values.

        `project` is the variance of what is not known of all runs of the project, and so common to both.
        """
        common = self.shared + project
        return np.asarray(common / (common + self.own + self.sigma2 / np.maximum(counts, 1.0)))


def _link(halves: _Halves, rest: Floats, before: Floats) -> _Link:
    freedom = _PRIOR_RUNS + max(len(rest) - 1, 0)
    shared = max((_PRIOR_RUNS * _PRIOR_SHARED + (before * rest).sum()) / freedom, 0.005)
    spread = (before**2 - halves.sigma2 / halves.first_count).sum() - len(rest) * shared
    return _Link(shared, max((_PRIOR_RUNS * _PRIOR_OWN + spread) / freedom, 0.0), halves.sigma2)


def _draw_variances(
    left_over: Floats, counts: Floats, worlds: int, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Return [worlds] draws of tau^2 and v from their posterior, given what the regression left of each run."""
    tau2, v = (grid.ravel() for grid in np.meshgrid(_TAU2, _V, indexing="ij"))
    sizes = np.append(counts, _PRIOR_SIZES)
    squares = np.append(left_over**2, _PRIOR_TAU2 + _PRIOR_V / np.array(_PRIOR_SIZES))
    variances = tau2[:, None] + v[:, None] / sizes
    scores = -0.5 * (np.log(variances) + squares / variances).sum(axis=1)
    chances = np.exp(scores - scores.max())
    drawn = rng.choice(len(chances), size=worlds, p=chances / chances.sum())
    return tau2[drawn], v[drawn]


def _shape(halves: _Halves) -> tuple[Shape, float]:
    """Return the shape of values over their run's mean, and the standard deviation of their logarithms."""
    logs = [np.log(np.maximum(run, _SMALLEST_SHARE)) for run in halves.relative]
    longer = [run for run in logs if len(run) >= 10] or logs
    if not longer:
        return Shape("lognormal", None, {}), float(np.sqrt(_PRIOR_SIGMA2))
    together = np.concatenate(longer)
    return observed_shape(longer), max(float(together.std()), 1e-3)


def _scatters(halves: _Halves, worlds: int, rng: np.random.Generator) -> Floats:
    """Return [worlds] factors of the scatter, as it differs between runs."""
    logs = [np.log(np.maximum(run, _SMALLEST_SHARE)) for run in halves.relative if len(run) >= 15]
    deviations = np.array([run.std() for run in logs if run.std() > 0])
    if len(deviations) < 5:
        return np.exp(0.2 * rng.standard_normal(worlds))
    return np.asarray(rng.choice(deviations / np.sqrt(np.mean(deviations**2)), worlds))


def _not_above(v: Floats, shape: Shape, scatters: Floats) -> tuple[Floats, Floats]:
    """Return [worlds] scatters of which sums vary no more than `v` says, and the relative variance of a draw."""
    grid = np.geomspace(0.01, max(float(scatters.max()), 0.02), _GRID)
    relative = np.expm1(_log_mean(shape, 2.0 * grid) - 2.0 * _log_mean(shape, grid))
    least = np.minimum(scatters, np.interp(v, relative, grid))
    return least, np.interp(least, grid, relative)


def _log_mean(shape: Shape, scatters: Floats) -> Floats:
    """Return [worlds] the logarithm of the mean of draws around a location of 0."""
    z = midpoint_scores(_PARTS)
    t = z if shape.table is None else np.interp(z, score_grid(), shape.table)
    at = np.linspace(float(scatters.min()), float(scatters.max()), _GRID)
    means = np.log(np.exp(np.minimum(at[:, None] * t, 50.0)).mean(axis=1))
    return np.asarray(np.interp(scatters, at, means))
