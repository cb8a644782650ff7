"""A change of one quantity of a scenario by a calibration."""

from dataclasses import dataclass

from simbudget.calibration.scenarios.fit import Fit
from simbudget.scenario.calibration_file import LearntFrom


@dataclass(frozen=True)
class Change:
    """One quantity before and after."""

    name: str
    before: str
    after: str
    evidence: LearntFrom
    family: str
    fit: Fit


def change_of(name: str, before: str, fit: Fit) -> Change:
    """Return the change that a fit makes to a quantity.

    Args:
        name: of the quantity in the scenario, such as `cycle.think[0].turns`.
        before: its text so far.
        fit: what was learnt.
    """
    family = fit.quantity.family if fit.quantity else "exact"
    return Change(name, before, fit.written, fit.evidence, family, fit)
