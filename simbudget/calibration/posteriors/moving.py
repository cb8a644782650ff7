"""A quantity that moves along a run, as a random walk.

As a pilot's contexts fill with notes and agents learn where to look, its second half differs from its first, and a
longer run will differ from both. The levels of the halves are taken as steps of a random walk (the local level model:
Durbin and Koopman, Time Series Analysis by State Space Methods, 2nd edition, section 2.1), whose next step is the level
of the continuation. The variance of a step is the squared difference between the levels beyond their errors; if the
difference is within chance, the quantity does not move.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from simbudget.arrays import Floats
from simbudget.distributions.posteriors import Posterior

_FEWEST_CONTEXTS: Final = 8
_CERTAIN: Final = 2.5
"""Threshold in standard errors; with six contexts in each half, chance alone exceeds it in 1 of 30 quantities."""


@dataclass(frozen=True)
class Move:
    """The difference of the continuation from the mean of all observations, on the log scale."""

    halves: float
    """The logarithm of the second half's mean over the first's."""
    shift: float
    """Shift from the mean of all observations to the expected level."""
    deviation: float
    """Additional standard deviation of the level."""

    def applied(self, posterior: Posterior, rng: np.random.Generator) -> Posterior:
        """Return a posterior whose location has moved; [worlds] further normal scores are drawn.

        Args:
            posterior: before the move.
            rng: what the draws are made from.
        """
        draws = posterior.draws.copy()
        draws[:, 0] += self.shift + self.deviation * rng.standard_normal(len(draws))
        return Posterior(draws, posterior.shape)

    def __str__(self) -> str:
        """Return its description in the evidence."""
        return (
            f"moves: the second half of a run has {np.exp(self.halves):.2f} times the first's; it may go on"
        )


def move_of(contexts: Sequence[Floats], runs: Sequence[int]) -> Move | None:
    """Return the movement of a quantity along runs; None if there is none, or too few contexts.

    Args:
        contexts: [contexts] arrays of at least one positive value, in the order in which the contexts began.
        runs: [contexts] the run of each.
    """
    which, means = np.asarray(runs), np.array([values.mean() for values in contexts])
    is_late = np.zeros(len(which), dtype=np.bool_)
    tells = np.zeros(len(which), dtype=np.bool_)
    for run in np.unique(which):
        (own,) = np.nonzero(which == run)
        if len(own) >= _FEWEST_CONTEXTS and means[own].mean() > 0:
            tells[own] = True
            is_late[own[len(own) // 2 :]] = True
            means[own] /= means[own].mean()
    if not tells.any():
        return None
    (first, before), (second, after) = (_level(means[tells & half]) for half in (~is_late, is_late))
    halves, error2 = second - first, before + after
    if abs(halves) <= _CERTAIN * np.sqrt(error2) or not np.isfinite(halves):
        return None
    step2 = halves**2 - error2
    gain = (before + step2) / (before + step2 + after)
    beyond2 = (1.0 - gain) * (before + step2) + step2 - error2 / 4
    return Move(float(halves), float((gain - 0.5) * halves), float(np.sqrt(max(beyond2, 0.0))))


def _level(means: Floats) -> tuple[float, float]:
    """Return the logarithm of a mean, and the variance of its error."""
    mean = means.mean()
    if mean <= 0:
        return float("-inf"), 0.0
    return float(np.log(mean)), float(means.var(ddof=1) / len(means) / mean**2)
