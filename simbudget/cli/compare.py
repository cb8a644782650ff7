"""`simbudget compare`: two or more plans side by side, with intervals on their differences."""

from pathlib import Path
from typing import Any

import click

from simbudget.cli.options import ScenarioPath, View, sample_options


@click.command("compare")
@click.argument("files", type=ScenarioPath(), nargs=-1, required=True, metavar="FILE...")
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE[,VALUE...]", help="Replace a value of FILE."
)
@sample_options(400)
def compare_command(
    files: tuple[Path, ...],
    settings: tuple[str, ...],
    sample: dict[str, Any],
    view: View,
) -> None:
    """Compare scenarios, or one FILE with some of its values replaced.

    \b
    Examples:
      simbudget compare a.yaml b.yaml
      simbudget compare a.yaml --set agents=4,9,18 --set model=opus,sonnet

    KEY is a place in the scenario, such as stop.after, gates[1].price or cycle.think[0].turns. Short forms: agents,
    model, hours, budget, gpus, billing, servers, reviewers, finalists, cache. All plans are simulated in the same
    worlds with the same random numbers.
    """  # noqa: D301  click looks for the character itself
    from simbudget import api  # noqa: PLC0415
    from simbudget.report.terminal import progress_bar  # noqa: PLC0415

    with progress_bar(view.is_silent) as progress:
        comparison = api.compare(*files, vary=settings, progress=progress, **sample)
    view.show(comparison)
