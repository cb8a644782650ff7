"""Working hours and the start of a run, as text: `Mon-Fri 9-17`, `Mon 9:00`, `2026-03-02 9:00`."""

import datetime
import re
from dataclasses import dataclass
from typing import ClassVar, Final

from simbudget.scenario.language.reading import read_date

DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
DAY_S: Final = 86_400


@dataclass(frozen=True)
class OfficeHours:
    """Weekly working hours: days of the week from Monday, and opening times in seconds after midnight."""

    days: tuple[bool, ...]
    opens_s: int
    closes_s: int

    is_setting: ClassVar[bool] = True

    def __str__(self) -> str:
        """Return them as a scenario writes them."""
        if all(self.days) and (self.opens_s, self.closes_s) == (0, DAY_S):
            return "always"
        spans = [
            f"{DAYS[first]}-{DAYS[last]}" if last > first else DAYS[first]
            for first in range(7)
            if self.days[first] and not (first and self.days[first - 1])
            for last in [next((day - 1 for day in range(first, 7) if not self.days[day]), 6)]
        ]
        return f"{','.join(spans)} {_clock_text(self.opens_s)}-{_clock_text(self.closes_s)}"


@dataclass(frozen=True)
class Begins:
    """The start of a run: seconds after Monday 0:00, and the date if it is known."""

    week_s: int
    date: datetime.date | None

    is_setting: ClassVar[bool] = True

    def __str__(self) -> str:
        """Return it as a scenario writes it."""
        day, seconds = divmod(self.week_s, DAY_S)
        return f"{self.date or DAYS[day]} {_clock_text(seconds)}"


def parse_office_hours(text: str) -> OfficeHours:
    """Parse working hours such as `always`, `Mon-Fri 9-17` or `Mon,Wed 8:30-12`.

    Raises:
        ValueError: the text is not of this form.
    """
    if text.strip().lower() == "always":
        return OfficeHours((True,) * 7, 0, DAY_S)
    match = re.fullmatch(r"\s*([A-Za-z,\- ]+?)\s+([\d:]+)\s*-\s*([\d:]+)\s*", text)
    if match is None:
        raise ValueError(f"`{text[:40]}` is not office hours; write `always`, or for example `Mon-Fri 9-17`")
    days = [False] * 7
    for part in match[1].split(","):
        first, _, last = part.strip().partition("-")
        start, end = _day(first), _day(last or first)
        for day in range(start, end + 1 if end >= start else end + 8):
            days[day % 7] = True
    opens_s, closes_s = _clock(match[2]), _clock(match[3])
    if opens_s >= closes_s:
        raise ValueError(f"`{text[:40]}` closes before it opens; write for example `Mon-Fri 9-17`")
    return OfficeHours(tuple(days), opens_s, closes_s)


def parse_begins(text: str) -> Begins:
    """Parse the start of a run such as `Mon 9:00`, `2026-03-02 9:00` or `2026-03-02`.

    Raises:
        ValueError: the text is not of this form.
    """
    day, _, clock = text.strip().partition(" ")
    seconds = _clock(clock.strip() or "0")
    if seconds == DAY_S:
        raise ValueError(f"`{text[:40]}`: write the next day and 0:00")
    if re.fullmatch(r"\d{4}-.*", day):
        date = read_date(day)
        return Begins(date.weekday() * DAY_S + seconds, date)
    return Begins(_day(day) * DAY_S + seconds, None)


def _day(text: str) -> int:
    name = text.strip().capitalize()[:3]
    if name not in DAYS:
        raise ValueError(f"`{text[:20]}` is not a day of the week; write one of {', '.join(DAYS)}")
    return DAYS.index(name)


def _clock_text(seconds: int) -> str:
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}"


def _clock(text: str) -> int:
    match = re.fullmatch(r"(\d{1,2})(?::(\d{2}))?", text)
    if match is None or int(match[1]) * 60 + int(match[2] or 0) > 24 * 60 or int(match[2] or 0) > 59:
        raise ValueError(f"`{text[:20]}` is not a time of day; write for example `9` or `17:30`")
    return (int(match[1]) * 60 + int(match[2] or 0)) * 60
