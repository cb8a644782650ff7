"""`simbudget check`: what was understood of a scenario, quantity by quantity, and where each came from."""

import json
from pathlib import Path

import click

from simbudget.cli.options import file_argument


@click.command("check")
@file_argument
@click.option("--json", "as_json", is_flag=True, help="Print the table as JSON.")
def check_command(file: Path, as_json: bool) -> None:
    """Say what was understood of the scenario FILE.

    Every value is listed: whether it is exact, varies from draw to draw or is unknown, and whether it comes
    from the file or is a default.
    """
    from simbudget.report.terminal import standard_output  # noqa: PLC0415
    from simbudget.report.understood import understood_table  # noqa: PLC0415
    from simbudget.scenario.loading import load_scenario  # noqa: PLC0415

    loaded = load_scenario(file)
    if as_json:
        rows = [vars(row) for row in loaded.provenance]
        click.echo(
            json.dumps({"scenario": loaded.scenario.name, "values": rows, "notes": loaded.notes}, indent=2)
        )
        return
    console = standard_output()
    console.print(understood_table(loaded.provenance))
    for note in loaded.notes:
        console.print(f"Note: {note}.", highlight=False)
    console.print(f"{file}: fine", highlight=False)
