"""`simbudget report`: a projection as one HTML file to hand round, or as Markdown for a pull request."""

import shlex
from pathlib import Path

import click


@click.command("report")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where to.  [default: report.html]",
)
@click.option("--markdown", is_flag=True, help="Markdown for a pull request, on stdout unless -o is given.")
@click.option(
    "--base", type=click.Path(path_type=Path), help="What FILE was before: the Markdown says what changes."
)
@click.option("--replications", type=int, help="Make so many.  [default: 400]")
@click.option("--seed", type=int, default=1, show_default=True, help="Same seed, same report.")
@click.option("--workers", type=int, help="Cores to use; the result is the same.  [default: all cores]")
def report_command(  # noqa: PLR0913, PLR0917  one parameter for each option
    file: Path,
    output: Path | None,
    markdown: bool,
    base: Path | None,
    replications: int | None,
    seed: int,
    workers: int | None,
) -> None:
    """Write a report of the scenario FILE.

    One HTML file with the answer, interactive charts, all assumptions with where they are from, and how to make it
    again. It needs no network, neither to be made nor to be read.

    Examples: simbudget report scenario.yaml -o report.html

              simbudget report scenario.yaml --markdown --base old.yaml
    """
    from simbudget.projection.run import Options, project  # noqa: PLC0415
    from simbudget.report.console import progress_bar  # noqa: PLC0415
    from simbudget.report.html.page import Subject, report_page  # noqa: PLC0415
    from simbudget.report.tables import answer  # noqa: PLC0415
    from simbudget.scenario.document import read_file  # noqa: PLC0415
    from simbudget.scenario.loading import load_scenario  # noqa: PLC0415

    if base is not None and not markdown:
        raise click.UsageError("--base goes with --markdown; `simbudget compare` compares otherwise")
    loaded, text = load_scenario(file), read_file(file)
    options = Options(seed=seed, replications=replications or _REPLICATIONS, workers=workers)
    with progress_bar(False) as progress:
        projection = project(loaded.scenario, options, progress)
    projection.summary["notes"].extend(loaded.notes)
    output = output or Path("report.html")
    made = projection.summary["replications"]
    names = f"{shlex.quote(file.name)} -o {shlex.quote(output.name)}"
    command = f"simbudget report {names} --replications {made} --seed {seed}"
    page = report_page(Subject(projection, loaded.provenance, text, file.name, command))
    output.write_text(page, encoding="utf-8")
    click.echo(answer(projection.summary))
    click.echo(f"Wrote {output} ({output.stat().st_size / 1e6:.1f} MB).")


_REPLICATIONS = 400
