"""Cost as logs report it beside cost by the price list of the day, and where they differ: why.

An explanation is only given if it reproduces what was reported: nearly every entry, and the total. So it is a
finding about how the log's tool counted, not a guess.
"""

import datetime
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from simbudget.ledger.costs import dates_of, days_of, usage_of
from simbudget.pricing.catalogue import known_rates
from simbudget.pricing.charge import Usage, charge

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


class CostCheck:
    """The comparison of costs, from entries that come some at a time."""

    def __init__(self, runs: pd.DataFrame) -> None:
        self._runs = runs
        self._groups: dict[tuple[str, str, bool], _Group] = {}

    def add(self, entries: pd.DataFrame) -> None:
        """Compare the costs of further entries."""
        paid = entries[(entries["component"] == "tokens") & (entries["source"] != "simulated")]
        days = days_of(paid, self._runs)
        says = paid["reported_cost_usd"].notna()
        for (source, model, reports), group in paid.groupby(["source", "model", says], observed=True):
            key = (str(source), str(model), bool(reports))
            self._groups.setdefault(key, _Group(*key)).add(group, days.loc[group.index])

    def comparisons(self) -> list[CostComparison]:
        """Return, for each format and model, what was reported beside the price list; the dearest first."""
        groups = [self._groups[key] for key in sorted(self._groups)]
        found = [group.comparison() for group in groups if group.used_anything]
        return sorted(found, key=lambda each: -max(np.nan_to_num([each.reported_usd, each.list_usd])))


class _Group:
    """Entries of one format and model, which all report their cost or all do not."""

    def __init__(self, source: str, model: str, reports: bool) -> None:
        self._source, self._model, self._reports = source, model, reports
        self._count = self._unknown = self._priced = 0
        self._reported_usd = self._list_usd = 0.0
        self._explanations: dict[str, _Candidate] = {}
        self._factors: list[Dollars] = []
        self.used_anything = False
        """Whether any entry had a prompt, or cost anything."""

    def add(self, entries: pd.DataFrame, days: pd.Series) -> None:
        """Add further entries."""
        reported = entries["reported_cost_usd"].to_numpy()
        listed = entries["list_cost_usd"].to_numpy()
        self._count += len(entries)
        self._unknown += int(entries[list(_CLASSES)].isna().any(axis="columns").sum())
        self._priced += int(np.isfinite(listed).sum())
        self._reported_usd += float(np.nansum(reported))
        self._list_usd += float(np.nansum(listed))
        self.used_anything |= bool((entries["context_tokens"].fillna(0) > 0).any() or np.nansum(reported) > 0)
        if self._reports:
            for candidate, text in ((listed, AGREES), *_candidates(self._model, entries, days)):
                self._explanations.setdefault(text, _Candidate()).add(candidate, reported)
            known = (listed > 0) & (reported > 0)
            self._factors.append(reported[known] / listed[known])

    def comparison(self) -> CostComparison:
        """Return how the entries compare with the price list."""
        return CostComparison(
            self._source,
            self._model,
            self._count,
            self._reported_usd if self._reports else math.nan,
            self._list_usd if self._priced else math.nan,
            self._why() if self._reports else self._silent(),
        )

    def _silent(self) -> str:
        """Return what is to be said of a log that reports no cost."""
        if not self._priced:
            return _no_price(self._model)
        least = "; the list's is a lower bound, since token counts are not all known" if self._unknown else ""
        return f"no cost is reported{least}"

    def _why(self) -> str:
        """Return why the reported costs are what they are."""
        if self._explanations[AGREES].reproduces:
            return AGREES
        if not self._priced:
            return _no_price(self._model)
        if not self._reported_usd:
            return "reported as nothing: a subscription, or a model whose price the tool did not know"
        for text, candidate in self._explanations.items():
            if candidate.reproduces:
                return text
        if self._unknown:
            return "token counts are not all known"
        return _by_factor(np.concatenate(self._factors), self._reported_usd / self._list_usd)


@dataclass
class _Candidate:
    """How well one way of counting reproduces what entries report."""

    same: int = 0
    count: int = 0
    own_usd: float = 0.0
    reported_usd: float = 0.0

    def add(self, own_usd: Dollars, reported_usd: Dollars) -> None:
        """Compare further entries; two costs are the same by `_SAME` and `_SAME_USD`."""
        off = np.abs(own_usd - reported_usd)
        self.same += int(((off <= _SAME * reported_usd) | (off <= _SAME_USD)).sum())
        self.count += len(off)
        self.own_usd += float(own_usd.sum())
        self.reported_usd += float(reported_usd.sum())

    @property
    def reproduces(self) -> bool:
        """Whether a cost is the reported one: nearly every entry, and all together."""
        total_off = abs(self.own_usd - self.reported_usd)
        nearly_all = self.same >= _NEARLY_ALL * self.count
        return nearly_all and total_off < max(_HALF_A_CENT, _SAME * self.reported_usd)


def _no_price(model: str) -> str:
    return "the price list does not have this model" if model else "the log names no model"


_CLASSES: Final = ("uncached_input_tokens", "cache_write_tokens", "cache_read_tokens", "output_tokens")


def _candidates(model: str, entries: pd.DataFrame, days: pd.Series) -> Iterator[tuple[Dollars, str]]:
    """Yield what entries would cost by rules that logs' tools are known to follow, each with its words."""
    counts = usage_of(entries)
    thinking = 0 if counts.thinking is None else counts.thinking
    twice = replace(counts, output=counts.output + thinking)
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
    yield _cost(model, counts, on, "batch"), "reported at batch prices"


def _cost(model: str, counts: Usage, on: pd.Series, service: str = "") -> Dollars:
    cost = np.full(len(on), np.nan)
    dates = on.to_numpy()
    for day in set(dates):
        rates = known_rates(model, day, service)
        if rates is not None:
            rows = dates == day
            cost[rows] = charge(counts, rates).total_usd[rows]
    return cost


def _by_factor(factors: Dollars, total: float) -> str:
    """Return by what factor the reported costs differ, if it is always the same; `total`: that of the sums."""
    if len(factors) and np.ptp(np.quantile(factors, [0.05, 0.95])) < 0.01:
        return f"{float(np.median(factors)):.3g} times the list's price throughout"
    return f"{total:.3g} times the list's price in all, for no reason that is known"
