"""Forecasts and what came true: one case of a backtest, and the projections it is compared with."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from simbudget.arrays import Floats
from simbudget.calibration.observed.sessions import Session

STRAIGHT_LINE: Final = "straight_line"
BOOTSTRAP: Final = "bootstrap"


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
    gap_s = np.append(begun.gap_s, np.nan)
    per_call = {
        "input_tokens": begun.context,
        "new_input_tokens": np.nan_to_num(begun.write) + np.nan_to_num(begun.uncached),
        "cache_read_tokens": begun.read,
        "output_tokens": begun.output,
        "cost_usd": begun.cost_usd,
        "model_time_s": begun.duration_s,
        "active_time_s": begun.duration_s + np.maximum(gap_s - begun.person_s, 0.0),
        "wall_time_s": begun.duration_s + gap_s,
        "calls": np.ones(len(begun)),
    }
    forecasts = {}
    for quantity, values in per_call.items():
        known = values[np.isfinite(values)]
        if len(known):
            line = np.array([known.mean() * calls_left])
            forecasts[quantity] = {
                STRAIGHT_LINE: line,
                BOOTSTRAP: lognormal_sums(known, calls_left, replications, rng),
            }
    return forecasts


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
