"""What keys of the same sort expect: durations, token counts, facts, shares, office hours."""

from typing import Final

from simbudget.scenario.amounts import Amount
from simbudget.scenario.calendar import parse_office_hours
from simbudget.scenario.fields import Parsed
from simbudget.units import Dimension

TEN_YEARS_S: Final = 10 * 365 * 86_400.0
MOST_TOKENS: Final = 1e9
MOST_AGENTS: Final = 100_000

MOST_USD: Final = 1e12


def tokens(default: str | None = None, exact: bool = False, optional: bool = False) -> Amount:
    """Return what expects a count of tokens."""
    return Amount(Dimension.NUMBER, default, exact=exact, high=MOST_TOKENS, optional=optional)


def time(default: str | None = None, exact: bool = False, low: float = 0.0, optional: bool = False) -> Amount:
    """Return what expects a duration of at most ten years."""
    return Amount(Dimension.DURATION, default, exact=exact, low=low, high=TEN_YEARS_S, optional=optional)


def fact(
    dimension: Dimension, default: str | None = None, low: float = 0.0, basis: str | None = None
) -> Amount:
    """Return what expects a fact: a bare range is one unknown value."""
    high = {Dimension.DURATION: TEN_YEARS_S, Dimension.FRACTION: 1.0}.get(dimension, 1e9)
    return Amount(dimension, default, is_fact=True, low=low, high=high, basis=basis)


def share(default: str | None = None, basis: str | None = None) -> Amount:
    """Return what expects a share between 0 and 1."""
    return Amount(Dimension.FRACTION, default, high=1.0, basis=basis)


HOURS: Final = Parsed(parse_office_hours, "always")
