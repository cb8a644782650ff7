"""The aggregate of a projection: statistics of replications that arrive in order, in bounded memory.

The first `KEPT` replications are kept as rows, and statistics are exact if there are no more. Later replications only
enter sums and sketches, so that a projection of any length needs the memory of `KEPT` rows. Rows are folded into sums
in chunks of a fixed size, so that floating-point sums do not depend on the blocks in which the rows arrived.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from simbudget.arrays import Floats, Integers
from simbudget.engine.program import Program
from simbudget.engine.totals import totals
from simbudget.ledger.entry import COMPONENTS
from simbudget.projection.blocks import SimulatedBlock
from simbudget.projection.months import DEAREST_MONTH, Calendar
from simbudget.projection.statistics import QUANTILES, Sketches, Statistics, monte_carlo_errors, statistics

KEPT: Final = 10_000
"""Maximum number of replications kept as rows."""

ERRORS_FROM: Final = 2_000
"""Maximum number of replications used to estimate Monte-Carlo errors; those of a longer projection are scaled down."""

_CHUNK: Final = 1_000
"""Replications added to the sketches at once; NumPy then counts equal values in bulk, and a chunk is a few MB."""
_TOKENS: Final = COMPONENTS.index("tokens")


@dataclass(frozen=True)
class Rows:
    """Replications as rows."""

    worlds: Integers
    values: Floats
    """[replications, columns]"""
    spend_by_time_usd: Floats
    """[replications, bins]"""


class Aggregate:
    """The replications of a projection so far."""

    def __init__(self, program: Program, calendar: Calendar) -> None:
        self._program, self._calendar = program, calendar
        self._kept: list[Rows] = []
        self._unfolded: list[Floats] = []
        self._folded: _Folded | None = None
        self._within_budget = 0
        self.columns: tuple[str, ...] = ()
        self.replications = 0
        self.worlds = 0

    def add(self, block: SimulatedBlock) -> None:
        """Add the next replications.

        Args:
            block: the next replications, in order.
        """
        rows = self._rows(block)
        room = max(0, KEPT - self.replications)
        if room:
            self._kept.append(Rows(rows.worlds[:room], rows.values[:room], rows.spend_by_time_usd[:room]))
        self._unfolded.append(rows.values)
        self.replications += len(block)
        self.worlds = max(self.worlds, int(block.worlds.max()) + 1)
        spend = rows.values[:, self.columns.index("spend_usd")]
        self._within_budget += int((spend <= self._program.budget_usd).sum())
        if self.replications > KEPT:
            self._fold(_CHUNK)

    def kept(self) -> Rows:
        """Return the first `KEPT` replications."""
        if len(self._kept) > 1:
            self._kept = [
                Rows(
                    np.concatenate([rows.worlds for rows in self._kept]),
                    np.concatenate([rows.values for rows in self._kept]),
                    np.concatenate([rows.spend_by_time_usd for rows in self._kept]),
                )
            ]
        return self._kept[0]

    def frame(self) -> pd.DataFrame:
        """Return the first `KEPT` replications as a frame: `world`, then one column for each figure."""
        rows = self.kept()
        frame = pd.DataFrame(rows.values, columns=list(self.columns))
        frame.insert(0, "world", rows.worlds)
        frame.attrs = {"replications": self.replications, "kept": len(frame)}
        return frame

    def statistics(self, *columns: str) -> Statistics:
        """Return the statistics of these columns, or of all."""
        names = columns or self.columns
        places = [self.columns.index(name) for name in names]
        rows = self.kept()
        basis = slice(0, ERRORS_FROM)
        shrinks = self._shrinks(rows.worlds[basis])
        spend = rows.values[basis, self.columns.index("spend_usd"), np.newaxis]
        within = (spend <= self._program.budget_usd).astype(np.float64)
        return Statistics(
            self.replications,
            names,
            self._statistics(places),
            shrinks * monte_carlo_errors(rows.values[basis, places], rows.worlds[basis]),
            self._within_budget / self.replications,
            float(shrinks * monte_carlo_errors(within, rows.worlds[basis])[0, 0]),
        )

    def _statistics(self, places: list[int]) -> Floats:
        if self.replications <= KEPT:
            return statistics(self.kept().values[:, places])
        self._fold(1)
        assert self._folded is not None
        return self._folded.statistics()[:, places]

    def _shrinks(self, worlds: Integers) -> float:
        """Return the factor by which the errors of all replications are smaller than those from these worlds.

        Worlds are independent, so errors are proportional to one over the square root of their number. If
        replications take turns in a few worlds, more of them also reduce the variance within worlds. This is
        ignored, so that errors are stated too large rather than too small.
        """
        if self.worlds == 1:
            return float(np.sqrt(len(worlds) / self.replications))
        return float(np.sqrt(len(np.unique(worlds)) / self.worlds))

    def _rows(self, block: SimulatedBlock) -> Rows:
        figures = totals(self._program, block.sums)
        figures[DEAREST_MONTH] = self._calendar.dearest_month(block.by_time_usd[:, _TOKENS])
        self.columns = tuple(figures)
        return Rows(block.worlds, np.column_stack(list(figures.values())), block.by_time_usd.sum(axis=1))

    def _fold(self, at_least: int) -> None:
        """Fold whole chunks of rows into sums and sketches, and a smaller last one if it has `at_least` rows."""
        rows = np.concatenate(self._unfolded) if self._unfolded else np.empty((0, len(self.columns)))
        first = 0
        while len(rows) - first >= at_least:
            chunk = rows[first : first + _CHUNK]
            if not len(chunk):
                break
            self._folded = self._folded or _Folded(chunk[0])
            self._folded.add(chunk)
            first += len(chunk)
        self._unfolded = [rows[first:].copy()] if first < len(rows) else []


class _Folded:
    """Sums and sketches of rows that are no longer kept."""

    def __init__(self, first: Floats) -> None:
        self._first = first.copy()
        self._sums = np.zeros_like(first)
        self._rows = 0
        self._sketches = Sketches(len(first))

    def add(self, chunk: Floats) -> None:
        self._sums += (chunk - self._first).sum(axis=0)
        self._rows += len(chunk)
        self._sketches.add(chunk)

    def statistics(self) -> Floats:
        """Return the [statistics, columns] mean, p10, p50 and p90."""
        mean = self._first + self._sums / self._rows
        quantiles = self._sketches.quantiles(QUANTILES)
        return np.vstack([mean, np.where(np.isnan(mean), np.nan, quantiles)])
