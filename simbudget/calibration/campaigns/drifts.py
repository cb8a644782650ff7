"""Drifts of campaigns: how pace, durations and failures differ between beginning and remainder, learnt from others.

Pace: the logarithm of the ratio of the remainder's rate of experiments to the beginning's is linear in two covariates.
One is the burstiness of the beginning, since heavy-tailed pauses take an increasing share of the time (Feller, An
Introduction to Probability Theory II, section XIV.3). The other is the logarithm of the campaign's length in days,
times the irregularity of agents' results: if people are in the loop, longer campaigns include their nights and
weekends. The errors are Student's t, fitted by reweighting (Lange, Little and Taylor, JASA 84 (1989), 881), under a
weak prior; the residuals of other campaigns are resampled.

Durations: only varying durations drift. The logarithm of the ratio of means is proportional to their spread in the
beginning.

Failures: since failures come in bursts, the beginning of a campaign has the weight of a limited number of experiments
relative to other campaigns' remainders (beta-binomial; its three parameters by maximum likelihood).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from simbudget.arrays import Floats
from simbudget.calibration.campaigns.beginnings import Beginning, Course
from simbudget.calibration.posteriors.shapes import midpoint_scores

_HALF: Final = 0.5
_FEWEST: Final = 4
"""Fewest experiments of a beginning for learning pace."""
_POISSON: Final = float(np.log(1.0 / np.log(2.0)))
"""Irregularity of a Poisson stream: the logarithm of mean over median of exponential times."""
_PRIOR_MEAN: Final = (0.0, -0.5, 0.0)
_PRIOR_DEVIATION: Final = (0.3, 0.5, 0.5)
"""Prior of the coefficients; see `PaceDrift.line`."""
_FREEDOM: Final = 3.0
_ROUNDS: Final = 20
_LEAST_VARIANCE: Final = 0.02
_ASSUMED_PACE: Final = (-0.4, -0.2, 0.0, 0.2, 0.4)
"""Residuals assumed in addition to the observed ones, each with the weight of one campaign."""
_KERNEL: Final = 0.2
_ASSUMED_DURATION: Final = (-1.0, -0.5, 0.0, 0.5, 1.0)
_DURATION_KERNEL: Final = 0.3
_LEAST_SPREAD: Final = 0.03
_MOST_SPREAD: Final = 0.6
_RATES: Final = (0.01, 0.02, 0.04, 0.07, 0.12, 0.2, 0.3)
_WEIGHTS: Final = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
_MOST_COUNTED: Final = (2.0, 5.0, 10.0, 20.0, 50.0, 200.0)
_ASSUMED_RATE: Final = (0.07, 1.0, 20.0)
"""Rate, weight and count of failures where no campaign is known."""


@dataclass(frozen=True, eq=False)
class PaceDrift:
    """The drift of pace, given burstiness and length."""

    line: Floats
    """[3] in steady campaigns of a day, for each unit of bursts, for each unit of irregular days."""
    residuals: Floats

    @classmethod
    def learnt(cls, courses: Sequence[Course]) -> "PaceDrift":
        """Return the drift fitted to other campaigns."""
        usable = [course for course in courses if course.begun.experiments >= _FEWEST]
        ratios = np.array([_log_pace(course) for course in usable])
        design = np.array([_regressors(course.begun, course.days) for course in usable]).reshape(-1, 3)
        precision = np.diag(1.0 / np.square(_PRIOR_DEVIATION))
        weights, variance = np.ones(len(usable)), 1.0
        line, residuals = np.array(_PRIOR_MEAN), ratios
        for _ in range(_ROUNDS if usable else 0):
            normal = design.T @ (weights[:, None] * design) / variance + precision
            line = np.linalg.solve(
                normal, design.T @ (weights * ratios) / variance + precision @ np.array(_PRIOR_MEAN)
            )
            residuals = ratios - design @ line
            variance = float((weights * residuals**2).mean()) + _LEAST_VARIANCE
            weights = (_FREEDOM + 1) / (_FREEDOM + residuals**2 / variance)
        count = len(usable)
        if count > _FEWEST:  # residuals are of campaigns that were fitted; a new one is farther off
            residuals = residuals * np.sqrt((count + 1) / (count - len(line)))
        return cls(line, np.concatenate([residuals, _ASSUMED_PACE]))

    def draws(self, begun: Beginning, days: float, worlds: int, rng: np.random.Generator) -> Floats:
        """Return [worlds] draws of log(remaining pace / initial pace) for a campaign of the given length.

        Args:
            begun: the beginning.
            days: the whole campaign's length.
            worlds: number of joint draws.
            rng: what the draws are made from.
        """
        return np.asarray(
            _regressors(begun, days) @ self.line + _smoothed(self.residuals, _KERNEL, worlds, rng)
        )


def _regressors(begun: Beginning, days: float) -> Floats:
    """Return 1; bursts, which are irregularity beyond that of a Poisson stream; and irregular days.

    Days count in full if agents' results come as irregularly as a Poisson stream, and not if like clockwork.
    """
    bursts = max(begun.irregularity - _POISSON, 0.0)
    clockless = min(begun.agents_irregularity / _POISSON, 1.0)
    return np.array([1.0, bursts, clockless * max(float(np.log(days)), 0.0)])


def _log_pace(course: Course) -> float:
    ratio = (course.rest_experiments + _HALF) / (course.begun.experiments + _HALF)
    return float(np.log(ratio) - np.log((1 - course.cut) / course.cut))


def duration_drifts(
    courses: Sequence[Course], begun: Beginning, worlds: int, rng: np.random.Generator
) -> Floats:
    """Return [worlds] draws of log(remaining mean duration / initial mean duration).

    Args:
        courses: of other campaigns.
        begun: the beginning.
        worlds: number of joint draws.
        rng: what the draws are made from.
    """
    seen = [
        float(np.log(course.rest_duration_s / course.begun.duration_s)) / _bounded(course.begun.spread)
        for course in courses
        if course.rest_duration_s > 0 and course.begun.duration_s > 0 and np.isfinite(course.begun.spread)
    ]
    units = _smoothed(np.concatenate([seen, _ASSUMED_DURATION]), _DURATION_KERNEL, worlds, rng)
    spread = begun.spread if np.isfinite(begun.spread) else _MOST_SPREAD
    return np.asarray(units * _bounded(spread))


def _smoothed(values: Floats, kernel: float, worlds: int, rng: np.random.Generator) -> Floats:
    """Return [worlds] draws around values, each equally often, with noise at equal steps of probability."""
    scores = midpoint_scores(worlds)
    return np.asarray(
        rng.permutation(np.resize(rng.permutation(values), worlds)) + kernel * rng.permutation(scores)
    )


def _bounded(spread: float) -> float:
    return min(spread, _MOST_SPREAD) + _LEAST_SPREAD


def failure_rates(
    courses: Sequence[Course], begun: Beginning, worlds: int, rng: np.random.Generator
) -> Floats:
    """Return [worlds] draws of the remaining experiments' failure rate, for campaigns with failures.

    Args:
        courses: of other campaigns.
        begun: the beginning.
        worlds: number of joint draws.
        rng: what the draws are made from.
    """
    rate, weight, most = _failure_law([c for c in courses if c.begun.failed + c.rest_failed > 0])
    counted = min(1.0, most / max(begun.experiments, 1))
    hits, misses = counted * begun.failed, counted * (begun.experiments - begun.failed)
    return rng.beta(rate * weight + hits, (1 - rate) * weight + misses, worlds)


def _failure_law(courses: Sequence[Course]) -> tuple[float, float, float]:
    """Return rate and weight of the prior, and the largest weight of a beginning, in experiments."""
    from scipy.special import betaln  # noqa: PLC0415  slow to import

    if len(courses) < _FEWEST:
        return _ASSUMED_RATE
    begun = np.array([[c.begun.failed, c.begun.experiments - c.begun.failed] for c in courses], dtype=float)
    rest = np.array([[c.rest_failed, c.rest_experiments - c.rest_failed] for c in courses], dtype=float)
    best, found = -np.inf, _ASSUMED_RATE
    for rate in _RATES:
        for weight in _WEIGHTS:
            for most in _MOST_COUNTED:
                counted = np.minimum(1.0, most / np.maximum(begun.sum(axis=1), 1.0))
                a, b = rate * weight + counted * begun[:, 0], (1 - rate) * weight + counted * begun[:, 1]
                chance = float((betaln(a + rest[:, 0], b + rest[:, 1]) - betaln(a, b)).sum())
                if chance > best:
                    best, found = chance, (rate, weight, most)
    return found
