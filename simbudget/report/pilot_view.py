"""The display of a pilot: a live view while it runs, and a summary when it has ended."""

import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from simbudget.numbers import NOTHING, count, hours, percent, usd
from simbudget.pilot.run.progress import Progress
from simbudget.report.terminal import standard_error

_WIDEST = 110
_MOST_ROWS = 16

_DOING = {
    "call": "thinking",
    "post": "sharing",
    "compaction": "summarising",
    "poll": "polling",
    "tool": "working with tools",
    "experiment": "experiment",
    "score": "being scored",
}


@contextmanager
def live_view(hidden: bool) -> Iterator[Callable[[Progress], None]]:
    """Show a pilot's progress on stderr if that is a terminal; yields the function to call with each update."""
    console = standard_error()
    console.width = min(console.width, _WIDEST)
    if hidden or not sys.stderr.isatty():
        yield lambda progress: None
        return
    with Live(console=console, refresh_per_second=4, transient=True) as live:
        yield lambda progress: live.update(progress_view(progress))


def progress_view(progress: Progress) -> RenderableType:
    """Return a pilot's progress for a terminal."""
    best = NOTHING if progress.best_score is None else f"{progress.best_score:.3f}"
    left = f"{int(progress.wall_left_s // 60)}:{int(progress.wall_left_s % 60):02d} left"
    money = f"{usd(progress.spent_usd)} of {usd(progress.cap_usd)} spent"
    if progress.open_usd:
        money += f", up to {usd(progress.open_usd)} in flight"
    lines = [
        f"{left}, {hours(progress.run_s / 3600)} of the run done · {money} · "
        f"{usd(progress.usd_per_run_hour)} per hour of the run",
        f"{progress.calls:,} calls · {progress.experiments:,} experiments "
        f"({progress.slots_taken} of {progress.slots} slots taken, {progress.queue_length} waiting) · "
        f"{progress.submissions:,} submissions, best score {best}",
    ]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("agent", "doing", "cycle", "calls", "spent", "best"):
        table.add_column(column, justify="left" if column == "doing" else "right")
    for each in progress.agents[:_MOST_ROWS]:
        score = NOTHING if each.best_score is None else f"{each.best_score:.3f}"
        doing = _DOING.get(each.doing, each.doing)
        table.add_row(str(each.agent), doing, str(each.cycle), f"{each.calls:,}", usd(each.spent_usd), score)
    parts: list[RenderableType] = [*(Text(line) for line in lines), table]
    if len(progress.agents) > _MOST_ROWS:
        parts.append(Text(f"and {len(progress.agents) - _MOST_ROWS} more agents"))
    return Group(*parts)


def pilot_answer(summary: dict[str, Any]) -> str:
    """Return one line on the outcome of a pilot."""
    best = summary["best_score"]
    found = "nothing was scored" if best is None else f"best score {best:.3f}"
    if "tasks" in summary:
        tasks = summary["tasks"]
        found += f", {tasks['solved']:,} of {tasks['count']:,} tasks solved in {tasks['attempts']:,} attempts"
    money = "billed" if is_live(summary) else "of simulated money spent (the model was simulated)"
    return (
        f"{usd(summary['billed_usd'])} {money} of {usd(summary['cap_usd'])}; {summary['agents']} agents, "
        f"{hours(summary['run_hours'])} of the run, {summary['submissions']} submissions, {found}; "
        f"ended: {summary['ended_because']}."
    )


def is_live(summary: dict[str, Any]) -> bool:
    """Return whether a pilot called a real model, and cost real money."""
    return "live" in str(summary["source"])


def next_step(summary: dict[str, Any], scenario: Path) -> str:
    """Return one line on what to do with a pilot's ledger."""
    if not summary["model_calls"]:
        return "No calls were made, so there is nothing to calibrate on: give it more time, with --resume."
    folder = Path(summary["ledger"]).parent
    files = (str(scenario), summary["ledger"], "-o", str(folder / "calibrated.yaml"))
    learnt = "" if is_live(summary) else " (this learns from a program, not from a model)"
    return f"Next: simbudget calibrate {shlex.join(files)}{learnt}"


def pilot_tables(summary: dict[str, Any]) -> list[Table]:
    """Return the tables of a pilot's summary."""
    return [_spend(summary), _use(summary), _time(summary)]


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index == 0 else "right")
    return table


def _spend(summary: dict[str, Any]) -> Table:
    billed = "the provider's bill" if is_live(summary) else "a simulated provider's bill"
    table = _table(f"Spend by {billed} and the scenario's prices", "component", "US dollars")
    for component, spent in summary["spend_by_component_usd"].items():
        table.add_row(component, usd(spent))
    table.add_row("total", usd(summary["spend_usd"]))
    table.add_row("per agent-hour", usd(summary["cost_per_agent_hour_usd"]))
    return table


def _use(summary: dict[str, Any]) -> Table:
    table = _table("Activity", "", "")
    tokens = summary["tokens"]
    rows = [
        ("model calls", f"{summary['model_calls']:,}"),
        ("failed, rate limited", f"{summary['failed_calls']:,}, {summary['turned_away']:,}"),
        ("tokens read from the cache", count(tokens["cache_read"])),
        ("tokens written to the cache", count(tokens["cache_write"])),
        ("uncached input tokens", count(tokens["uncached_input"])),
        ("output tokens", count(tokens["output"])),
        ("experiments, failed attempts", f"{summary['experiments']:,}, {summary['experiments_failed']:,}"),
        ("jobs cancelled", f"{summary['jobs_cancelled']:,}"),
        ("submissions", f"{summary['submissions']:,}"),
    ]
    if "tasks" in summary:
        tasks = summary["tasks"]
        rows += [
            ("tasks solved", f"{tasks['solved']:,} of {tasks['count']:,}"),
            ("attempts at tasks", f"{tasks['attempts']:,}"),
            ("cost per solved task", usd(tasks["cost_per_solved_usd"])),
        ]
    for name, value in rows:
        table.add_row(name, value)
    return table


def _time(summary: dict[str, Any]) -> Table:
    table = _table(f"Where {hours(summary['agent_hours'])} of agents' time went", "activity", "share")
    for activity, share in summary["agent_time_share"].items():
        if share:
            table.add_row(activity.replace("_", " "), percent(share))
    return table


def reconciliation_line(summary: dict[str, Any]) -> str:
    """Return one line on whether the ledger agrees with the provider's bill."""
    books = summary["reconciliation"]
    parts = []
    if books["agrees"] is True:
        parts.append(f"The ledger and the provider's bill agree: {usd(books['provider_usd'])}.")
    elif books["agrees"] is False:
        parts.append(
            f"The ledger ({usd(summary['billed_usd'])}) and the provider's bill ({usd(books['provider_usd'])}) "
            f"do not agree: {books['billed_and_missing']} billed calls are missing from the ledger, "
            f"{books['recorded_and_not_billed']} recorded calls were not billed."
        )
    else:
        parts.append(
            "Compare the ledger with the provider's usage page; simbudget has no access to the bill."
        )
    if books["at_worst_case"]:
        parts.append(
            f"{books['at_worst_case']} calls whose answer was lost are counted at their worst case, "
            f"{usd(books['at_worst_case_usd'])}."
        )
    return " ".join(parts)
