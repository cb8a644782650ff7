"""`simbudget sensitivity`: which unknowns and choices drive cost and results, and what is worth knowing."""

from pathlib import Path
from typing import Any

import click

from simbudget.cli.options import View, file_argument, money, sample_options


@click.command("sensitivity")
@file_argument
@click.option(
    "--worth", callback=money, metavar="$", help="Value of a transferable result.  [default: what one costs]"
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE[,VALUE...]",
    help="Alternative plans to decide between, for the value of information.",
)
@click.option("--choices/--no-choices", default=True, help="Also vary one choice at a time.  [default: yes]")
@sample_options(250)
def sensitivity_command(
    file: Path,
    worth: float | None,
    settings: tuple[str, ...],
    choices: bool,
    sample: dict[str, Any],
    view: View,
) -> None:
    """Rank what drives the spend, duration and results of the scenario FILE.

    \b
    Examples:
      simbudget sensitivity scenario.yaml --out sensitivity
      simbudget sensitivity scenario.yaml --worth '$50000' --set agents=4

    Unknowns are ranked by the share of the variance that they explain; choices (agents, hours, GPUs ...) are changed
    one at a time, with common random numbers.
    """  # noqa: D301  click looks for the character itself
    from simbudget import api  # noqa: PLC0415
    from simbudget.report.terminal import progress_bar  # noqa: PLC0415

    with progress_bar(view.is_silent) as progress:
        found = api.sensitivity(
            file, worth_usd=worth, against=settings, choices=choices, progress=progress, **sample
        )
    view.show(found)
