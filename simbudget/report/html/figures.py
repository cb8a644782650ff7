"""The figures of a report's tables: which of the summary they are, and how each is written."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from simbudget.report.numbers import NOTHING, count, hours, percent, usd
from simbudget.report.table_rows import Summary, is_certain

Show = Callable[[float | None], str]

STATISTICS: Final = ("p10", "p50", "p90", "mean")


@dataclass(frozen=True)
class Cell:
    """One number: where it stands in `project --json`, what it is, and how it is written."""

    path: str
    """Keys from the top, parted by dots."""
    value: float | None
    text: str


@dataclass(frozen=True)
class Row:
    """One figure: its name and its statistics."""

    label: str
    cells: tuple[Cell, ...]
    is_total: bool = False


@dataclass(frozen=True)
class FigureTable:
    """A table of figures."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


_WORDS: Final = {
    "scorer_calls": "scorer calls",
    "uncached_input": "uncached input tokens",
    "cache_write": "cache write tokens",
    "cache_read": "cache read tokens",
    "output": "output tokens",
    "used": "GPU-hours used",
    "billed": "GPU-hours billed",
    "gpu": "GPUs",
    "api_requests": "API requests",
    "api_input": "API input tokens",
    "api_output": "API output tokens",
    "waiting_gpu": "waiting for GPUs",
    "waiting_scorer": "waiting for the scorer",
    "waiting_api": "waiting for the API",
    "waiting_other": "waiting otherwise",
}


def words(name: str) -> str:
    """Return how a figure is called."""
    return _WORDS.get(name, name.replace("_", " "))


def at(summary: Summary, path: str) -> Any:
    """Return what stands in a summary at a path."""
    found: Any = summary
    for key in path.split("."):
        found = found[key]
    return found


def cell(summary: Summary, path: str, show: Show) -> Cell:
    """Return the number at a path of the summary."""
    value = at(summary, path)
    return Cell(path, value, show(value))


def score(value: float | None) -> str:
    """Return a score as it is written."""
    return NOTHING if value is None else f"{value:.2f}"


def figure_tables(summary: Summary) -> dict[str, FigureTable]:
    """Return the tables of a summary's figures by their places in the report."""
    tables = {"spend": _spend(summary), "work": _work(summary)}
    tables["time"] = _table(
        summary, "Share of the agents' time", _under(summary, "agent_time_share", percent)
    )
    tables["resources"] = _table(summary, "Use of what is limited", _under(summary, "utilisation", percent))
    if summary["research"] is not None:
        tables["research"] = _research(summary)
    return tables


def _columns(summary: Summary) -> tuple[str, ...]:
    return ("mean",) if is_certain(summary) else STATISTICS


def _row(summary: Summary, label: str, path: str, show: Show, is_total: bool = False) -> Row | None:
    figure = at(summary, path)
    if figure is None or not figure["mean"]:
        return None
    cells = (cell(summary, f"{path}.{name}", show) for name in _columns(summary))
    return Row(label, tuple(cells), is_total)


def _under(summary: Summary, path: str, show: Show) -> Iterator[Row | None]:
    for name in at(summary, path):
        yield _row(summary, words(name), f"{path}.{name}", show)


def _table(summary: Summary, title: str, rows: Iterator[Row | None]) -> FigureTable:
    return FigureTable(title, _columns(summary), tuple(row for row in rows if row is not None))


def _spend(summary: Summary) -> FigureTable:
    def rows() -> Iterator[Row | None]:
        for name in summary["spend_by_component_usd"]:
            yield _row(summary, name, f"spend_by_component_usd.{name}", usd)
        yield _row(summary, "total", "spend_usd", usd, is_total=True)
        yield _row(summary, "per agent-hour", "cost_per_agent_hour_usd", usd)
        yield _row(summary, "over the budget", "overrun_usd", usd)

    return _table(summary, "Spend in US dollars", rows())


def _work(summary: Summary) -> FigureTable:
    def rows() -> Iterator[Row | None]:
        yield _row(summary, "wall clock", "wall_clock_hours", hours)
        for name in ("agent_hours", "cycles", "experiments", "scorer_calls", "model_calls"):
            yield _row(summary, words(name), name, count)
        yield from _under(summary, "gpu_hours", count)
        yield from _under(summary, "tokens", count)

    return _table(summary, "Work and time", rows())


def _research(summary: Summary) -> FigureTable:
    research = summary["research"]
    named = {
        "submissions": ("submissions", count),
        "methods": ("distinct methods", count),
        "best_measured_score": ("best measured score", score),
        "best_measured_true_quality": ("its true quality", score),
        "second_measured_score": ("second-best method", score),
        "best_true_quality": ("best true quality", score),
        "hacks.made": ("hacks made", count),
        "hacks.caught": ("hacks caught", count),
        "hacks.missed": ("hacks missed", count),
        "reviews": ("reviews", count),
        "review_wait_hours": ("wait for a review", hours),
    }
    if research["transferable_results"] is not None:
        named["transferable_results.true"] = ("transferable results", count)
        named["transferable_results.found"] = ("of them found by the gates", count)
        named["transferable_results.false"] = ("false alarms of the gates", count)
        named["transferable_results.untried"] = ("transferable, not among finalists", count)

    def rows() -> Iterator[Row | None]:
        for path, (label, show) in named.items():
            total = path == "transferable_results.true"
            yield _row(summary, label, f"research.{path}", show, total)

    return _table(summary, "Research", rows())
