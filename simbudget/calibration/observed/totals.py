"""Totals of sessions from a given call on: observed, and from a projection's replications."""

import numpy as np
import pandas as pd

from simbudget.arrays import Floats
from simbudget.calibration.observed.sessions import Session
from simbudget.units import HOUR_S


def truths(session: Session, first: int) -> dict[str, float]:
    """Return a session's observed totals from its `first`-th call on; quantities missing in the log are left out.

    Wall time is that of the calls and of the gap before each, so that it is of as many gaps as calls; active time is
    the same without waiting for people.

    Args:
        session: the whole session.
        first: number of the first call that counts, from 0; tokens, dollars and seconds are those from it on.
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
    if np.isfinite(rest.cost_usd).mean() > 0.9:
        known["cost_usd"] = _filled_sum(rest.cost_usd)
    if np.isfinite(rest.duration_s).mean() > 0.9:
        known["model_time_s"] = _filled_sum(rest.duration_s)
        if np.isfinite(session.started_s).all():
            waits_s = np.minimum(session.person_s[:-1], session.gap_s)[max(first - 1, 0) :]
            known["wall_time_s"] = known["model_time_s"] + float(gaps_s.sum())
            known["active_time_s"] = known["wall_time_s"] - float(waits_s.sum())
    return known


def per_call(session: Session) -> dict[str, Floats]:
    """Return by quantity: [calls] what each call of a session came to; NaN where the log does not say.

    A call's active time is its duration and the gap after it without waits for people; wall time includes these.
    """
    gap_s = np.append(session.gap_s, np.nan)
    return {
        "input_tokens": session.context,
        "new_input_tokens": np.nan_to_num(session.write) + np.nan_to_num(session.uncached),
        "cache_read_tokens": session.read,
        "output_tokens": session.output,
        "cost_usd": session.cost_usd,
        "model_time_s": session.duration_s,
        "active_time_s": session.duration_s + np.maximum(gap_s - session.person_s, 0.0),
        "wall_time_s": session.duration_s + gap_s,
        "calls": np.ones(len(session)),
    }


def calls_within(session: Session, cut: float, at_least: int = 3) -> int | None:
    """Return the number of calls that ended within a share of a session's time, with a minimum; None if unknown.

    Args:
        session: the whole session.
        cut: share of its time, 0 to 1.
        at_least: fewest calls to return.
    """
    if not np.isfinite(session.started_s).all():
        return None
    ends_s = session.started_s + np.nan_to_num(session.duration_s)
    until_s = session.started_s[0] + cut * (ends_s[-1] - session.started_s[0])
    first = max(at_least, int(np.searchsorted(ends_s, until_s)))
    return first if first < len(session) else None


def wall_time_s(session: Session, first: int) -> float:
    """Return a session's duration from its `first`-th call on, including the gap before it.

    Args:
        session: the whole session.
        first: number of the first call that counts, from 0.
    """
    return float(np.nansum(session.duration_s[first:]) + session.gap_s[max(first - 1, 0) :].sum())


def _filled_sum(values: Floats) -> float:
    """Return the sum, with the few unknown values replaced by the mean of the others."""
    return float(np.nanmean(values) * len(values))


def session_samples(replications: pd.DataFrame) -> dict[str, Floats]:
    """Return a projection's replications by the names of a session's quantities."""
    column = {name: replications[name].to_numpy(np.float64) for name in replications}
    new = column["tokens_uncached_input"] + column["tokens_cache_write"]
    hours = column["agent_hours"]
    return {
        "input_tokens": new + column["tokens_cache_read"],
        "new_input_tokens": new,
        "cache_read_tokens": column["tokens_cache_read"],
        "output_tokens": column["tokens_output"],
        "cost_usd": column["spend_tokens_usd"],
        "model_time_s": np.nan_to_num(column["share_model"]) * hours * HOUR_S,
        "wall_time_s": hours * HOUR_S,
        "calls": column["model_calls"],
    }
