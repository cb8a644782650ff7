"""The terminal: tables go to stdout, progress to stderr."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from simbudget.report.narrow import ReadableTables

_WIDEST = 110


class _Output(Console):
    def on_broken_pipe(self) -> None:
        """Leave it to the entry point: rich would end with the status of a limit that is not met."""
        raise BrokenPipeError


def standard_output() -> Console:
    """Return the console on stdout, no wider than reads well; tables that are wider become paragraphs."""
    console = _Output()
    console.width = min(console.width, _WIDEST)
    console.push_render_hook(ReadableTables(console))
    return console


@contextmanager
def reading() -> Iterator[Callable[[Path], None]]:
    """Say on stderr, if that is a terminal, which file is being read; yields what to call with it."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    with console.status("reading") as status:
        yield lambda path: status.update(f"reading {path}")


@contextmanager
def progress_bar(hidden: bool) -> Iterator[Callable[[int, int], None]]:
    """Show a bar with the time left on stderr, if that is a terminal; yields what to call with (done, total)."""
    columns = (TextColumn("simulating"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(
        *columns, console=Console(stderr=True), transient=True, disable=hidden or not sys.stderr.isatty()
    ) as bar:
        task = bar.add_task("simulating", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
