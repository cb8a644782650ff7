"""The page of the track record: every backtest on the logs at hand, as Markdown."""

from collections.abc import Iterator
from typing import Any, Final

from simbudget.numbers import NOTHING, percent
from simbudget.report.backtest_tables import LABELS, signed

_TASKS: Final = {
    "calls": "From the first 20 % of the calls of a run: the rest of it, the number of calls known",
    "time": "From the first 20 % of the time of a run or campaign: the rest of it, its length known",
    "runs": "From 20 % of the runs: all others together (total), and each of them",
}
_WHICH: Final = {
    "built on": "Projects that the models were built on (each forecast stretched by all runs but its own)",
    "held out": "Projects that were not looked at (stretched by what the projects above showed, nothing of their own)",
}
_HEADINGS: Final = (
    "project",
    "quantity",
    "cases",
    "median error (90 %)",
    "bias",
    "80 % covered (90 %)",
    "before stretching",
    "width",
    "CRPS",
    "straight line",
    "bootstrap (covered)",
)


def page(record: dict[str, Any]) -> str:
    """Return the page of a record."""
    return "\n".join(_lines(record)) + "\n"


def _lines(record: dict[str, Any]) -> Iterator[str]:
    yield "# Track record"
    yield ""
    yield "How good calibrated projections were on real runs whose end is known. `make backtest` makes this page again;"
    yield "`simbudget backtest LOG…` makes the same of your own logs. Methods: [calibration.md](calibration.md)."
    yield ""
    yield "Errors, widths and CRPS are parts of the truth, medians over cases; in brackets 90 % of a bootstrap."
    yield "Logs of output counts that are placeholders count as not known: there, cost is that of input."
    yield "Few cases say little: look at the ranges."
    for by, title in _TASKS.items():
        yield ""
        yield f"## {title}"
        for which, words in _WHICH.items():
            scores = record["scores"][by][which]
            if not any(scores.values()):
                continue
            yield ""
            yield f"### {words}"
            yield ""
            yield f"![reliability](track-record-{by}-{which.replace(' ', '-')}.png)"
            yield ""
            yield from _table(scores)


def _table(scores: dict[str, Any]) -> Iterator[str]:
    yield "| " + " | ".join(_HEADINGS) + " |"
    yield "| --- | --- |" + " ---: |" * (len(_HEADINGS) - 2)
    names = [name for name in scores if name != "all"]
    for name in [*names, *(["all"] if len(names) > 1 else [])]:
        for quantity, figures in scores[name].items():
            yield "| " + " | ".join((name, _label(quantity), *_cells(figures))) + " |"


def _label(quantity: str) -> str:
    total = "total " if quantity.startswith("total_") else ""
    name = quantity.removeprefix("total_")
    return total + LABELS.get(name, name)


def _cells(figures: dict[str, Any]) -> Iterator[str]:
    yield f"{figures['cases']:,}"
    yield f"{percent(figures['median_abs_error'])} {_range(figures['median_abs_error_interval'])}"
    yield signed(figures["bias"])
    yield f"{percent(figures['coverage_80'])} {_range(figures['coverage_80_interval'])}"
    yield percent(figures["raw"]["coverage_80"])
    yield percent(figures["relative_width_80"])
    yield percent(figures["crps"])
    line, bootstrap = (figures["naive"].get(name) for name in ("straight_line", "bootstrap"))
    yield percent(line["median_abs_error"]) if line else NOTHING
    yield (
        f"{percent(bootstrap['median_abs_error'])} ({percent(bootstrap['coverage_80'])})"
        if bootstrap
        else NOTHING
    )


def _range(interval: list[float]) -> str:
    return f"({100 * interval[0]:.0f}–{100 * interval[1]:.0f})"
