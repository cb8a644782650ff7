"""A backtest as a result: its answer, a table for each source of logs, and the reliability picture."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from simbudget.errors import Problem, UserError
from simbudget.forecast.backtest import Backtest, Plan, Progress, backtest, summary
from simbudget.forecast.track_record import CAMPAIGN_QUANTITIES
from simbudget.ledger.imported import ImportedLedger
from simbudget.numbers import NOTHING, percent
from simbudget.results import Picture, Result, Table

_NEEDED: Final = {
    "runs": "a project needs ten runs; with fewer, give the logs of more",
    "days": "a project needs dated and priced calls on enough days before and after the cut; give older logs too",
}
"""What logs need to hold, by what is forecast."""

Scores = dict[str, dict[str, dict[str, Any]]]

LABELS: Final = {
    "input_tokens": "input tokens",
    "new_input_tokens": "new input tokens",
    "cache_read_tokens": "cache-read tokens",
    "output_tokens": "output tokens",
    "cost_usd": "cost",
    "model_time_s": "model time",
    "active_time_s": "active time",
    "wall_time_s": "wall time",
    "cost_usd_7_days": "cost of the next 7 days",
    "cost_usd_30_days": "cost of the next 30 days",
    "total_cost_usd": "total cost",
    "calls": "calls",
    "experiments": "experiments",
    "gpu_time_s": "GPU time",
    "failures": "failures",
    "kept": "kept results",
    "best_score": "best score",
}
"""What each quantity is called."""

KNOWN: Final = {
    "calls": "the first {cut} of the calls of each run",
    "time": "the first {cut} of the time of each run",
    "unknown": "the first 5, 10, 20, 40, 80 and 160 calls of each run that goes on, its length unknown",
    "runs": "{cut} of the runs",
    "days": "the days before",
}

_MAIN: Final = ("input_tokens", "cost_usd", "experiments")
_FEW_CASES: Final = 20


@dataclass(frozen=True)
class Scored(Result):
    """How good forecasts would have been on runs whose end is known."""

    found: Backtest
    plan: Plan
    scores: Scores
    """By source of logs and quantity."""
    notes: tuple[str, ...] = ()

    json_name = "scores.json"

    def answer(self) -> str:
        """Return how good the forecasts of the main quantity were."""
        return backtest_answer(self.scores, self.plan.cut, self.plan.by)

    def as_json(self) -> dict[str, Any]:
        """Return the scores by source and quantity."""
        return self.scores

    def tables(self) -> list[Table]:
        """Return the scores of each source of logs."""
        return [_table(source, quantities) for source, quantities in self.scores.items()]

    def figures(self) -> dict[str, Picture]:
        """Return the reliability picture: where in its forecast each truth fell."""
        from simbudget.forecast.figures import reliability  # noqa: PLC0415  matplotlib is slow to import

        runs = len({(case.project, case.run) for case in self.found.forecasts})
        rests_on = f"{len(self.found.forecasts):,} cases of {runs:,} runs"
        draw = partial(reliability, positions_of(self.found), rests_on)
        return {"reliability": Picture("Reliability of forecasts", draw)}

    def _write_files(self, folder: Path) -> list[Path]:
        cases = folder / "cases.csv"
        table = cases_table(self.found)
        table.to_csv(cases, index=False, float_format="%.6g", lineterminator="\n")
        return [cases]


def scored(ledger: ImportedLedger, plan: Plan, progress: Progress = lambda done, total: None) -> Scored:
    """Return the backtest of a ledger, scored.

    Raises:
        UserError: nothing in the ledger can be forecast in the way that is asked for.
    """
    found = backtest(ledger, plan, progress)
    if not found.forecasts:
        remedy = _NEEDED.get(plan.by, "a run needs 15 calls, or a campaign 20 experiments")
        raise UserError(Problem(f"nothing in these logs can be projected by {plan.by}", remedy=remedy))
    return Scored(found, plan, summary(found))


def backtest_answer(scores: Scores, cut: float, by: str) -> str:
    """Return in one line how good the projections of the main quantity were."""
    source = max(scores, key=lambda name: max(figures["cases"] for figures in scores[name].values()))
    quantity = next((name for name in _MAIN if name in scores[source]), next(iter(scores[source])))
    figures = scores[source][quantity]
    known = KNOWN["time" if quantity in CAMPAIGN_QUANTITIES else by]
    line = f"From {known.format(cut=percent(cut))}, {_label(quantity)} of the rest ({source}): "
    line += f"median error {percent(figures['median_abs_error'])}, "
    line += f"80 % intervals covered {percent(figures['coverage_80'])} of {figures['cases']:,} cases"
    naive = figures["naive"].get("straight_line")
    if naive:
        line += f"; a straight line errs by {percent(naive['median_abs_error'])}"
    few = " Few cases: see the ranges." if figures["cases"] < _FEW_CASES else ""
    return f"{line}.{few}"


def _table(source: str, quantities: dict[str, dict[str, Any]]) -> Table:
    """Return the scores of one source of logs."""
    rows = [(_label(quantity), *_cells(figures)) for quantity, figures in quantities.items()]
    caption = (
        "error: median; covered: by 80 % intervals, which are as wide as `width`; line: a straight one. "
        "The JSON has more."
    )
    columns = ("", "cases", "error (90 %)", "bias", "covered (90 %)", "width", "line's error")
    return Table(source, columns, rows, caption)


def _label(quantity: str) -> str:
    """Return a quantity's name as it is shown; a total of runs is named after what is summed."""
    whole = quantity.removeprefix("total_")
    name = LABELS.get(quantity) or LABELS.get(whole, whole.replace("_", " "))
    return name if whole == quantity or name.startswith("total") else f"total {name}"


def _cells(figures: dict[str, Any]) -> Iterator[str]:
    yield f"{figures['cases']:,}"
    told = _range if figures["cases"] > 1 else lambda _: ""  # one case says nothing of how sure it is
    yield f"{percent(figures['median_abs_error'])} {told(figures['median_abs_error_interval'])}".rstrip()
    yield signed(figures["bias"])
    yield f"{percent(figures['coverage_80'])} {told(figures['coverage_80_interval'])}".rstrip()
    yield percent(figures["relative_width_80"])
    line = figures["naive"].get("straight_line")
    yield percent(line["median_abs_error"]) if line else NOTHING


def signed(part: float) -> str:
    """Return a part with its sign."""
    return f"{100 * part:+.0f} %"


def _range(interval: list[float]) -> str:
    return f"({100 * interval[0]:.0f}–{100 * interval[1]:.0f})"


def positions_of(found: Backtest) -> dict[str, list[float]]:
    """Return, by quantity, the part of each forecast that lies below the truth."""
    positions: dict[str, list[float]] = {}
    for forecast in found.forecasts:
        name = _label(forecast.quantity)
        positions.setdefault(name, []).append(float(np.mean(forecast.sample <= forecast.truth)))
    return positions


def cases_table(found: Backtest) -> pd.DataFrame:
    """Return a row for each case: the truth, and the forecast's quantiles before and after stretching."""
    rows = []
    for wide, raw in zip(found.forecasts, found.raw, strict=True):
        row: dict[str, str | float] = {
            "source": wide.source,
            "project": wide.project,
            "run": wide.run,
            "quantity": wide.quantity,
        }
        row |= {"truth": wide.truth}
        for name, forecast in (("", wide), ("raw_", raw)):
            for level, value in zip((10, 50, 90), np.quantile(forecast.sample, (0.1, 0.5, 0.9)), strict=True):
                row[f"{name}p{level}"] = float(value)
        row |= {f"naive_{method}": float(np.median(s)) for method, s in wide.naive.items()}
        rows.append(row)
    return pd.DataFrame(rows)
