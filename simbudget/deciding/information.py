"""The expected value of information: what it would be worth to know an unknown before deciding.

The expected value of partial perfect information is E[max over plans of E[net benefit | unknown]] - max over plans of
E[net benefit]. The inner expectation is a regression of the net benefits on the unknown over the worlds that were
simulated anyway: M. Strong, J. E. Oakley and A. Brennan, "Estimating multiparameter partial expected value of perfect
information from a probabilistic sensitivity analysis sample: a nonparametric regression approach", Medical Decision
Making 34 (2014), 311-326. Their splines are polynomials here, whose terms have to be told from noise
(`deciding.emulator`): an unknown that does not matter is worth exactly nothing to know.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from simbudget.deciding.emulator import ALONE, CURVED, Basis, Emulator, fit

Floats = npt.NDArray[np.float64]

_RESAMPLES: Final = 200


@dataclass(frozen=True)
class Value:
    """What knowing something is worth, in US dollars, with its standard error."""

    usd: float
    error_usd: float


def value_of_knowing(informed: Floats, benefits: Floats) -> float:
    """Return E[max over plans of the informed mean] - max over plans of the mean; never below 0.

    Args:
        informed: [worlds, plans] mean net benefits given what would be known.
        benefits: [worlds, plans] net benefits.
    """
    return max(0.0, float(informed.max(axis=1).mean() - informed.mean(axis=0).max()))


def partial_perfect(uniforms: Floats, benefits: Floats) -> list[Value]:
    """Return the expected value of knowing each unknown.

    Args:
        uniforms: [worlds, unknowns] ranks.
        benefits: [worlds, plans] net benefits; doing nothing among them, if that can be done.
    """
    return [of_group(uniforms[:, [unknown]], benefits, ALONE) for unknown in range(uniforms.shape[1])]


def of_group(uniforms: Floats, benefits: Floats, basis: Basis = CURVED) -> Value:
    """Return the expected value of knowing a group of unknowns together; of all, that of perfect information."""
    emulators = [fit(uniforms, column, basis) for column in benefits.T]
    if not any(emulator.terms for emulator in emulators):
        return Value(0.0, 0.0)
    informed = np.column_stack([emulator.predict(uniforms) for emulator in emulators])
    usd = value_of_knowing(informed, benefits)
    return Value(usd, _error(emulators, uniforms, benefits))


def _error(emulators: Sequence[Emulator], uniforms: Floats, benefits: Floats) -> float:
    """Return the spread of the value over coefficients as uncertain as the fit says (Strong et al. 2014, section 3)."""
    random = np.random.default_rng(0)
    drawn: list[Callable[[], Floats]] = [_perturbed(emulator, uniforms, random) for emulator in emulators]
    values = [
        value_of_knowing(np.column_stack([draw() for draw in drawn]), benefits) for _ in range(_RESAMPLES)
    ]
    return float(np.std(values, ddof=1))


def _perturbed(emulator: Emulator, uniforms: Floats, random: np.random.Generator) -> Callable[[], Floats]:
    """Return what predicts with coefficients drawn around the fitted ones."""
    table = emulator.table(uniforms)
    mean = np.concatenate([[emulator.mean], emulator.coefficients])
    return lambda: np.asarray(table @ random.multivariate_normal(mean, emulator.covariance, method="eigh"))
