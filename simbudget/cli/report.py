"""`simbudget report`: a projection as one HTML file to share, or as Markdown for a pull request."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from simbudget.cli.options import ScenarioPath, cores_options, file_argument
from simbudget.errors import visible
from simbudget.ledger.whole_files import check_place, written_whole

if TYPE_CHECKING:
    from simbudget.projection.run import Options


@click.command("report")
@file_argument
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to write.  [default: report.html]",
)
@click.option(
    "--markdown", is_flag=True, help="Write Markdown for a pull request, to stdout unless -o is given."
)
@click.option("--base", type=ScenarioPath(), help="Earlier version of FILE: the Markdown reports the change.")
@click.option("--replications", type=int, help="Number of replications.  [default: 400]")
@click.option("--seed", type=int, default=1, show_default=True, help="Random seed.")
@cores_options
def report_command(  # noqa: PLR0913, PLR0917  one parameter for each option
    file: Path,
    output: Path | None,
    markdown: bool,
    base: Path | None,
    replications: int | None,
    seed: int,
    workers: int | None,
    on: str | None,
) -> None:
    """Write a report of the scenario FILE.

    Writes one HTML file with the answer, interactive charts, all assumptions with their sources, and the command that
    reproduces it. Neither writing nor reading it needs a network.

    Examples: simbudget report scenario.yaml -o report.html

              simbudget report scenario.yaml --markdown --base old.yaml
    """
    if base is not None and not markdown:
        raise click.UsageError("--base needs --markdown; for other comparisons use `simbudget compare`")
    if output is not None and not output.exists():
        check_place(output)
    from simbudget.projection.run import Options  # noqa: PLC0415

    options = Options(seed, _REPLICATIONS if replications is None else replications, workers=workers, on=on)
    if markdown:
        text = visible(_markdown(file, base, options))
        if output is None:
            click.echo(text, nl=False)
            return
        with written_whole(output) as fresh:
            fresh.write_text(text, encoding="utf-8")
        click.echo(f"Wrote {output} ({len(text):,} characters).")
        return
    output = output or Path("report.html")
    line = _html(file, output, options)
    click.echo(line)
    click.echo(f"Wrote {output} ({output.stat().st_size / 1e6:.1f} MB).")


def _html(file: Path, output: Path, options: "Options") -> str:
    """Write the HTML page, and return the answer in one line."""
    from simbudget.engine.lowering.evidence import understood  # noqa: PLC0415
    from simbudget.projection.run import project  # noqa: PLC0415
    from simbudget.report.html.page import Subject, report_page  # noqa: PLC0415
    from simbudget.report.terminal import progress_bar  # noqa: PLC0415
    from simbudget.scenario.language.document import read_file  # noqa: PLC0415
    from simbudget.scenario.loading import load_scenario  # noqa: PLC0415

    loaded, text = load_scenario(file), read_file(file)
    rows = understood(loaded.provenance, loaded.scenario)
    with progress_bar(False) as progress:
        projection = project(loaded.scenario, options, progress, loaded.notes)
    names = f"{shlex.quote(file.name)} -o {shlex.quote(output.name)}"
    command = f"simbudget report {names} --replications {options.replications} --seed {options.seed}"
    page = report_page(Subject(projection, rows, text, file.name, command, loaded.calibration))
    with written_whole(output) as fresh:
        fresh.write_text(page, encoding="utf-8")
    return projection.answer()


def _markdown(file: Path, base: Path | None, options: "Options") -> str:
    from simbudget.deciding.alternatives import Alternative, Sample  # noqa: PLC0415
    from simbudget.deciding.compare import compare  # noqa: PLC0415
    from simbudget.engine.lowering.evidence import understood  # noqa: PLC0415
    from simbudget.projection.run import project  # noqa: PLC0415
    from simbudget.report.markdown import change_markdown, projection_markdown  # noqa: PLC0415
    from simbudget.report.terminal import progress_bar  # noqa: PLC0415
    from simbudget.scenario.loading import load_scenario  # noqa: PLC0415

    loaded = load_scenario(file)
    before = None if base is None else load_scenario(base)
    rows = understood(loaded.provenance, loaded.scenario)
    command = f"simbudget report {shlex.quote(file.name)} --markdown"
    sample = f"--replications {options.replications} --seed {options.seed}"
    with progress_bar(False) as progress:
        if base is None or before is None:
            projection = project(loaded.scenario, options, progress, loaded.notes)
            return projection_markdown(projection, rows, f"{command} {sample}")
        pair = [
            Alternative("before", before.scenario),
            Alternative("now", loaded.scenario, notes=loaded.notes),
        ]
        made = Sample(options.replications or _REPLICATIONS, options.seed, options.workers, on=options.on)
        comparison = compare(pair, made, progress)
    command = f"{command} --base {shlex.quote(base.name)} {sample}"
    return change_markdown(comparison, understood(before.provenance, before.scenario), rows, command)


_REPLICATIONS = 400
