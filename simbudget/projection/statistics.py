"""The statistics of a projection's columns, each with its Monte-Carlo error.

Quantiles of values that are not kept come from DDSketch (Masson, Rim and Lee, "DDSketch: a fast and fully-mergeable
quantile sketch with relative-error guarantees", PVLDB 12 (2019)), which counts values in bins whose bounds grow by a
constant factor. A quantile is therefore within `ACCURACY` of the order statistic for any distribution, and the bins do
not depend on the order of the values, as reproducible projections require. KLL sketches bound the error of the rank,
but use random numbers that cannot be seeded. t-digests are smaller and faster but have no error bound: at a budget that
stops a third of the runs, they were wrong by 1 %.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from ddsketch import DDSketch

from simbudget.arrays import Floats, Integers

STATISTICS: Final = ("mean", "p10", "p50", "p90")
QUANTILES: Final = (0.1, 0.5, 0.9)

_RESAMPLES: Final = 200
"""Bootstrap resamples: a standard error is then known to within 5 % (1 ÷ √(2 · 200))."""


@dataclass(frozen=True)
class Spread:
    """The mean of a figure over replications, its median, and its middle 80 % from p10 to p90."""

    mean: float
    p10: float
    p50: float
    p90: float


@dataclass(frozen=True)
class Statistics:
    """The statistics of a projection's columns over its replications."""

    replications: int
    """Number of replications."""
    columns: tuple[str, ...]
    values: Floats
    """[statistics, columns] see `STATISTICS`; NaN if a column does not apply."""
    errors: Floats
    """[statistics, columns] Monte-Carlo standard errors."""
    within_budget: float
    """The share of replications with a spend of at most the budget; 1 without a budget."""
    within_budget_error: float

    def value(self, column: str, statistic: str = "mean") -> float:
        """Return a statistic of a column, both by name.

        Args:
            column: name of a column, such as `spend_usd`.
            statistic: one of `STATISTICS`.
        """
        return float(self.values[STATISTICS.index(statistic), self.columns.index(column)])

    def spread(self, column: str) -> Spread | None:
        """Return the statistics of a column by its name; None if it does not apply.

        Args:
            column: name of the column.
        """
        return self._spread(self.values, column)

    def error(self, column: str) -> Spread | None:
        """Return the Monte-Carlo error of each statistic of a column; None if there is none.

        Args:
            column: name of the column.
        """
        return self._spread(self.errors, column)

    def _spread(self, values: Floats, column: str) -> Spread | None:
        mean, p10, p50, p90 = map(float, values[:, self.columns.index(column)])
        return None if math.isnan(mean) else Spread(mean, p10, p50, p90)


def statistics(values: Floats) -> Floats:
    """Return the [statistics, columns] mean, p10, p50 and p90 of [replications, columns] values.

    Quantiles interpolate linearly between order statistics (Hyndman and Fan, "Sample quantiles in statistical
    packages", The American Statistician 50 (1996), definition 7).

    Args:
        values: [replications, columns] totals; a column with a NaN has NaN statistics.
    """
    return np.vstack([_mean(values), np.quantile(values, QUANTILES, axis=0)])


def monte_carlo_errors(values: Floats, worlds: Integers) -> Floats:
    """Return the [statistics, columns] standard errors due to the finite number of replications.

    A cluster bootstrap: whole worlds are drawn with replacement, since the replications of a world share their
    unknowns (Davison and Hinkley, "Bootstrap methods and their application", 1997, section 3.8). With a single
    world, its replications are drawn.

    Args:
        values: [replications, columns].
        worlds: [replications] the world of each replication.
    """
    if len(values) < 2:
        return np.full((len(STATISTICS), values.shape[1]), np.nan)
    resamples = _resamples(worlds)
    errors: Floats = np.std([statistics(values[rows]) for rows in resamples], axis=0, ddof=1)
    return errors


def _resamples(worlds: Integers) -> Iterator[Integers]:
    """Yield the rows of each resample: the replications of worlds drawn with replacement."""
    random = np.random.default_rng(0)  # a fixed seed, so that equal projections state equal errors
    names, members = np.unique(worlds, return_inverse=True)
    if len(names) in (1, len(worlds)):
        for _ in range(_RESAMPLES):
            yield random.integers(len(worlds), size=len(worlds))
        return
    ends = np.cumsum(np.bincount(members))
    clusters = np.split(np.argsort(members, kind="stable"), ends[:-1])
    for _ in range(_RESAMPLES):
        drawn = random.integers(len(clusters), size=len(clusters))
        yield np.concatenate([clusters[cluster] for cluster in drawn])


def _mean(values: Floats) -> Floats:
    """Return the mean of each column, independent of the other columns, and exact for a constant column."""
    columns = np.ascontiguousarray(values.T)
    first = columns[:, :1]
    mean: Floats = first[:, 0] + (columns - first).mean(axis=1)
    return mean


ACCURACY: Final = 0.001
"""Maximum relative error of a quantile."""


class Sketches:
    """Quantiles of [rows, columns] values that arrive in chunks; those of a column with a NaN are NaN."""

    def __init__(self, columns: int) -> None:
        self._sketches = [DDSketch(ACCURACY) for _ in range(columns)]
        self._least = np.full(columns, np.inf)
        self._most = np.full(columns, -np.inf)

    def add(self, values: Floats) -> None:
        """Count [rows, columns] values.

        Args:
            values: [rows, columns] values.
        """
        self._least = np.minimum(self._least, values.min(axis=0))
        self._most = np.maximum(self._most, values.max(axis=0))
        for sketch, column in zip(self._sketches, values.T, strict=True):
            distinct, counts = np.unique(column, return_counts=True)
            for value, count in zip(distinct.tolist(), counts.tolist(), strict=True):
                sketch.add(value, count)

    def quantiles(self, parts: Sequence[float]) -> Floats:
        """Return the [parts, columns] quantiles, each within `ACCURACY` of the order statistic.

        Args:
            parts: shares of the values that lie below, from 0 to 1.
        """
        found = [[sketch.get_quantile_value(part) for sketch in self._sketches] for part in parts]
        quantiles: Floats = np.clip(np.array(found, dtype=np.float64), self._least, self._most)
        return quantiles
