"""Runs as wholes: what each came to, and what further runs of the same kind will come to.

A further run is like one of those that are known (a smoothed Bayesian bootstrap: Rubin, Annals of Statistics 9 (1981),
130-134), or, as likely as two of them, a draw of the lognormal that they suggest, widened, since the dearest run is
seldom among the first few. All its quantities come from one run, so cost, calls, models and lengths go together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from simbudget.arrays import Floats, Integers
from simbudget.ledger.costs import counted_usd, is_counted
from simbudget.ledger.entry import CALLS
from simbudget.ledger.frame import PROMPT_COLUMNS
from simbudget.ledger.imported import ImportedLedger

QUANTITIES: Final = ("calls", "input_tokens", "output_tokens", "cost_usd", "wall_time_s")
_CALL_KINDS: Final = ("call", "post", "poll", "compaction", "calls")
_KNOWN: Final = 0.9
"""The share of a run's calls of which a count has to be known; a few others are taken as the mean of these."""
_UNSEEN_RUNS: Final = 2.0
"""The lognormal counts as this many known runs."""
_WIDENED: Final = 1.3
"""Its scatter is this many times what was seen: five runs show about three quarters of the true scatter."""
_KERNEL: Final = 0.25
"""Bandwidth around a known run, as a share of the scatter times runs^-1/5 (Silverman's rule has 0.9, for one peak)."""
_MOST_SUMMED: Final = 2000
"""Sums of more runs are in proportion to one of this many."""
_LEVEL: Final = 0.6
"""Part of a mean's standard error added to what weights say, since they know of no dearer run than was seen."""
_MOST_APART: Final = 2.0
"""Two or three runs say next to nothing of how runs differ; a mean is yet not beyond e^2 times what was seen."""
_DEARER: Final = 1.1
"""No run is beyond three times the dearest: where tails are heavier than a lognormal's, its own would have no bound."""
_P90: Final = 1.2816
"""Normal score of p90."""
_SHOW_SIDES: Final = 10
"""With this many runs their p90 says something."""
_TELLING: Final = 8
"""From this many runs on their scatter stands alone; before, the usual one counts as part of a run: all at one run."""
_DEFAULT_SCATTER: Final = 1.0
"""Scatter of the logarithm where one run is known: between tasks of a project 0.6 to 1.5 was measured."""


def run_totals(ledger: ImportedLedger) -> pd.DataFrame:
    """Return a row per run with model calls or a known cost: `run`, `source`, `project`, `name`, `began_at`, totals.

    A total that the log does not say is NaN. Costs are those that `usage` counts. Wall time is from the first entry to
    the end of the last.
    """
    entries = ledger.entries
    is_call = entries["kind"].isin(_CALL_KINDS) & (entries["outcome"].astype(str) != "failed")
    calls = entries[is_call]
    by_run = calls["run"].to_numpy()
    number = _numbers(calls["calls"]).where(calls["kind"] == CALLS, 1.0)
    cost = _numbers(counted_usd(entries).where(is_counted(entries)))
    besides = cost[~is_call & (cost > 0)].groupby(entries["run"]).sum()
    duration_s = _numbers(entries["duration_s"])
    ends_s = (_numbers(entries["started_s"]) + duration_s.fillna(0.0)).groupby(entries["run"]).max()
    starts_s = _numbers(entries["started_s"]).groupby(entries["run"]).min()
    summed = duration_s[calls.index].groupby(by_run).sum(min_count=1)
    totals = pd.DataFrame(
        {
            "calls": _filled(number, by_run),
            "input_tokens": calls[list(PROMPT_COLUMNS)]
            .apply(_numbers)
            .sum(axis=1, min_count=1)
            .groupby(by_run)
            .sum(),
            "output_tokens": _filled(_numbers(calls["output_tokens"]), by_run),
            "cost_usd": _filled(cost[is_call], by_run) + besides.reindex(np.unique(by_run), fill_value=0.0),
        }
    )
    without_calls = besides[~besides.index.isin(totals.index)].rename("cost_usd")
    totals = pd.concat([totals, without_calls.to_frame()])
    span_s = (ends_s - starts_s).reindex(totals.index)
    totals["wall_time_s"] = span_s.where(span_s > 0.0, summed)
    totals = totals.where(totals > 0.0)
    about = ledger.runs.set_index("run")[["source", "project", "name", "began_at", "model"]]
    return about.join(totals, how="inner").reset_index()


def _numbers(values: pd.Series) -> pd.Series:
    """Return values as floats, NaN where a log does not say."""
    return pd.Series(values.to_numpy(np.float64, na_value=np.nan), index=values.index)


def _filled(values: pd.Series, by_run: Integers) -> pd.Series:
    """Return each run's sum, a few values that are not known taken as the mean of the others; NaN if many are not."""
    grouped = values.groupby(by_run)
    known = grouped.count() / grouped.size()
    return (grouped.mean() * grouped.size()).where(known >= _KNOWN)


@dataclass(frozen=True, eq=False)
class FurtherRuns:
    """Joint draws of future runs."""

    one: dict[str, Floats]
    """By quantity: [draws] of a single run."""
    all: dict[str, Floats]
    """By quantity: [draws] of all of them together."""


def further_runs(
    totals: Mapping[str, Floats], runs: int, draws: int, rng: np.random.Generator, groups: Sequence[str] = ()
) -> FurtherRuns:
    """Return joint draws of future runs.

    Args:
        totals: by quantity, [known runs] what each came to; NaN where a log does not say.
        runs: how many are to come.
        draws: how many joint draws.
        rng: what they are made from.
        groups: [known runs] what each belongs to (a project); whole groups are drawn, so that few of them say little.
    """
    count = len(next(iter(totals.values())))
    summed = min(runs, _MOST_SUMMED)
    weights = _weights(count, draws, rng, groups)
    unseen = rng.beta(_UNSEEN_RUNS, count, draws)
    picked = (weights.cumsum(axis=1)[:, None, :] < rng.random((draws, summed, 1))).sum(axis=2)
    picked = np.minimum(picked, count - 1)
    is_unseen = rng.random((draws, summed)) < unseen[:, None]
    scores = rng.standard_normal((draws, summed))
    few = np.sqrt(count / rng.chisquare(max(count - 1, 1), draws))
    level_scores = rng.standard_normal(draws)
    one, every = {}, {}
    for name, values in totals.items():
        known = np.isfinite(values) & (values > 0)
        if not known.any():
            continue
        logs = np.log(values[known])
        scatter = _scatter(logs)
        middle, above = _upper(logs, scatter)
        filled = np.where(known, np.log(np.where(known, values, 1.0)), logs.mean())
        kernel = _KERNEL * scatter * len(logs) ** -0.2
        unlike = middle + _WIDENED * np.where(scores > 0.0, above, scatter) * scores
        unlike = np.minimum(unlike, logs.max() + _DEARER)
        drawn = np.exp(np.where(is_unseen, unlike, filled[picked] + kernel * scores - kernel**2 / 2))
        apart = (few - 1.0) * np.log(weights @ np.exp(filled) / np.exp(filled).mean())
        apart += _LEVEL * scatter / np.sqrt(len(logs)) * level_scores
        drawn *= np.exp(np.clip(apart, -_MOST_APART, _MOST_APART))[:, None]
        if name == "calls":
            drawn = np.maximum(np.rint(drawn), 1.0)
        one[name], every[name] = drawn[:, 0], drawn.sum(axis=1) * (runs / summed)
    return FurtherRuns(one, every)


def _scatter(logs: Floats) -> float:
    """Return the scatter of runs, of which a few runs that happen to agree show little."""
    doubt = max(0.0, (_TELLING - len(logs)) / (_TELLING - 1))
    seen = (len(logs) - 1) * float(logs.var(ddof=1)) if len(logs) > 1 else 0.0
    return float(np.sqrt((seen + doubt * _DEFAULT_SCATTER**2) / (len(logs) - 1 + doubt)))


def _upper(logs: Floats, scatter: float) -> tuple[float, float]:
    """Return the median, and the scatter above it: totals with a long lower tail have no long upper one for that."""
    if len(logs) < _SHOW_SIDES:
        return float(logs.mean()), scatter
    middle, high = np.quantile(logs, (0.5, 0.9))
    return float(middle), float(min((high - middle) / _P90, scatter))


def _weights(count: int, draws: int, rng: np.random.Generator, groups: Sequence[str]) -> Floats:
    """Return [draws, runs] the Bayesian bootstrap's weights: of groups first, where there are several, then of runs."""
    within = rng.gamma(1.0, size=(draws, count))
    names, member = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    if len(names) > 1:
        of_group = np.stack([within[:, member == k].sum(axis=1) for k in range(len(names))], axis=1)
        sizes = np.bincount(member)
        within *= (sizes * rng.gamma(1.0, size=(draws, len(names))) / of_group)[:, member]
    return np.asarray(within / within.sum(axis=1, keepdims=True))
