"""`simbudget report`: a projection as one HTML file to share, or as Markdown for a pull request."""

from pathlib import Path
from typing import Any

import click

from simbudget.cli.options import ScenarioPath, cores_options, file_argument, say
from simbudget.ledger.whole_files import check_place, written_whole


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
@click.option("--replications", type=int, default=400, show_default=True, help="Number of simulated runs.")
@click.option("--seed", type=int, default=1, show_default=True, help="Random seed.")
@cores_options
def report_command(  # noqa: PLR0913, PLR0917  one parameter for each option
    file: Path,
    output: Path | None,
    markdown: bool,
    base: Path | None,
    replications: int,
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
    from simbudget import api  # noqa: PLC0415
    from simbudget.report.terminal import progress_bar  # noqa: PLC0415

    how: dict[str, Any] = {"replications": replications, "seed": seed, "workers": workers, "on": on}
    if not markdown:
        output = output or Path("report.html")
        with progress_bar(False) as progress:
            projection = api.write_report(file, output, progress=progress, **how)
        say(projection.answer())
        say(f"Wrote {output} ({output.stat().st_size / 1e6:.1f} MB).")
        return
    with progress_bar(False) as progress:
        text = api.report_markdown(file, base, progress=progress, **how)
    if output is None:
        click.echo(text, nl=False)
        return
    with written_whole(output) as fresh:
        fresh.write_text(text, encoding="utf-8")
    say(f"Wrote {output} ({len(text):,} characters).")
