"""Outcomes of runs, the same for both engines."""

from dataclasses import dataclass

import pandas as pd

from simbudget.engine.laws.draws import Floats


@dataclass(frozen=True)
class Outcome:
    """The outcome of one run."""

    totals: dict[str, float]
    """Sums over the fleet, by name; see `engine.totals`."""
    by_time_usd: Floats
    """[components, `laws.accounts.BINS`] US dollars spent in equal spans of time from 0 to the horizon."""
    ledger: pd.DataFrame | None
    """Every entry, in the order of their starts; None if they were not recorded."""


@dataclass(frozen=True)
class Sums:
    """The outcomes of many runs."""

    sums: Floats
    """[runs, sums] see `engine.totals`."""
    by_time_usd: Floats
    """[runs, components, `laws.accounts.BINS`] US dollars spent in equal spans of time from 0 to the horizon."""
