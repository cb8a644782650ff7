"""What a calibration learnt about one quantity: joint draws of its parameters, and the shape of its scatter.

A varying value is exp(location + difference between contexts + scatter · t(z)), where t is the identity for a
lognormal and tabulated otherwise. Each draw of the parameters is one world, so that a world with slow models has them
everywhere.
"""

from dataclasses import dataclass

import numpy as np

from simbudget.arrays import Floats
from simbudget.distributions.base import CONSTANT, LOGNORMAL, SCORE_LIMIT, SCORE_POINTS, SHAPED, Row


def score_grid() -> Floats:
    """Return the normal scores at which a shape is tabulated, shape (SCORE_POINTS,)."""
    return np.linspace(-SCORE_LIMIT, SCORE_LIMIT, SCORE_POINTS)


@dataclass(frozen=True, eq=False)
class Posterior:
    """The knowledge about one quantity after calibration."""

    draws: Floats
    """Location (of the logarithm), scatter, and standard deviation between contexts, shape (worlds, 3); for a fact:
    its value, 0, 0."""
    shape: Floats | None = None
    """t at `score_grid`, with median about 0 and standard deviation about 1, shape (SCORE_POINTS,); None: lognormal."""
    is_fact: bool = False

    @classmethod
    def of_fact(cls, values: Floats) -> "Posterior":
        """Return the posterior of a fact.

        Args:
            values: draws of its value, shape (worlds,).
        """
        return cls(np.column_stack([values, np.zeros((len(values), 2))]), is_fact=True)

    def __eq__(self, other: object) -> bool:
        """Return whether both contain the same numbers."""
        return self._content() == other._content() if isinstance(other, Posterior) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._content())

    def _content(self) -> tuple[object, ...]:
        shape = None if self.shape is None else self.shape.tobytes()
        return self.is_fact, self.draws.shape, self.draws.tobytes(), shape

    def row(self, table: list[float]) -> Row:
        """Return the row; the shape and the draws are appended to the table (see `engine.laws.draws`).

        Args:
            table: the program's table of numbers; lookup values are appended.
        """
        shape_start = len(table)
        if self.shape is not None:
            table.extend(self.shape.tolist())
        draws_start = len(table)
        table.append(float(len(self.draws)))
        table.extend(self.draws.ravel().tolist())
        if self.is_fact:
            return Row(CONSTANT, float(self.draws[0, 0]), length=draws_start)
        code = LOGNORMAL if self.shape is None else SHAPED
        location, scatter, between = map(float, self.draws[0])
        return Row(code, location, scatter, between, shape_start, draws_start)

    def sample(self, scores: Floats, level_scores: Floats | None = None) -> Floats:
        """Draw varying values.

        Args:
            scores: normal scores of the draws, shape (worlds, ...).
            level_scores: normal scores of the differences between contexts, broadcastable to `scores`; None for none.

        Returns:
            Draws of shape (worlds, ...), each world with its own parameters.
        """
        location, scatter, between = (
            self.draws[:, k].reshape(-1, *(1,) * (scores.ndim - 1)) for k in range(3)
        )
        if self.is_fact:
            return np.broadcast_to(location, scores.shape)
        t = scores if self.shape is None else np.interp(scores, score_grid(), self.shape)
        levels = 0.0 if level_scores is None else between * level_scores
        return np.asarray(np.exp(location + levels + scatter * t))
