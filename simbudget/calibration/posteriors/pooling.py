"""Partial pooling: what runs have in common, and what the start of one says of its rest.

The model is the hierarchical normal one of the logarithms (Gelman et al., Bayesian Data Analysis, 3rd edition,
section 5.4): the j-th value of run i is y = level_i + residual, levels are normal around a common mean with
standard deviation tau. A level is estimated from values cut to the middle 90 % of all, since a few huge ones would say
little about the next. Runs yet to come: see `runs_to_come`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from simbudget.calibration.posteriors.shapes import Shape, choose_shape, observed_shape
from simbudget.distributions.posteriors import Posterior, score_grid

Floats = npt.NDArray[np.float64]

_CUT: Final = (0.05, 0.95)
_FACTORS: Final = (0.2, 1.3)
"""Between these scatter is changed to keep the mean."""
_PARTS: Final = 400
_FARTHEST: Final = 7.0
_PRIOR_RUNS: Final = 4.0
"""What is assumed of other runs counts as so many of them."""
_PRIOR_SIGMA: Final = 0.9


@dataclass(frozen=True, eq=False)
class Levels:
    """Runs' levels: of each its mean logarithm, its number of values and the variance of one."""

    means: Floats
    counts: Floats
    sigma2: float
    """Variance of a value around its run's level, cut values."""
    cut: tuple[float, float]
    """Logarithms are cut to these before a level is taken."""


def log_of(values: Floats, floor: float) -> Floats:
    """Return logarithms, of values below `floor` (as of zeros) that of `floor`."""
    return np.asarray(np.log(np.maximum(values, floor)))


def levels_of(runs: Sequence[Floats], cut: tuple[float, float] | None = None) -> Levels:
    """Return the levels of [runs] arrays of logarithms, each with a value at least."""
    if cut is None:
        low, high = np.quantile(np.concatenate(runs), _CUT)
        cut = float(low), float(high)
    cut_runs = [np.clip(run, *cut) for run in runs]
    means = np.array([run.mean() for run in cut_runs])
    counts = np.array([float(len(run)) for run in cut_runs])
    squares = sum(float(((run - run.mean()) ** 2).sum()) for run in cut_runs)
    freedom = float((counts - 1).sum())
    sigma2 = (squares + _PRIOR_SIGMA**2) / (freedom + 1.0)
    return Levels(means, counts, sigma2, cut)


def shape_of(
    runs: Sequence[Floats], levels: Levels, choose: Callable[[Sequence[Floats]], Shape] = choose_shape
) -> tuple[Shape, float, float]:
    """Return the shape of residuals, and their mean and standard deviation; tails are not cut."""
    residuals = [run - mean for run, mean in zip(runs, levels.means, strict=True)]
    longer = [part for part in residuals if len(part) >= 10] or residuals
    together = np.concatenate(longer)
    if len(together) < 2:
        return choose([]), 0.0, _PRIOR_SIGMA
    count = len(together)
    scatter = np.sqrt((together.var() * count + _PRIOR_SIGMA**2) / (count + 1.0))
    return choose(longer), float(together.mean()), float(scatter)


def mean_keeping_factor(shape: Shape, scatters: Floats, between: Floats, target: float) -> float:
    """Return by what factor scatter must shrink or grow for the mean of draws to be what it was in the logs.

    Totals are sums of draws, and a log scale says little of a mean: where the level of a run and its tail do not go
    together as the model has it, the mean of draws is far too high.

    Args:
        shape: of the draws.
        scatters: [worlds] their scatter.
        between: [worlds] how levels differ.
        target: the mean over the exponential of the location.
    """
    low, high = _FACTORS
    for _ in range(30):
        middle = (low + high) / 2
        is_below = mean_of_draws(shape, scatters, between, middle) < target
        low, high = (middle, high) if is_below else (low, middle)
    return (low + high) / 2


def mean_of_draws(shape: Shape, scatters: Floats, between: Floats, factor: float) -> float:
    """Return the mean of draws over the exponential of their location, scatter and levels changed by a factor."""
    scores, chances = _scores()
    t = scores if shape.table is None else np.interp(scores, score_grid(), shape.table)
    few = scatters[:: max(1, len(scatters) // 40)]
    levels = between[:: max(1, len(between) // 40)]
    inner = float((np.exp(np.minimum(factor * few[:, None] * t, 50.0)) @ chances).mean())
    return inner * float(np.exp((factor * levels) ** 2 / 2).mean())


def _scores() -> tuple[Floats, Floats]:
    """Return normal scores far into the tails, where means of what is heavy-tailed come from, and their chances."""
    scores = np.linspace(-_FARTHEST, _FARTHEST, _PARTS)
    density = np.exp(-(scores**2) / 2)
    return scores, density / density.sum()


def score_midpoints() -> Floats:
    """Return normal scores in the middle of equal parts of the probability."""
    from scipy.special import ndtri  # noqa: PLC0415  slow to import

    return np.asarray(ndtri((np.arange(_PARTS) + 0.5) / _PARTS))


def rest_of_run(
    others: Sequence[Floats], begun: Floats, cut: float, worlds: int, rng: np.random.Generator
) -> Posterior:
    """Return the posterior of a quantity for the rest of a run that has begun.

    A run's level in its first part says something of its level in the rest, more or less so as other runs
    show: levels drift. First and rest are jointly normal over runs, with the moments of the others.

    Args:
        others: [runs] arrays of logarithms, of whole runs.
        begun: logarithms of what the run has shown.
        cut: the part of a run that the beginning is, such as 0.2.
        worlds: how many joint draws.
        rng: what the draws are made from.
    """
    usable = [run for run in others if len(run) >= 5]
    pooled = np.concatenate([*usable, begun]) if usable else begun
    if not len(pooled):
        raise ValueError("neither the run nor another has a value")
    low, high = np.quantile(pooled, _CUT)
    drift = _Drift.learnt(usable, cut, (float(low), float(high)))
    location = drift.rest_level(np.clip(begun, low, high), worlds, rng)
    rests = [run[_first(run, cut) :] for run in usable] or [begun]
    levels = levels_of(rests, (float(low), float(high)))
    shape, centre, scatter = shape_of(rests, levels, choose=observed_shape)
    scatters = scatter * _run_scatter(rests, worlds, rng)
    if usable:
        expected = sum(len(r) * np.exp(level + centre) for r, level in zip(rests, levels.means, strict=True))
        target = float(sum(np.exp(r).sum() for r in rests) / expected)
        scatters = scatters * mean_keeping_factor(shape, scatters, np.zeros(1), target)
    draws = np.column_stack([location + centre, scatters, np.zeros(worlds)])
    return Posterior(draws, shape.table)


def _first(run: Floats, cut: float) -> int:
    """Return how many of a run's values belong to its beginning."""
    return min(max(2, int(np.ceil(cut * len(run)))), len(run) - 1)


def _run_scatter(runs: Sequence[Floats], worlds: int, rng: np.random.Generator) -> Floats:
    """Return [worlds] factors of the scatter, as it differs between runs."""
    deviations = np.array([run.std() for run in runs if len(run) >= 15 and run.std() > 0])
    if len(deviations) < 5:
        return np.exp(0.2 * rng.standard_normal(worlds))
    factors = deviations / np.sqrt(np.mean(deviations**2))
    return np.asarray(rng.choice(factors, worlds))


@dataclass(frozen=True)
class _Drift:
    """How runs' levels in their first part and in the rest go together; variances of logarithms."""

    first_mean: float
    rest_mean: float
    shared: float
    """Variance of what both have in common."""
    first_own: float
    rest_own: float
    sigma2: float
    mean_variance: float
    """Of `rest_mean`, which few runs leave uncertain."""

    @classmethod
    def learnt(cls, runs: Sequence[Floats], cut: float, bounds: tuple[float, float]) -> "_Drift":
        """Return it as runs show it; what is assumed counts as `_PRIOR_RUNS` runs."""
        if not runs:
            return cls(np.nan, np.nan, 0.09, 0.15, 0.03, _PRIOR_SIGMA**2, 1.0)
        parts = [(np.clip(r[: _first(r, cut)], *bounds), np.clip(r[_first(r, cut) :], *bounds)) for r in runs]
        first, rest = (np.array([part[k].mean() for part in parts]) for k in (0, 1))
        n_first, n_rest = (np.array([len(part[k]) for part in parts]) for k in (0, 1))
        inner = sum(((part[1] - part[1].mean()) ** 2).sum() for part in parts)
        sigma2 = (inner + _PRIOR_SIGMA**2) / ((n_rest - 1).sum() + 1.0)
        count, prior = len(runs), _PRIOR_RUNS
        d_first, d_rest = first - first.mean(), rest - rest.mean()
        shared = max((prior * 0.09 + (d_first * d_rest).sum()) / (prior + count - 1), 0.005)
        own_first = (d_first**2 - sigma2 / n_first).sum() - count * shared
        own_rest = (d_rest**2 - sigma2 / n_rest).sum() - count * shared
        return cls(
            float(first.mean()),
            float(rest.mean()),
            float(shared),
            float(max((prior * 0.15 + own_first) / (prior + count - 1), 0.0)),
            float(max((prior * 0.03 + own_rest) / (prior + count - 1), 0.0)),
            float(sigma2),
            float(np.mean((d_rest**2 + 0.1) / count)),
        )

    def rest_level(self, begun: Floats, worlds: int, rng: np.random.Generator) -> Floats:
        """Return [worlds] draws of the level of the rest, given cut logarithms of the beginning."""
        noise = rng.standard_normal(worlds)
        if not len(begun):
            spread = np.sqrt(self.shared + self.rest_own + self.mean_variance)
            return np.asarray(self.rest_mean + spread * noise)
        seen = self.sigma2 / len(begun) + self.first_own
        if np.isnan(self.rest_mean):  # no other run: the beginning is all that is known
            return np.asarray(begun.mean() + np.sqrt(seen + self.rest_own) * noise)
        prior = self.shared + self.mean_variance
        weight = prior / (prior + seen)
        level = self.rest_mean + weight * (begun.mean() - self.first_mean)
        return np.asarray(level + np.sqrt(prior * (1 - weight) + self.rest_own) * noise)
