"""A quantity that moves along a run: from where it stood last it may go on, stay, or come back.

A pilot's contexts fill with notes, agents learn where to look: its second half is then not like its first, and a longer
run will be like neither. The level of each half is taken for a step of a random walk (the local level model: Durbin and
Koopman, Time Series Analysis by State Space Methods, 2nd edition, section 2.1), whose next step is what a longer run
goes on with. A step's variance is that of the two levels beyond their errors; with none beyond chance nothing moves.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from simbudget.distributions.posteriors import Posterior

Floats = npt.NDArray[np.float64]

_FEWEST_CONTEXTS: Final = 8
_CERTAIN: Final = 2.5
"""Standard errors between the halves: with six contexts in each, chance alone gives more once in thirty quantities."""


@dataclass(frozen=True)
class Move:
    """By how much what comes differs from what was seen on the whole, on the scale of logarithms."""

    halves: float
    """The logarithm of the second half's mean over the first's."""
    shift: float
    """From the mean of all that was seen to what is expected."""
    deviation: float
    """What the move adds to the standard deviation of the level."""

    def applied(self, posterior: Posterior, rng: np.random.Generator) -> Posterior:
        """Return a posterior whose location has moved; [worlds] further normal scores are drawn."""
        draws = posterior.draws.copy()
        draws[:, 0] += self.shift + self.deviation * rng.standard_normal(len(draws))
        return Posterior(draws, posterior.shape)

    def __str__(self) -> str:
        """Return what is said of it as evidence."""
        return (
            f"moves: the second half of a run has {np.exp(self.halves):.2f} times the first's; it may go on"
        )


def move_of(contexts: Sequence[Floats], runs: Sequence[int]) -> Move | None:
    """Return how a quantity moves along runs; None if it does not, or if too few contexts tell.

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
    if abs(halves) < _CERTAIN * np.sqrt(error2) or not np.isfinite(halves):
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
