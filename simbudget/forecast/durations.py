"""Durations of the rest of a run that has begun: calls, and the gaps between them.

Over the runs of a project, levels of beginning and rest (see `posteriors.durations`) are jointly normal, and so are
their means over projects (Gelman et al., Bayesian Data Analysis, 3rd edition, sections 3.6 and 5.4): a short beginning,
a few other runs and what is usual each speak as far as they know something.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from simbudget.arrays import Floats
from simbudget.calibration.posteriors.durations import level_of, ratios_of, shape_of_ratios, without_chance
from simbudget.distributions.posteriors import Posterior

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
    """What is known of runs of any project: of logarithms, those of beginning and rest."""

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

    @property
    def normal(self) -> "Normal":
        """Return it as means and covariances."""
        both = np.array([[1.0, _ALIKE], [_ALIKE, 1.0]])
        runs = np.array([[self.first_variance, self.shared], [self.shared, self.rest_variance]])
        return Normal(np.array([self.first, self.rest]), self.between * both, runs)


@dataclass(frozen=True, eq=False)
class Normal:
    """Some numbers of a run, normal over runs of a project, and their means over projects; the last is wanted."""

    means: Floats
    over_projects: Floats
    over_runs: Floats


PRIORS: Final = {
    "gap_s": Prior(1.8, 2.1, 6.0, 3.0, 1.5, 0.8, 1.7),
    "wait_s": Prior(1.0, 1.0, 6.0, 3.0, 2.0, 0.8, 2.5),
    "call_s": Prior(1.2, 1.3, 1.0, 0.3, 0.2, 0.1, 0.6),
}
"""By quantity, rounded from the projects that the models were built on (docs/calibration.md)."""

CALLS_LEFT: Final = Normal(
    np.array([2.5, 7.0, 3.7]),
    np.array([[0.3, 0.0, 0.25], [0.0, 6.0, 0.0], [0.25, 0.0, 0.3]]),
    np.array([[0.9, 0.3, 0.3], [0.3, 1.8, 0.6], [0.3, 0.6, 0.7]]),
)
"""Logarithms of a beginning's calls, of the seconds that a rest takes, and of its calls."""


@dataclass(frozen=True, eq=False)
class Course:
    """One run, and where it stands."""

    durations_s: Floats
    first: int
    """How many of the durations belong to the beginning; of the run that is projected, all."""

    @property
    def parted(self) -> tuple[Floats, Floats]:
        """Return the durations of beginning and rest."""
        return self.durations_s[: self.first], self.durations_s[self.first :]


def part_of(durations_s: Floats, share: float) -> Course:
    """Return a whole run of which a share is the beginning."""
    count = len(durations_s)
    return Course(durations_s, min(max(2, int(np.ceil(share * count))), count - 1))


@dataclass(frozen=True, eq=False)
class DurationHistory:
    """What other runs teach of durations, each cut where the run at hand stands."""

    prior: Prior
    parts: list[tuple[Floats, Floats]]
    """Durations of beginnings and rests."""
    most_s: float
    """A beginning's durations count no more than this."""
    levels: Floats
    """[runs, 2] logarithms of the means of both."""
    chance: float
    """The part of the scatter of rests' levels that is not the chance of which durations a rest had."""
    shape: tuple[Floats, float, float] | None
    """Of ratios to a rest's mean: table, centre, scatter; None: there are no other runs."""


def duration_history(prior: Prior, others: Sequence[Floats], cut: float) -> DurationHistory:
    """Return what other runs teach of durations.

    Args:
        prior: of this kind of duration.
        others: [runs] seconds of other whole runs.
        cut: the part of a run that its beginning is.
    """
    courses = [part_of(run, cut) for run in others if len(run) > 1]
    parts = [courses[k].parted for k in telling([len(run.durations_s) for run in courses])]
    seen_s = np.concatenate([*(part for both in parts for part in both), np.zeros(0)])
    most_s = float(np.quantile(seen_s, _CUT)) if len(seen_s) else float("inf")
    levels = [[level_of(np.minimum(first, most_s)), level_of(rest)] for first, rest in parts]
    rests = [rest for _, rest in parts]
    spread = float(np.std([level for _, level in levels])) if len(levels) > 1 else 1.0
    ratios = [ratios_of(rest) for rest in rests]
    shape = shape_of_ratios(np.concatenate(ratios), prior.log_scatter) if ratios else None
    return DurationHistory(
        prior, parts, most_s, np.array(levels).reshape(-1, 2), without_chance(spread, rests), shape
    )


def remaining_durations(
    history: DurationHistory, begun: Floats, worlds: int, rng: np.random.Generator
) -> Posterior:
    """Return the posterior of durations for the remaining calls of a run that has begun.

    Args:
        history: what other runs teach.
        begun: seconds, of what the run has shown.
        worlds: how many joint draws.
        rng: what the draws are made from.
    """
    own = np.array([level_of(np.minimum(begun, history.most_s))]) if len(begun) else np.zeros(0)
    location, scale, freedom = predictive(history.prior.normal, history.levels, own)
    drawn = location + scale * history.chance * rng.standard_t(freedom, worlds)
    means = np.minimum(drawn, _MOST_LOG)
    table, centre, scatter = history.shape or shape_of_ratios(ratios_of(begun), history.prior.log_scatter)
    return Posterior(np.column_stack([means + centre, np.full(worlds, scatter), np.zeros(worlds)]), table)


def telling(counts: Sequence[int]) -> list[int]:
    """Return which runs, of so many values, say something of one that is long enough to be projected."""
    long = [k for k, count in enumerate(counts) if count >= _LONG]
    return long if len(long) >= _ENOUGH else [k for k, count in enumerate(counts) if count >= _FEWEST]


def predictive(prior: Normal, levels: Floats, own: Floats) -> tuple[float, float, float]:
    """Return location, scale and degrees of freedom of the t that the last number of a run has.

    Args:
        prior: what is known beforehand.
        levels: [runs, numbers] of other runs.
        own: what is known of the run itself: all numbers but the last, or none.
    """
    count, mean, project = len(levels), prior.means, prior.over_projects
    off = levels - levels.mean(axis=0) if count else levels
    freedom = _RUNS_WORTH + max(count - 1, 0)
    runs = (_RUNS_WORTH * prior.over_runs + off.T @ off) / freedom
    if count:
        gain = project @ np.linalg.inv(project + runs / count)
        mean = mean + gain @ (levels.mean(axis=0) - mean)
        project = project - gain @ project
    spread = project + runs
    if not len(own):
        return float(mean[-1]), float(np.sqrt(spread[-1, -1])), freedom
    slopes = np.linalg.solve(spread[:-1, :-1], spread[:-1, -1])
    variance = spread[-1, -1] - slopes @ spread[:-1, -1]
    return float(mean[-1] + slopes @ (own - mean[:-1])), float(np.sqrt(variance)), freedom
