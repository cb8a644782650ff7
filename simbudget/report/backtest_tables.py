"""A backtest as one line that says the answer, and a table for each source of logs."""

from collections.abc import Iterator
from typing import Any, Final

from rich.box import SIMPLE_HEAD
from rich.table import Table

from simbudget.forecast.track_record import CAMPAIGN_QUANTITIES
from simbudget.numbers import NOTHING, percent

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
    "unknown": "the first {cut} of the calls of each run, their number not known",
    "runs": "{cut} of the runs",
    "days": "the days before",
}

_MAIN: Final = ("input_tokens", "cost_usd", "experiments")
_FEW_CASES: Final = 20


def backtest_answer(scores: Scores, cut: float, by: str) -> str:
    """Return in one line how good the projections of the main quantity were."""
    source = max(scores, key=lambda name: max(figures["cases"] for figures in scores[name].values()))
    quantity = next((name for name in _MAIN if name in scores[source]), next(iter(scores[source])))
    figures = scores[source][quantity]
    known = KNOWN["time" if quantity in CAMPAIGN_QUANTITIES else by]
    line = f"From {known.format(cut=percent(cut))}, {LABELS.get(quantity, quantity)} of the rest ({source}): "
    line += f"median error {percent(figures['median_abs_error'])}, "
    line += f"80 % intervals covered {percent(figures['coverage_80'])} of {figures['cases']:,} cases"
    naive = figures["naive"].get("straight_line")
    if naive:
        line += f"; a straight line errs by {percent(naive['median_abs_error'])}"
    few = " Few cases: see the ranges." if figures["cases"] < _FEW_CASES else ""
    return f"{line}.{few}"


def backtest_tables(scores: Scores) -> Iterator[Table]:
    """Yield a table for each source of logs."""
    for source, quantities in scores.items():
        table = Table(
            title=source, box=SIMPLE_HEAD, title_justify="left", title_style="bold", padding=(0, 1, 0, 0)
        )
        table.add_column("")
        for heading in ("cases", "error (90 %)", "bias", "covered (90 %)", "width", "line's error"):
            table.add_column(heading, justify="right")
        for quantity, figures in quantities.items():
            table.add_row(LABELS.get(quantity, quantity), *_cells(figures))
        table.caption = (
            "error: median; covered: by 80 % intervals, which are as wide as `width`; line: a straight one. "
            "--json has more."
        )
        table.caption_justify = "left"
        yield table


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
