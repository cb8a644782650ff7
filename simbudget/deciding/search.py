"""The space of plans, and the search of it with few, noisy evaluations.

A dimension of the space has a key of the scenario and its values: `agents=1:32` or `model=opus,sonnet`.

Every plan of a small space is tried. In a larger one the search is Bayesian optimisation: Gaussian processes learn the
objective and each limit from the plans tried so far, and the next plan is the one with the highest expected improvement
times the probability of keeping to the limits (D. R. Jones, M. Schonlau and W. J. Welch, "Efficient global optimization
of expensive black-box functions", Journal of Global Optimization 13 (1998), 455-492; J. R. Gardner et al., "Bayesian
optimization with inequality constraints", ICML 2014). Gaussian processes are preferred to Optuna's tree estimators,
since with common random numbers the objective is smooth in few dimensions.
"""

import math
import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np

from simbudget.arrays import Floats
from simbudget.deciding.changes import Change, parse_changes
from simbudget.errors import Problem, UserError

Point = tuple[int, ...]
"""Index of the level in each dimension."""

_LEVELS: Final = 41
"""Maximum number of values of a range; a search could not distinguish more."""

_LOGARITHMIC_FROM: Final = 8.0
"""From this ratio of high to low on, a range is divided in equal factors instead of equal steps."""

_END: Final = re.compile(r"(\$?)\s*([\d.,]+)\s*(.*)")


@dataclass(frozen=True)
class Axis:
    """One dimension: ordered values, or unordered alternatives."""

    key: str
    values: tuple[str, ...]
    places: tuple[float, ...] | None
    """Position of each value from 0 to 1; None for unordered alternatives."""

    @property
    def columns(self) -> int:
        """Return the number of coordinates of a value."""
        return 1 if self.places is not None else len(self.values)

    def coordinates(self, level: int) -> list[float]:
        """Return the coordinates of a value, for a search based on distances."""
        if self.places is not None:
            return [self.places[level]]
        return [0.7 * float(level == other) for other in range(len(self.values))]  # all differ by about 1


def parse_axis(text: str) -> Axis:
    """Return the dimension of `key=low:high` or `key=value,value...`.

    Raises:
        UserError: it is not of that form.
    """
    changes = parse_changes(text)
    key, written = changes[0].key, [change.value for change in changes]
    if len(written) > 1:
        return _of_values(key, written)
    low, sign, high = written[0].partition(":")
    ends = _END.fullmatch(low.strip()), _END.fullmatch(high.strip())
    if not sign or ends[0] is None or ends[1] is None:
        remedy = "write a range such as `agents=1:32` or values such as `model=claude-opus-5,claude-sonnet-5`"
        raise UserError(Problem(f"vary {text[:80]!r} has nothing to vary between", remedy=remedy))
    before, after = ends[0][1] or ends[1][1], ends[1][3] or ends[0][3]
    first, last = (_number(end[2], text) for end in ends if end is not None)
    if ends[0][3] and ends[1][3] and ends[0][3] != ends[1][3]:
        raise UserError(
            Problem(f"vary {text[:80]!r} has two units", remedy="write both ends in the same unit")
        )
    if not first < last:
        raise UserError(
            Problem(f"vary {text[:80]!r} goes from high to low", remedy="write the lower end first")
        )
    steps = _steps(first, last)
    values = tuple(
        f"{before}{step:.10g}{' ' if after and not after.startswith('%') else ''}{after}" for step in steps
    )
    return Axis(key, values, _places(steps))


def _number(text: str, whole: str) -> float:
    try:
        return float(text.replace(",", ""))
    except ValueError:
        raise UserError(Problem(f"vary {whole[:80]!r}: {text!r} is no number")) from None


def _of_values(key: str, written: list[str]) -> Axis:
    """Return a dimension of values, ordered if all are numbers."""
    try:
        numbers = [float(value) for value in written]
    except ValueError:
        return Axis(key, tuple(written), None)
    order = np.argsort(numbers)
    return Axis(key, tuple(written[place] for place in order), _places([numbers[place] for place in order]))


def _steps(low: float, high: float) -> list[float]:
    """Return the values of a range: all integers between two integers if few, otherwise rounded steps."""
    if low.is_integer() and high.is_integer() and high - low < _LEVELS:
        return [float(value) for value in range(int(low), int(high) + 1)]
    spaced = np.geomspace if low > 0 and high / low >= _LOGARITHMIC_FROM else np.linspace
    are_whole = low.is_integer() and high.is_integer()
    rounded = (_rounded(float(value), are_whole) for value in spaced(low, high, _LEVELS))
    return [low, *(value for value in dict.fromkeys(rounded) if low < value < high), high]


def _rounded(value: float, is_whole: bool) -> float:
    """Return a value with two significant digits; an integer if both bounds are."""
    if value == 0.0:
        return 0.0
    digits = 1 - math.floor(math.log10(abs(value)))
    return float(round(value, min(digits, 0) if is_whole else digits))


def _places(values: list[float]) -> tuple[float, ...]:
    if values[0] > 0 and values[-1] / values[0] >= _LOGARITHMIC_FROM:
        values = [math.log(value) for value in values]
    span = values[-1] - values[0] or 1.0
    return tuple((value - values[0]) / span for value in values)


@dataclass(frozen=True)
class Space:
    """All plans that may be chosen."""

    dimensions: tuple[Axis, ...]

    @property
    def size(self) -> int:
        """Return the number of plans."""
        return math.prod(len(dimension.values) for dimension in self.dimensions)

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Return the number of values of each dimension."""
        return tuple(len(dimension.values) for dimension in self.dimensions)

    def point(self, number: int) -> Point:
        """Return the plan with this number, from 0."""
        return tuple(int(level) for level in np.unravel_index(number, self.shape))

    def changes(self, point: Point) -> tuple[Change, ...]:
        """Return the changes that a plan makes to the scenario."""
        return tuple(
            Change(dimension.key, dimension.values[level])
            for dimension, level in zip(self.dimensions, point, strict=True)
        )

    def coordinates(self, points: list[Point]) -> Floats:
        """Return the [points, coordinates] of plans."""
        rows = [
            [
                place
                for dimension, level in zip(self.dimensions, point, strict=True)
                for place in dimension.coordinates(level)
            ]
            for point in points
        ]
        return np.array(rows, dtype=np.float64).reshape(len(points), -1)


_CANDIDATES: Final = 4000
"""Points at which the processes are evaluated, which takes far less time than simulating one plan."""
_NEIGHBOURS: Final = 2
"""Levels on either side of the best plan that are always candidates, so that the search ends with a local one."""
_FEASIBLE: Final = 0.0
"""The largest excess over a limit at which the limit is met."""
_LEARN_EVERY: Final = 6
"""New plans after which the kernels are fitted again: fitting takes longer than predicting, and changes little."""

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
    # Each plan may be noisy, but all share their random numbers, so that differences between plans are smooth.
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
        if np.ptp(beyond) > 0.0:  # a limit on which no plan has any influence says nothing about where to go
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
    # A plan without results is infinitely bad; taken as such it would flatten the process everywhere else, so it counts
    # as the worst plan with results, less the range of those.
    counted = better[better > NO_RESULT]
    better = np.maximum(better, counted.min() - np.ptp(counted)) if len(counted) else better
    mean, spread = surrogates.predict("objective", where, better, at)
    gain = mean - max(feasible)
    scaled = gain / spread
    improvement: Floats = gain * norm.cdf(scaled) + spread * norm.pdf(scaled)
    return np.maximum(
        improvement, 1e-12
    )  # above zero, so that the probabilities of limits still rank the others


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
            alpha=1e-8,  # for the Cholesky decomposition only; the noise is part of the kernel
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

    # Plans that differ little in every coordinate have nearly the same outcome: twice differentiable, as costs are.
    smooth = Matern(length_scale=[0.5] * columns, length_scale_bounds=(0.05, 20.0), nu=2.5)
    return ConstantKernel(1.0, (0.05, 50.0)) * smooth + WhiteKernel(1e-3, (1e-6, 0.3))
