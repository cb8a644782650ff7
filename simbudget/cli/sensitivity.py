"""`simbudget sensitivity`: which unknowns and choices drive cost and results, and what is worth knowing."""

from dataclasses import replace
from pathlib import Path

import click

from simbudget.cli.options import (
    file_argument,
    money,
    sample_options,
    show,
)


@click.command("sensitivity")
@file_argument
@click.option("--worth", callback=money, help="Value of a transferable result.  [default: what one costs]")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE[,VALUE...]",
    help="Alternative plans to decide between, for the value of information.",
)
@click.option("--choices/--no-choices", default=True, help="Also vary one choice at a time.  [default: yes]")
@sample_options(250)
def sensitivity_command(  # noqa: PLR0913, PLR0917  one parameter for each option
    file: Path,
    worth: float | None,
    settings: tuple[str, ...],
    choices: bool,
    replications: int,
    seed: int,
    workers: int | None,
    on: str | None,
    out: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Rank what drives the spend, duration and results of the scenario FILE.

    \b
    Examples:
      simbudget sensitivity scenario.yaml --out sensitivity
      simbudget sensitivity scenario.yaml --worth '$50000' --set agents=4

    Unknowns are ranked by the share of the variance that they explain; choices (agents, hours, GPUs ...) are changed
    one at a time, with common random numbers.
    """  # noqa: D301  click looks for the character itself
    from simbudget.deciding.alternatives import Sample, as_it_stands, with_each  # noqa: PLC0415
    from simbudget.deciding.changes import Source, parse_changes  # noqa: PLC0415
    from simbudget.deciding.choices import one_at_a_time, one_change_each  # noqa: PLC0415
    from simbudget.deciding.sensitivity import sensitivity  # noqa: PLC0415
    from simbudget.report.terminal import progress_bar  # noqa: PLC0415

    source = Source.of(file)
    plan = as_it_stands(source)
    others = with_each(source, [parse_changes(setting) for setting in settings])
    sample = Sample(replications, seed, workers, on)
    with progress_bar(quiet or as_json) as progress:
        found = sensitivity([plan, *others], sample, worth, progress)
    if choices:
        with progress_bar(quiet or as_json) as progress:
            changed = one_at_a_time((plan, found.projection), one_change_each(source), sample, progress)
        found = replace(found, choices=changed)
    show(found, as_json=as_json, quiet=quiet, out=out)
