"""Numbers for people: sensible digits, thousands separators, units."""

import math
import re
from collections.abc import Callable
from typing import Final

NOTHING: Final = "–"

_DIGITS: Final = 3
"""Significant digits: more than most intervals justify, and enough to tell two plans apart."""


def rounded(value: float, digits: int = _DIGITS) -> str:
    """Round to a number of significant digits, with thousands separators.

    Args:
        value: the number.
        digits: significant digits.
    """
    if not math.isfinite(value):
        return NOTHING
    if value == 0:
        return "0"
    decimals = digits - 1 - math.floor(math.log10(abs(value)))
    value = round(value, decimals)
    # Rounding can add a digit (9.996 to 10.0), so that one decimal fewer is right.
    decimals = digits - 1 - math.floor(math.log10(abs(value)))
    return f"{value:,.{max(0, decimals)}f}"


_NO_MONEY: Final = 1e-9
"""Amounts below this, in dollars, are rounding errors: the cheapest token costs a hundred times as much."""


def usd(value: float | None) -> str:
    """Format dollars: `$18,300`, `$0.420`."""
    if value is None:
        return NOTHING
    if abs(value) < _NO_MONEY:
        return "$0"
    return f"-${rounded(-value)}" if value < 0 else f"${rounded(value)}"


def usd_exactly(value: float) -> str:
    """Format dollars to the cent."""
    return f"${value:,.2f}"


def hours(value: float | None) -> str:
    """Format a duration in hours: as minutes below one hour, as days from 48 hours on."""
    if value is None:
        return NOTHING
    if value < 1:
        return f"{rounded(value * 60)} min"
    return f"{rounded(value)} h" if value < 48 else f"{rounded(value / 24)} days"


def percent(value: float | None) -> str:
    """Format a share as a percentage, without rounding a small share to 0 or a large one to 100 %."""
    if value is None or not math.isfinite(value):
        return NOTHING
    if 0 < value < 0.001:
        return "<0.1 %"
    if 0.999 < value < 1:
        return ">99.9 %"
    return f"{value * 100:.{1 if value < 0.1 and value > 0 else 0}f} %"


def score(value: float | None) -> str:
    """Format a benchmark score with two decimals."""
    return NOTHING if value is None else f"{value:.2f}"


def count(value: float | None) -> str:
    """Format a count, in millions or billions where it is large."""
    if value is None:
        return NOTHING
    for size, suffix in ((1e9, " B"), (1e6, " M")):
        if abs(value) >= size:
            return f"{rounded(value / size)}{suffix}"
    return rounded(value)


def with_error(show: Callable[[float], str], value: float, error: float) -> str:
    """Format a value and its error, in the same unit and with as many decimals: `14.7 ± 0.6`, `$1,340 ± $56`.

    Args:
        show: formats such a value.
        value: the value.
        error: its error, at least 0.
    """
    shown = show(value)
    parts = re.fullmatch(r"[-<>]?(\$?)([\d,]+)(\.\d+)?(.*)", shown)
    if parts is None or not value or not math.isfinite(error):
        return f"{shown} ± {show(error)}"
    sign, whole, decimals, unit = parts.groups("")
    number = error * float(f"{whole.replace(',', '')}{decimals}") / abs(value)
    return f"{shown} ± {sign}{number:,.{max(0, len(decimals) - 1)}f}{unit}"
