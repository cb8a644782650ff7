"""Results of an earlier calibration that still apply, since their text in the scenario has not changed."""

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from simbudget.distributions.posteriors import Posterior
from simbudget.scenario.calibration_file import CalibratedQuantity
from simbudget.scenario.loading import LoadedScenario


def in_force(before: LoadedScenario) -> dict[str, CalibratedQuantity]:
    """Return the calibrated quantities of a scenario, including those that evidence narrowed later."""
    learnt = before.calibration.quantities if before.calibration else {}
    texts = {row.name: row.text for row in before.provenance}
    return {
        name: quantity
        for name, quantity in learnt.items()
        if name in texts
        and (texts[name] == quantity.written or texts[name].endswith(f"(was {quantity.written})"))
    }


def carried(before: LoadedScenario, anew: Collection[str], worlds: int) -> dict[str, CalibratedQuantity]:
    """Return the quantities still in force and not learnt again, as the given number of joint draws.

    Args:
        before: the scenario as it was read.
        anew: names of quantities that are learnt again.
        worlds: number of joint draws.
    """
    return {
        name: replace(quantity, posterior=_with_rows(quantity.posterior, worlds))
        for name, quantity in in_force(before).items()
        if name not in anew
    }


def _with_rows(posterior: Posterior, worlds: int) -> Posterior:
    return replace(posterior, draws=posterior.draws[np.arange(worlds) % len(posterior.draws)])
