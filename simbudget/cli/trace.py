"""`simbudget trace`: the ledger of one replication, its timeline, and its Gantt picture."""

from pathlib import Path

import click


@click.command("trace")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--replication", type=click.IntRange(min=0), default=0, show_default=True, help="Which one.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Same seed, same run.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default="simbudget-trace")
@click.option(
    "--format", "suffix", type=click.Choice(["parquet", "csv"]), default="parquet", show_default=True
)
def trace_command(file: Path, replication: int, seed: int, out: Path, suffix: str) -> None:
    """Write everything that happens in one replication of the scenario FILE.

    The ledger has a row for each thing that happened. The timeline is in the Chrome trace-event format:
    open it at https://ui.perfetto.dev.
    """
    from simbudget.scenario.loading import load_scenario  # noqa: PLC0415

    loaded = load_scenario(file)  # a mistake in it is told before the engine is imported, which takes longer
    from simbudget.projection.run import trace  # noqa: PLC0415
    from simbudget.report.output import write_trace  # noqa: PLC0415

    ledger = trace(loaded.scenario, seed, replication)
    written = write_trace(ledger, loaded.scenario, out, suffix)
    spend_usd = ledger["cost_usd"].sum()
    click.echo(f"{len(ledger):,} entries, ${spend_usd:,.2f} in all. Wrote {', '.join(map(str, written))}.")
