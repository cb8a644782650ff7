"""Money: what a run and each agent have spent, what accrues, and the limits on both; see `reference.accounts`."""

import math
from typing import Final

from simbudget.compilation import internal
from simbudget.engine.compiled import records
from simbudget.engine.compiled.records import add_entry, add_fleet_entry
from simbudget.engine.compiled.tables import Record, Site
from simbudget.engine.laws.accounts import (
    FIXED,
    GPU,
    SANDBOX,
    STAFF,
    accrued_usd,
    begin_to_cost,
    bin_of,
    cease_to_cost,
    is_at_limit,
    is_reached,
    spread,
    time_cost_usd,
)
from simbudget.engine.laws.hours import closes_ns, open_ns, opens_ns
from simbudget.engine.laws.pools import due_at_end_ns
from simbudget.engine.laws.tasks import NO_TASK

_FLEET: Final = -1

_due_at_end_ns = internal(due_at_end_ns)


@internal
def pay(run: Record, component: int, cost_usd: float) -> None:
    """Spend money on a component now.

    Args:
        run: the run's record.
        component: the number of the component in `COMPONENTS`.
        cost_usd: the amount, in US dollars.
    """
    run.spent_usd += cost_usd
    run.by_component_usd[component] += cost_usd
    run.by_time_usd[component, bin_of(run.now, run.bin_ns)] += cost_usd


@internal
def pay_for_time(run: Record, component: int, cost_usd: float, started: int, ended: int) -> None:
    """Spend money on a component that has accrued evenly from `started` to `ended`.

    Args:
        run: the run's record.
        component: the number of the component in `COMPONENTS`.
        cost_usd: the amount, in US dollars.
        started: when it began, in nanoseconds.
        ended: when it ended, in nanoseconds.
    """
    run.spent_usd += cost_usd
    run.by_component_usd[component] += cost_usd
    spread(run.by_time_usd[component], cost_usd, started, ended, run.bin_ns)


@internal
def pay_at(run: Record, component: int, cost_usd: float, at: int) -> None:
    """Spend money on a component that is due at an instant to come, and settled now.

    Args:
        run: the run's record.
        component: the number of the component in `COMPONENTS`.
        cost_usd: the amount, in US dollars.
        at: the instant, in nanoseconds.
    """
    run.spent_usd += cost_usd
    run.by_component_usd[component] += cost_usd
    run.by_time_usd[component, bin_of(at, run.bin_ns)] += cost_usd


@internal
def budget_is_reached(site: Site, run: Record) -> bool:
    """Return whether what has been spent and what has accrued reach the budget."""
    # The sum over all meters would be most of the work of a run without a budget.
    if run.budget_usd == math.inf:
        return False
    return _look(site, run)


@internal
def _look(site: Site, run: Record) -> bool:
    return is_reached(run.budget_usd, total_usd(site, run) - run.unbilled_usd)


@internal
def total_usd(site: Site, run: Record) -> float:
    """Return what has been spent and what has accrued."""
    total_usd = run.spent_usd
    for number in range(len(site.meters)):
        meter = site.meters[number]
        # Adding 0.0 would not change the sum; this saves reading office hours.
        if meter.units != 0.0:
            reading = float(_reading_ns(site, run, meter, run.now))
            total_usd += accrued_usd(meter.usd_per_hour, meter.units, meter.sum_of_starts_ns, reading)
    return total_usd


@internal
def _reading_ns(site: Site, run: Record, meter: Record, at: int) -> int:
    """Return the time on a meter: the clock's, or for staff that of the office hours."""
    if meter.staff_group < 0:
        return at
    return open_ns(site.groups[meter.staff_group].hours, 0, run.begins_ns + at)


@internal
def start_meter(site: Site, run: Record, number: int, units: int) -> None:
    """Start to charge for units.

    Args:
        site: the arrays of the run.
        run: the run's record.
        number: the number of the meter.
        units: number of units.
    """
    meter = site.meters[number]
    meter.units += float(units)
    # The sum of starts is all that is needed to read many units at once: n × now − Σ start.
    meter.sum_of_starts_ns += float(units) * float(_reading_ns(site, run, meter, run.now))


@internal
def stop_meter(site: Site, run: Record, number: int, started: int, units: int) -> float:
    """Stop charging for units, and return their cost in US dollars.

    Args:
        site: the arrays of the run.
        run: the run's record.
        number: the number of the meter.
        started: when it began, in nanoseconds.
        units: number of units.
    """
    meter = site.meters[number]
    began = _reading_ns(site, run, meter, started)
    meter.units -= float(units)
    meter.sum_of_starts_ns -= float(units) * float(began)
    elapsed_ns = float(_reading_ns(site, run, meter, run.now) - began)
    return time_cost_usd(meter.usd_per_hour, float(units), elapsed_ns)


# What an agent costs by merely being there.


@internal
def begin_costs(site: Site, run: Record, agent: Record) -> None:
    """Start to charge for an agent's share of the GPUs, its pay and its sandbox."""
    for number in range(run.gpu_pools):
        if _has_share(site, agent, number):
            start_meter(site, run, number, 1)
    if site.groups[agent.group].is_people:
        start_meter(site, run, _staff_meter(site, run, agent), 1)
    resume_costs(site, run, agent)


@internal
def resume_costs(site: Site, run: Record, agent: Record) -> None:
    """Start to charge for the sandbox of an agent that has restarted."""
    agent.is_up = 1
    agent.sandbox_since = run.now
    start_meter(site, run, run.gpu_pools + agent.group, 1)
    if run.keeps_accounts:
        begin_to_cost(agent.account, site.meters[run.gpu_pools + agent.group].usd_per_hour, run.now)


@internal
def pause_costs(site: Site, run: Record, agent: Record) -> None:
    """Pay for the sandbox of an agent that is down; its GPUs go on costing."""
    agent.is_up = 0
    started = agent.sandbox_since
    cost_usd = stop_meter(site, run, run.gpu_pools + agent.group, started, 1)
    if run.keeps_accounts:
        usd_per_hour = site.meters[run.gpu_pools + agent.group].usd_per_hour
        cease_to_cost(agent.account, usd_per_hour, started, cost_usd)
    _pay_and_record(site, run, agent, SANDBOX, records.SANDBOXES, cost_usd, started, run.now)


@internal
def end_costs(site: Site, run: Record, agent: Record) -> None:
    """Pay for what has not been paid yet."""
    if agent.is_up:
        pause_costs(site, run, agent)
    for number in range(run.gpu_pools):
        if _has_share(site, agent, number):
            cost_usd = stop_meter(site, run, number, agent.started, 1)
            _pay_and_record(site, run, agent, GPU, records.RESERVED, cost_usd, agent.started, run.now)
    if site.groups[agent.group].is_people:
        stop_meter(site, run, _staff_meter(site, run, agent), agent.started, 1)
        _pay_staff(site, run, agent)


@internal
def begin_pools(site: Site, run: Record) -> None:
    """Let pools that are charged for as a whole begin to cost."""
    for number in range(run.gpu_pools):
        if site.pools[number].bills_run:
            start_meter(site, run, number, site.pools[number].gpus)


@internal
def pay_pools(site: Site, run: Record) -> None:
    """Pay for what is charged for whole pools when the run ends."""
    for number in range(run.gpu_pools):
        pool = site.pools[number]
        if pool.bills_run:
            stop_meter(site, run, number, 0, pool.gpus)
        used_ns = pool.used_ns + float(pool.held) * float(run.now)
        due_ns = float(_due_at_end_ns(pool, used_ns, float(run.now)))
        if pool.bills_run or due_ns > 0.0:
            cost_usd = time_cost_usd(site.meters[number].usd_per_hour, 1.0, due_ns)
            pay_for_time(run, GPU, cost_usd, 0, run.now)
            add_fleet_entry(site, run, records.RESERVED, GPU, cost_usd, pool.gpus)


@internal
def begin_serving(site: Site, run: Record) -> None:
    """Start to charge for the GPUs of all served models, where a pool is paid by use."""
    for number in range(len(site.served)):
        served = site.served[number]
        if site.pools[served.pool].bills_use:
            start_meter(site, run, served.pool, served.gpus)


@internal
def end_serving(site: Site, run: Record) -> None:
    """Count and pay what the served models have held until now."""
    for number in range(len(site.served)):
        served = site.served[number]
        pool = site.pools[served.pool]
        pool.used_ns += float(served.gpus) * float(run.now)
        component, cost_usd = records.NO_COMPONENT, 0.0
        if pool.bills_use:
            component, cost_usd = GPU, stop_meter(site, run, served.pool, 0, served.gpus)
            pay_for_time(run, GPU, cost_usd, 0, run.now)
        add_fleet_entry(site, run, records.SERVED_GPUS, component, cost_usd, served.gpus)
        if run.records:
            site.entries[min(run.entries, len(site.entries)) - 1].model = served.model


@internal
def pay_month(site: Site, run: Record) -> None:
    """Pay for a month of the subscription that begins now."""
    pay(run, FIXED, run.plan_month_usd)
    if run.records:
        row = site.entries[add_entry(site, run, _FLEET, records.PLAN, run.now, run.now)]
        row.component = FIXED
        row.cost_usd = run.plan_month_usd


@internal
def _pay_staff(site: Site, run: Record, agent: Record) -> None:
    """Pay for every stretch of office hours on its own."""
    hours = site.groups[agent.group].hours
    usd_per_hour = site.meters[_staff_meter(site, run, agent)].usd_per_hour
    ended = run.now
    opens = opens_ns(hours, run.begins_ns + agent.started)
    while opens < run.begins_ns + ended:
        closes = closes_ns(hours, opens)
        from_ns, to_ns = opens - run.begins_ns, min(closes - run.begins_ns, ended)
        cost_usd = time_cost_usd(usd_per_hour, 1.0, float(to_ns - from_ns))
        _pay_and_record(site, run, agent, STAFF, records.STAFF_HOURS, cost_usd, from_ns, to_ns)
        opens = opens_ns(hours, closes)


@internal
def _pay_and_record(  # noqa: PLR0913, PLR0917  the site, whose costs they are, and what they are
    site: Site,
    run: Record,
    agent: Record,
    component: int,
    kind: int,
    cost_usd: float,
    started: int,
    ended: int,
) -> None:
    if cost_usd == 0.0:
        return
    pay_for_time(run, component, cost_usd, started, ended)
    if run.records:
        row = site.entries[add_entry(site, run, agent.number, kind, started, ended)]
        row.model = records.NO_MODEL
        row.component = component
        row.cost_usd = cost_usd


@internal
def _has_share(site: Site, agent: Record, pool: int) -> bool:
    """Return whether an agent pays for a share of a pool of GPUs."""
    return site.pools[pool].sharers > 0 and site.groups[agent.group].is_people == 0


@internal
def _staff_meter(site: Site, run: Record, agent: Record) -> int:
    number: int = run.gpu_pools + len(site.groups) + agent.group
    return number


@internal
def may_not_start(site: Site, run: Record, caller: Record) -> bool:
    """Return whether the budget, the agent's limits or its attempt's do not allow that something is started.

    The caller is the agent, one of its sub-agents, or a model that reviews, which only the budget stops. Notes whether
    it is the attempt that is over, and not the agent.
    """
    agent = site.agents[caller.owner]
    agent.attempt_is_over = 0
    if budget_is_reached(site, run):
        return True
    # Reviewers are nobody's sub-agents, so only the budget stops them.
    return run.keeps_accounts == 1 and caller.number < run.first_reviewer and _is_limited(site, run, agent)


@internal
def _is_limited(site: Site, run: Record, agent: Record) -> bool:
    group = site.groups[agent.group]
    if group.is_limited and is_at_limit(agent.account, agent.marks, group.limits, run.now, 0):
        return True
    if agent.task != NO_TASK and is_at_limit(
        agent.account, agent.task_marks, run.task_limits, run.now, run.now - agent.task_taken
    ):
        agent.attempt_is_over = 1
        return True
    return False
