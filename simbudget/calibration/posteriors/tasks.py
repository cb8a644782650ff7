"""Tasks that differ: how likely attempts solve them, and how much of what varies is between tasks.

An attempt at task i solves it with probability p_i, where logit p_i = logit(solved) + difficulty · z_i and z_i is
standard normal: a binomial mixture, the Rasch model of item response theory with random items (De Boeck, Psychometrika
73, 2008). Its likelihood is summed over z on a grid, and the posterior over a grid of the two parameters. It makes no
difference to the likelihood whether attempts at a task stop once one has solved it.

The prior: the mean probability over tasks is about uniform, and independently the difficulty half-normal with standard
deviation 4, since fitted spreads of agents on Terminal-Bench lie between 2.8 and 7.1 logits.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.special import expit, log_expit, logsumexp

from simbudget.arrays import Floats, Integers
from simbudget.distributions.base import NORMAL_P90
from simbudget.distributions.posteriors import Posterior

_PRIOR_DIFFICULTY: Final = 4.0
_HARDEST: Final = 14.0
"""The largest difficulty on the grid, beyond which the prior has 0.05 %."""
_MEANS = np.linspace(-7.0, 7.0, 71)
"""Logits of the mean probability over tasks: 0.1 % to 99.9 %."""
_DIFFICULTIES = np.linspace(0.0, _HARDEST, 57)
_NO_VARIANCE: Final = 1e-12
_FEWEST_TASKS: Final = 2
_SCORES = np.linspace(-4.5, 4.5, 181)
_ATTENUATION: Final = 0.346
"""The logit of the mean is near logit(solved) / √(1 + 0.346 difficulty²); Zeger, Liang and Albert, Biometrics 44, 1988,
section 3."""


def solved_by_task(
    hits: Integers,
    tries: Integers,
    worlds: int,
    rng: np.random.Generator,
    difficulty: float | None = None,
) -> tuple[Floats, Floats]:
    """Return [worlds] joint draws of `solved` and of `difficulty`.

    Args:
        hits: [tasks] attempts that solved each task.
        tries: [tasks] attempts at each task.
        worlds: how many draws.
        rng: what they are made from.
        difficulty: the standard deviation in logits, if it is known already.
    """
    sizes = _DIFFICULTIES if difficulty is None else np.array([difficulty])
    solves, fails, weights = _logarithms(tuple(sizes))
    log_posterior = np.zeros((len(_MEANS), len(sizes)))
    log_posterior += (log_expit(_MEANS) + log_expit(-_MEANS))[:, None]
    log_posterior -= (sizes / _PRIOR_DIFFICULTY) ** 2 / 2
    pairs, counts = np.unique(np.column_stack([hits, tries - hits]), axis=0, return_counts=True)
    for (hit, miss), count in zip(pairs, counts, strict=True):
        log_posterior += count * logsumexp(hit * solves + miss * fails, axis=-1, b=weights)
    chances = np.exp(log_posterior - log_posterior.max()).ravel()
    cells = rng.choice(len(chances), worlds, p=chances / chances.sum())
    mean, size = np.unravel_index(cells, log_posterior.shape)
    drawn = sizes[size]
    if difficulty is None:
        drawn = np.abs(drawn + (_DIFFICULTIES[1] - _DIFFICULTIES[0]) * rng.uniform(-0.5, 0.5, worlds))
    logit_mean = _MEANS[mean] + (_MEANS[1] - _MEANS[0]) * rng.uniform(-0.5, 0.5, worlds)
    return np.asarray(expit(logit_mean * _widening(drawn))), drawn


def _widening(difficulty: Floats) -> Floats:
    return np.asarray(np.sqrt(1.0 + _ATTENUATION * difficulty**2))


@lru_cache(maxsize=2)
def _logarithms(sizes: tuple[float, ...]) -> tuple[Floats, Floats, Floats]:
    """Return [means, difficulties, scores] log p and log(1 - p), and the [scores] weights of the tasks' scores."""
    difficulty = np.array(sizes)
    logit = _MEANS[:, None] * _widening(difficulty)
    logits = logit[:, :, None] + difficulty[None, :, None] * _SCORES
    density = np.exp(-(_SCORES**2) / 2)
    return log_expit(logits), log_expit(-logits), density / density.sum()


@dataclass(frozen=True)
class Components:
    """The variance between attempts in a quantity's logarithm, between tasks and within them."""

    between: float
    within: float
    attempts: int
    tasks: int
    size: float
    """Attempts at the task of an attempt, on average over attempts."""

    @property
    def share(self) -> float:
        """Return the part of the variance that is between tasks (the intraclass correlation)."""
        return self.between / max(self.between + self.within, _NO_VARIANCE)

    @property
    def design_effect(self) -> float:
        """Return the variance of a mean, relative to that of as many attempts at tasks of their own.

        Kish, Survey Sampling, section 5.4.
        """
        return 1.0 + (self.size - 1.0) * self.share

    def widened(self, posterior: Posterior) -> Posterior:
        """Return a posterior whose location is as uncertain as attempts at so few tasks leave it."""
        draws = posterior.draws.copy()
        centre = draws[:, 0].mean()
        draws[:, 0] = centre + (draws[:, 0] - centre) * np.sqrt(self.design_effect)
        return replace(posterior, draws=draws)

    def __str__(self) -> str:
        """Return its description in the evidence."""
        spread = np.exp(NORMAL_P90 * np.sqrt(self.between))
        return (
            f"{self.attempts:,} attempts at {self.tasks:,} tasks: {self.share:.0%} of the variance between "
            f"attempts is between tasks, whose p90/median is {spread:.3g}"
        )


def components_of(logs: Floats, task: npt.NDArray[np.str_] | Integers) -> Components | None:
    """Return the components of variance of logarithms by task; None if no task has two attempts, or there is one task.

    The analysis of variance of an unbalanced one-way layout (Searle, Casella and McCulloch, Variance Components,
    section 3.6).

    Args:
        logs: [attempts] logarithms of a quantity, all known.
        task: [attempts] the task of each.
    """
    _, which, counts = np.unique(task, return_inverse=True, return_counts=True)
    attempts, tasks = len(logs), len(counts)
    if tasks < _FEWEST_TASKS or attempts == tasks:
        return None
    means = np.bincount(which, logs) / counts
    within = float(((logs - means[which]) ** 2).sum() / (attempts - tasks))
    of_tasks = float((counts * (means - logs.mean()) ** 2).sum() / (tasks - 1))
    size = float((counts**2).sum() / attempts)
    between = max((of_tasks - within) / ((attempts - size) / (tasks - 1)), 0.0)
    return Components(between, within, attempts, tasks, size)
