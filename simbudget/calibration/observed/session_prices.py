"""Prices of a session's model: those of the list, or those that its own calls show."""

import datetime

import numpy as np

from simbudget.calibration.observed.sessions import Session
from simbudget.calibration.posteriors.caches import ONE_HOUR
from simbudget.errors import UserError
from simbudget.prices.models import ClassPrices, model_prices


def session_prices(begun: Session, knows_output: bool, life: str) -> str:
    """Return a session's prices as a scenario writes them; outputs that no one knows cost nothing, here and there.

    A model that no list has costs what the session's own calls show.
    """
    prices = list_prices(begun)
    if prices is None:
        read, write, output = _shown_prices(begun)
        plain = write
    else:
        write = prices.cache_write_1h if life == ONE_HOUR else prices.cache_write_5m
        plain, read, output = prices.input, prices.cache_read, prices.output
        if np.nansum(begun.write) == 0:
            write = plain
    output = output if knows_output else 0.0
    return (
        f"{{input: {plain:.6f} $/Mtok, cache_write: {write:.6f} $/Mtok, "
        f"cache_read: {read:.6f} $/Mtok, output: {output:.6f} $/Mtok}}"
    )


def _shown_prices(session: Session) -> tuple[float, float, float]:
    """Return $/Mtok of what is read from the cache, of other input, and of output, by non-negative least squares."""
    from scipy.optimize import nnls  # noqa: PLC0415  slow to import

    cost = session.list_cost_usd
    new = np.nan_to_num(session.uncached) + np.nan_to_num(session.write)
    tokens = np.column_stack([np.nan_to_num(session.read), new, np.nan_to_num(session.output)])
    known = np.isfinite(cost)
    if known.sum() < len(tokens.T):
        return 0.0, 0.0, 0.0
    read, write, output = (float(price) for price in nnls(tokens[known] / 1e6, cost[known])[0])
    return read, write, output


def list_prices(session: Session) -> ClassPrices | None:
    """Return what a session's model cost on its day; None if the price list does not have it."""
    day = datetime.date.fromisoformat(session.ended) if session.ended else datetime.date(2026, 1, 1)
    try:
        return model_prices(session.model, day).base
    except UserError:
        return None
