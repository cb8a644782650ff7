"""Backtests over whole runs: some are known, and the others are forecast, all together and each by itself."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from simbudget.arrays import Floats
from simbudget.forecast.cases import BOOTSTRAP, STRAIGHT_LINE, Case
from simbudget.forecast.whole_runs import QUANTITIES, further_runs, run_totals
from simbudget.ledger.imported import ImportedLedger

SPLITS: Final = 20
"""How many random splits into known and unknown runs are tried."""
_FEWEST_RUNS: Final = 10
_FEWEST_KNOWN: Final = 4
NEW_RUNS: Final = 5
"""Single runs scored in each split; more would only say the same again."""
_TOTAL: Final = "total_"


def across_runs(ledger: ImportedLedger, cut: float, draws: int, seed: int) -> Iterator[Case]:
    """Yield forecasts of the runs that are not known from a share of them that is, project by project."""
    totals = run_totals(ledger)
    if totals.empty:
        return
    projects = totals["project"].fillna("").astype(str)
    for (source, project), mine in totals.groupby([totals["source"].astype(str), projects]):
        if len(mine) < _FEWEST_RUNS:
            continue
        known = min(max(_FEWEST_KNOWN, round(cut * len(mine))), len(mine) - 1)
        for split in range(SPLITS):
            order = np.random.default_rng([seed, split]).permutation(len(mine))
            case = _Split(str(source), str(project), f"split {split + 1}")
            yield from case.forecasts(mine.iloc[order[:known]], mine.iloc[order[known:]], draws, seed)


@dataclass(frozen=True)
class _Split:
    """One split of a project's runs."""

    source: str
    project: str
    name: str

    def forecasts(self, known: pd.DataFrame, rest: pd.DataFrame, draws: int, seed: int) -> Iterator[Case]:
        """Yield the forecasts of each quantity that all runs know."""
        values = {name: known[name].to_numpy(np.float64) for name in QUANTITIES}
        rng = np.random.default_rng([seed, len(known), len(rest)])
        found = further_runs(values, len(rest), draws, rng)
        for quantity in QUANTITIES:
            before, after = values[quantity], rest[quantity].to_numpy(np.float64)
            if np.isnan(before).any() or np.isnan(after).any() or before.min() == before.max():
                continue
            sums = rng.choice(before, (draws, len(after))).sum(axis=1)
            naive = {STRAIGHT_LINE: np.array([before.mean() * len(after)]), BOOTSTRAP: sums}
            truth = float(after.sum())
            yield self._case(f"{len(after)} runs", _TOTAL + quantity, truth, found.all[quantity], naive)
            naive = {STRAIGHT_LINE: np.array([before.mean()]), BOOTSTRAP: before}
            for name, value in list(zip(rest["name"], after, strict=True))[:NEW_RUNS]:
                yield self._case(str(name), quantity, float(value), found.one[quantity], naive)

    def _case(self, run: str, quantity: str, truth: float, sample: Floats, naive: dict[str, Floats]) -> Case:
        return Case("runs", self.source, self.project, f"{self.name}: {run}", quantity, truth, sample, naive)
