"""What the entries of a ledger cost by the price list of their day."""

import datetime

import numpy as np
import pandas as pd

from simbudget.pricing.catalogue import known_rates
from simbudget.pricing.charge import Usage, charge


def usage_of(entries: pd.DataFrame) -> Usage:
    """Return what entries used; what is not known counts nothing."""

    def of(name: str) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
        return entries[name].to_numpy(dtype=np.float64, na_value=0.0)

    written, for_an_hour = of("cache_write_tokens"), of("cache_write_1h_tokens")
    for_an_hour = np.minimum(for_an_hour, written)
    return Usage(
        uncached_input=of("uncached_input_tokens"),
        cache_write_5m=written - for_an_hour,
        cache_write_1h=for_an_hour,
        cache_read=of("cache_read_tokens"),
        output=of("output_tokens"),
        thinking=of("thinking_tokens"),
    )


def days_of(entries: pd.DataFrame, runs: pd.DataFrame) -> pd.Series:
    """Return the date (UTC) of each entry, NaT where the log has no dates."""
    began = runs.set_index("run")["began_at"].reindex(entries["run"]).to_numpy()
    after = pd.to_timedelta(entries["started_s"].fillna(0.0).to_numpy(), unit="s")
    return pd.Series((pd.DatetimeIndex(began) + after).normalize(), index=entries.index)


def dates_of(days: pd.Series, otherwise: datetime.date) -> pd.Series:
    """Return days as dates; where there is none, the other one."""
    codes, known = pd.factorize(days)
    dates = np.empty(len(known) + 1, dtype=object)
    dates[:] = [*(day.date() for day in known), otherwise]  # the last is that of code -1
    return pd.Series(dates[codes], index=days.index, dtype=object)


def list_costs(entries: pd.DataFrame, days: pd.Series) -> pd.Series:
    """Return what each entry's known tokens cost by the list of its day, NaN where the list has no price.

    An entry without a date has the prices of today.
    """
    costs = np.full(len(entries), np.nan)
    keys = [entries["model"].cat.codes.to_numpy(), pd.factorize(days)[0]]
    for rows in pd.DataFrame(keys).T.groupby([0, 1]).indices.values():
        day = days.iloc[rows[0]]
        on = datetime.date.today() if pd.isna(day) else day.date()
        rates = known_rates(str(entries["model"].iloc[rows[0]]), on)
        if rates is not None:
            costs[rows] = charge(usage_of(entries.iloc[rows]), rates).total_usd
    return pd.Series(costs, index=entries.index)
