"""Emulators: an outcome as a sparse polynomial of the unknowns, fitted to the worlds already simulated.

A sparse polynomial chaos expansion. Inputs are ranks, uniform from 0 to 1; the basis are shifted Legendre polynomials
of one unknown and products of two, which are orthonormal, so that the variance of an outcome splits into squared
coefficients (B. Sudret, "Global sensitivity analysis using polynomial chaos expansions", Reliability Engineering &
System Safety 93 (2008), 964-979). Terms are added one at a time, the one that explains most of the residual first
(orthogonal matching pursuit), as long as it is significant: its t value has to exceed Student's quantile for an
error of `ERROR` over all candidate terms (Bonferroni). So an unknown without influence gets exactly 0, except in one
of `1 / ERROR` fits, and influences too weak to detect are omitted; `Emulator.hidden` states their possible size.
Unknowns are assumed to be independent, which a calibration's joint draws may violate.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np

from simbudget.arrays import Floats

ERROR: Final = 0.01
"""The probability that a fit includes a term without any influence."""

_MOST_TERMS: Final = 60
_ROWS_A_TERM: Final = 5
_MOST_CELLS: Final = 30_000_000
"""Largest table of all terms; with more unknowns, only products of those with a main effect are tried."""


@dataclass(frozen=True)
class Basis:
    """The candidate terms of a fit."""

    one: int
    """Maximum degree of a term in one unknown."""
    each: int
    """Maximum degree of each factor of a product of two unknowns; 0 for no products."""
    two: int
    """Maximum total degree of a product."""


CURVED: Final = Basis(one=8, each=4, two=6)
"""For influences of any shape."""

ALONE: Final = Basis(one=8, each=0, two=0)
"""For one unknown at a time."""

PLAIN: Final = Basis(one=3, each=1, two=2)
"""For evidence, whose influence is monotonic: few candidates, so that weak influences are detected as well."""

Term = tuple[tuple[int, int], ...]
"""(unknown, degree) of one or two unknowns."""


def legendre(uniforms: Floats, degree: int) -> Floats:
    """Return the [..., degree + 1] shifted Legendre polynomials, orthonormal over the uniform distribution.

    Args:
        uniforms: [...] values from 0 to 1.
        degree: highest degree.
    """
    values = np.polynomial.legendre.legvander(2.0 * uniforms - 1.0, degree)
    scaled: Floats = values * np.sqrt(2.0 * np.arange(degree + 1) + 1.0)
    return scaled


@dataclass(frozen=True)
class Emulator:
    """A fitted polynomial, and the variance decomposition of its outcome."""

    unknowns: int
    rows: int
    mean: float
    variance: float
    """Variance of the outcome: explained plus residual. (The variance of the rows includes their noise.)"""
    terms: tuple[Term, ...]
    coefficients: Floats
    covariance: Floats
    """[terms + 1, terms + 1] of the mean and the coefficients."""
    residual_variance: float
    hidden: float
    """A term that explains a smaller share of the variance may not be detected."""

    def predict(self, uniforms: Floats) -> Floats:
        """Return the [rows] predicted outcome for [rows, unknowns] ranks from 0 to 1."""
        return self.mean + _columns(self.terms, uniforms) @ self.coefficients

    def table(self, uniforms: Floats) -> Floats:
        """Return the [rows, terms + 1] columns whose weighted sum is the outcome, that of the mean first."""
        return np.column_stack([np.ones(len(uniforms)), _columns(self.terms, uniforms)])

    def main_effect(self, unknown: int, uniform: float) -> float:
        """Return the mean outcome if one unknown has this rank, averaged over all others.

        Args:
            unknown: column of the unknown.
            uniform: its rank, 0 to 1.
        """
        powers = legendre(np.array([uniform]), CURVED.one)[0]
        return self.mean + sum(
            float(coefficient * powers[term[0][1]])
            for term, coefficient in zip(self.terms, self.coefficients, strict=True)
            if len(term) == 1 and term[0][0] == unknown
        )

    def first_order(self) -> Floats:
        """Return the [unknowns] share of the variance that each explains alone (Sobol's first-order index)."""
        return self._shares(lambda term, unknown: len(term) == 1 and term[0][0] == unknown)

    def total(self) -> Floats:
        """Return the [unknowns] share that each explains alone and with others (Sobol's total index)."""
        return self._shares(lambda term, unknown: any(of == unknown for of, _ in term))

    def errors(self) -> Floats:
        """Return the [unknowns] standard errors of the total indices, from those of the coefficients."""
        if self.variance <= 0.0:
            return np.zeros(self.unknowns)
        squares = 4.0 * self.coefficients**2 * self._noise()
        return np.array(
            [
                math.sqrt(
                    sum(
                        square
                        for term, square in zip(self.terms, squares, strict=True)
                        if _has(term, unknown)
                    )
                )
                / self.variance
                for unknown in range(self.unknowns)
            ]
        )

    def _noise(self) -> Floats:
        return np.diag(self.covariance)[1:]

    def _shares(self, belongs: Callable[[Term, int], bool]) -> Floats:
        if self.variance <= 0.0:
            return np.zeros(self.unknowns)
        explained = np.maximum(
            0.0, self.coefficients**2 - self._noise()
        )  # squares of noisy numbers are too large
        shares = [
            sum(part for term, part in zip(self.terms, explained, strict=True) if belongs(term, unknown))
            for unknown in range(self.unknowns)
        ]
        return np.array(shares) / self.variance


def _has(term: Term, unknown: int) -> bool:
    return any(of == unknown for of, _ in term)


def fit(uniforms: Floats, outcome: Floats, basis: Basis = CURVED) -> Emulator:
    """Return the emulator of an outcome.

    Args:
        uniforms: [rows, unknowns] ranks of the unknowns, from 0 to 1.
        outcome: [rows].
        basis: the candidate terms.
    """
    rows, unknowns = uniforms.shape
    singles: list[Term] = [
        ((unknown, degree),) for unknown in range(unknowns) for degree in range(1, basis.one + 1)
    ]
    chosen = _pursue(uniforms, outcome, singles, [])
    if basis.each and unknowns > 1:
        pairs = _pairs(range(unknowns), basis)
        # Too many products for the memory: only those of unknowns that also matter alone are candidates.
        if (len(pairs) + len(singles)) * rows > _MOST_CELLS:
            pairs = _pairs(sorted({of for term in chosen for of, _ in term}), basis)
        chosen = _pursue(uniforms, outcome, [*singles, *pairs], chosen)
    return _solve(uniforms, outcome, chosen, len(singles))


def _pairs(unknowns: Iterable[int], basis: Basis) -> list[Term]:
    degrees = range(1, basis.each + 1)
    return [
        ((first, a), (second, b))
        for first, second in combinations(unknowns, 2)
        for a in degrees
        for b in degrees
        if a + b <= basis.two
    ]


def _columns(terms: Sequence[Term], uniforms: Floats) -> Floats:
    """Return the [rows, terms] values of terms."""
    powers = legendre(uniforms, CURVED.one)
    columns = np.ones((len(uniforms), len(terms)))
    for place, term in enumerate(terms):
        for unknown, degree in term:
            columns[:, place] *= powers[:, unknown, degree]
    return columns


def _pursue(uniforms: Floats, outcome: Floats, candidates: list[Term], chosen: list[Term]) -> list[Term]:
    """Return the terms chosen so far plus the significant candidates, the strongest first."""
    rows = len(outcome)
    table = _columns(candidates, uniforms)
    table -= table.mean(axis=0)
    basis = np.empty((rows, 0))
    for term in chosen:
        basis = _extended(basis, table[:, candidates.index(term)])
    residual = outcome - outcome.mean()
    scale = float(residual @ residual)
    residual = residual - basis @ (basis.T @ residual)
    chosen = list(chosen)
    # Orthogonal matching pursuit: each step takes the column that explains most of the residual once all chosen ones
    # have been projected out of both.
    while len(chosen) < min(_MOST_TERMS, rows // _ROWS_A_TERM):
        left = table - basis @ (basis.T @ table)
        norms = np.sqrt((left**2).sum(axis=0))
        # A column that is nearly in the span of the chosen ones has no direction left, and its norm is rounding errors.
        usable = norms > 1e-6 * math.sqrt(rows)
        gains = np.divide(left.T @ residual, norms, out=np.zeros(len(norms)), where=usable)
        best = int(np.abs(gains).argmax())
        rest = float(residual @ residual) - float(gains[best] ** 2)
        degrees = rows - len(chosen) - 2
        threshold, noise = _threshold(len(candidates), degrees), max(rest, 0.0) / degrees
        # An exact fit leaves rounding errors, in which a t value has no meaning.
        if float(residual @ residual) <= 1e-20 * scale or gains[best] ** 2 <= threshold**2 * noise:
            break
        chosen.append(candidates[best])
        basis = _extended(basis, table[:, best])
        residual = residual - basis[:, -1] * (basis[:, -1] @ residual)
    return chosen


def _threshold(candidates: int, degrees: int) -> float:
    """Return the absolute t value that one of a number of terms without influence exceeds with probability `ERROR`."""
    from scipy.special import stdtrit  # noqa: PLC0415  slow to import

    return -float(stdtrit(degrees, ERROR / 2 / max(1, candidates)))


def _extended(basis: Floats, column: Floats) -> Floats:
    """Return the orthonormal basis extended by one column."""
    rest = column - basis @ (basis.T @ column)
    rest = rest - basis @ (
        basis.T @ rest
    )  # twice is enough: once loses digits where a column is nearly in the span
    return np.column_stack([basis, rest / np.linalg.norm(rest)])


def _solve(uniforms: Floats, outcome: Floats, terms: list[Term], tried: int) -> Emulator:
    rows = len(outcome)
    table = np.column_stack([np.ones(rows), _columns(terms, uniforms)])
    solution, *_ = np.linalg.lstsq(table, outcome, rcond=None)
    residual = outcome - table @ solution
    degrees = max(1, rows - table.shape[1])
    noise = float(residual @ residual) / degrees
    covariance = noise * np.linalg.pinv(table.T @ table)
    # Columns are orthonormal over the uniform distribution, so squared coefficients add up to the explained variance.
    variance = float(np.maximum(0.0, solution[1:] ** 2 - np.diag(covariance)[1:]).sum()) + noise
    threshold = _threshold(tried, degrees)
    return Emulator(
        unknowns=uniforms.shape[1],
        rows=rows,
        mean=float(solution[0]),
        variance=variance,
        terms=tuple(terms),
        coefficients=np.asarray(solution[1:], dtype=np.float64),
        covariance=covariance,
        residual_variance=noise,
        hidden=min(1.0, threshold**2 * noise / rows / variance) if variance > 0.0 else 0.0,
    )
