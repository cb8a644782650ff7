"""What runs came to, whichever engine played them."""

from dataclasses import dataclass

import pandas as pd

from simbudget.engine.laws.draws import Floats


@dataclass(frozen=True)
class Outcome:
    """What one run came to."""

    totals: dict[str, float]
    """Sums over the fleet, by name; see `engine.totals`."""
    by_time_usd: Floats
    """[components, `laws.money.BINS`] what was spent in each span of time from 0 to the horizon."""
    ledger: pd.DataFrame | None
    """Every entry, in the order of their starts; None if they were not recorded."""


@dataclass(frozen=True)
class Sums:
    """What many runs come to."""

    sums: Floats
    """[runs, sums] see `engine.totals`."""
    by_time_usd: Floats
    """[runs, components, `laws.money.BINS`] what was spent in each span of time from 0 to the horizon."""
