"""Durations of the rest of a run that has begun: calls, and the gaps between them.

Over the runs of a project, levels of beginning and rest (see `durations`) are jointly normal, and so are their means
over projects (Gelman et al., Bayesian Data Analysis, 3rd edition, sections 3.6 and 5.4): a short beginning, a few other
runs and what is usual each speak as far as they know something. Where it is known how long the rest takes, that speaks
too: a run that goes on for days has long gaps more often than many calls.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from simbudget.calibration.durations import level_of, ratios_of, shape_of_ratios, without_chance
from simbudget.distributions.posteriors import Posterior

Floats = npt.NDArray[np.float64]

_FEWEST: Final = 5
"""Shorter runs have no beginning and no rest."""
_LONG: Final = 14
_ENOUGH: Final = 8
"""With so many runs that are long, shorter ones are left aside: they are of another kind."""
_CUT: Final = 0.95
"""A beginning's durations count no more than this quantile of all: one night says nothing of the next."""
_ALIKE: Final = 0.95
_RUNS_WORTH: Final = 4.0
"""The prior's covariance over runs counts as so many runs."""
_MOST_LOG: Final = 18.0
"""No mean duration is longer than e^18 s, some two years."""


@dataclass(frozen=True)
class Prior:
    """What is known of runs of any project: of the logarithms of their mean durations."""

    first: float
    rest: float
    """Means of beginning and rest."""
    between: float
    """Variance over projects, which beginning and rest share but for a twentieth."""
    first_variance: float
    rest_variance: float
    """Over runs of a project."""
    shared: float
    """Their covariance."""
    log_scatter: float
    """Standard deviation of the logarithm of a duration over its run's mean."""
    length: float
    """Mean logarithm of the seconds that a rest takes."""
    length_slope: float
    """How far that goes with the level of the rest."""
    length_own: float
    """Variance of what is left of it."""

    @property
    def means(self) -> Floats:
        """Return [3] means of beginning, length and rest."""
        return np.array([self.first, self.length, self.rest])

    @property
    def over_projects(self) -> Floats:
        """Return the [3, 3] covariance of projects' means of beginning, length and rest."""
        return self._with_length(self.between, self.between, _ALIKE * self.between)

    @property
    def over_runs(self) -> Floats:
        """Return the same over runs of a project."""
        return self._with_length(self.first_variance, self.rest_variance, self.shared)

    def _with_length(self, first: float, rest: float, shared: float) -> Floats:
        slope = self.length_slope
        length = slope**2 * rest + self.length_own
        return np.array(
            [
                [first, slope * shared, shared],
                [slope * shared, length, slope * rest],
                [shared, slope * rest, rest],
            ]
        )


PRIORS: Final = {
    "tool_time": Prior(1.8, 2.1, 6.0, 3.0, 1.5, 0.8, 1.7, 6.5, 0.8, 0.8),
    "first_token": Prior(1.2, 1.3, 1.0, 0.3, 0.2, 0.1, 0.6, 6.5, 0.4, 3.0),
}
"""By quantity, rounded from the projects that the models were built on (docs/calibration.md)."""


@dataclass(frozen=True, eq=False)
class Course:
    """Durations of one run, and where it stands."""

    durations_s: Floats
    share: float
    """Which part of them belongs to the beginning; of the run that is projected, there is no more."""
    rest_s: float = float("nan")
    """How long its rest takes, if that is taken into account."""

    def parted(self) -> tuple[Floats, Floats]:
        """Return the durations of beginning and rest."""
        count = len(self.durations_s)
        first = min(max(2, int(np.ceil(self.share * count))), count - 1)
        return self.durations_s[:first], self.durations_s[first:]


def rest_durations(
    prior: Prior, others: Sequence[Course], begun: Course, worlds: int, rng: np.random.Generator
) -> Posterior:
    """Return the posterior of durations for the rest of a run that has begun.

    Args:
        prior: of this kind of duration.
        others: other runs, whole.
        begun: what the run has shown.
        worlds: how many joint draws.
        rng: what the draws are made from.
    """
    runs = [others[k] for k in telling([len(run.durations_s) for run in others])]
    seen_s = np.concatenate([*(run.durations_s for run in runs), begun.durations_s])
    most_s = float(np.quantile(seen_s, _CUT)) if len(seen_s) else 0.0
    parts = [run.parted() for run in runs]
    levels = np.array(
        [
            [level_of(np.minimum(first, most_s)), np.log(max(run.rest_s, 1.0)), level_of(rest)]
            for run, (first, rest) in zip(runs, parts, strict=True)
        ]
    ).reshape(-1, 3)
    own = np.array([level_of(np.minimum(begun.durations_s, most_s)), np.log(max(begun.rest_s, 1.0))])
    known = [bool(len(begun.durations_s)), bool(np.isfinite(begun.rest_s))]
    location, scale, freedom = _predictive(prior, levels, own, known)
    scale *= without_chance(scale, [rest for _, rest in parts])
    means = np.minimum(location + scale * rng.standard_t(freedom, worlds), _MOST_LOG)
    ratios = [ratios_of(rest) for _, rest in parts] or [ratios_of(begun.durations_s)]
    shape, centre, scatter = shape_of_ratios(np.concatenate(ratios), prior.log_scatter)
    return Posterior(np.column_stack([means + centre, np.full(worlds, scatter), np.zeros(worlds)]), shape)


def telling(counts: Sequence[int]) -> list[int]:
    """Return which runs, of so many values, say something of one that is long enough to be projected."""
    long = [k for k, count in enumerate(counts) if count >= _LONG]
    return long if len(long) >= _ENOUGH else [k for k, count in enumerate(counts) if count >= _FEWEST]


def _predictive(
    prior: Prior, levels: Floats, own: Floats, known: Sequence[bool]
) -> tuple[float, float, float]:
    """Return location, scale and degrees of freedom of the t that a run's level of the rest has.

    Args:
        prior: what is known beforehand.
        levels: [runs, 3] of beginning, length and rest of other runs.
        own: [2] beginning and length of the run itself.
        known: which of these two there are.
    """
    which = [k for k in (0, 1) if known[k]]
    kept = [*which, 2]
    levels, project = levels[:, kept], prior.over_projects[np.ix_(kept, kept)]
    count, mean = len(levels), prior.means[kept]
    off = levels - levels.mean(axis=0) if count else levels
    freedom = _RUNS_WORTH + max(count - 1, 0)
    runs = (_RUNS_WORTH * prior.over_runs[np.ix_(kept, kept)] + off.T @ off) / freedom
    if count:
        gain = project @ np.linalg.inv(project + runs / count)
        mean = mean + gain @ (levels.mean(axis=0) - mean)
        project = project - gain @ project
    spread = project + runs
    slopes = np.linalg.solve(spread[:-1, :-1], spread[:-1, -1])
    variance = spread[-1, -1] - slopes @ spread[:-1, -1]
    location = mean[-1] + slopes @ (own[which] - mean[:-1])
    return float(location), float(np.sqrt(variance)), freedom
