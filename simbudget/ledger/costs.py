"""The cost of ledger entries by the price list of their date, time of day and service."""

import datetime
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from simbudget.arrays import Integers
from simbudget.ledger.entry import CALLS
from simbudget.pricing.catalogue import changes_of_price, known_rates
from simbudget.pricing.charge import PRICE_CLASSES, Numbers, Rates, Usage, charge


def usage_of(entries: pd.DataFrame) -> Usage:
    """Return the usage of entries, with 0 for unknown counts; arrays of shape (entries,).

    Args:
        entries: rows of a ledger, shape (entries,).
    """

    def of(name: str) -> Numbers:
        return entries[name].to_numpy(dtype=np.float64, na_value=0.0)

    written, for_an_hour = of("cache_write_tokens"), of("cache_write_1h_tokens")
    for_an_hour = np.minimum(for_an_hour, written)
    writes = {"cache_write_5m": written - for_an_hour, "cache_write_1h": for_an_hour}
    others = {each.usage: of(f"{each.usage}_tokens") for each in PRICE_CLASSES if each.usage not in writes}
    return Usage(**writes, **others, web_searches=of("web_searches"))


def calls_of(entries: pd.DataFrame) -> Numbers:
    """Return the number of calls of each entry, shape (entries,); NaN for entries of kind `calls` without one.

    Args:
        entries: rows of a ledger, shape (entries,).
    """
    many = entries["calls"].to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where((entries["kind"] == CALLS).to_numpy(), np.where(many >= 1, many, np.nan), 1.0)


def days_of(entries: pd.DataFrame, runs: pd.DataFrame) -> pd.Series:
    """Return the start time of each entry; NaT if the log has no dates.

    Args:
        entries: rows of a ledger, shape (entries,).
        runs: the runs that they refer to, with the times at which these began.
    """
    began = runs.set_index("run")["began_at"].reindex(entries["run"]).to_numpy()
    after = pd.to_timedelta(entries["started_s"].fillna(0.0).to_numpy(), unit="s")
    return pd.Series(pd.DatetimeIndex(began) + after, index=entries.index)


@dataclass(frozen=True)
class Priced:
    """Entries with the same rates."""

    rows: Integers
    """Their positions among all entries, shape (rows,)."""
    model: str
    day: datetime.date
    second: int | None
    """Second of the day of the last price change before them; None for models with constant prices."""
    service: str
    inference_geo: str

    def rates(self, service: str | None = None) -> Rates | None:
        """Return their rates, or those for another service; None if the list does not have the model.

        Args:
            service: service of the calls; None for that of the entries.
        """
        return known_rates(self.model, self.day, self.service if service is None else service, self.second)


def groups_of_rates(entries: pd.DataFrame, moments: pd.Series) -> Iterator[Priced]:
    """Group entries by model, day, hour, service and place. Entries without a date have today's prices.

    Args:
        entries: rows of a ledger, shape (entries,).
        moments: start time of each, shape (entries,); NaT if unknown.
    """
    today = datetime.date.today()
    keys = [
        *(entries[name].cat.codes.to_numpy() for name in ("model", "service", "inference_geo")),
        pd.factorize(moments.dt.normalize())[0],
        _hours(entries, moments),
    ]
    table = pd.DataFrame(np.column_stack(keys))
    for found in table.groupby(list(table.columns)).indices.values():
        rows = np.asarray(found, dtype=np.int64)
        first = rows[0]
        moment, hour = moments.iloc[first], int(keys[-1][first])
        model, service, place = (
            str(entries[name].iloc[first]) for name in ("model", "service", "inference_geo")
        )
        day = today if pd.isna(moment) else moment.date()
        yield Priced(rows, model, day, None if hour < 0 else hour, service, place)


def _hours(entries: pd.DataFrame, moments: pd.Series) -> Integers:
    """Return, per entry, the second of the day of the model's last price change; -1 if its prices are constant."""
    found = np.full(len(entries), -1, dtype=np.int64)
    codes = entries["model"].cat.codes.to_numpy()
    for code in np.unique(codes):
        changes = changes_of_price(str(entries["model"].cat.categories[code])) if code >= 0 else ()
        if changes:
            rows = (codes == code) & moments.notna().to_numpy()
            passed = (moments[rows] - moments[rows].dt.normalize()).dt.total_seconds().to_numpy()
            starts = np.array([0, *changes])
            found[rows] = starts[np.searchsorted(starts, passed, side="right") - 1]
    return found


def cost_of(usage: Usage, calls: Numbers, rates: Rates, inference_geo: str) -> Numbers:
    """Return the cost of entries with the same rates, in dollars.

    An entry for several calls does not contain the prompts of the individual calls. Their mean length decides whether
    long-context prices apply; if even the number of calls is unknown, they do not.

    Args:
        usage: counts of the entries, arrays of shape (entries,).
        calls: number of calls of each entry, shape (entries,); NaN if unknown.
        rates: the rates.
        inference_geo: the place that the calls were bound to.
    """
    if not rates.tiers or bool((calls == 1).all()):
        total: Numbers = charge(usage, rates, inference_geo).total_usd
        return total
    many = np.where(np.isnan(calls), np.inf, calls)
    each = Usage(*(value / many for value in _arrays(usage, len(calls))))
    total = np.where(np.isinf(many), 0.0, charge(each, rates, inference_geo).total_usd * calls)
    base = Rates(rates.base, (), rates.web_search_usd_per_1000, rates.request_usd, rates.geo_factors)
    return np.where(np.isinf(many), charge(usage, base, inference_geo).total_usd, total)


def _arrays(usage: Usage, many: int) -> Iterator[Numbers]:
    for value in vars(usage).values():
        yield np.broadcast_to(np.asarray(0.0 if value is None else value, dtype=np.float64), many)


def list_costs(entries: pd.DataFrame, moments: pd.Series) -> pd.Series:
    """Return the cost of each entry's known tokens and searches by the list; NaN where the list has no price.

    Args:
        entries: rows of a ledger, shape (entries,).
        moments: start time of each, shape (entries,); NaT if unknown.
    """
    costs = np.full(len(entries), np.nan)
    usage, calls = usage_of(entries), calls_of(entries)
    for group in groups_of_rates(entries, moments):
        rates = group.rates()
        if rates is not None:
            rows = group.rows
            costs[rows] = cost_of(usage.rows(rows), calls[rows], rates, group.inference_geo)
    return pd.Series(costs, index=entries.index)


def counted_usd(entries: pd.DataFrame) -> pd.Series:
    """Return what each entry counts as in every sum of past costs: the ledger's cost, else that by the list.

    The ledger's cost is the reported one, or that by the list if the log reports none and all counts are known. Where a
    count is missing, the list gives a lower bound. NaN where neither is known.

    Args:
        entries: rows of a ledger, shape (entries,).
    """
    return entries["cost_usd"].where(entries["cost_usd"].notna(), entries["list_cost_usd"])


def is_counted(entries: pd.DataFrame) -> pd.Series:
    """Return which entries count as usage: paid work, and experiments whose cost is known.

    Args:
        entries: rows of a ledger, shape (entries,).
    """
    is_work = (entries["component"] != "") & (entries["kind"] != "experiment")
    return is_work | (entries["cost_usd"].fillna(0) > 0)


class Apart:
    """Costs other than for plain tokens at the standard service: services, places and searches, listed separately."""

    def __init__(self) -> None:
        self._by: dict[tuple[str, str], list[float]] = {}
        self._searches = 0
        self._searches_usd = 0.0

    def add(self, entries: pd.DataFrame, moments: pd.Series) -> None:
        """Add further entries with component `tokens`.

        Args:
            entries: rows of a ledger with component `tokens`.
            moments: start time of each, shape (entries,).
        """
        special = (entries["service"] != "") | (entries["inference_geo"] != "")
        for (service, place), group in entries[special].groupby(["service", "inference_geo"], observed=True):
            sums = self._by.setdefault((str(service), str(place)), [0, 0.0])
            sums[0] += len(group)
            sums[1] += float(group["cost_usd"].sum())
        with_searches = (entries["web_searches"].fillna(0) > 0).to_numpy(dtype=bool)
        if with_searches.any():
            found = entries[with_searches]
            self._searches += int(found["web_searches"].sum())
            usage = usage_of(found)
            for priced in groups_of_rates(found, moments[with_searches]):
                rates = priced.rates()
                if rates is not None:
                    charged = charge(usage.rows(priced.rows), rates).web_searches_usd
                    self._searches_usd += float(np.sum(charged))

    def figures(self) -> dict[str, object]:
        """Return entries and cost by service and place, and the number of searches with their cost by the list."""
        services = [
            {
                "service": service or "standard",
                "inference_geo": place,
                "entries": int(many),
                "cost_usd": cost_usd,
            }
            for (service, place), (many, cost_usd) in sorted(self._by.items())
        ]
        return {
            "services": services,
            "web_searches": self._searches,
            "web_searches_usd": self._searches_usd,
        }
