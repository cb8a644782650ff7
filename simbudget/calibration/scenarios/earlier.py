"""What an earlier calibration had learnt of a scenario, and is still in force: its text has not been changed since."""

from simbudget.scenario.calibration_file import CalibratedQuantity
from simbudget.scenario.loading import LoadedScenario


def in_force(before: LoadedScenario) -> dict[str, CalibratedQuantity]:
    """Return the quantities that a scenario has from a calibration, those included that evidence then narrowed."""
    learnt = before.calibration.quantities if before.calibration else {}
    texts = {row.name: row.text for row in before.provenance}
    return {
        name: quantity
        for name, quantity in learnt.items()
        if name in texts
        and (texts[name] == quantity.written or texts[name].endswith(f"(was {quantity.written})"))
    }
