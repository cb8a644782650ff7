"""The one-sided tests by which gates decide, at level `ALPHA`, with their power."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from simbudget.pilot.tasks.task import GateResult

ALPHA: Final = 0.05
"""The conventional significance level."""
_LEAST_ERROR: Final = 1e-9
"""Keeps identical results of all seeds from dividing by zero."""


def paired(gate: str, difference: NDArray[np.float64], smallest_effect: float) -> GateResult:
    """Return the verdict of a one-sided paired t-test.

    Power is that of the noncentral t distribution at the smallest effect (Cohen 1988, section 2.4), with the observed
    scatter of the differences.

    Args:
        gate: name of the gate.
        difference: candidate minus control in units of the score, shape (seeds,).
        smallest_effect: smallest effect that matters, in units of the score.
    """
    from scipy import stats  # noqa: PLC0415  slow to import, and rarely needed by importers of this module

    size = len(difference)
    error = max(float(difference.std(ddof=1) / np.sqrt(size)), _LEAST_ERROR)
    mean = float(difference.mean())
    p_value = float(stats.t.sf(mean / error, size - 1))
    power = float(stats.nct.sf(stats.t.isf(ALPHA, size - 1), size - 1, smallest_effect / error))
    return GateResult(gate, p_value < ALPHA, mean, error, p_value, power, smallest_effect, 2 * size)


def a_b(gate: str, treated: NDArray[Any], control: NDArray[Any], smallest_effect: float) -> GateResult:
    """Return the verdict of a one-sided A/B test of two proportions.

    Normal approximation (Fleiss, Levin and Paik 2003, chapter 4).

    Args:
        gate: name of the gate.
        treated: whether each request of the treated arm was answered correctly, shape (requests,).
        control: the same for the control arm.
        smallest_effect: smallest difference in proportions that matters.
    """
    from scipy import stats  # noqa: PLC0415  slow to import, and rarely needed by importers of this module

    share, of_control = float(treated.mean()), float(control.mean())
    spread = share * (1 - share) / len(treated) + of_control * (1 - of_control) / len(control)
    error = max(float(np.sqrt(spread)), _LEAST_ERROR)
    effect = share - of_control
    p_value = float(stats.norm.sf(effect / error))
    power = a_b_power(of_control, smallest_effect, min(len(treated), len(control)))
    return GateResult(gate, p_value < ALPHA, effect, error, p_value, power, smallest_effect, 2)


def a_b_power(control: float, effect: float, requests_per_arm: int) -> float:
    """Return the power of an A/B test against a given effect (source as for `a_b`).

    Args:
        control: proportion of the control arm.
        effect: true difference in proportions.
        requests_per_arm: sample size of each arm.
    """
    from scipy import stats  # noqa: PLC0415  slow to import, and rarely needed by importers of this module

    treated = min(control + effect, 1.0)
    error = np.sqrt((control * (1 - control) + treated * (1 - treated)) / requests_per_arm)
    return float(stats.norm.sf(stats.norm.isf(ALPHA) - effect / max(error, _LEAST_ERROR)))
