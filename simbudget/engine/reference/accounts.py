"""The accounts of a run: what has been spent on what and when, what accrues, and whether the budget is reached."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from simbudget.engine.laws.draws import Floats, Integers
from simbudget.engine.laws.hours import open_ns
from simbudget.engine.laws.money import BINS, accrued_usd, bin_of, is_reached, spread, time_cost_usd
from simbudget.engine.reference.clock import Clock
from simbudget.ledger.entry import COMPONENTS


class BudgetReachedError(Exception):
    """What stops an agent that looks at the budget, or at its own limits, and finds them reached."""


class Meter:
    """A meter of things that cost money by the hour, each from its start on."""

    def __init__(self, component: str, usd_per_hour: float) -> None:
        self.component = COMPONENTS.index(component)
        self.usd_per_hour = usd_per_hour
        self._units = self._sum_of_starts_ns = 0.0

    def start(self, now_ns: int, units: int = 1) -> None:
        """Start to charge for units."""
        self._units += units
        self._sum_of_starts_ns += float(units) * float(self.reading_ns(now_ns))

    def stop(self, started_ns: int, now_ns: int, units: int = 1) -> float:
        """Stop charging for units, and return their cost in US dollars."""
        started = self.reading_ns(started_ns)
        self._units -= units
        self._sum_of_starts_ns -= float(units) * float(started)
        return time_cost_usd(self.usd_per_hour, float(units), float(self.reading_ns(now_ns) - started))

    def accrued_usd(self, now_ns: int) -> float:
        """Return what the running units have cost so far."""
        reading_ns = float(self.reading_ns(now_ns))
        return accrued_usd(self.usd_per_hour, self._units, self._sum_of_starts_ns, reading_ns)

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

    def __init__(
        self, clock: Clock, budget_usd: float, horizon_ns: int, counts_when_billed: bool = False
    ) -> None:
        self.spent_usd = 0.0
        self._unbilled_usd = 0.0
        """For calls under way, which the budget does not count yet."""
        self._counts_when_billed = counts_when_billed
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
        self.pay_at(component, cost_usd, self._clock.now)

    def pay_at(self, component: int, cost_usd: float, at_ns: int) -> None:
        """Spend money on a component that is due at `at_ns`, and settled now."""
        self._spend(component, cost_usd)
        self.by_time_usd[component, bin_of(at_ns, self._bin_ns)] += cost_usd

    def pay_for_time(self, component: int, cost_usd: float, started_ns: int, ended_ns: int) -> None:
        """Spend money on a component that has accrued evenly from `started_ns` to `ended_ns`."""
        self._spend(component, cost_usd)
        spread(self.by_time_usd[component], cost_usd, started_ns, ended_ns, self._bin_ns)

    def look(self) -> None:
        """Look at the budget before something is started.

        Raises:
            BudgetReachedError: what has been spent and what has accrued reach the budget.
        """
        if self._budget_usd == np.inf:
            return
        if is_reached(self._budget_usd, self.total_usd() - self._unbilled_usd):
            raise BudgetReachedError

    def total_usd(self) -> float:
        """Return what has been spent and what has accrued."""
        total_usd = self.spent_usd
        for meter in self._meters:
            total_usd += meter.accrued_usd(self._clock.now)
        return total_usd

    @contextmanager
    def unbilled(self, cost_usd: float) -> Iterator[None]:
        """Let the budget not count a call that is paid until the end of the block, if it counts what is billed."""
        if not self._counts_when_billed:
            yield
            return
        self._unbilled_usd += cost_usd
        try:
            yield
        finally:
            self._unbilled_usd -= cost_usd

    def _spend(self, component: int, cost_usd: float) -> None:
        self.spent_usd += cost_usd
        self.by_component_usd[component] += cost_usd
