"""The page of the track record: every backtest on the available logs, as Markdown."""

from collections.abc import Iterator
from typing import Any, Final

from simbudget.forecast.scored import LABELS, signed
from simbudget.numbers import NOTHING, percent

_TASKS: Final = {
    "calls": "The remaining run from the first 20 % of its calls, given the number of calls",
    "unknown": "The remaining run from its first 5, 10, 20, 40, 80 and 160 calls, of unknown length",
    "time": "The remaining run from the first 20 % of its time, given its length; campaigns likewise",
    "runs": "Further runs from 20 % of the runs: their total, and each of them",
    "days": "Spend over the next 7 and 30 days, from every other day after the first 60 %",
}
_WHICH: Final = {
    "built on": "Projects that the models were built on",
    "held out": "Held-out projects",
}
_HEADINGS: Final = (
    "project",
    "quantity",
    "cases",
    "80 % interval held (90 %)",
    "stretched",
    "median error (90 %)",
    "bias",
    "width",
    "CRPS",
    "of simple methods",
)
_HOW: Final = """\
Each session is forecast from its beginning and from sessions outside its tenth of the project. *Held*: how often the
truth lay in the 80 % interval as forecast; *stretched*: the same after adjusting intervals by the errors of other
runs, which `backtest` does; everything else is as forecast. Errors and widths are shares of the truth, medians over
cases; ranges in brackets are 90 % intervals of a bootstrap over runs. *CRPS*: that of the logarithm, mean over cases,
so that short and long runs count alike. *Of simple methods*: the CRPS of a straight line through the mean so far, of
a lognormal bootstrap of calls, of what remained of other sessions resampled (known runs; for further runs,
bootstrap), and of last week. Where a log's output counts are placeholders, cost is that of input only. A few cases
prove little: look at the ranges."""
_METHODS: Final = {
    "straight_line": "line",
    "bootstrap": "bootstrap",
    "known_runs": "known runs",
    "last_value": "last value",
    "log_linear": "log-linear",
    "last_week": "last week",
    "seasonal_naive": "seasonal",
    "mean": "mean",
}


def page(record: dict[str, Any]) -> str:
    """Return the page of a record."""
    return "\n".join(_lines(record)) + "\n"


def _lines(record: dict[str, Any]) -> Iterator[str]:
    yield "# Track record"
    yield ""
    yield "How accurate forecasts were on real runs whose outcome is known. `simbudget forecast` makes the same"
    yield "forecasts; `simbudget backtest LOG...` measures them on your own logs, and `make backtest` makes this page."
    yield "Methods: [forecast.md](forecast.md)."
    yield ""
    yield from _HOW.splitlines()
    for by, title in _TASKS.items():
        yield ""
        yield f"## {title}"
        for which, words in _WHICH.items():
            scores = record["scores"].get(by, {}).get(which, {})
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
    raw = figures["raw"]
    yield f"{figures['cases']:,}"
    yield f"{percent(raw['coverage_80'])} {_range(raw.get('coverage_80_interval'))}".rstrip()
    yield percent(figures["coverage_80"])
    yield f"{percent(raw['median_abs_error'])} {_range(raw.get('median_abs_error_interval'))}".rstrip()
    yield signed(raw["bias"])
    yield percent(raw["relative_width_80"])
    yield _crps(raw)
    simple = {name: figures["naive"][key] for key, name in _METHODS.items() if key in figures["naive"]}
    yield ", ".join(f"{name} {_crps(scores)}" for name, scores in simple.items()) or NOTHING


def _crps(scores: dict[str, Any]) -> str:
    return f"{scores['log_crps']:.3f}"


def _range(interval: list[float] | None) -> str:
    return "" if interval is None else f"({100 * interval[0]:.0f}–{100 * interval[1]:.0f})"
