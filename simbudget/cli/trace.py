"""`simbudget trace`: the ledger of one replication, its timeline, and its Gantt chart."""

from pathlib import Path

import click

from simbudget.cli.options import file_argument, show


@click.command("trace")
@file_argument
@click.option("--replication", type=click.IntRange(min=0), default=0, show_default=True, help="Its number.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Random seed.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default="simbudget-trace",
    show_default=True,
    help="Folder for the ledger and the timeline.",
)
@click.option(
    "--format",
    "suffix",
    type=click.Choice(["parquet", "csv"]),
    default="parquet",
    show_default=True,
    help="Format of the ledger.",
)
@click.option("--json", "as_json", is_flag=True, help="Print only counts and spend by kind, as JSON.")
def trace_command(file: Path, replication: int, seed: int, out: Path, suffix: str, as_json: bool) -> None:
    """Write every event of one replication of the scenario FILE.

    Example: simbudget trace scenario.yaml --out trace

    The ledger has one row per event. The timeline is in the Chrome trace-event format; open it at
    https://ui.perfetto.dev.
    """
    from simbudget.scenario.loading import load_scenario  # noqa: PLC0415

    loaded = load_scenario(file)  # first, so that mistakes are reported before the slow import of the engine
    from dataclasses import replace  # noqa: PLC0415

    from simbudget.projection.trace import trace  # noqa: PLC0415
    from simbudget.report.terminal import working  # noqa: PLC0415

    with working(as_json) as does:
        does(f"simulating replication {replication}")
        traced = trace(loaded.scenario, seed, replication)
    found = replace(traced, as_csv=suffix == "csv")
    show(found, as_json=as_json, out=out)
