"""The expected value of information: the gain from knowing an unknown before deciding.

The expected value of partial perfect information is E[max over plans of E[net benefit | unknown]] - max over plans of
E[net benefit]. The inner expectation is a regression of the net benefits on the unknown over the worlds that were
already simulated: M. Strong, J. E. Oakley and A. Brennan, "Estimating multiparameter partial expected value of perfect
information from a probabilistic sensitivity analysis sample: a nonparametric regression approach", Medical Decision
Making 34 (2014), 311-326. Polynomials with significant terms (`deciding.emulator`) replace their splines, so that the
value of knowing an unknown without influence is exactly zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from simbudget.arrays import Floats
from simbudget.deciding.emulator import ALONE, CURVED, Basis, Emulator, fit

_RESAMPLES: Final = 100
"""Bootstrap resamples; the standard error of a standard error is then 7 %."""


@dataclass(frozen=True)
class Value:
    """The expected value of information in US dollars, with its standard error."""

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
        benefits: [worlds, plans] net benefits in US dollars, including that of doing nothing if this is an option.
    """
    return [of_group(uniforms[:, [unknown]], benefits, ALONE) for unknown in range(uniforms.shape[1])]


def of_group(uniforms: Floats, benefits: Floats, basis: Basis = CURVED) -> Value:
    """Return the expected value of knowing a group of unknowns; for all unknowns, that of perfect information.

    Args:
        uniforms: [worlds, unknowns] ranks of the group.
        benefits: [worlds, plans] net benefits in US dollars.
        basis: candidate terms of the regressions.
    """
    emulators = [fit(uniforms, column, basis) for column in benefits.T]
    error = _error(emulators, uniforms, benefits)
    if not any(emulator.terms for emulator in emulators):
        return Value(0.0, error)
    informed = np.column_stack([emulator.predict(uniforms) for emulator in emulators])
    return Value(value_of_knowing(informed, benefits), error)


def _error(emulators: Sequence[Emulator], uniforms: Floats, benefits: Floats) -> float:
    """Return the bootstrap standard error over worlds, with the coefficients refitted to each resample.

    The choice of worlds affects the value more than the error of the coefficients does. If a single unknown has no
    significant term, the error is that of a straight line, which so few worlds may have hidden.
    """
    random, rows = np.random.default_rng(0), len(benefits)
    is_hidden = uniforms.shape[1] == 1 and not any(emulator.terms for emulator in emulators)
    line = np.column_stack([np.ones(rows), uniforms[:, 0] - 0.5])
    tables = [
        line if is_hidden and column.any() else emulator.table(uniforms)
        for emulator, column in zip(emulators, benefits.T, strict=True)
    ]
    values = []
    for _ in range(_RESAMPLES):
        drawn = random.integers(rows, size=rows)
        informed = [_refitted(table[drawn], benefits[drawn, place]) for place, table in enumerate(tables)]
        values.append(value_of_knowing(np.column_stack(informed), benefits[drawn]))
    return float(np.std(values, ddof=1))


def _refitted(table: Floats, outcome: Floats) -> Floats:
    """Return the predictions of a least-squares fit to these rows."""
    if table.shape[1] == 1:
        return np.full(len(outcome), outcome.mean())
    normal = table.T @ table
    normal[np.diag_indices_from(normal)] += 1e-9 * len(
        outcome
    )  # a resample may have too few distinct rows for its terms
    return np.asarray(table @ np.linalg.solve(normal, table.T @ outcome), dtype=np.float64)
