"""`simbudget compare`: two or more plans side by side, with intervals on their differences."""

from pathlib import Path

import click

from simbudget.cli.options import ScenarioPath, sample_options, show


@click.command("compare")
@click.argument("files", type=ScenarioPath(), nargs=-1, required=True, metavar="FILE...")
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE[,VALUE...]", help="Replace a value of FILE."
)
@sample_options(400)
def compare_command(  # noqa: PLR0913, PLR0917  one parameter for each option
    files: tuple[Path, ...],
    settings: tuple[str, ...],
    replications: int,
    seed: int,
    workers: int | None,
    on: str | None,
    out: Path | None,
    as_json: bool,
    quiet: bool,
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
    from simbudget.deciding.alternatives import Sample, alternatives  # noqa: PLC0415
    from simbudget.deciding.changes import parse_changes  # noqa: PLC0415
    from simbudget.deciding.compare import compare  # noqa: PLC0415
    from simbudget.report.terminal import progress_bar  # noqa: PLC0415

    compared = alternatives(files, [parse_changes(setting) for setting in settings])
    with progress_bar(quiet or as_json) as progress:
        comparison = compare(compared, Sample(replications, seed, workers, on), progress)
    show(comparison, as_json=as_json, quiet=quiet, out=out)
