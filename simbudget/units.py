"""Amounts as people write them: parse numbers, durations, money, prices and speeds from text, and write them.

Inside the program time is in seconds, money in US dollars, and a price or a speed in the unit that its dimension
names. Conversions happen here and where text is printed.
"""

import difflib
import re
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Final

HOUR_S = 3600.0
"""Seconds in an hour."""


class Dimension(StrEnum):
    """The physical dimension of an amount; the value is its name in messages."""

    NUMBER = "a number"
    FRACTION = "a share"
    DURATION = "a duration"
    MONEY = "money"
    USD_PER_HOUR = "a price per hour"
    USD_PER_MTOK = "a price per million tokens"
    USD_PER_CALL = "a price per call"
    USD_PER_TRY = "a price per try"
    USD_PER_MONTH = "a price per month"
    TOKENS_PER_S = "a speed"


EXAMPLES: Final = {
    Dimension.NUMBER: ("9", "1.5", "400k", "20 to 60"),
    Dimension.FRACTION: ("70%", "0.7", "10% to 30%"),
    Dimension.DURATION: ("90 s", "5 min", "4 h", "5 days", "2 min to 1 h"),
    Dimension.MONEY: ("$500", "$18k"),
    Dimension.USD_PER_HOUR: ("3.59 $/h",),
    Dimension.USD_PER_MTOK: ("5 $/Mtok",),
    Dimension.USD_PER_CALL: ("0.02 $/call",),
    Dimension.USD_PER_TRY: ("40 $/try",),
    Dimension.USD_PER_MONTH: ("200 $/month",),
    Dimension.TOKENS_PER_S: ("60 tokens/s",),
}
"""Valid texts, for error messages and the language's reference."""


def examples(dimension: Dimension, exact: bool = False) -> str:
    """Return valid texts of a dimension as a list in a sentence.

    Args:
        dimension: the dimension.
        exact: whether a range is not allowed.
    """
    texts = [f"`{text}`" for text in EXAMPLES[dimension] if not (exact and " to " in text)]
    return " or ".join(part for part in (", ".join(texts[:-1]), texts[-1]) if part)


_DURATIONS: Final = {
    "ms": Fraction(1, 1000),
    "s": Fraction(1),
    "sec": Fraction(1),
    "second": Fraction(1),
    "min": Fraction(60),
    "minute": Fraction(60),
    "h": Fraction(3600),
    "hour": Fraction(3600),
    "d": Fraction(86400),
    "day": Fraction(86400),
    "week": Fraction(604800),
}
UNITS: Final = {
    **{name: (Dimension.DURATION, factor) for name, factor in _DURATIONS.items()},
    **{f"{name}s": (Dimension.DURATION, factor) for name, factor in _DURATIONS.items() if len(name) > 2},
    "": (Dimension.NUMBER, Fraction(1)),
    "%": (Dimension.FRACTION, Fraction(1, 100)),
    "$": (Dimension.MONEY, Fraction(1)),
    "usd": (Dimension.MONEY, Fraction(1)),
    "$/h": (Dimension.USD_PER_HOUR, Fraction(1)),
    "$/hour": (Dimension.USD_PER_HOUR, Fraction(1)),
    "$/mtok": (Dimension.USD_PER_MTOK, Fraction(1)),
    "$/call": (Dimension.USD_PER_CALL, Fraction(1)),
    "$/try": (Dimension.USD_PER_TRY, Fraction(1)),
    "$/month": (Dimension.USD_PER_MONTH, Fraction(1)),
    "tokens/s": (Dimension.TOKENS_PER_S, Fraction(1)),
    "tok/s": (Dimension.TOKENS_PER_S, Fraction(1)),
    "tokens": (Dimension.NUMBER, Fraction(1)),
}
_MULTIPLES: Final = {"": 1, "k": 1_000, "M": 1_000_000, "B": 1_000_000_000}
_NUMBER: Final = r"[+-]?(?:\d{1,3}(?:,\d{3})+|\d+(?:_\d+)*|(?=\.\d))(?:\.\d+)?(?:[eE][+-]?\d{1,3})?"
_AMOUNT: Final = re.compile(
    rf"(?P<dollar>-?\$)?\s*(?P<number>{_NUMBER})(?P<multiple>[kMB]?)(?![\d.,])\s*(?P<unit>[^\d\s].{{0,20}})?",
    re.ASCII,
)
_LONGEST_TEXT: Final = 60
"""Twice the longest sensible amount; bounds the work of the regular expression on hostile input."""


@dataclass(frozen=True)
class Amount:
    """A number in the base unit of its dimension."""

    value: float
    dimension: Dimension
    unit: str = ""
    """The unit as written, which may also apply to the lower end of a range."""


def parse_amount(text: str) -> Amount:
    """Parse an amount such as `9`, `2M`, `70%`, `5 days`, `$18,000` or `3.59 $/h`.

    Raises:
        ValueError: the text is not an amount; the message says why.
    """
    if len(text) > _LONGEST_TEXT:
        raise ValueError(f"{text[:20]!r}... is too long for an amount")
    match = _AMOUNT.fullmatch(text.strip())
    if match is None:
        raise ValueError(_why_no_amount(text))
    unit = (match["unit"] or "").strip()
    if match["dollar"]:
        unit = "$" + unit if unit.startswith("/") else "$" if unit in ("", "$") else f"$ {unit}"
    if unit == "m":
        raise ValueError(f"{text!r} could be minutes or millions; write `{match['number']} min` or `M`")
    if unit.lower() not in UNITS:
        raise ValueError(_why_no_unit(text, match["number"] + match["multiple"], unit))
    dimension, factor = UNITS[unit.lower()]
    digits = match["number"].replace(",", "").replace("_", "")
    exact = (
        Fraction(digits) * _MULTIPLES[match["multiple"]] * factor
    )  # exact, then rounded once: 2.3M is 2,300,000
    try:
        value = float(exact)
    except OverflowError:
        raise ValueError(f"{text!r} is too large a number") from None
    if match["dollar"] == "-$":
        value = -value
    return Amount(value, dimension, unit)


def _why_no_unit(text: str, number: str, unit: str) -> str:
    if until := re.fullmatch(r"[-–—]\s*(\d.*)", unit):
        return f"{text!r} looks like a range; write `{number} to {until[1]}`"
    if re.fullmatch(r"(\$|usd)\s*/\s*tok(ens?)?", unit.lower()):
        return f"{text!r} has an unknown unit {unit!r}; tokens are priced by the million: `$/Mtok`"
    near = difflib.get_close_matches(unit.lower(), UNITS, 1, 0.6)
    advice = f"; did you mean {near[0]!r}?" if near else ""
    return f"{text!r} has an unknown unit {unit!r}{advice}"


def _why_no_amount(text: str) -> str:
    if re.fullmatch(r"\s*[+-]?\.?(nan|inf|infinity)\s*", text, re.IGNORECASE):
        return f"{text.strip()!r} is not a finite number"
    if re.search(r"\d,\d{1,2}(\D|$)|\d,\d{4,}", text):
        return f"{text!r}: a comma only groups thousands; write a decimal point"
    return f"{text!r} is not an amount"


def parse_range(text: str) -> tuple[Amount, Amount] | None:
    """Parse a range such as `20 to 60`; return None if the text is not of this form.

    A unit on the upper end alone applies to both: `45 to 80 tokens/s`.

    Raises:
        ValueError: an end is not an amount, the ends differ in dimension, or the first end is above the second.
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
    """Parse the spread p90/median, such as `2x`.

    Raises:
        ValueError: the text is not a spread, or lies outside 1x to 1000x.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*[x×]", text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a spread; write p90/median, such as `2x`")
    spread = float(match[1])
    if not 1.0 <= spread <= 1e3:
        raise ValueError(f"{text!r} is outside the allowed spreads, p90/median from 1x to 1000x")
    return spread


def written_amount(value: float, dimension: Dimension) -> str:
    """Write an amount, given in base units, as text that `parse_amount` reads back to the same number.

    Args:
        value: in base units.
        dimension: what is measured.
    """
    if dimension is Dimension.DURATION:
        for unit, factor in (("days", 86400.0), ("h", 3600.0), ("min", 60.0)):
            if value >= factor and value % factor == 0:
                count = value / factor
                return f"{_digits(count)} {unit if count != 1 else unit.rstrip('s')}"
        return f"{_digits(value)} s"
    if dimension is Dimension.MONEY:
        return f"-${_digits(-value)}" if value < 0 else f"${_digits(value)}"
    unit = _WRITTEN_UNITS.get(dimension, "")
    return f"{_digits(value)} {unit}".rstrip()


def _digits(value: float) -> str:
    return f"{int(value):,}" if value == int(value) and abs(value) < 1e15 else repr(value)


_WRITTEN_UNITS: Final = {
    Dimension.USD_PER_HOUR: "$/h",
    Dimension.USD_PER_MTOK: "$/Mtok",
    Dimension.USD_PER_CALL: "$/call",
    Dimension.USD_PER_TRY: "$/try",
    Dimension.USD_PER_MONTH: "$/month",
    Dimension.TOKENS_PER_S: "tokens/s",
}
