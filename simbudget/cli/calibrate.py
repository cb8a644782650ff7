"""`simbudget calibrate`: learn a scenario's quantities from logs of real runs."""

import shlex
from pathlib import Path
from typing import Final

import click

from simbudget.cli.options import ScenarioPath, cores_options, say, show

_STEPS: Final = 4
"""Parts of the work that the bar shows, reading apart."""


@click.command("calibrate")
@click.argument("scenario", type=ScenarioPath())
@click.argument("logs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="LOG...")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="NEW.yaml",
    help="Write the calibrated scenario here, with its joint draws and pictures beside it.",
)
@click.option("--keep", multiple=True, metavar="NAME", help="Leave this quantity unchanged; may be repeated.")
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=1,
    show_default=True,
    help="Random seed of the simulations shown.",
)
@cores_options
@click.option("--columns", metavar="A=B,...", help="Column mapping for other tables; see `import`.")
@click.option("--no-check", is_flag=True, help="Skip the simulation of the runs that were calibrated on.")
@click.option("--json", "as_json", is_flag=True, help="Print only what was learnt, as JSON.")
@click.option("--quiet", is_flag=True, help="Print only the answer.")
def calibrate_command(  # noqa: PLR0913, PLR0917  one parameter for each option
    scenario: Path,
    logs: tuple[Path, ...],
    output: Path,
    keep: tuple[str, ...],
    seed: int,
    workers: int | None,
    on: str | None,
    columns: str | None,
    no_check: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Learn the quantities of SCENARIO from the LOGs.

    Example: simbudget calibrate scenario.yaml ~/.claude/projects -o calibrated.yaml

    The new scenario keeps the comments of the old one. Learnt values are shown beside the assumed ones with their
    evidence, and the runs they were learnt from are simulated again to find what the model cannot reproduce.
    """
    from simbudget.calibration.scenarios.calibrate import calibrate, with_checks  # noqa: PLC0415
    from simbudget.calibration.scenarios.checks import check_calibration  # noqa: PLC0415
    from simbudget.calibration.scenarios.learnt import learnt  # noqa: PLC0415
    from simbudget.calibration.scenarios.writing import calibration_name, require_writable, write_calibrated  # noqa: PLC0415
    from simbudget.ledger.readers import column_map, read_logs  # noqa: PLC0415
    from simbudget.projection.run import Options  # noqa: PLC0415
    from simbudget.report.terminal import reading, working  # noqa: PLC0415
    from simbudget.scenario.language.document import read_file  # noqa: PLC0415
    from simbudget.scenario.loading import load_scenario  # noqa: PLC0415

    before, text = load_scenario(scenario), read_file(scenario)
    require_writable(scenario, text, output)
    with reading() as begins:
        ledger = read_logs(logs, column_map(columns), begins)
    with working(quiet or as_json, _STEPS) as does:
        does(f"learning from {len(ledger.entries):,} entries")
        calibrated = calibrate(before, text, ledger, calibration_name(output), keep)
        does("simulating what was calibrated on")
        checks = [] if no_check else check_calibration(ledger, seed, calibrated.fits)
        written = write_calibrated(with_checks(calibrated, checks), output)
        does("projecting the scenario as it was and as it is")
        found = learnt(calibrated, checks, Options(seed, workers=workers, on=on))
        does("drawing pictures")
        written += found.write_figures(output.parent / f"{output.stem}-pictures")
    show(found, as_json=as_json, quiet=quiet)
    now = f"simbudget project {shlex.quote(str(output))}"
    say(f"Wrote {output} and {len(written) - 1} files beside it. Now: {now}", err=as_json)
