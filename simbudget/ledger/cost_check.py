"""Cost as logs report it beside cost by the price list of the day, and where they differ: why.

An explanation is only given if it reproduces what was reported: nearly every entry, and the total. So it is a
finding about how the log's tool counted, not a guess.
"""

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from simbudget.ledger.costs import counts_of, dates_of, days_of
from simbudget.prices.cost import TokenCounts, cost_usd, known_prices
from simbudget.prices.models import ListPrices

Dollars = npt.NDArray[np.float64]

_HALF_A_CENT: Final = 0.005
_SAME: Final = 1e-3
"""Two costs of one entry are the same if they differ by less than this share, or by a ten-thousandth of a dollar."""
_SAME_USD: Final = 1e-4
_NEARLY_ALL: Final = 0.95
_FIRST_DAY: Final = datetime.date(2020, 1, 1)

AGREES: Final = "agrees to the cent"


@dataclass(frozen=True)
class CostComparison:
    """What one format reports for one model, beside the price list."""

    source: str
    model: str
    entries: int
    reported_usd: float
    """NaN: the log reports no cost."""
    list_usd: float
    """NaN: the list does not have the model."""
    explanation: str


def compare_costs(entries: pd.DataFrame, runs: pd.DataFrame) -> list[CostComparison]:
    """Return, for each format and model, what was reported beside the price list; the dearest first."""
    paid = entries[(entries["component"] == "tokens") & (entries["source"] != "simulated")]
    days = days_of(paid, runs)
    says = paid["reported_cost_usd"].notna()
    found = [
        _compare(str(source), str(model), group, days.loc[group.index])
        for (source, model, _), group in paid.groupby(["source", "model", says], observed=True)
        if (group["context_tokens"].fillna(0) > 0).any() or group["reported_cost_usd"].sum() > 0
    ]
    return sorted(found, key=lambda each: -max(np.nan_to_num([each.reported_usd, each.list_usd])))


def _compare(source: str, model: str, entries: pd.DataFrame, days: pd.Series) -> CostComparison:
    """Return how entries that all report their cost, or all do not, compare with the price list."""
    reported, listed = entries["reported_cost_usd"], entries["list_cost_usd"]
    why = _why(model, entries, days) if reported.notna().any() else _silent(model, entries)
    reported_usd, list_usd = (float(column.sum(min_count=1)) for column in (reported, listed))
    return CostComparison(source, model, len(entries), reported_usd, list_usd, why)


def _silent(model: str, entries: pd.DataFrame) -> str:
    """Return what is to be said of a log that reports no cost."""
    if entries["list_cost_usd"].isna().all():
        return _no_price(model)
    unknown = entries[list(_CLASSES)].isna().any(axis="columns")
    least = "; the list's is a lower bound, since token counts are not all known" if unknown.any() else ""
    return f"no cost is reported{least}"


def _no_price(model: str) -> str:
    return "the price list does not have this model" if model else "the log names no model"


def _why(model: str, entries: pd.DataFrame, days: pd.Series) -> str:
    """Return why the reported costs are what they are."""
    reported = entries["reported_cost_usd"].to_numpy()
    listed = entries["list_cost_usd"].to_numpy()
    if _reproduces(listed, reported):
        return AGREES
    if not np.isfinite(listed).any():
        return _no_price(model)
    if not reported.any():
        return "reported as nothing: a subscription, or a model whose price the tool did not know"
    for candidate, text in _candidates(model, entries, days):
        if _reproduces(candidate, reported):
            return text
    unknown = int(entries[list(_CLASSES)].isna().any(axis="columns").sum())
    if unknown:
        return "token counts are not all known"
    return _by_factor(listed, reported)


_CLASSES: Final = ("uncached_input_tokens", "cache_write_tokens", "cache_read_tokens", "output_tokens")


def _candidates(model: str, entries: pd.DataFrame, days: pd.Series) -> Iterator[tuple[Dollars, str]]:
    """Yield what entries would cost by rules that logs' tools are known to follow, each with its words."""
    counts = counts_of(entries)
    thinking = entries["thinking_tokens"].to_numpy(dtype=np.float64, na_value=0.0)
    twice = TokenCounts(
        counts.uncached, counts.write_5m, counts.write_1h, counts.read, counts.output + thinking
    )
    today = pd.Series(datetime.date.today(), index=entries.index)
    on = dates_of(days, datetime.date.today())
    yield (
        _cost(model, counts.with_5m_writes(), on),
        "1-hour cache writes reported at the price of 5-minute ones",
    )
    yield _cost(model, twice, on), "thinking tokens, which are part of the output, charged a second time"
    yield _cost(model, counts.without_cache(), on), "what was cached reported at the full price of input"
    yield _cost(model, counts, today), "reported at today's prices, not at those of its day"
    yield _cost(model, counts, today.map(lambda _: _FIRST_DAY)), "reported at the list's oldest prices"
    yield _cost(model, counts, on, is_batch=True), "reported at batch prices"


def _cost(model: str, counts: TokenCounts, on: pd.Series, *, is_batch: bool = False) -> Dollars:
    cost = np.full(len(on), np.nan)
    dates = on.to_numpy()
    for day in set(dates):
        prices: ListPrices | None = known_prices(model, day)
        if prices is not None:
            rows = dates == day
            cost[rows] = cost_usd(prices, counts, is_batch=is_batch)[rows]
    return cost


def _reproduces(candidate: Dollars, reported: Dollars) -> bool:
    """Return whether a cost is the reported one: nearly every entry, and all together."""
    off = np.abs(candidate - reported)
    same = (off <= _SAME * reported) | (off <= _SAME_USD)
    total_off = abs(float(candidate.sum() - reported.sum()))
    return bool(same.mean() >= _NEARLY_ALL) and total_off < max(_HALF_A_CENT, _SAME * float(reported.sum()))


def _by_factor(listed: Dollars, reported: Dollars) -> str:
    """Return by what factor the reported costs differ, if it is always the same."""
    priced = (listed > 0) & (reported > 0)
    factors = reported[priced] / listed[priced]
    total = reported.sum() / np.nansum(listed)
    if len(factors) and np.ptp(np.quantile(factors, [0.05, 0.95])) < 0.01:
        return f"{float(np.median(factors)):.3g} times the list's price throughout"
    return f"{total:.3g} times the list's price in all, for no reason that is known"
