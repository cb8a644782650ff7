"""`simbudget project`: a scenario's spend by component and over time, and how likely it stays within budget."""

from pathlib import Path

import click

from simbudget.cli.options import View, amount, cores_options, file_argument, view_options


@click.command("project")
@file_argument
@click.option(
    "--replications",
    type=int,
    help="Maximum number of replications.  [default: 100; 10,000 with --precision]",
)
@click.option("--worlds", type=int, help="Number of worlds.  [default: one per replication]")
@click.option(
    "--precision",
    callback=amount("FRACTION"),
    metavar="SHARE",
    help="Stop when the relative error of spend is below this, such as 2%.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Random seed.")
@cores_options
@click.option("--engine", type=click.Choice(["compiled", "reference"]), default="compiled", show_default=True)
@view_options
def project_command(  # noqa: PLR0913, PLR0917  one parameter for each option
    file: Path,
    replications: int | None,
    worlds: int | None,
    precision: float | None,
    seed: int,
    workers: int | None,
    on: str | None,
    engine: str,
    view: View,
) -> None:
    """Project the scenario FILE.

    Example: simbudget project scenario.yaml --out projection

    Interrupting it (Ctrl-C) shows what has been computed so far.
    """
    from simbudget.scenario.loading import load_scenario  # noqa: PLC0415

    loaded = load_scenario(file)  # first, so that mistakes are reported before the slow import of the engine
    from simbudget.projection.run import Options, project  # noqa: PLC0415
    from simbudget.report.terminal import progress_bar  # noqa: PLC0415

    if view.out is not None:
        view.out.mkdir(parents=True, exist_ok=True)
    options = Options(seed, replications, worlds, workers, precision, engine, on)
    with progress_bar(view.is_silent) as progress:
        projection = project(loaded.scenario, options, progress, loaded.notes)
    view.show(projection)
