"""Compares the cost reported in logs with the cost by the price list of the day, and explains differences.

An explanation is a way of counting that a log's tool may use, with no free parameters. It is given only if it predicts
several independent entries exactly, so that it is a finding about the tool rather than a guess. A single entry, or a
mere factor, explains nothing, and the comparison says so.
"""

import datetime
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pandas as pd

from simbudget.arrays import Flags
from simbudget.errors import argument
from simbudget.ledger.costs import Apart, Priced, calls_of, cost_of, days_of, groups_of_rates, usage_of
from simbudget.ledger.frame import TOKEN_COLUMNS
from simbudget.ledger.imported import names_no_model
from simbudget.pricing.catalogue import has_service, known_rates
from simbudget.pricing.charge import Numbers, Rates, Usage
from simbudget.pricing.models import models_beside

_HALF_A_CENT: Final = 0.005
_SAME: Final = 1e-3
"""Two costs of an entry agree if they differ by less than this share or by a hundredth of a cent, as logs round."""
_SAME_USD: Final = 1e-4
_EXACTLY: Final = 1e-6
"""Required agreement if only some entries follow a way of counting; no other way comes this close by chance."""
_EXACTLY_USD: Final = 2e-6
_NEARLY_ALL: Final = 0.95
_SEVERAL: Final = 2
"""Number of entries with different costs that an explanation has to predict exactly."""
_MANY: Final = 3
"""Number of entries that it has to predict if the log rounds, and that show that a factor is constant."""
_LOOKED_AT: Final = 4096
"""Entries per format and model on which explanations are tried; bounds the memory."""
_MOST_WAYS: Final = 3
"""A tool that seems to count in more ways than this at once is not understood."""
_FIRST_DAY: Final = datetime.date(2020, 1, 1)  # before the first price of the list
_OWN: Final = {"pilot", "pilot live", "guard", "worst case"}
"""Sources whose costs simbudget computed itself, with the same function from the same list."""

AGREES: Final = "agrees to the cent"
COMPUTED_HERE: Final = "computed by simbudget itself from the same list, so there is nothing to check"

_NOT_LOGGED: Final = {
    "claude-code": "helper calls and compactions, which Claude Code does not log",
    "claude-results": "work of processes that were killed before they wrote a result",
    "codex": "compactions, which Codex does not log as calls",
    "pi": "compactions, which Pi does not log as calls",
}


@dataclass(frozen=True)
class CostComparison:
    """Costs reported by one format for one model, compared with the price list."""

    source: str
    model: str
    """Empty if the log names none, or if whole runs were compared."""
    entries: int
    reported_usd: float
    """NaN if the log reports no cost."""
    list_usd: float
    """NaN if the list does not have the model."""
    explanation: str
    compared: int = 0
    """Number of independent entries with both costs: those with different reported costs."""
    cannot_know: str = ""
    """What neither side contains, or which counts are missing."""


class CostCheck:
    """Compares costs of entries that arrive in batches."""

    def __init__(self, runs: pd.DataFrame) -> None:
        self._runs = runs
        self._groups: dict[tuple[str, str, bool], _Group] = {}
        self.apart = Apart()
        """Charges other than for plain tokens at the standard service."""
        self._listed_of_runs: dict[int, float] = {}
        """Cost by the list of each run whose entries report none."""

    def add(self, entries: pd.DataFrame) -> None:
        """Add the costs of further entries.

        Args:
            entries: the next rows of the ledger, in order.
        """
        paid = entries[(entries["component"] == "tokens") & (entries["source"] != "simulated")]
        moments = days_of(paid, self._runs)
        self.apart.add(paid, moments)
        says = paid["reported_cost_usd"].notna()
        for (source, model, reports), group in paid.groupby(["source", "model", says], observed=True):
            key = (str(source), str(model), bool(reports))
            self._groups.setdefault(key, _Group(*key)).add(group, moments.loc[group.index])
        sums = paid["list_cost_usd"].groupby(paid["run"]).sum(min_count=1)
        silent = sums[~sums.index.isin(paid.loc[says, "run"])]
        for run, listed_usd in zip(silent.index.tolist(), silent.tolist(), strict=True):
            self._listed_of_runs[run] = self._listed_of_runs.get(run, 0.0) + listed_usd
        for run in paid.loc[says, "run"].unique():
            self._listed_of_runs[run] = math.nan

    def comparisons(self) -> list[CostComparison]:
        """Return the comparison for each format and model, most expensive first."""
        groups = [self._groups[key] for key in sorted(self._groups)]
        for group in groups:
            group.look_for_ways()
        ways: dict[str, set[str]] = {}
        for group in groups:
            ways.setdefault(group.source, set()).update(group.ways)
        for group in groups:  # what a tool does for one model, it may also do for another
            if group.ways < ways[group.source]:
                group.look_for_ways(frozenset(ways[group.source]))
        found = [group.comparison() for group in groups if group.used_anything]
        found += self._of_runs()
        return sorted(found, key=lambda each: -max(np.nan_to_num([each.reported_usd, each.list_usd])))

    def _of_runs(self) -> Iterator[CostComparison]:
        """Yield the comparison of whole runs, for each format that reports costs of runs rather than calls."""
        runs = self._runs[self._runs["reported_cost_usd"] > 0]
        listed = runs["run"].map(self._listed_of_runs).astype("float64")
        for source, of_source in runs[listed.notna()].groupby("source", observed=True):
            own: Any = listed.loc[of_source.index].to_numpy(dtype=np.float64)
            reported: Any = of_source["reported_cost_usd"].to_numpy(dtype=np.float64)
            same = _are_same(own, reported, _SAME, _SAME_USD)
            if same.all():
                text = AGREES
            else:
                text = (
                    f"agrees for {int(same.sum()):,} of {len(same):,} runs; the logs of the others omit calls, or the "
                    "tool counts differently, which whole runs cannot distinguish"
                )
            yield CostComparison(
                str(source),
                "",
                len(reported),
                float(reported.sum()),
                float(own.sum()),
                text,
                len(np.unique(reported)),
                _NOT_LOGGED.get(str(source), ""),
            )


class _Group:
    """Entries of one format and model, either all with a reported cost or all without."""

    def __init__(self, source: str, model: str, reports: bool) -> None:
        self.source = source
        self.ways: set[str] = set()
        """The ways of counting that explain some of its entries."""
        self._model, self._reports, self._explanation = model, reports, ""
        self._count = self._unknown = self._priced = self._same = self._exact = 0
        self._reported_usd = self._list_usd = 0.0
        self._kept: list[pd.DataFrame] = []
        self._kept_count = 0
        self._different: set[float] = set()
        self._unpriced: set[str] = set()
        """Services for which the list has no price of the model."""
        self.used_anything = False
        """Whether any entry had a prompt or a cost."""

    def add(self, entries: pd.DataFrame, moments: pd.Series) -> None:
        """Add further entries."""
        reported = entries["reported_cost_usd"].to_numpy()
        listed = entries["list_cost_usd"].to_numpy()
        self._count += len(entries)
        unknown = entries[list(TOKEN_COLUMNS)].isna().any(axis="columns")
        # Claude's logs state how long writes are cached, which determines their price.
        if self.source.startswith("claude"):
            unknown |= entries["cache_write_1h_tokens"].isna() & (entries["cache_write_tokens"] > 0).fillna(
                False
            )
        self._unknown += int(unknown.sum())
        self._priced += int(np.isfinite(listed).sum())
        self._reported_usd += float(np.nansum(reported))
        self._list_usd += float(np.nansum(listed))
        self.used_anything |= bool((entries["context_tokens"].fillna(0) > 0).any() or np.nansum(reported) > 0)
        for service in entries["service"].unique():
            day = moments.max()
            on = datetime.date.today() if pd.isna(day) else day.date()
            if service and not has_service(self._model, on, str(service)):
                self._unpriced.add(str(service))
        if not self._reports:
            return
        self._same += int(_are_same(listed, reported, _SAME, _SAME_USD).sum())
        self._exact += int(_are_same(listed, reported, _EXACTLY, _EXACTLY_USD).sum())
        room = _LOOKED_AT - self._kept_count
        if room > 0:
            kept = entries.head(room).assign(moment=moments.head(room))
            self._kept.append(kept)
            self._kept_count += len(kept)
            both = reported[(reported > 0) & (listed > 0)]
            self._different.update(np.round(both[:room], 9).tolist())

    def look_for_ways(self, known: frozenset[str] = frozenset()) -> None:
        """Look for ways of counting that explain the reported costs; for a `known` way, one entry is enough."""
        is_open = self._reports and self.source not in _OWN and self._priced and self._reported_usd
        if is_open and not self._agrees and not self._explanation:
            self._explanation, self.ways = _Search(self._looked_at).explanation(known)

    @property
    def _looked_at(self) -> pd.DataFrame:
        return pd.concat(self._kept, ignore_index=True)

    def comparison(self) -> CostComparison:
        """Return the comparison of the entries with the price list."""
        missing = [_NOT_LOGGED.get(self.source, "")]
        for service in sorted(self._unpriced):
            missing.insert(0, f"the price of the service `{service}`, for which the standard price is used")
        if self._unknown:
            missing.insert(0, f"counts of {self._unknown:,} of {self._count:,} entries")
        return CostComparison(
            self.source,
            self._model,
            self._count,
            self._reported_usd if self._reports else math.nan,
            self._list_usd if self._priced else math.nan,
            self._why() if self._reports else self._silent(),
            len(self._different),
            "; ".join(filter(None, missing)),
        )

    def _silent(self) -> str:
        """Return the remark on a log that reports no cost."""
        if not self._priced:
            return _no_price(self._model)
        least = "; the list's is a lower bound, since some token counts are unknown" if self._unknown else ""
        return f"no cost is reported{least}"

    def _why(self) -> str:
        """Explain the reported costs."""
        if self.source in _OWN:
            return COMPUTED_HERE
        if not self._priced:
            return _no_price(self._model)
        if not self._reported_usd:
            return "reported as zero: a subscription, or a model whose price the tool did not know"
        return AGREES if self._agrees else self._why_not()

    @property
    def _agrees(self) -> bool:
        """Whether nearly all entries, and their total, are reported as the list has them."""
        total_off = abs(self._list_usd - self._reported_usd)
        nearly_all = self._same >= _NEARLY_ALL * self._count
        return nearly_all and total_off < max(_HALF_A_CENT, _SAME * self._reported_usd)

    def _why_not(self) -> str:
        """Explain why the reported costs differ from those of the list."""
        if self._explanation:
            return self._explanation
        agree = f"{self._exact:,} of {self._count:,} entries agree; of the others " if self._exact else ""
        if self._unknown:
            return f"{agree}token counts are not all known"
        return agree + _by_factor(
            self._looked_at, self._reported_usd / self._list_usd if self._list_usd else math.inf
        )


def _no_price(model: str) -> str:
    if not model:
        return f"the log names no model, as {argument('model')} can"
    if names_no_model(model):
        return f"the log names a router, not the model that answered, which {argument('model')} can name"
    return "the price list does not have this model"


def _are_same(own: Numbers, reported: Numbers, share: float, usd: float) -> Flags:
    off = np.abs(own - reported)
    same: Flags = (off <= share * np.abs(reported)) | (off <= usd)
    return same


class _Search:
    """Searches for ways of counting that reproduce reported costs that the list does not."""

    def __init__(self, entries: pd.DataFrame) -> None:
        self._usage, self._calls = usage_of(entries), calls_of(entries)
        self._groups = list(groups_of_rates(entries, entries["moment"]))
        self._reported = entries["reported_cost_usd"].to_numpy()
        self._listed = entries["list_cost_usd"].to_numpy()
        self._has_service = bool((entries["service"] != "").any())
        self._has_place = bool((entries["inference_geo"] != "").any())

    def explanation(self, known: frozenset[str]) -> tuple[str, set[str]]:
        """Explain reported costs; also return the ways of counting that the explanation names.

        The explanation is empty if no way of counting predicts several entries, or one if the way is `known` from
        other models.
        """
        for usage, rates, text in self._ways():
            own = self._cost(usage, rates)
            if self._reproduces_all(own):
                return text, {text}
        return self._by_parts(known)

    def _reproduces_all(self, own: Numbers) -> bool:
        """Return whether a cost equals the reported one, for nearly all entries and for their total."""
        reported = self._reported
        same = _are_same(own, reported, _SAME, _SAME_USD)
        total_off = abs(float(own.sum()) - float(reported.sum()))
        if same.sum() < _NEARLY_ALL * len(same) or not total_off < max(_HALF_A_CENT, _SAME * reported.sum()):
            return False
        told_apart = ~_are_same(own, self._listed, _SAME, _SAME_USD)
        exact = _are_same(own, reported, _EXACTLY, _EXACTLY_USD) & told_apart
        return (
            len(np.unique(reported[same & told_apart])) >= _MANY
            or len(np.unique(reported[exact])) >= _SEVERAL
        )

    def _by_parts(self, known: frozenset[str]) -> tuple[str, set[str]]:
        """Explain different entries by different ways of counting, as tools differ between versions."""
        left = ~_are_same(self._listed, self._reported, _EXACTLY, _EXACTLY_USD)
        agreeing = int((~left).sum())
        found: list[str] = []
        used: set[str] = set()
        ways = [(text, self._cost(usage, rates)) for usage, rates, text in self._ways()]
        while left.any() and len(found) < _MOST_WAYS:
            hits = [
                (text, left & _are_same(own, self._reported, _EXACTLY, _EXACTLY_USD)) for text, own in ways
            ]
            text, hit = max(hits, key=lambda each: (int(each[1].sum()), each[0] in known))
            if not hit.any() or (len(np.unique(self._reported[hit])) < _SEVERAL and text not in known):
                break
            used.add(text)
            found.append(f"{text} ({int(hit.sum()):,} of {len(left):,} entries)")
            left = left & ~hit
        if not found:
            return "", set()
        if agreeing:
            found.append(f"{agreeing:,} agree")
        if left.any():
            found.append(f"{int(left.sum()):,} are not explained")
        return "; ".join(found), used

    def _ways(self) -> "Iterator[tuple[Usage, _RatesOf, str]]":
        """Yield known ways of counting of tools with their descriptions, the most plausible first."""
        own, thinking = self._usage, self._usage.thinking
        hour = "1-hour cache writes reported at the price of 5-minute ones"
        yield own.with_5m_writes(), _as_billed, hour
        twice = replace(own, output=own.output + (0 if thinking is None else thinking))
        yield twice, _as_billed, "thinking tokens, which are part of the output, charged a second time"
        yield own.without_cache(), _as_billed, "cached input reported at the full price of input"
        yield replace(own, web_searches=0 * own.web_searches), _as_billed, "web searches left out"
        if self._has_service or self._has_place:
            yield own, _standard, "reported at the standard price, without its service and place"
        yield own, _today, "reported at today's prices, not at those of its day"
        yield own, _oldest, "reported at the list's oldest prices"
        yield own, _batch, "reported at batch prices"
        models = {other for group in self._groups for other in models_beside(group.model)}
        for other in sorted(models):
            yield own, _of_model(other), f"reported at the prices of {other}"
            yield own.with_5m_writes(), _of_model(other), f"reported at the prices of {other}, and {hour}"

    def _cost(self, usage: Usage, rates_of: "_RatesOf") -> Numbers:
        cost = np.full(len(self._reported), np.nan)
        for group in self._groups:
            rates = rates_of(group)
            if rates is not None:
                rows = group.rows
                place = "" if rates_of is _standard else group.inference_geo
                cost[rows] = cost_of(usage.rows(rows), self._calls[rows], rates, place)
        return cost


_RatesOf = Callable[[Priced], Rates | None]


def _as_billed(group: Priced) -> Rates | None:
    return group.rates()


def _standard(group: Priced) -> Rates | None:
    return group.rates("")


def _batch(group: Priced) -> Rates | None:
    return group.rates("batch")


def _today(group: Priced) -> Rates | None:
    return known_rates(group.model, datetime.date.today(), group.service)


def _oldest(group: Priced) -> Rates | None:
    return known_rates(group.model, _FIRST_DAY, group.service)


def _of_model(model: str) -> _RatesOf:
    return lambda group: known_rates(model, group.day, group.service)


def _by_factor(entries: pd.DataFrame, total: float) -> str:
    """Describe the factor between reported and listed costs; `total` is that of the sums."""
    reported, listed = (entries[name].to_numpy() for name in ("reported_cost_usd", "list_cost_usd"))
    known = (listed > 0) & (reported > 0)
    factors = reported[known] / listed[known]
    many = len(np.unique(reported[known]))
    if many < _SEVERAL:
        return f"{total:.3g} times the list's price in its only entry, which does not show why"
    if many >= _MANY and np.ptp(np.quantile(factors, [0.05, 0.95])) < 0.01:
        return f"{float(np.median(factors)):.3g} times the list's price throughout, for an unknown reason"
    return f"{total:.3g} times the list's price in total, for an unknown reason"
