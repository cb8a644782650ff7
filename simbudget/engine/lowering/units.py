"""Office hours and durations as programs hold them."""

from simbudget.engine.laws.draws import NANOSECOND
from simbudget.scenario import scenario as scenarios

_ALWAYS = (0, 86_400) + 7 * (1,)


def office_hours(office: scenarios.Staff | scenarios.Review | None) -> tuple[int, ...]:
    """Return when an office opens and closes, in nanoseconds of a day, and on which days; always without one."""
    if office is None:
        opens_s, closes_s, *days = _ALWAYS
    else:
        hours = office.hours
        opens_s, closes_s, days = hours.opens_s, hours.closes_s, [int(day) for day in hours.days]
    return opens_s * NANOSECOND, closes_s * NANOSECOND, *days


def nanoseconds(duration_s: float) -> int:
    """Return a duration in nanoseconds."""
    return round(duration_s * NANOSECOND)
