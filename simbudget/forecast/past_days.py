"""Backtests over days: what the next week or month cost, from the days before."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from simbudget.forecast.cases import Case
from simbudget.forecast.daily import FEWEST_DAYS, daily_spend, next_days
from simbudget.ledger.imported import ImportedLedger

AHEAD: Final = (7, 30)
"""Days ahead: a week, and what is asked for most."""
_FIRST: Final = 0.6
"""Forecasts are made from the first three fifths of the days on, so that they rest on something."""
_STEP_DAYS: Final = 2
LAST_WEEK: Final = "last_week"
SEASONAL: Final = "seasonal_naive"
MEAN: Final = "mean"


def across_days(ledger: ImportedLedger, draws: int, seed: int) -> Iterator[Case]:
    """Yield forecasts of the spend of the next week and month, from every other day on."""
    past = daily_spend(ledger)
    if past is None:
        return
    count = len(past.usd)
    source, project = str(ledger.runs["source"].iloc[0]), str(ledger.runs["project"].iloc[0] or "")
    for day in range(max(FEWEST_DAYS, int(_FIRST * count)), count, _STEP_DAYS):
        known = past.until(day)
        for ahead in AHEAD:
            truth = float(past.usd[day : day + ahead].sum())
            if day + ahead > count or truth <= 0.0:
                continue
            rng = np.random.default_rng([seed, day, ahead])
            week = known.usd[-7:]
            naive = {
                LAST_WEEK: np.array([week.mean() * ahead]),
                SEASONAL: np.array([np.resize(week, ahead).sum()]),
                MEAN: np.array([known.usd.mean() * ahead]),
            }
            sample = next_days(known, ahead, draws, rng).sum(axis=1)
            yield Case("days", source, project, f"day {day}", f"cost_usd_{ahead}_days", truth, sample, naive)
