"""A calibration as a person sees it: before and after side by side, what the checks showed, the pictures."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from simbudget.calibration.scenarios.calibrate import Calibrated
from simbudget.calibration.scenarios.checks import Check
from simbudget.drawing import write_picture
from simbudget.projection.run import Options, project
from simbudget.report.calibration_tables import change_table, check_table, totals_table
from simbudget.report.figures.before_after import before_after
from simbudget.report.figures.predictive_check import predictive_check

_REPLICATIONS = 100


def show_and_draw(
    console: Console, calibrated: Calibrated, checks: Sequence[Check], seed: int, folder: Path
) -> list[Path]:
    """Print what a calibration changed and what its checks, if any, say it cannot reproduce; return the pictures."""
    folder.mkdir(exist_ok=True)
    console.print(change_table(calibrated.changes))
    for words in calibrated.left:
        console.print(f"Left: {words}.", highlight=False, markup=False)
    options = Options(seed=seed, replications=_REPLICATIONS)
    before, after = (project(s.scenario, options) for s in (calibrated.before, calibrated.after))
    console.print(totals_table(before.summary, after.summary))
    written = write_picture(*before_after(calibrated), folder, "before-after")
    if not checks:
        return written
    console.print(check_table(checks))
    for check in checks:
        if check.words:
            console.print(f"{check.label}: {check.words}", highlight=False, markup=False)
    return written + write_picture(*predictive_check(checks), folder, "predictive-check")
