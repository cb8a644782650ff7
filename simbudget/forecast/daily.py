"""What the next days will cost, from what each past day did.

A day's spend is its level, which changes slowly, times what a day is of its level: nothing on most Sundays, much in a
burst of work. The level is an exponentially weighted mean of past days; how far it wanders in a week is what it did in
past weeks. Future days are drawn from past days of the same kind (working day or weekend), neighbours together, since
bursts last for days (block bootstrap: Künsch, Annals of Statistics 17 (1989), 1217-1241).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from simbudget.arrays import Flags, Floats
from simbudget.ledger.costs import counted_usd, is_counted
from simbudget.ledger.imported import ImportedLedger

FEWEST_DAYS: Final = 5
"""Fewer days say nothing of days to come."""
_HALF_LIFE_DAYS: Final = 10.0
"""Of the level: a week and a half, so that a weekend does not look like a change."""
_BLOCK_DAYS: Final = 3
"""Days drawn together."""
_WEEK: Final = 7
_LEAST_WANDER: Final = 0.4
"""Standard deviation of the logarithm of a level's change in a week, where past weeks show less or are few."""
_MOST_WANDER: Final = 1.0
_PRIOR_WEEKS: Final = 3.0


@dataclass(frozen=True, eq=False)
class DailySpend:
    """What each day of a log cost, from its first to its last."""

    first: pd.Timestamp
    usd: Floats
    """[days]"""

    @property
    def weekend(self) -> Flags:
        """[days] whether each is a Saturday or a Sunday."""
        return (self.first.day_of_week + np.arange(len(self.usd))) % _WEEK >= 5

    def until(self, days: int) -> "DailySpend":
        """Return the first days only."""
        return DailySpend(self.first, self.usd[:days])


def daily_spend(ledger: ImportedLedger) -> DailySpend | None:
    """Return what each day cost, as `usage` counts it; None if no run has a date or nothing has a price."""
    began = ledger.runs.set_index("run")["began_at"]
    entries = ledger.entries
    cost = counted_usd(entries).where(is_counted(entries))
    started_s = entries["started_s"].to_numpy(np.float64, na_value=np.nan)
    at = entries["run"].map(began) + pd.to_timedelta(started_s, unit="s")
    known = at.notna() & (cost > 0)
    if not known.any():
        return None
    by_day = cost[known].groupby(at[known].dt.floor("D")).sum()
    days = pd.date_range(by_day.index.min(), by_day.index.max(), freq="D")
    return DailySpend(days[0], by_day.reindex(days, fill_value=0.0).to_numpy(np.float64))


def next_days(past: DailySpend, days: int, draws: int, rng: np.random.Generator) -> Floats:
    """Return [draws, days] what each of the next days will cost.

    Args:
        past: what past days cost; `FEWEST_DAYS` at least.
        days: how many are to come, from the day after the last.
        draws: how many joint draws.
        rng: what they are made from.
    """
    count = len(past.usd)
    ages = np.arange(count)[::-1]
    recent = 0.5 ** (ages / _HALF_LIFE_DAYS)
    level = float(np.average(past.usd, weights=recent))
    ratios = past.usd / _levels(past.usd)
    ratios /= max(float(np.average(ratios, weights=recent)), 1e-9)
    wander = _wander(past.usd)
    effective = recent.sum() ** 2 / (recent**2).sum()
    spread = float(
        np.sqrt(np.average((ratios - 1.0) ** 2, weights=recent) / max(effective / _BLOCK_DAYS, 1.0))
    )
    start = min(np.sqrt(np.log1p(spread**2)), _MOST_WANDER) * rng.standard_normal(draws)
    weeks = -(-days // _WEEK)
    # Student's t of five degrees: most weeks resemble the one before, some do not
    steps = wander * rng.standard_t(5.0, (draws, weeks)) * np.sqrt(3.0 / 5.0)
    path = np.repeat(start[:, None] + steps.cumsum(axis=1), _WEEK, axis=1)[:, :days]
    path -= 0.5 * wander**2 * np.repeat(np.arange(1, weeks + 1), _WEEK)[:days]  # keeps the mean
    drawn = _drawn_ratios(past, ratios, recent, days, draws, rng)
    return np.asarray(level * np.exp(np.clip(path, -4.0, 4.0)) * drawn)


def _levels(usd: Floats) -> Floats:
    """Return [days] a level around each day: half from the days near it, half from all days."""
    days = np.arange(len(usd))
    near = 0.5 ** (np.abs(days[:, None] - days) / _HALF_LIFE_DAYS)
    around = near @ usd / near.sum(axis=1)
    return np.asarray(np.maximum(0.5 * around + 0.5 * usd.mean(), 1e-9))


def _wander(usd: Floats) -> float:
    """Return how far the logarithm of a week's spend moves from one to the next: a standard deviation."""
    weeks = usd[len(usd) % _WEEK :].reshape(-1, _WEEK).sum(axis=1)
    logs = np.log(weeks[weeks > 0])
    moves = np.diff(logs) / np.sqrt(2.0)  # half of what two noisy weeks differ by is noise, about
    seen = (moves**2).sum() + _PRIOR_WEEKS * _LEAST_WANDER**2
    return float(np.clip(np.sqrt(seen / (len(moves) + _PRIOR_WEEKS)), _LEAST_WANDER, _MOST_WANDER))


def _drawn_ratios(
    past: DailySpend, ratios: Floats, recent: Floats, days: int, draws: int, rng: np.random.Generator
) -> Floats:
    """Return [draws, days] what each day is of its level, drawn from past days of its kind in blocks."""
    count = len(ratios)
    weekend = past.weekend
    ahead = (past.first.day_of_week + count + np.arange(days)) % _WEEK >= 5
    drawn = np.empty((draws, days))
    both_kinds = weekend.sum() >= 2 and (~weekend).sum() >= 2
    for kind in (False, True):
        (pool,) = np.nonzero(weekend == kind) if both_kinds else (np.arange(count),)
        (wanted,) = np.nonzero(ahead == kind)
        weights = rng.dirichlet(np.maximum(recent[pool], 0.05), draws).cumsum(axis=1)
        for start in range(0, len(wanted), _BLOCK_DAYS):
            block = wanted[start : start + _BLOCK_DAYS]
            first = (weights < rng.random((draws, 1))).sum(axis=1)
            for offset, day in enumerate(block):
                drawn[:, day] = ratios[pool[(first + offset) % len(pool)]]
    return drawn
