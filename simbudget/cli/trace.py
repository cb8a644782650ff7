"""`simbudget trace`: the ledger of one replication, its timeline, and its Gantt picture."""

from pathlib import Path

import click

from simbudget.cli.options import file_argument, show


@click.command("trace")
@file_argument
@click.option("--replication", type=click.IntRange(min=0), default=0, show_default=True, help="Which one.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Same seed, same run.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default="simbudget-trace")
@click.option(
    "--format", "suffix", type=click.Choice(["parquet", "csv"]), default="parquet", show_default=True
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print counts and spend by kind as JSON, and nothing else."
)
def trace_command(file: Path, replication: int, seed: int, out: Path, suffix: str, as_json: bool) -> None:
    """Write everything that happens in one replication of the scenario FILE.

    The ledger has a row for each thing that happened. The timeline is in the Chrome trace-event format:
    open it at https://ui.perfetto.dev.
    """
    from simbudget.scenario.loading import load_scenario  # noqa: PLC0415

    loaded = load_scenario(
        file
    )  # a mistake in it is reported before the engine is imported, which takes longer
    from dataclasses import replace  # noqa: PLC0415

    from simbudget.projection.trace import trace  # noqa: PLC0415

    found = replace(trace(loaded.scenario, seed, replication), as_csv=suffix == "csv")
    show(found, as_json=as_json, out=out)
