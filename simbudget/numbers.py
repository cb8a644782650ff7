"""Numbers as people read them: the digits that they deserve, thousands separators, units."""

import math
from typing import Final

NOTHING: Final = "–"

_DIGITS: Final = 3


def rounded(value: float, digits: int = _DIGITS) -> str:
    """Return a number with so many significant digits, and with thousands separators."""
    if not math.isfinite(value):
        return NOTHING
    if value == 0:
        return "0"
    decimals = digits - 1 - math.floor(math.log10(abs(value)))
    value = round(value, decimals)
    decimals = digits - 1 - math.floor(math.log10(abs(value)))
    return f"{value:,.{max(0, decimals)}f}"


_NO_MONEY: Final = 1e-9
"""Less than this many dollars is what rounding leaves of nothing: the cheapest token costs a hundred times as much."""


def usd(value: float | None) -> str:
    """Return money: `$18,300`, `$0.420`."""
    if value is None:
        return NOTHING
    if abs(value) < _NO_MONEY:
        return "$0"
    return f"-${rounded(-value)}" if value < 0 else f"${rounded(value)}"


def usd_exactly(value: float) -> str:
    """Return money to the cent."""
    return f"${value:,.2f}"


def hours(value: float | None) -> str:
    """Return a duration given in hours, in days where that reads better."""
    if value is None:
        return NOTHING
    if value < 1:
        return f"{rounded(value * 60)} min"
    return f"{rounded(value)} h" if value < 48 else f"{rounded(value / 24)} days"


def percent(value: float | None) -> str:
    """Return a share as a percentage; what is neither none nor all never looks like it."""
    if value is None or not math.isfinite(value):
        return NOTHING
    if 0 < value < 0.001:
        return "<0.1 %"
    if 0.999 < value < 1:
        return ">99.9 %"
    return f"{value * 100:.{1 if value < 0.1 and value > 0 else 0}f} %"


def score(value: float | None) -> str:
    """Return a score on a benchmark, to the second decimal."""
    return NOTHING if value is None else f"{value:.2f}"


def count(value: float | None) -> str:
    """Return a count, in thousands or millions where it is large."""
    if value is None:
        return NOTHING
    for size, suffix in ((1e9, " B"), (1e6, " M")):
        if abs(value) >= size:
            return f"{rounded(value / size)}{suffix}"
    return rounded(value)
