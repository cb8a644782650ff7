"""Writing a calibrated scenario: its text, and the file of joint draws that it refers to."""

from pathlib import Path

from simbudget.calibration.scenarios.calibrate import Calibrated
from simbudget.calibration.scenarios.implied import Implied
from simbudget.errors import Place, Problem, UserError, argument
from simbudget.scenario.calibration_file import write_calibration


def calibration_name(output: Path) -> str:
    """Return the name of the file of joint draws of a scenario."""
    return f"{output.stem}.calibration.parquet"


def require_writable(scenario: Path, text: str, output: Path) -> None:
    """Raise UserError unless the new scenario can be written to its path.

    Args:
        scenario: path of the scenario that is calibrated.
        text: its text.
        output: path of the new one.
    """
    option = argument("output", option="-o")
    if output.suffix not in (".yaml", ".yml"):
        written = argument("output", "NEW.yaml", "-o")
        raise UserError(Problem(f"{option}: {output} does not end in .yaml", remedy=f"write {written}"))
    if output.resolve() == scenario.resolve():
        raise UserError(
            Problem(f"{option} is the scenario itself, which would be lost", remedy="name another file")
        )
    if not output.parent.is_dir():
        raise UserError(Problem("there is no such folder", Place(str(output.parent)), "make it first"))
    if "distribution: empirical" in text and output.parent.resolve() != scenario.parent.resolve():
        remedy = "write the new one into the same folder"
        raise UserError(Problem("the scenario reads files of its own folder", Place(str(scenario)), remedy))


def write_calibrated(calibrated: Calibrated, output: Path) -> list[Path]:
    """Write a calibrated scenario and its joint draws, the same bytes for the same logs; return their paths.

    Args:
        calibrated: the calibrated scenario.
        output: path of its file; the joint draws go beside it.
    """
    draws = output.parent / calibration_name(output)
    write_calibration(calibrated.calibration, draws)
    output.write_text(calibrated.text, encoding="utf-8")
    return [output, draws]


def write_implied(implied: Implied, output: Path) -> None:
    """Write the scenario implied by logs, and the file of its joint draws.

    Args:
        implied: the scenario and its joint draws.
        output: path of its file; the joint draws go beside it.
    """
    name = calibration_name(output)
    write_calibration(implied.calibration, output.parent / name)
    output.write_text(f"{implied.text}calibration: {name}\n", encoding="utf-8")
