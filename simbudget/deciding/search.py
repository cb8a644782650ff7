"""Searching a space of plans with few, noisy evaluations.

Every plan of a small space is tried. In a larger one the search is Bayesian optimisation: Gaussian processes learn the
objective and each limit from the plans tried so far, and the next plan is the one with the highest expected improvement
times the probability of keeping to the limits (D. R. Jones, M. Schonlau and W. J. Welch, "Efficient global optimization
of expensive black-box functions", Journal of Global Optimization 13 (1998), 455-492; J. R. Gardner et al., "Bayesian
optimization with inequality constraints", ICML 2014). Gaussian processes are preferred to Optuna's
tree estimators, since with common random numbers the objective is smooth in few dimensions.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from simbudget.deciding.space import Point, Space

Floats = npt.NDArray[np.float64]

_CANDIDATES: Final = 4000
_NEIGHBOURS: Final = 2
_FEASIBLE: Final = 0.0
_LEARN_EVERY: Final = 6

NO_RESULT: Final = -500.0
"""Objectives below this count as infinitely bad: no result, hence no price per result."""


@dataclass(frozen=True)
class Tried:
    """One evaluation of a plan."""

    point: Point
    better: float
    """The objective; higher is better."""
    error: float
    """Its standard error."""
    violations: tuple[float, ...]
    """Excess over each limit; at most 0 if the limit is met."""

    @property
    def is_feasible(self) -> bool:
        """Return whether the plan keeps to all its limits."""
        return all(violation <= _FEASIBLE for violation in self.violations)

    @property
    def rank(self) -> tuple[bool, float]:
        """Return the sort key: plans within all limits are higher, by objective; others by the smallest excess."""
        worst = max(self.violations, default=0.0)
        return (True, self.better) if self.is_feasible else (False, -worst)


def search(
    space: Space, evaluate: Callable[[Point], Tried], evaluations: int, seed: int, first: Sequence[Point] = ()
) -> list[Tried]:
    """Return all plans tried, in their order.

    Args:
        space: the plans.
        evaluate: tries one.
        evaluations: how many may be tried.
        seed: of the search itself.
        first: plans to begin with.
    """
    random = np.random.default_rng(seed)
    if space.size <= evaluations:
        return [evaluate(space.point(number)) for number in range(space.size)]
    start = _start(space, max(4, min(evaluations // 3, 6 * len(space.dimensions))), random, first)
    tried = [evaluate(point) for point in start[:evaluations]]
    surrogates = _Surrogates()
    while len(tried) < evaluations:
        tried.append(evaluate(_next(space, tried, surrogates, random)))
    return tried


def _start(space: Space, count: int, random: np.random.Generator, first: Sequence[Point]) -> list[Point]:
    """Return plans from a Latin hypercube design."""
    from scipy.stats import qmc  # noqa: PLC0415  slow to import

    spread = qmc.LatinHypercube(len(space.dimensions), rng=random).random(count)
    points = [tuple(int(part * size) for part, size in zip(row, space.shape, strict=True)) for row in spread]
    return list(dict.fromkeys([*first, *points]))


def _next(
    space: Space, tried: Sequence[Tried], surrogates: "_Surrogates", random: np.random.Generator
) -> Point:
    known = {each.point for each in tried}
    candidates = [point for point in _candidates(space, tried, random) if point not in known]
    where, at = space.coordinates([each.point for each in tried]), space.coordinates(candidates)
    appeal = _improvement(tried, surrogates, where, at)
    for limit in range(len(tried[0].violations)):
        beyond = np.array([each.violations[limit] for each in tried])
        if np.ptp(beyond) > 0.0:
            mean, spread = surrogates.predict(f"limit {limit}", where, beyond, at)
            appeal = appeal * _below(_FEASIBLE - mean, spread)
    return candidates[int(appeal.argmax())]


def _candidates(space: Space, tried: Sequence[Tried], random: np.random.Generator) -> list[Point]:
    """Return every plan of a space of moderate size; otherwise random plans and neighbours of the best ones."""
    if space.size <= _CANDIDATES:
        return [space.point(number) for number in range(space.size)]
    drawn = [tuple(int(random.integers(size)) for size in space.shape) for _ in range(_CANDIDATES // 2)]
    best = sorted(tried, key=lambda each: each.rank, reverse=True)[:5]
    near = [point for each in best for point in _neighbours(space, each.point)]
    return list(dict.fromkeys([*drawn, *near]))


def _neighbours(space: Space, point: Point) -> list[Point]:
    steps = [
        range(max(0, level - _NEIGHBOURS), min(size, level + _NEIGHBOURS + 1))
        for level, size in zip(point, space.shape, strict=True)
    ]
    grid = np.stack(np.meshgrid(*steps, indexing="ij"), axis=-1).reshape(-1, len(point))
    return [tuple(int(level) for level in row) for row in grid]


def _improvement(tried: Sequence[Tried], surrogates: "_Surrogates", where: Floats, at: Floats) -> Floats:
    """Return the expected improvement over the best feasible plan; 1 if there is none yet."""
    from scipy.stats import norm  # noqa: PLC0415

    feasible = [each.better for each in tried if each.is_feasible]
    if not feasible:
        return np.ones(len(at))
    better = np.array([each.better for each in tried])
    counted = better[better > NO_RESULT]
    better = np.maximum(better, counted.min() - np.ptp(counted)) if len(counted) else better
    mean, spread = surrogates.predict("objective", where, better, at)
    gain = mean - max(feasible)
    scaled = gain / spread
    improvement: Floats = gain * norm.cdf(scaled) + spread * norm.pdf(scaled)
    return np.maximum(improvement, 1e-12)


def _below(margin: Floats, spread: Floats) -> Floats:
    from scipy.stats import norm  # noqa: PLC0415

    return np.maximum(np.asarray(norm.cdf(margin / spread), dtype=np.float64), 1e-9)


class _Surrogates:
    """Gaussian processes, one per figure; length scales are refitted every few plans."""

    def __init__(self) -> None:
        self._learnt: dict[str, tuple[int, Any]] = {}

    def predict(self, figure: str, where: Floats, values: Floats, at: Floats) -> tuple[Floats, Floats]:
        """Return the predictive mean and standard deviation at some plans, given the values of others."""
        from sklearn.exceptions import ConvergenceWarning  # noqa: PLC0415
        from sklearn.gaussian_process import GaussianProcessRegressor  # noqa: PLC0415
        from threadpoolctl import threadpool_limits  # noqa: PLC0415

        learnt_from, kernel = self._learnt.get(figure, (0, None))
        learns = kernel is None or len(values) >= learnt_from + _LEARN_EVERY
        scale = float(values.std()) or 1.0
        process = GaussianProcessRegressor(
            kernel or _kernel(where.shape[1]),
            alpha=1e-8,
            optimizer="fmin_l_bfgs_b" if learns else None,
            random_state=0,
        )
        with (
            warnings.catch_warnings(),
            threadpool_limits(1),
        ):  # small matrices: threads would only wait for each other
            warnings.simplefilter(
                "ignore", ConvergenceWarning
            )  # a bound that is met says nothing to the user
            process.fit(where, (values - values.mean()) / scale)
            mean, spread = process.predict(at, return_std=True)
        if learns:
            self._learnt[figure] = len(values), process.kernel_
        return values.mean() + scale * mean, np.maximum(scale * spread, 1e-12)


def _kernel(columns: int) -> Any:
    """Return the prior: smooth in every coordinate, with noise."""
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel  # noqa: PLC0415

    smooth = Matern(length_scale=[0.5] * columns, length_scale_bounds=(0.05, 20.0), nu=2.5)
    return ConstantKernel(1.0, (0.05, 50.0)) * smooth + WhiteKernel(1e-3, (1e-6, 0.3))
