"""`simbudget init`: a commented scenario to start from."""

import json
import shlex
from importlib.resources import files
from pathlib import Path

import click

from simbudget.errors import Place, Problem, UserError

_TEMPLATES = ("aar", "autoresearch", "minimal")
SCHEMA = "scenario.schema.json"
"""Templates name this file in their first line."""


@click.command("init")
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--template",
    type=click.Choice(_TEMPLATES),
    default="minimal",
    show_default=True,
    help="aar: nine agents for five days; autoresearch: one agent and one GPU overnight.",
)
def init_command(directory: Path, template: str) -> None:
    """Write DIRECTORY/scenario.yaml, a commented scenario to start from.

    Beside it stands scenario.schema.json, with which an editor completes keys and says what they mean.
    """
    from simbudget.scenario.reference import schema  # noqa: PLC0415

    path = directory / "scenario.yaml"
    if path.exists():
        raise UserError(Problem("there is a scenario already", Place(str(path)), "name another directory"))
    text = files("simbudget.scenario").joinpath("templates", f"{template}.yaml").read_text(encoding="utf-8")
    directory.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    beside = directory / SCHEMA
    beside.write_text(json.dumps(schema(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    quoted = shlex.quote(str(path))
    click.echo(f"Wrote {path}. Now: simbudget check {quoted}; simbudget project {quoted}")
