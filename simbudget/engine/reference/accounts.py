"""The accounts of a run: what has been spent on what and when, what accrues, and whether the budget is reached."""

import numpy as np

from simbudget.engine.laws.draws import Floats, Integers
from simbudget.engine.laws.hours import open_ns
from simbudget.engine.reference.clock import Clock
from simbudget.ledger.entry import COMPONENTS

BINS = 96
"""Spans of equal length, from 0 to the horizon, for which a run's spending is kept."""

HOUR_NS = 3_600_000_000_000

_A_MILLIONTH_USD = 1e-6
"""A budget that is reached to within rounding is reached."""


class BudgetReachedError(Exception):
    """What stops an agent that looks at the budget and finds it reached."""


class Meter:
    """What costs money by the hour: so many units, each from its start on."""

    def __init__(self, component: str, usd_per_hour: float) -> None:
        self.component = COMPONENTS.index(component)
        self.usd_per_hour = usd_per_hour
        self._units = 0
        self._sum_of_starts_ns = 0

    def start(self, now_ns: int, units: int = 1) -> None:
        """Let so many units begin to cost."""
        self._units += units
        self._sum_of_starts_ns += units * self.reading_ns(now_ns)

    def stop(self, started_ns: int, now_ns: int, units: int = 1) -> float:
        """Return what so many units have cost, in US dollars, that cost no more from now on."""
        started = self.reading_ns(started_ns)
        self._units -= units
        self._sum_of_starts_ns -= units * started
        return self.usd_per_hour * (units * (self.reading_ns(now_ns) - started) / HOUR_NS)

    def accrued_usd(self, now_ns: int) -> float:
        """Return what the running units have cost so far."""
        if self._units == 0:
            return 0.0
        return self.usd_per_hour * (
            (self._units * self.reading_ns(now_ns) - self._sum_of_starts_ns) / HOUR_NS
        )

    def reading_ns(self, now_ns: int) -> int:
        """Return the time on this meter: the clock's."""
        return now_ns


class StaffMeter(Meter):
    """A meter that runs in office hours only."""

    def __init__(self, usd_per_hour: float, hours: Integers, begins_ns: int) -> None:
        super().__init__("staff", usd_per_hour)
        self._hours, self._begins_ns = hours, begins_ns

    def reading_ns(self, now_ns: int) -> int:
        """Return for how long the office has been open since the Monday before the run."""
        return open_ns(self._hours, 0, self._begins_ns + now_ns)


class Accounts:
    """What a run has spent, and what is accruing."""

    def __init__(self, clock: Clock, budget_usd: float, horizon_ns: int) -> None:
        self.spent_usd = 0.0
        self.by_component_usd = [0.0] * len(COMPONENTS)
        self.by_time_usd: Floats = np.zeros((len(COMPONENTS), BINS))
        self._clock = clock
        self._budget_usd = budget_usd
        self._bin_ns = horizon_ns / BINS
        self._meters: list[Meter] = []

    def add(self, meter: Meter) -> Meter:
        """Let a meter's money count towards the budget while it accrues; return the meter."""
        self._meters.append(meter)
        return meter

    def pay(self, component: int, cost_usd: float) -> None:
        """Spend money on a component now."""
        self._spend(component, cost_usd)
        self.by_time_usd[component, self._bin(self._clock.now)] += cost_usd

    def pay_for_time(self, component: int, cost_usd: float, started_ns: int, ended_ns: int) -> None:
        """Spend money on a component that has accrued evenly from `started_ns` to `ended_ns`."""
        self._spend(component, cost_usd)
        if ended_ns == started_ns:
            self.by_time_usd[component, self._bin(ended_ns)] += cost_usd
            return
        first, last = self._bin(started_ns), self._bin(ended_ns)
        edges = np.arange(first, last + 2) * self._bin_ns
        spans = np.diff(np.clip(edges, started_ns, ended_ns))
        self.by_time_usd[component, first : last + 1] += cost_usd * (spans / (ended_ns - started_ns))

    def look(self) -> None:
        """Look at the budget before something is started.

        Raises:
            BudgetReachedError: what has been spent and what has accrued reach the budget.
        """
        if self._budget_usd == np.inf:
            return
        now_ns = self._clock.now
        accrued_usd = sum(meter.accrued_usd(now_ns) for meter in self._meters)
        if self.spent_usd + accrued_usd >= self._budget_usd - _A_MILLIONTH_USD:
            raise BudgetReachedError

    def _spend(self, component: int, cost_usd: float) -> None:
        self.spent_usd += cost_usd
        self.by_component_usd[component] += cost_usd

    def _bin(self, at_ns: int) -> int:
        return min(int(at_ns / self._bin_ns), BINS - 1)
