"""Prices of a session's model: list prices, or prices inferred from its calls."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from simbudget.arrays import Floats
from simbudget.calibration.observed.caches import ONE_HOUR
from simbudget.calibration.observed.sessions import Session
from simbudget.errors import UserError
from simbudget.pricing.catalogue import model_prices
from simbudget.pricing.charge import ClassPrices

_MTOK: Final = 1e6
_USUAL_RATIOS: Final = np.array([0.1, 1.0, 5.0])
"""Prices of cache reads, other input and output relative to input, as for most models on the price list."""
_HIGHEST_USD_PER_MTOK: Final = np.array([15.0, 150.0, 600.0])
"""Upper bounds of fitted prices: those of the dearest listed model (o1-pro: $150 and $600)."""
_RIDGE: Final = 0.02
"""Weight of the usual ratios beside the calls, as a share of the calls' own information."""


@dataclass(frozen=True)
class ClassRates:
    """What a session pays, in $/Mtok; `new` is input that was not read from the cache."""

    read: float
    new: float
    output: float

    def cost_usd(self, read: Floats, new: Floats, output: Floats) -> Floats:
        """Return the cost of these token counts in US dollars.

        Args:
            read: tokens read from the cache, any shape.
            new: other input tokens, of the same shape.
            output: output tokens, of the same shape.
        """
        return np.asarray((read * self.read + new * self.new + output * self.output) / _MTOK)

    def times(self, factor: float) -> "ClassRates":
        """Return the rates multiplied by a factor."""
        return ClassRates(self.read * factor, self.new * factor, self.output * factor)

    def written(self) -> str:
        """Return the rates as a scenario writes them."""
        return (
            f"{{input: {self.new:.6f} $/Mtok, cache_write: {self.new:.6f} $/Mtok, "
            f"cache_read: {self.read:.6f} $/Mtok, output: {self.output:.6f} $/Mtok}}"
        )


def session_prices(begun: Session, knows_output: bool, life: str, factor: float = 1.0) -> str:
    """Return a session's prices as a scenario writes them; outputs that no one knows cost nothing, here and there.

    Args:
        begun: the session.
        knows_output: whether outputs are known; otherwise they cost nothing.
        life: of its cache, `5 min` or `1 h`, since longer ones cost more to write.
        factor: what list prices are multiplied by.
    """
    prices = list_prices(begun)
    if prices is None:
        rates = session_rates(begun, [], life)
        return ClassRates(rates.read, rates.new, rates.output if knows_output else 0.0).written()
    write = _written(prices, life) if np.nansum(begun.write) else prices.input
    output = prices.output if knows_output else 0.0
    input_, write, read, output = (
        price * factor for price in (prices.input, write, prices.cache_read, output)
    )
    return (
        f"{{input: {input_:.6f} $/Mtok, cache_write: {write:.6f} $/Mtok, "
        f"cache_read: {read:.6f} $/Mtok, output: {output:.6f} $/Mtok}}"
    )


def session_rates(begun: Session, others: Sequence[Session], life: str) -> ClassRates:
    """Return what a session pays by class of tokens.

    Args:
        begun: the session.
        others: further sessions, of which those of the same model say what an unlisted model costs.
        life: how long its cache lives, since longer ones cost more to write.
    """
    prices = list_prices(begun)
    if prices is None:
        alike = [other for other in others if other.model == begun.model]
        return fitted_rates([*alike, begun])
    new = _written(prices, life) if np.nansum(begun.write) else prices.input
    return ClassRates(prices.cache_read, new, prices.output if begun.knows_output else 0.0)


def price_is_known(begun: Session, others: Sequence[Session] = ()) -> bool:
    """Return whether the price list has a session's model, or else calls of it report what they cost.

    Args:
        begun: the session.
        others: further sessions.
    """
    alike = (begun, *(other for other in others if other.model == begun.model))
    return list_prices(begun) is not None or any(np.isfinite(each.list_cost_usd).any() for each in alike)


def counted_to_list(begun: Session, others: Sequence[Session] = ()) -> float:
    """Return the ratio of what a session's calls count as in past costs to their cost by the list; 1 if unknown.

    Logs report other costs than the list where the tool has other prices, or where the log leaves counts out. The other
    sessions of the same model are worth one session of their mean cost beside the session itself.

    Args:
        begun: the session.
        others: further sessions.
    """
    alike = [_both_costs(other) for other in others if other.model == begun.model]
    counted, listed = np.mean(alike, axis=0) if alike else (0.0, 0.0)
    own_counted, own_listed = _both_costs(begun)
    if own_listed + listed <= 0.0:
        return 1.0
    return float((own_counted + counted) / (own_listed + listed))


def pooled_counted_to_list(sessions: Sequence[Session]) -> float:
    """Return the ratio of `counted_to_list` of all calls of some sessions together; 1 if unknown."""
    counted, listed = np.sum([_both_costs(session) for session in sessions], axis=0)
    return float(counted / listed) if listed > 0.0 else 1.0


def _both_costs(session: Session) -> tuple[float, float]:
    """Return what calls count as, and their cost by the list, summed over calls that have both."""
    counted, listed = session.cost_usd, session.list_cost_usd
    both = np.isfinite(counted) & np.isfinite(listed)
    return float(counted[both].sum()), float(listed[both].sum())


def _written(prices: ClassPrices, life: str) -> float:
    return prices.cache_write_1h if life == ONE_HOUR else prices.cache_write_5m


def fitted_rates(sessions: Sequence[Session]) -> ClassRates:
    """Return the rates that calls show, between the usual ratios and what non-negative least squares finds.

    Calls of one session seldom tell the classes apart (a context that grows evenly makes them proportional), so the
    usual ratios of prices are worth a few calls, and nothing is believed above the dearest model of the price list.
    """
    from scipy.optimize import nnls  # noqa: PLC0415  slow to import

    tokens = np.concatenate([_tokens(session) for session in sessions])
    cost = np.concatenate([session.list_cost_usd for session in sessions])
    known = np.isfinite(cost)
    tokens, cost = tokens[known] / _MTOK, cost[known]
    weighed = float((tokens @ _USUAL_RATIOS).sum())
    if not len(cost) or weighed <= 0.0:
        return ClassRates(0.0, 0.0, 0.0)
    usual = np.minimum(float(cost.sum()) / weighed * _USUAL_RATIOS, _HIGHEST_USD_PER_MTOK)
    strength = np.sqrt(_RIDGE) * np.maximum(np.linalg.norm(tokens, axis=0), 1e-9)
    rows = np.vstack([tokens, np.diag(strength)])
    found = nnls(rows, np.append(cost, strength * usual))[0]
    read, new, output = (float(price) for price in np.minimum(found, _HIGHEST_USD_PER_MTOK))
    return ClassRates(read, new, output)


def _tokens(session: Session) -> Floats:
    """Return [calls, 3] tokens read from the cache, other input, and output."""
    new = np.nan_to_num(session.uncached) + np.nan_to_num(session.write)
    return np.column_stack([np.nan_to_num(session.read), new, np.nan_to_num(session.output)])


def list_prices(session: Session) -> ClassPrices | None:
    """Return what a session's model cost on its day; None if the price list does not have it."""
    day = datetime.date.fromisoformat(session.ended) if session.ended else datetime.date(2026, 1, 1)
    try:
        return model_prices(session.model, day).base
    except UserError:
        return None
