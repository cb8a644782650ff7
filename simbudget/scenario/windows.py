"""At how many tokens a context is full where nobody wrote it: a part of the model's window on the price list."""

import datetime
from typing import Final

from simbudget.distributions.families import constant
from simbudget.errors import UserError
from simbudget.pricing.catalogue import model_prices
from simbudget.scenario.expectations import MOST_TOKENS
from simbudget.scenario.quantities import Kind, Quantity

PART_OF_WINDOW: Final = 0.8
"""Coding agents compact before the window is full, to have room for an answer and the summary."""

WITHOUT_WINDOW: Final = 160_000
"""Where the list knows no window: this part of 200,000 tokens."""


def default_limit(name: str, model: str | None, on: datetime.date) -> Quantity:
    """Return the limit of a model's contexts, by the price list of a day, as the quantity of this name."""
    window = _window(model, on)
    tokens = WITHOUT_WINDOW if window is None else round(PART_OF_WINDOW * window)
    return Quantity(name, Kind.EXACT, constant(tokens), None, 0.0, MOST_TOKENS, str(tokens))


def basis_of_limit(model: str | None, on: datetime.date) -> str:
    """Return what such a limit rests on, in words."""
    window = _window(model, on)
    if window is None:
        return "the list has no window of the model"
    return f"{PART_OF_WINDOW:.0%} of the {window:,} tokens of {model}'s window"


def _window(model: str | None, on: datetime.date) -> int | None:
    try:
        return model_prices(model, on).context_window if model else None
    except UserError:  # a model that the scenario prices, or that is no model: said elsewhere
        return None
