"""When people work: office hours as a law of the week.

`hours` is when the office opens and closes (nanoseconds after midnight), then for each day of the week, Monday
first, whether it opens. Times are nanoseconds after some Monday 0:00.
"""

from typing import Final

from simbudget.compilation import compiled
from simbudget.engine.laws.draws import Integers
from simbudget.engine.laws.work import DAY_NS

OFFICE: Final = 9
"""Length of the array of an office's hours."""

_FIRST_DAY: Final = 2
_WEEK_DAYS: Final = 7


@compiled
def is_open(hours: Integers, week_ns: int) -> bool:
    """Return whether the office is open at a time; at the closing time it is not.

    Args:
        hours: [OFFICE] office hours.
        week_ns: the time, in nanoseconds after a Monday 0:00.
    """
    day, clock = week_ns // DAY_NS, week_ns % DAY_NS
    return hours[_FIRST_DAY + day % _WEEK_DAYS] == 1 and hours[0] <= clock < hours[1]


@compiled
def opens_ns(hours: Integers, week_ns: int) -> int:
    """Return the first time from `week_ns` on at which the office is open.

    Args:
        hours: [OFFICE] office hours.
        week_ns: the time, in nanoseconds after a Monday 0:00.
    """
    if is_open(hours, week_ns):
        return week_ns
    day = week_ns // DAY_NS
    if week_ns % DAY_NS >= hours[0]:
        day += 1
    while hours[_FIRST_DAY + day % _WEEK_DAYS] == 0:
        day += 1
    return day * DAY_NS + hours[0]


@compiled
def closes_ns(hours: Integers, week_ns: int) -> int:
    """Return when the office, open at `week_ns`, closes on that day.

    Args:
        hours: [OFFICE] office hours.
        week_ns: the time, in nanoseconds after a Monday 0:00.
    """
    return week_ns // DAY_NS * DAY_NS + hours[1]


@compiled
def open_ns(hours: Integers, from_ns: int, to_ns: int) -> int:
    """Return how long the office is open between two times, in nanoseconds.

    Args:
        hours: [9] office hours.
        from_ns: nanoseconds after a Monday 0:00.
        to_ns: nanoseconds after the same Monday.
    """
    total = 0
    for day in range(from_ns // DAY_NS, to_ns // DAY_NS + 1):
        if hours[_FIRST_DAY + day % _WEEK_DAYS] == 1:
            opens, closes = day * DAY_NS + hours[0], day * DAY_NS + hours[1]
            total += max(0, min(closes, to_ns) - max(opens, from_ns))
    return total
