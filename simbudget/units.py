"""Amounts as people write them: numbers, durations, money, prices and speeds as text, and back.

Inside the program time is seconds, money is US dollars, and a price or a speed is in the unit that its
dimension names. Conversions happen here and where text is printed.
"""

import math
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Dimension(StrEnum):
    """What an amount is an amount of; the value is how to name it in a message."""

    NUMBER = "a number"
    FRACTION = "a share"
    DURATION = "a duration"
    MONEY = "money"
    USD_PER_HOUR = "a price per hour"
    USD_PER_MTOK = "a price per million tokens"
    USD_PER_CALL = "a price per call"
    USD_PER_TRY = "a price per try"
    TOKENS_PER_S = "a speed"


EXAMPLES: Final = {
    Dimension.NUMBER: "`9`, `1.5`, `400k` or `20 to 60`",
    Dimension.FRACTION: "`70%`, `0.7` or `10% to 30%`",
    Dimension.DURATION: "`90 s`, `5 min`, `4 h`, `5 days` or `2 min to 1 h`",
    Dimension.MONEY: "`$18,000`",
    Dimension.USD_PER_HOUR: "`3.59 $/h`",
    Dimension.USD_PER_MTOK: "`5 $/Mtok`",
    Dimension.USD_PER_CALL: "`0.02 $/call`",
    Dimension.USD_PER_TRY: "`40 $/try`",
    Dimension.TOKENS_PER_S: "`60 tokens/s`",
}
"""What to write for each."""

_DURATIONS: Final = {
    "ms": 1e-3,
    "s": 1.0,
    "sec": 1.0,
    "second": 1.0,
    "min": 60.0,
    "minute": 60.0,
    "h": 3600.0,
    "hour": 3600.0,
    "d": 86400.0,
    "day": 86400.0,
    "week": 604800.0,
}
_UNITS: Final = {
    **{name: (Dimension.DURATION, factor) for name, factor in _DURATIONS.items()},
    **{f"{name}s": (Dimension.DURATION, factor) for name, factor in _DURATIONS.items() if len(name) > 2},
    "": (Dimension.NUMBER, 1.0),
    "%": (Dimension.FRACTION, 1.0),
    "$": (Dimension.MONEY, 1.0),
    "usd": (Dimension.MONEY, 1.0),
    "$/h": (Dimension.USD_PER_HOUR, 1.0),
    "$/hour": (Dimension.USD_PER_HOUR, 1.0),
    "$/mtok": (Dimension.USD_PER_MTOK, 1.0),
    "$/call": (Dimension.USD_PER_CALL, 1.0),
    "$/try": (Dimension.USD_PER_TRY, 1.0),
    "tokens/s": (Dimension.TOKENS_PER_S, 1.0),
    "tok/s": (Dimension.TOKENS_PER_S, 1.0),
    "tokens": (Dimension.NUMBER, 1.0),
}
_MULTIPLES: Final = {"": 1.0, "k": 1e3, "M": 1e6, "B": 1e9}
_NUMBER: Final = r"[+-]?(?:\d{1,3}(?:,\d{3})+|\d+(?:_\d+)*|(?=\.\d))(?:\.\d+)?(?:[eE][+-]?\d{1,3})?"
_AMOUNT: Final = re.compile(
    rf"(?P<dollar>-?\$)?\s*(?P<number>{_NUMBER})(?P<multiple>[kMB]?)(?![\d.,])\s*(?P<unit>[^\d\s].{{0,20}})?",
    re.ASCII,
)
_LONGEST_TEXT: Final = 60


@dataclass(frozen=True)
class Amount:
    """A number in the base unit of its dimension."""

    value: float
    dimension: Dimension
    unit: str = ""
    """The unit as written, for the other end of a range."""


def parse_amount(text: str) -> Amount:
    """Return what a text such as `9`, `2M`, `70%`, `5 days`, `$18,000` or `3.59 $/h` stands for.

    Raises:
        ValueError: it is no amount, with a message that says why.
    """
    if len(text) > _LONGEST_TEXT:
        raise ValueError(f"{text[:20]!r}... is too long for an amount")
    match = _AMOUNT.fullmatch(text.strip())
    if match is None:
        raise ValueError(_why_no_amount(text))
    unit = (match["unit"] or "").strip()
    if match["dollar"]:
        unit = "$" + unit if unit.startswith("/") else "$" if unit in ("", "$") else f"$ {unit}"
    if unit.lower() not in _UNITS:
        raise ValueError(f"{text!r} has the unit {unit!r}, which is not known")
    dimension, factor = _UNITS[unit.lower()]
    value = float(match["number"].replace(",", "").replace("_", "")) * _MULTIPLES[match["multiple"]]
    if match["dollar"] == "-$":
        value = -value
    value = (
        value / 100 if unit == "%" else value * factor
    )  # 70 / 100 is 0.7 to the last bit; 70 * 0.01 is not
    if not math.isfinite(value):
        raise ValueError(f"{text!r} is too large a number")
    return Amount(value, dimension, unit)


def _why_no_amount(text: str) -> str:
    if re.fullmatch(r"\s*[+-]?\.?(nan|inf|infinity)\s*", text, re.IGNORECASE):
        return f"{text.strip()!r} is not a finite number"
    if re.search(r"\d,\d{1,2}(\D|$)|\d,\d{4,}", text):
        return f"{text!r}: a comma only groups thousands; write a decimal point"
    return f"{text!r} is not an amount"


def parse_range(text: str) -> tuple[Amount, Amount] | None:
    """Return the two ends of a text such as `20 to 60`, or None if it is not of this form.

    A unit at the second end alone holds for both: `45 to 80 tokens/s`.

    Raises:
        ValueError: an end is no amount, the ends differ in dimension, or the first is not the lower.
    """
    ends = re.split(r"\s+to\s+", text.strip())
    if len(ends) != 2:
        return None
    low, high = parse_amount(ends[0]), parse_amount(ends[1])
    if low.unit == "" and high.unit != "":
        low = parse_amount(f"{ends[0]} {high.unit}")
    if low.dimension != high.dimension:
        raise ValueError(f"{text!r} goes from {low.dimension.value} to {high.dimension.value}")
    if low.value > high.value:
        raise ValueError(f"{text!r} goes down; write the lower end first")
    return low, high


def parse_spread(text: str) -> float:
    """Return p90/median from a text such as `2x`; ValueError if it is none or below 1."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*[x×]", text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no spread; write p90/median, such as `2x`")
    spread = float(match[1])
    if not 1.0 <= spread <= 1e3:
        raise ValueError(f"a spread of {text!r}; p90/median from 1x to 1000x is allowed")
    return spread
