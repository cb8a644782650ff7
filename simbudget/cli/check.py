"""`simbudget check`: how a scenario was understood, quantity by quantity, and where each value came from."""

from pathlib import Path

import click

from simbudget.cli.options import file_argument, show


@click.command("check")
@file_argument
@click.option("--json", "as_json", is_flag=True, help="Print the table as JSON.")
def check_command(file: Path, as_json: bool) -> None:
    """Show how the scenario FILE was understood.

    Example: simbudget check scenario.yaml

    Lists every value: whether it is exact, varies from draw to draw or is unknown, and whether it comes from the
    file or is a default.
    """
    from simbudget.scenario.loading import (  # noqa: PLC0415
        Understood,
        code_notes,
        load_scenario,
    )

    loaded = load_scenario(file)
    notes = (*loaded.notes, *code_notes(loaded.scenario))
    show(Understood(str(file), loaded.scenario.name, tuple(loaded.provenance), notes), as_json=as_json)
