"""Forecasts and what came true: one case of a backtest, and the projections it is compared with."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from simbudget.calibration.observed.sessions import Session

Floats = npt.NDArray[np.float64]

STRAIGHT_LINE: Final = "straight_line"
BOOTSTRAP: Final = "bootstrap"


@dataclass(frozen=True, eq=False)
class Forecast:
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


def truths(session: Session, first: int) -> dict[str, float]:
    """Return what came true of a session from its `first`-th call on; what the log does not say is left out.

    Wall time is that of the calls and of the gap before each, so that it is of as many gaps as calls.
    """
    rest = session.part(first)
    gaps_s = session.gap_s[max(first - 1, 0) :]
    known: dict[str, float] = {}
    if session.knows_input:
        known["input_tokens"] = float(rest.context.sum())
        known["new_input_tokens"] = float(np.nansum(rest.write) + np.nansum(rest.uncached))
        known["cache_read_tokens"] = float(np.nansum(rest.read))
    known["calls"] = float(len(rest))
    if session.knows_output:
        known["output_tokens"] = _filled_sum(rest.output)
    if np.isfinite(rest.list_cost_usd).mean() > 0.9:
        known["cost_usd"] = _filled_sum(rest.list_cost_usd)
    if np.isfinite(rest.duration_s).mean() > 0.9:
        known["model_time_s"] = _filled_sum(rest.duration_s)
        if np.isfinite(session.started_s).all():
            known["wall_time_s"] = known["model_time_s"] + float(gaps_s.sum())
    return known


def calls_within(session: Session, cut: float, at_least: int = 3) -> int | None:
    """Return how many calls ended in a share of a session's time, a few at least; None if that cannot be said."""
    if not np.isfinite(session.started_s).all():
        return None
    ends_s = session.started_s + np.nan_to_num(session.duration_s)
    until_s = session.started_s[0] + cut * (ends_s[-1] - session.started_s[0])
    first = max(at_least, int(np.searchsorted(ends_s, until_s)))
    return first if first < len(session) else None


def wall_time_s(session: Session, first: int) -> float:
    """Return how long a session took from its `first`-th call on, the gap before that included."""
    return float(np.nansum(session.duration_s[first:]) + session.gap_s[max(first - 1, 0) :].sum())


def _filled_sum(values: Floats) -> float:
    """Return the sum, a few values that are not known taken as the mean of the others."""
    return float(np.nanmean(values) * len(values))


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
        "cost_usd": begun.list_cost_usd,
        "model_time_s": begun.duration_s,
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
    # Sums of many draws: by replication, since a matrix of replications and calls could be large.
    return np.array([np.exp(rng.normal(logs.mean(), logs.std(), k)).sum() for k in counts])
