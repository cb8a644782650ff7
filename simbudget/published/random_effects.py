"""Predictions of a rate in a new setting from published rates: a random-effects model.

Each setting has its own rate. On the logit scale (for steps of a score: on the log scale), rates are normally
distributed over settings, with unknown mean and spread. The rate of a new setting follows the predictive
distribution, which is wider than that of the mean (J. P. T. Higgins, S. G. Thompson and D. J. Spiegelhalter, "A
re-evaluation of random-effects meta-analysis", Journal of the Royal Statistical Society A 172 (2009), 137-159).
Pooling the counts would give a narrow interval around a rate that applies nowhere.

Priors: flat for the mean over the grid, half-normal with scale 1.5 for the spread, so that rates may differ tenfold
and more. The posterior is computed on a grid of mean and spread; counts are integrated over each setting's rate by
Gauss-Hermite quadrature.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from simbudget.arrays import Floats
from simbudget.published.claims import Claim, claims_of

TRIALS_OF_A_BARE_RATE: Final = 20
"""A rate without counts informs the mean, but can hardly narrow the spread."""

_SPREAD_SCALE: Final = 1.5
"""Scale of the half-normal prior: one standard deviation is a factor of 4.5 in the odds."""
_WITHIN_A_SETTING: Final = 0.3
"""Deviation of a published ratio or step from its setting's own, on its scale; chosen, as there are no counts."""
_RATIO_LIMITS: Final = (0.05, 0.97)
"""Ratios of 0 and 1 have no logit; if reported, they are rounded or not significant."""
_NODES: Final = 21
"""Nodes of the quadrature, which integrates polynomials up to degree 41 exactly."""
_MEANS, _SPREADS = 121, 80  # grid points; steps of 0.1 and 0.06 are far below the posterior's width
_RATE_MEANS: Final = (-7.0, 5.0)  # of a logit: 0.1 % to 99.3 %
_STEP_MEANS: Final = (-11.0, 0.0)  # of a log: 0.002 % to all of the distance
_DRAWS: Final = 40_000
"""Predictive draws: the Monte-Carlo error of a p10 is about 0.15 percentage points of probability."""

RATIOS: Final = "keeps_"
STEPS: Final = "gain"


@dataclass(frozen=True)
class Predictive:
    """Prediction of the rate in a new setting."""

    group: str
    settings: int
    """Number of published settings that it is based on."""
    p10: float
    p50: float
    p90: float
    spread: float
    """Posterior median of the standard deviation between settings, on the logit or log scale."""


def predictive(group: str, claims: Sequence[Claim] | None = None) -> Predictive:
    """Return the predictive distribution of the rate in a new setting.

    Args:
        group: the group of claims.
        claims: the claims; None for those of the group.

    Raises:
        ValueError: there are no claims.
    """
    claims = claims_of(group) if claims is None else claims
    if not claims:
        raise ValueError(f"no claim of the group {group!r}")
    is_step = group == STEPS
    means, spreads = np.meshgrid(
        np.linspace(*(_STEP_MEANS if is_step else _RATE_MEANS), _MEANS),
        np.linspace(0.02, 5.0, _SPREADS),
        indexing="ij",
    )
    by_values = is_step or group.startswith(RATIOS)
    likelihood = (
        _of_values(claims, means, spreads, is_step) if by_values else _of_counts(claims, means, spreads)
    )
    posterior = likelihood - 0.5 * (spreads / _SPREAD_SCALE) ** 2
    weights = np.exp(posterior - posterior.max())
    weights /= weights.sum()
    random = np.random.default_rng(1)
    cells = random.choice(weights.size, _DRAWS, p=weights.ravel())
    draws = means.ravel()[cells] + spreads.ravel()[cells] * random.standard_normal(_DRAWS)
    rates = np.exp(draws) if is_step else 1.0 / (1.0 + np.exp(-draws))
    p10, p50, p90 = map(float, np.quantile(rates, (0.1, 0.5, 0.9)))
    return Predictive(group, len(claims), p10, p50, p90, float(np.median(spreads.ravel()[cells])))


def _of_counts(claims: Sequence[Claim], means: Floats, spreads: Floats) -> Floats:
    """Return the log-likelihood of counts, each setting's rate integrated out: shape (means, spreads)."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
    weights = weights / weights.sum()
    logits = means[..., np.newaxis] + spreads[..., np.newaxis] * nodes
    log_rate, log_other = -np.logaddexp(0.0, -logits), -np.logaddexp(0.0, logits)
    total = np.zeros_like(means)
    for claim in claims:
        trials = claim.trials or TRIALS_OF_A_BARE_RATE
        hits = claim.rate * trials if claim.trials is None or claim.hits is None else claim.hits
        terms = hits * log_rate + (trials - hits) * log_other
        peak = terms.max(axis=-1, keepdims=True)
        total += np.log((np.exp(terms - peak) * weights).sum(axis=-1)) + peak[..., 0]
    return total


def _of_values(claims: Sequence[Claim], means: Floats, spreads: Floats, is_step: bool) -> Floats:
    """Return the log-likelihood of published ratios or steps with a known error: shape (means, spreads)."""
    rates = np.array([claim.rate for claim in claims])
    kept = np.clip(rates, *_RATIO_LIMITS)
    values = np.log(rates) if is_step else np.log(kept / (1.0 - kept))
    variance = spreads**2 + _WITHIN_A_SETTING**2
    total = np.zeros_like(means)
    for value in values:
        total += -0.5 * (value - means) ** 2 / variance - 0.5 * np.log(variance)
    return total
