"""`simbudget schema`: the scenario language as a JSON Schema, for editors."""

import json
from pathlib import Path

import click

from simbudget.cli.options import say


@click.command("schema")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="File to write.")
def schema_command(output: Path | None) -> None:
    """Print the JSON Schema of scenarios, with which an editor's YAML language server checks and completes them.

    A scenario refers to it in its first line: `# yaml-language-server: $schema=scenario.schema.json`.
    """
    from simbudget.scenario.reference import schema  # noqa: PLC0415

    text = json.dumps(schema(), indent=1, ensure_ascii=False)
    if output is None:
        click.echo(text)
    else:
        output.write_text(text + "\n", encoding="utf-8")
        say(f"Wrote {output}.")
