"""`simbudget project`: what a scenario will spend, on what, by when, and how likely it stays within its budget."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from simbudget.cli.options import say_if_compiling

if TYPE_CHECKING:
    from simbudget.projection.projection import Projection

_LIMIT_NOT_MET = 1


def _part(_: click.Context, __: click.Parameter, text: str | None) -> float | None:
    """Return `2%` or `0.02` as a number."""
    if text is None:
        return None
    try:
        return float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is no part; write such as 2%") from None


@click.command("project")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--replications", type=int, help="Make so many at most.  [default: 100; 10,000 with --precision]"
)
@click.option("--worlds", type=int, help="Draw so many worlds.  [default: one for each replication]")
@click.option("--precision", callback=_part, help="Stop when spend's errors are below this part, such as 2%.")
@click.option("--seed", type=int, default=1, show_default=True, help="Same seed, same result.")
@click.option("--workers", type=int, help="Cores to use; the result is the same.  [default: all cores]")
@click.option("--on", metavar="CLUSTER", help="A Dask cluster: local:4, or a scheduler's tcp://host:8786.")
@click.option("--engine", type=click.Choice(["compiled", "reference"]), default="compiled", show_default=True)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Write pictures and data here.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON, and nothing else.")
@click.option("--quiet", is_flag=True, help="Print the answer only.")
def project_command(  # noqa: PLR0913, PLR0917  one parameter for each option
    file: Path,
    replications: int | None,
    worlds: int | None,
    precision: float | None,
    seed: int,
    workers: int | None,
    on: str | None,
    engine: str,
    out: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Project the scenario FILE.

    Example: simbudget project scenario.yaml --out projection

    Interrupting it (Ctrl-C) gives what has been computed so far.
    """
    from simbudget.scenario.loading import load_scenario  # noqa: PLC0415

    loaded = load_scenario(file)  # a mistake in it is told before the engine is imported, which takes longer
    from simbudget.projection.run import Options, project  # noqa: PLC0415
    from simbudget.report.console import progress_bar, standard_output  # noqa: PLC0415
    from simbudget.report.tables import answer, projection_tables  # noqa: PLC0415

    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
    options = Options(seed, replications, worlds, workers, precision, engine, on)
    say_if_compiling(quiet or as_json, engine)
    with progress_bar(quiet or as_json) as progress:
        projection = project(loaded.scenario, options, progress)
    projection.summary["notes"].extend(loaded.notes)
    written = _write(projection, out)
    if as_json:
        click.echo(json.dumps(projection.summary, indent=2, allow_nan=False))
    else:
        console = standard_output()
        console.print(answer(projection.summary), highlight=False, soft_wrap=True)
        if not quiet:
            for table in projection_tables(projection.summary):
                console.print(table, highlight=False)
            for note in projection.summary["notes"]:
                console.print(f"Note: {note}.", highlight=False)
        if written:
            console.print(f"Pictures and data: {out} ({len(written)} files)", highlight=False, soft_wrap=True)
    if not all(limit["holds"] for limit in projection.summary["limits"]):
        sys.exit(_LIMIT_NOT_MET)


def _write(projection: "Projection", out: Path | None) -> list[Path]:
    """Write pictures and data, if they are wanted, and return which."""
    if out is None:
        return []
    from simbudget.report.output import write_projection  # noqa: PLC0415

    return write_projection(projection, out)
