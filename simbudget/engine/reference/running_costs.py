"""What an agent costs by merely being there: its sandbox, its share of the GPUs, its pay."""

from simbudget.engine.laws.hours import closes_ns, opens_ns
from simbudget.engine.laws.money import time_cost_usd
from simbudget.engine.program import Billing
from simbudget.engine.reference.limits import Usage
from simbudget.engine.reference.site import GPU, SANDBOX, STAFF, Site


class RunningCosts:
    """The running costs of one agent; they accrue on the site's meters and are paid when they end."""

    def __init__(self, site: Site, agent: int, group: int, usage: Usage) -> None:
        self._site, self._agent, self._group, self._usage = site, agent, group, usage
        self._is_people = bool(site.program.groups[group].is_people)
        self._gpu_meters = [
            meter
            for pool, meter in zip(site.program.pools, site.gpu_meters, strict=True)
            if pool.billing == Billing.PER_AGENT and not self._is_people
        ]
        self._started_ns = self._sandbox_ns = 0
        self._is_up = False

    def begin(self) -> None:
        """Let all of it begin to cost."""
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
        """Let the sandbox of an agent that is up again cost."""
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
