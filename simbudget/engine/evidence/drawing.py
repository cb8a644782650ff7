"""Draws from quantities with NumPy for many runs at once; unknowns have the same value in all runs of a world."""

from typing import Final

import numpy as np
import numpy.typing as npt

from simbudget.distributions.base import NORMAL_P90
from simbudget.scenario.language.quantities import Kind, Quantity

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_TABLE: Final = 500


class Draws:
    """Draws of one quantity, one value per run; runs of a world share its unknown part."""

    def __init__(self, quantity: Quantity, world: Integers, rng: np.random.Generator) -> None:
        self._quantity, self._rng, self._runs = quantity, rng, len(world)
        worlds = int(world.max()) + 1
        self._fixed: Floats | None = None
        self._scatter: Floats | float = 0.0
        if quantity.posterior is not None:
            rows = quantity.posterior.draws[rng.integers(len(quantity.posterior.draws), size=worlds)][world]
            is_fact = quantity.posterior.is_fact
            self._fixed = rows[:, 0] if is_fact else np.exp(rows[:, 0])
            self._scatter = 0.0 if is_fact else np.hypot(rows[:, 1], rows[:, 2])
            return
        self._table = quantiles(quantity, _TABLE)
        if quantity.kind in (Kind.UNKNOWN, Kind.BOTH):
            parts = (rng.permutation(worlds) * _TABLE) // worlds
            self._fixed = self._table[parts][world]
            self._scatter = np.log(quantity.spread or 1.0) / NORMAL_P90

    def __call__(self) -> Floats:
        """Return [runs] draws."""
        if self._fixed is None:
            values = self._table[self._rng.integers(_TABLE, size=self._runs)]
        else:
            values = self._fixed * np.exp(self._scatter * self._rng.standard_normal(self._runs))
        return np.clip(values, self._quantity.low, self._quantity.high)


def quantiles(quantity: Quantity, count: int) -> Floats:
    """Return the [count] quantiles at the middles of equal steps of probability; those of its draws, if calibrated."""
    if quantity.posterior is not None and quantity.posterior.is_fact:
        middles = (np.arange(count) + 0.5) / count
        return np.asarray(np.quantile(quantity.posterior.draws[:, 0], middles))
    return np.array([quantity.distribution.quantile((k + 0.5) / count) for k in range(count)])
