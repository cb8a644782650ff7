"""A subscription: its window and week, what they allow, and the line of calls that wait for their end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from simpy.events import Event

from simbudget.engine.laws.draws import Floats, Integers
from simbudget.engine.laws.plans import SPANS, allowed_from_ns, use
from simbudget.engine.program import NONE, PlanRow
from simbudget.engine.reference.clock import Clock, Happens, Phase

if TYPE_CHECKING:
    from simbudget.engine.reference.calls import Caller


@dataclass
class _Waiting:
    """A call that waits."""

    place: int
    bell: Event
    """Rung when it has become the first in line."""


class Subscription:
    """The subscription of the whole fleet."""

    def __init__(self, clock: Clock, plan: PlanRow, rows: Floats) -> None:
        self.pays = bool(plan.pays)
        """Whether a call at the limit is paid at list prices; otherwise it waits."""
        self.month_usd = plan.seats * float(rows[plan.price, 1])
        self.queued_ns = 0
        """For how long calls have waited for it."""
        self._clock = clock
        self._lengths_ns: Integers = np.array([plan.window_ns, plan.week_ns], dtype=np.int64)
        allows = (plan.window_allows, plan.week_allows)
        self._allows_usd: Floats = np.array(
            [0.0 if quantity == NONE else plan.seats * rows[quantity, 1] for quantity in allows]
        )
        self._ends_ns: Integers = np.zeros(SPANS, dtype=np.int64)
        self._used_usd: Floats = np.zeros(SPANS)
        self._line: list[_Waiting] = []
        """Those who wait, in the order in which they asked; only the first looks at the clock."""
        self._places = 0

    def next_place(self) -> int:
        """Return the place in line of a call that asks now."""
        self._places += 1
        return self._places

    def allows(self) -> bool:
        """Return whether a call may begin now, as part of the subscription."""
        return self._allowed_from_ns() <= self._clock.now

    def charge(self, cost_usd: float) -> float:
        """Count a call that begins now, given its cost at list prices; return what is paid for it."""
        if not self.allows():
            return cost_usd
        use(self._lengths_ns, self._ends_ns, self._used_usd, cost_usd, self._clock.now)
        return 0.0

    def wait(self, caller: Caller, place: int) -> Happens:
        """Wait in line until a call may begin."""
        waiting, asked_ns = _Waiting(place, Event(self._clock)), self._clock.now
        self._line.append(waiting)
        self._line.sort(
            key=lambda one: one.place
        )  # one that the rate limits held up may have asked before others here
        try:
            while True:
                if self._line[0] is not waiting:
                    waiting.bell = Event(self._clock)
                    yield waiting.bell
                elif (from_ns := self._allowed_from_ns()) > self._clock.now:
                    yield self._clock.after(from_ns - self._clock.now, Phase.ASK, caller.number, caller.place)
                else:
                    return
        finally:
            self.queued_ns += self._clock.now - asked_ns
            self._line.remove(waiting)
            self._ring()

    def _ring(self) -> None:
        """Tell the first in line that it is, unless it knows and waits for the clock."""
        if self._line and not self._line[0].bell.triggered and self._line[0].bell.callbacks:
            self._line[0].bell.succeed()

    def _allowed_from_ns(self) -> int:
        return allowed_from_ns(
            self._lengths_ns, self._ends_ns, self._used_usd, self._allows_usd, self._clock.now
        )
