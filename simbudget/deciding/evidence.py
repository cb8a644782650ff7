"""Evidence: the expected variance of an outcome after a record has been seen.

The outcome is regressed on the figures of the record in two ways, and the better one counts. One is a sparse polynomial
(`deciding.emulator`), which finds dependence on few figures and includes only significant terms. The other is a ridge
regression of the outcome's logarithm on all figures, their squares and products (A. E. Hoerl and R. W. Kennard, "Ridge
regression", Technometrics 12 (1970), 55-67), since spend is a product of many factors with small influences each. It is
scored on worlds that it was not fitted to. Both can only miss information in a record, so the remaining variance is an
upper bound up to sampling error.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from simbudget.deciding.emulator import PLAIN, fit

Floats = npt.NDArray[np.float64]

_FOLDS: Final = 8
_PENALTIES: Final = np.logspace(-1.0, 4.0, 12)
_FEWEST_WORLDS: Final = 40
_FEWEST_KNOWN: Final = 10


def standing(shown: Floats) -> Floats:
    """Return the [worlds, figures] ranks of the records' figures, from 0 to 1; one half if a record lacks a figure.

    Figures that never differ are left out.
    """
    from scipy.stats import rankdata  # noqa: PLC0415  slow to import

    columns = []
    for figure in shown.T:
        known = ~np.isnan(figure)
        if known.sum() < _FEWEST_KNOWN or np.ptp(figure[known]) == 0.0:
            continue
        ranks = np.full(len(figure), 0.5)
        ranks[known] = (rankdata(figure[known]) - 0.5) / known.sum()
        columns.append(ranks)
        if 0.05 < known.mean() < 0.95:
            columns.append(np.where(known, 0.75, 0.25))
    return np.column_stack(columns) if columns else np.empty((len(shown), 0))


def variance_left(evidence: Floats, outcome: Floats) -> float:
    """Return the expected variance of an outcome given the evidence.

    Args:
        evidence: [worlds, figures] ranks; see `standing`.
        outcome: [worlds].
    """
    now = float(outcome.var(ddof=1)) if len(outcome) > 1 else 0.0
    if not evidence.shape[1] or now == 0.0:
        return now
    emulator = fit(evidence, outcome, PLAIN)
    left = emulator.residual_variance if emulator.terms else now
    if len(outcome) >= _FEWEST_WORLDS and outcome.min() > 0.0:
        left = min(left, float(np.mean((outcome - _by_ridge(evidence, outcome)) ** 2)))
    return min(left, now)


def _by_ridge(evidence: Floats, outcome: Floats) -> Floats:
    """Return the [worlds] outcomes as predicted by a regression on the worlds of the other folds."""
    from scipy.stats import norm  # noqa: PLC0415  slow to import
    from sklearn.linear_model import RidgeCV  # noqa: PLC0415
    from sklearn.preprocessing import PolynomialFeatures, StandardScaler  # noqa: PLC0415

    scores = norm.ppf(evidence)
    table = StandardScaler().fit_transform(PolynomialFeatures(2, include_bias=False).fit_transform(scores))
    logs, fold = np.log(outcome), np.arange(len(outcome)) % _FOLDS
    predicted = np.empty(len(outcome))
    for number in range(_FOLDS):
        held_out = fold == number
        ridge = RidgeCV(_PENALTIES).fit(table[~held_out], logs[~held_out])
        spread = float(np.var(logs[~held_out] - ridge.predict(table[~held_out])))
        predicted[held_out] = np.exp(ridge.predict(table[held_out]) + spread / 2.0)
    return predicted
