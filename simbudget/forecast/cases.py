"""Forecasts and what came true: one case of a backtest, and the projections it is compared with."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from simbudget.arrays import Floats
from simbudget.calibration.observed.sessions import Session
from simbudget.calibration.observed.totals import per_call, truths

STRAIGHT_LINE: Final = "straight_line"
BOOTSTRAP: Final = "bootstrap"
KNOWN_RUNS: Final = "known_runs"
_FEWEST_CALLS: Final = 15
"""Shorter sessions have no remaining run to speak of."""


@dataclass(frozen=True, eq=False)
class Case:
    """One quantity of one case: what was projected, by us and naively, and the truth."""

    task: str
    source: str
    project: str
    run: str
    quantity: str
    truth: float
    sample: Floats
    """[replications] the projection."""
    naive: dict[str, Floats]
    """By method: a sample, of one number if the method gives no interval."""


def naive_rest(
    begun: Session, calls_left: int, replications: int, rng: np.random.Generator
) -> dict[str, dict[str, Floats]]:
    """Return the naive forecasts of the calls that are left, by quantity and method.

    A straight line takes the mean of a call so far; the bootstrap draws calls like those so far, independently,
    from a lognormal fitted to them.
    """
    forecasts = {}
    for quantity, values in per_call(begun).items():
        known = values[np.isfinite(values)]
        if len(known):
            line = np.array([known.mean() * calls_left])
            forecasts[quantity] = {
                STRAIGHT_LINE: line,
                BOOTSTRAP: lognormal_sums(known, calls_left, replications, rng),
            }
    return forecasts


def known_runs(
    others: Sequence[Session], so_far: int, calls_left: int | None, draws: int, rng: np.random.Generator
) -> dict[str, Floats]:
    """Return by quantity [draws] of what remained of other sessions, resampled.

    Args:
        others: other whole sessions.
        so_far: calls of the session that is forecast.
        calls_left: how many it still makes; the mean call of other remaining runs is then taken as often. None: nobody
            knows, and what remained of longer sessions after as many calls is taken as it is.
        draws: how many.
        rng: what they are made from.
    """
    if calls_left is None:
        remaining = [truths(other, so_far) for other in others if len(other) > so_far]
    else:
        share = so_far / (so_far + calls_left)
        firsts = [(other, round(share * len(other))) for other in others if len(other) >= _FEWEST_CALLS]
        remaining = [
            {name: total / (len(other) - first) * calls_left for name, total in truths(other, first).items()}
            for other, first in firsts
        ]
    names = dict.fromkeys(name for totals in remaining for name in totals)
    return {
        name: rng.choice([totals[name] for totals in remaining if name in totals], draws) for name in names
    }


def lognormal_sums(values: Floats, count: int, replications: int, rng: np.random.Generator) -> Floats:
    """Return [replications] sums of `count` independent draws from a lognormal fitted to positive values."""
    positive = values[values > 0]
    if not len(positive):
        return np.zeros(replications)
    logs = np.log(positive)
    share = len(positive) / len(values)
    counts = rng.binomial(count, share, replications)
    mean, deviation = float(logs.mean()), float(logs.std())
    # Sums of many draws: by replication, since a matrix of replications and calls could be large.
    return np.array([np.exp(rng.normal(mean, deviation, k)).sum() for k in counts])
