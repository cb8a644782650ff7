"""Quantities and times as programs hold them: quantities numbered as they come, durations in nanoseconds."""

from dataclasses import dataclass, field

import numpy as np

from simbudget.distributions.families import constant
from simbudget.engine.laws.draws import (
    CALIBRATED,
    CALIBRATED_FACT,
    DRAWN_EACH_TIME,
    NANOSECOND,
    ONE_A_REPLICATION,
    ONE_A_WORLD,
    TYPICAL_A_WORLD,
    TYPICAL_A_WORLD_ONE_A_REPLICATION,
)
from simbudget.engine.program import (
    NONE,
)
from simbudget.engine.streams import named_purpose
from simbudget.scenario import scenario as scenarios
from simbudget.scenario.language.quantities import Kind, Quantity

_KIND_OF_DRAW = {
    Kind.EXACT: DRAWN_EACH_TIME,
    Kind.VARIES: DRAWN_EACH_TIME,
    Kind.UNKNOWN: ONE_A_WORLD,
    Kind.BOTH: TYPICAL_A_WORLD,
}
_KIND_OF_FACT = {
    **_KIND_OF_DRAW,
    Kind.VARIES: ONE_A_REPLICATION,
    Kind.BOTH: TYPICAL_A_WORLD_ONE_A_REPLICATION,
}


@dataclass
class Quantities:
    """The quantities of a program, numbered as they come."""

    rows: list[tuple[float, ...]] = field(default_factory=list)
    table: list[float] = field(default_factory=list)
    kinds: list[int] = field(default_factory=list)
    spreads: list[float] = field(default_factory=list)
    purposes: list[int] = field(default_factory=list)
    numbers: dict[tuple[str, bool], int] = field(default_factory=dict)

    def add(self, quantity: Quantity | None, is_fact: bool = False) -> int:
        """Return the number of a quantity, the same for the same name; `NONE` for no quantity.

        Args:
            quantity: the quantity, as the scenario has it.
            is_fact: whether it is one number in every replication, instead of a draw each time.
        """
        if quantity is None:
            return NONE
        # One name may be both: a draw each time for one law, one number in every replication for another.
        key = quantity.name, is_fact
        if key not in self.numbers:
            kind = (_KIND_OF_FACT if is_fact else _KIND_OF_DRAW)[quantity.kind]
            row = (*quantity.distribution.row(self.table), quantity.low, quantity.high)
            if quantity.posterior is not None:
                kind = CALIBRATED_FACT if is_fact else CALIBRATED
                row = (*quantity.posterior.row(self.table), quantity.low, quantity.high)
            self.numbers[key] = self._append(row, kind, quantity.spread or 1.0, named_purpose(quantity.name))
        return self.numbers[key]

    def fact(self, quantity: Quantity | None) -> int:
        """Return the number of a quantity that is one number in every replication.

        Args:
            quantity: the quantity, as the scenario has it.
        """
        return self.add(quantity, is_fact=True)

    def number(self, value: float) -> int:
        """Return the number of the quantity that is always `value`.

        Args:
            value: the value, in base units.
        """
        row = (*constant(value).row(self.table), value, value)
        return self._append(row, DRAWN_EACH_TIME, 1.0, 0)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the quantities as the arrays of a program."""
        return {
            "rows": np.array(self.rows, dtype=np.float64),
            "table": np.array(self.table or [0.0], dtype=np.float64),
            "kinds": np.array(self.kinds, dtype=np.int64),
            "spreads": np.array(self.spreads, dtype=np.float64),
            "purposes": np.array(self.purposes, dtype=np.int64),
        }

    def _append(self, row: tuple[float, ...], kind: int, spread: float, purpose: int) -> int:
        self.rows.append(row)
        self.kinds.append(kind)
        self.spreads.append(spread)
        self.purposes.append(purpose)
        return len(self.rows) - 1


_ALWAYS = (0, 86_400) + 7 * (1,)


def office_hours(office: scenarios.Staff | scenarios.Review | None) -> tuple[int, ...]:
    """Return when an office opens and closes, in nanoseconds of a day, and on which days; always without one.

    Args:
        office: who works in it; None: it is always open.
    """
    if office is None:
        opens_s, closes_s, *days = _ALWAYS
    else:
        hours = office.hours
        opens_s, closes_s, days = hours.opens_s, hours.closes_s, [int(day) for day in hours.days]
    return opens_s * NANOSECOND, closes_s * NANOSECOND, *days


def nanoseconds(duration_s: float) -> int:
    """Return a duration in nanoseconds.

    Args:
        duration_s: the duration, in seconds.
    """
    return round(duration_s * NANOSECOND)
