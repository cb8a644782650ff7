"""Prices of a scenario implied by logs: the list's, or those that the logs report."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from simbudget.calibration.observed.caches import cache_life
from simbudget.calibration.observed.session_prices import (
    list_prices,
    pooled_counted_to_list,
    price_is_known,
    session_prices,
)
from simbudget.calibration.observed.sessions import Session
from simbudget.calibration.scenarios.logged_groups import is_unnamed
from simbudget.calibration.scenarios.wording import as_value
from simbudget.distributions.base import NORMAL_P90
from simbudget.errors import Problem, UserError
from simbudget.numbers import rounded
from simbudget.scenario.language.reading import Reading
from simbudget.scenario.scenario import DEFAULT_MODEL, Turn

_SAME_COST: Final = 0.01
"""Reported costs within this share of the list's leave the list's prices as they are."""


def with_prices(sessions: Sequence[Session]) -> tuple[list[Session], tuple[str, ...]]:
    """Return the sessions of models that the list or the logs have a price for, and a note on those left out.

    Calls without a price would be projected as free.

    Raises:
        UserError: no session is left.
    """
    priced = {session.model for session in sessions if is_unnamed(session.model) or price_is_known(session)}
    kept = [session for session in sessions if session.model in priced]
    unpriced = ", ".join(sorted({session.model for session in sessions} - priced))
    if not kept:
        raise UserError(
            Problem(
                f"neither the price list nor the logs have a price for {unpriced}",
                remedy="write a scenario yourself (`simbudget init DIRECTORY`), with its price under `prices`",
            )
        )
    if not unpriced:
        return kept, ()
    many = len(sessions) - len(kept)
    note = (
        f"{many:,} of {len(sessions):,} sessions left out: neither the price list nor the logs have a price for "
        f"{unpriced}; add a group with its price under `prices`"
    )
    return kept, (note,)


@dataclass
class LoggedPrices:
    """What `prices` of an implied scenario says of models."""

    documents: dict[str, Any] = field(default_factory=dict)
    """By model; a model that is not in it has the list's prices."""
    comments: dict[str, str] = field(default_factory=dict)
    """On what they rest, by model."""
    notes: list[str] = field(default_factory=list)


def logged_prices(sessions: Sequence[Session]) -> LoggedPrices:
    """Return the prices that logs report where they are not the list's.

    Args:
        sessions: those of agents and of sub-agents.
    """
    found = LoggedPrices()
    by_model: dict[str, list[Session]] = {}
    for session in sessions:
        by_model.setdefault(session.model, []).append(session)
    for model, alike in by_model.items():
        if is_unnamed(model):
            found.notes.append(
                f"the logs name no model for {len(alike):,} sessions: {DEFAULT_MODEL} is assumed"
            )
            continue
        ratio = pooled_counted_to_list(alike)
        if list_prices(alike[-1]) is None:
            of, ratio = max(alike, key=lambda session: float(np.nansum(session.list_cost_usd))), 1.0
            comment = "what calls in the logs cost"
        elif _differs(ratio) and not any(session.service for session in alike):
            of, comment = alike[-1], f"list prices times {rounded(ratio)}, as the logs report costs"
        else:
            continue
        knows = any(session.knows_output for session in alike)
        found.documents[model] = as_value(session_prices(of, knows, cache_life(alike, alike[-1]), ratio))
        found.comments[model] = comment
    return found


def _differs(ratio: float) -> bool:
    """Return whether reported costs are not the list's; a ratio of 0 is a subscription's."""
    return ratio > 0.0 and abs(ratio - 1.0) >= _SAME_COST


def assumed_usd(sessions: Sequence[Session]) -> float:
    """Return the mean cost of the sessions' assumed outputs at list prices."""
    output = Turn.read(Reading(Path()), None, "turn", None).output_tokens
    scatter = math.log(output.spread or 1.0) / NORMAL_P90
    each = output.distribution.mean() * math.exp(scatter**2 / 2)  # of a lognormal around its median
    prices = ((session, list_prices(session)) for session in sessions)
    return sum(len(session) * each * price.output / 1e6 for session, price in prices if price is not None)
