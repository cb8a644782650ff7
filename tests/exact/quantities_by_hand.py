"""Reading exact quantities of a scenario, for the oracle: text to exact fractions in base units.

This is on purpose not simbudget's own reader: the oracle shares no line with what it checks. Only exact
quantities are understood; anything else raises.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

_UNITS = {
    "": Fraction(1),
    "s": Fraction(1),
    "min": Fraction(60),
    "h": Fraction(3600),
    "day": Fraction(86400),
    "days": Fraction(86400),
    "week": Fraction(604800),
    "weeks": Fraction(604800),
    "$": Fraction(1),
    "$/h": Fraction(1, 3600),
    "$/Mtok": Fraction(1, 1_000_000),
    "$/call": Fraction(1),
    "tokens/s": Fraction(1),
    "k": Fraction(1000),
    "M": Fraction(1_000_000),
}
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
DAY_S = 86400
WEEK_S = 7 * DAY_S


def exact(written: Any) -> Fraction:
    """Return a number in seconds, dollars, dollars a second, dollars a token, tokens, or tokens a second."""
    if isinstance(written, int | float):
        return Fraction(str(written))
    money = written.startswith("$")
    match = re.fullmatch(r"([0-9][0-9,_]*(?:\.[0-9]+)?) ?([A-Za-z$/]*)", written.lstrip("$"))
    if match is None or (money and match[2]):
        raise ValueError(f"not an exact quantity: {written!r}")
    return Fraction(match[1].replace(",", "").replace("_", "")) * _UNITS[match[2]]


def second_of_week(written: str) -> int:
    """Return how many seconds after Monday 0:00 `Wed 14:30` is."""
    day, clock = written.split()
    hour, minute = (clock.split(":") + ["0"])[:2]
    return _DAYS.index(day) * DAY_S + int(hour) * 3600 + int(minute) * 60


@dataclass(frozen=True)
class OfficeHours:
    """When people work: `always`, or from `opens_s` up to but without `closes_s` on some days of the week."""

    days: frozenset[int]
    opens_s: int
    closes_s: int

    @classmethod
    def read(cls, written: str) -> OfficeHours:
        """Return the hours that `always` or `Mon-Fri 9-17` stand for."""
        if written == "always":
            return cls(frozenset(range(7)), 0, DAY_S)
        days, clock = written.split()
        first, last = (_DAYS.index(day) for day in days.split("-"))
        opens, closes = (second_of_week(f"Mon {hour}") for hour in clock.split("-"))
        return cls(frozenset(range(first, last + 1)), opens, closes)

    def open_at(self, week_s: Fraction) -> bool:
        """Return whether people work at this second counted from some Monday 0:00."""
        day, second = divmod(week_s, DAY_S)
        return int(day) % 7 in self.days and self.opens_s <= second < self.closes_s

    def next_change(self, week_s: Fraction) -> Fraction:
        """Return the first second after `week_s` at which an office may open or close."""
        day = int(week_s // DAY_S)
        bounds = (Fraction(at * DAY_S + second) for at in (day, day + 1) for second in self._bounds())
        return min(bound for bound in bounds if bound > week_s)

    def _bounds(self) -> tuple[int, int]:
        return self.opens_s, self.closes_s
