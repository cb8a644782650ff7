"""The tests that gates decide by, with their power; one-sided, at `ALPHA`."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from simbudget.pilot.tasks.task import GateResult

ALPHA: Final = 0.05
_LEAST_ERROR: Final = 1e-9


def paired(gate: str, difference: NDArray[np.float64], smallest_effect: float) -> GateResult:
    """Return the verdict of a paired t-test on differences, one for each seed.

    Power: the noncentral t distribution at the smallest effect (Cohen 1988, section 2.4), with the scatter of the
    differences that was seen.
    """
    from scipy import stats  # noqa: PLC0415  slow to import, and most who import this module never need it

    size = len(difference)
    error = max(float(difference.std(ddof=1) / np.sqrt(size)), _LEAST_ERROR)
    mean = float(difference.mean())
    p_value = float(stats.t.sf(mean / error, size - 1))
    power = float(stats.nct.sf(stats.t.isf(ALPHA, size - 1), size - 1, smallest_effect / error))
    return GateResult(gate, p_value < ALPHA, mean, error, p_value, power, smallest_effect, 2 * size)


def a_b(gate: str, treated: NDArray[Any], control: NDArray[Any], smallest_effect: float) -> GateResult:
    """Return the verdict of an A/B test on two arms, each an array of whether a request was served right.

    Two proportions, normal approximation (Fleiss, Levin and Paik 2003, chapter 4).
    """
    from scipy import stats  # noqa: PLC0415  slow to import, and most who import this module never need it

    share, of_control = float(treated.mean()), float(control.mean())
    spread = share * (1 - share) / len(treated) + of_control * (1 - of_control) / len(control)
    error = max(float(np.sqrt(spread)), _LEAST_ERROR)
    effect = share - of_control
    p_value = float(stats.norm.sf(effect / error))
    power = a_b_power(of_control, smallest_effect, min(len(treated), len(control)))
    return GateResult(gate, p_value < ALPHA, effect, error, p_value, power, smallest_effect, 2)


def a_b_power(control: float, effect: float, requests_per_arm: int) -> float:
    """Return the probability that an A/B test finds an effect on a share of `control`."""
    from scipy import stats  # noqa: PLC0415  slow to import, and most who import this module never need it

    treated = min(control + effect, 1.0)
    error = np.sqrt((control * (1 - control) + treated * (1 - treated)) / requests_per_arm)
    return float(stats.norm.sf(stats.norm.isf(ALPHA) - effect / max(error, _LEAST_ERROR)))
