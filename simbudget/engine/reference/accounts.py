"""Money: what a run and each agent have spent, what accrues by the hour, and the limits on both."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from simbudget.engine.laws.accounts import (
    ACCOUNT,
    BINS,
    GPU,
    SANDBOX,
    SPENT_USD,
    STAFF,
    USES,
    accrued_usd,
    begin_to_cost,
    bin_of,
    cease_to_cost,
    count_call,
    is_at_limit,
    is_reached,
    mark,
    settle_limits,
    spent_by_now,
    spread,
    time_cost_usd,
)
from simbudget.engine.laws.draws import Floats, Integers
from simbudget.engine.laws.hours import closes_ns, open_ns, opens_ns
from simbudget.engine.reference.scheduling import Clock
from simbudget.ledger.entry import COMPONENTS

if TYPE_CHECKING:
    from simbudget.engine.reference.site import Site


class BudgetReachedError(Exception):
    """What stops an agent that looks at the budget, or at its own limits, and finds them reached."""


class Meter:
    """A meter of things that cost money by the hour, each from its start on."""

    def __init__(self, component: str, usd_per_hour: float) -> None:
        self.component = COMPONENTS.index(component)
        self.usd_per_hour = usd_per_hour
        self._units = self._sum_of_starts_ns = 0.0

    def start(self, now_ns: int, units: int = 1) -> None:
        """Start to charge for units.

        Args:
            now_ns: the current time, in nanoseconds.
            units: number of units.
        """
        self._units += units
        self._sum_of_starts_ns += float(units) * float(self.reading_ns(now_ns))

    def stop(self, started_ns: int, now_ns: int, units: int = 1) -> float:
        """Stop charging for units, and return their cost in US dollars.

        Args:
            started_ns: when it began, in nanoseconds.
            now_ns: the current time, in nanoseconds.
            units: number of units.
        """
        started = self.reading_ns(started_ns)
        self._units -= units
        self._sum_of_starts_ns -= float(units) * float(started)
        return time_cost_usd(self.usd_per_hour, float(units), float(self.reading_ns(now_ns) - started))

    def accrued_usd(self, now_ns: int) -> float:
        """Return what the running units have cost so far.

        Args:
            now_ns: the current time, in nanoseconds.
        """
        reading_ns = float(self.reading_ns(now_ns))
        return accrued_usd(self.usd_per_hour, self._units, self._sum_of_starts_ns, reading_ns)

    def reading_ns(self, now_ns: int) -> int:
        """Return the time on this meter: the clock's.

        Args:
            now_ns: the current time, in nanoseconds.
        """
        return now_ns


class StaffMeter(Meter):
    """A meter that runs in office hours only."""

    def __init__(self, usd_per_hour: float, hours: Integers, begins_ns: int) -> None:
        super().__init__("staff", usd_per_hour)
        self._hours, self._begins_ns = hours, begins_ns

    def reading_ns(self, now_ns: int) -> int:
        """Return the office hours since the Monday before the run, in nanoseconds.

        Args:
            now_ns: the current time, in nanoseconds.
        """
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
        """Add a meter, whose charges count towards the budget while they accrue; return it.

        Args:
            meter: the meter.
        """
        self._meters.append(meter)
        return meter

    def pay(self, component: int, cost_usd: float) -> None:
        """Spend money on a component now.

        Args:
            component: the number of the component in `COMPONENTS`.
            cost_usd: the amount, in US dollars.
        """
        self.pay_at(component, cost_usd, self._clock.now)

    def pay_at(self, component: int, cost_usd: float, at_ns: int) -> None:
        """Spend money on a component that is due at `at_ns`, and settled now.

        Args:
            component: the number of the component in `COMPONENTS`.
            cost_usd: the amount, in US dollars.
            at_ns: the instant, in nanoseconds.
        """
        self._spend(component, cost_usd)
        self.by_time_usd[component, bin_of(at_ns, self._bin_ns)] += cost_usd

    def pay_for_time(self, component: int, cost_usd: float, started_ns: int, ended_ns: int) -> None:
        """Spend money on a component that has accrued evenly from `started_ns` to `ended_ns`.

        Args:
            component: the number of the component in `COMPONENTS`.
            cost_usd: the amount, in US dollars.
            started_ns: when it began, in nanoseconds.
            ended_ns: when it ended, in nanoseconds.
        """
        self._spend(component, cost_usd)
        spread(self.by_time_usd[component], cost_usd, started_ns, ended_ns, self._bin_ns)

    def look(self) -> None:
        """Look at the budget before something is started.

        Raises:
            BudgetReachedError: what has been spent and what has accrued reach the budget.
        """
        # The sum over all meters would be most of the work of a run without a budget.
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
        """Let the budget not count a call that is paid until the end of the block, if it counts what is billed.

        Args:
            cost_usd: the amount, in US dollars.
        """
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


class AttemptOverError(BudgetReachedError):
    """What ends an attempt at a task that finds one of its limits reached."""


class Usage:
    """What one agent has used since its start: money, tokens and turns."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.account: Floats = np.zeros(ACCOUNT)
        """See `laws.accounts`."""

    @property
    def spent_usd(self) -> float:
        """Return what the agent has spent by now, what accrues included."""
        return spent_by_now(self.account, self._clock.now)

    def pay(self, cost_usd: float) -> None:
        """Note money spent.

        Args:
            cost_usd: the amount, in US dollars.
        """
        self.account[SPENT_USD] += cost_usd

    def call(self, cost_usd: float, tokens: int, is_turn: bool) -> None:
        """Note a call that begins, with its tokens of all classes; a turn's call counts the turn.

        Args:
            cost_usd: the amount, in US dollars.
            tokens: number of tokens.
            is_turn: whether it is the call of a turn.
        """
        count_call(self.account, cost_usd, tokens, is_turn)

    def begin_to_cost(self, usd_per_hour: float) -> None:
        """Start a charge by the hour.

        Args:
            usd_per_hour: the price, in $/h.
        """
        begin_to_cost(self.account, usd_per_hour, self._clock.now)

    def cease_to_cost(self, usd_per_hour: float, started_ns: int, cost_usd: float) -> None:
        """Stop a charge by the hour that began at `started_ns`, and book its total, `cost_usd`.

        Args:
            usd_per_hour: the price, in $/h.
            started_ns: when it began, in nanoseconds.
            cost_usd: the amount, in US dollars.
        """
        cease_to_cost(self.account, usd_per_hour, started_ns, cost_usd)


class Limits:
    """What may be used from now on."""

    def __init__(
        self, usage: Usage, rows: Floats, quantities: tuple[int, int, int, int], since_ns: int
    ) -> None:
        self._usage, self._since_ns = usage, since_ns
        self._limits, self._marks = np.zeros(USES), np.zeros(USES)
        settle_limits(rows, *quantities, self._limits)
        mark(usage.account, since_ns, self._marks)

    @property
    def spent_usd(self) -> float:
        """Return what has been spent since the limits hold."""
        return self._usage.spent_usd - float(self._marks[SPENT_USD])

    def are_reached(self, now_ns: int) -> bool:
        """Return whether what has been used is at or past one of them.

        Args:
            now_ns: the current time, in nanoseconds.
        """
        return is_at_limit(self._usage.account, self._marks, self._limits, now_ns, now_ns - self._since_ns)


class RunningCosts:
    """The running costs of one agent; they accrue on the site's meters and are paid when they end."""

    def __init__(self, site: Site, agent: int, group: int, usage: Usage) -> None:
        self._site, self._agent, self._group, self._usage = site, agent, group, usage
        self._is_people = bool(site.program.groups[group].is_people)
        self._gpu_meters = [
            meter
            for pool, meter in zip(site.program.pools, site.gpu_meters, strict=True)
            if pool.sharers and not self._is_people
        ]
        self._started_ns = self._sandbox_ns = 0
        self._is_up = False

    def begin(self) -> None:
        """Start to charge for all of it."""
        now_ns = self._started_ns = self._site.clock.now
        for meter in self._gpu_meters:
            meter.start(now_ns)
        if self._is_people:
            self._site.staff_meters[self._group].start(now_ns)
        self.resume()

    def pause(self) -> None:
        """Pay for the sandbox of an agent that is down; its GPUs go on costing."""
        self._is_up = False
        meter, started_ns = self._site.sandbox_meters[self._group], self._sandbox_ns
        cost_usd = meter.stop(started_ns, self._site.clock.now)
        self._usage.cease_to_cost(meter.usd_per_hour, started_ns, cost_usd)
        self._pay(SANDBOX, "sandbox", cost_usd, started_ns)

    def resume(self) -> None:
        """Start to charge for the sandbox of an agent that has restarted."""
        self._is_up = True
        self._sandbox_ns = self._site.clock.now
        meter = self._site.sandbox_meters[self._group]
        meter.start(self._sandbox_ns)
        self._usage.begin_to_cost(meter.usd_per_hour)

    def end(self) -> None:
        """Pay for what has not been paid yet."""
        site, now_ns = self._site, self._site.clock.now
        if self._is_up:
            self.pause()
        for meter in self._gpu_meters:
            self._pay(GPU, "reserved", meter.stop(self._started_ns, now_ns), self._started_ns)
        if self._is_people:
            site.staff_meters[self._group].stop(self._started_ns, now_ns)
            self._pay_staff()

    def _pay_staff(self) -> None:
        """Pay for every stretch of office hours on its own."""
        hours, begins_ns = self._site.program.hours[self._group], self._site.program.settings.begins_ns
        usd_per_hour = self._site.staff_meters[self._group].usd_per_hour
        ended_ns = self._site.clock.now
        opens = opens_ns(hours, begins_ns + self._started_ns)
        while opens < begins_ns + ended_ns:
            closes = closes_ns(hours, opens)
            from_ns, to_ns = opens - begins_ns, min(closes - begins_ns, ended_ns)
            self._pay(
                STAFF, "staff", time_cost_usd(usd_per_hour, 1.0, float(to_ns - from_ns)), from_ns, to_ns
            )
            opens = opens_ns(hours, closes)

    def _pay(
        self, component: int, kind: str, cost_usd: float, started_ns: int, ended_ns: int | None = None
    ) -> None:
        if cost_usd == 0.0:
            return
        ended_ns = self._site.clock.now if ended_ns is None else ended_ns
        self._site.accounts.pay_for_time(component, cost_usd, started_ns, ended_ns)
        columns = {"component": kind if kind != "reserved" else "gpu", "cost_usd": cost_usd}
        self._site.record.add(self._agent, kind, started_ns, ended_ns, columns)
