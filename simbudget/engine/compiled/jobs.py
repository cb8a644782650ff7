"""Experiments: jobs on GPUs, with their queue, failures, pre-emptions and bill; see `reference.experiments`.

A job has its own points and its own slot of events. An agent that does not poll waits for its job's end; beside one
that polls the job tells of its end by an event.
"""

from typing import Final

from simbudget.compilation import internal
from simbudget.engine.compiled.accounts import (
    GPU,
    GPU_METER,
    pay_for_time,
    start_meter,
    stop_meter,
)
from simbudget.engine.compiled.entries import (
    CUT,
    EXPERIMENT,
    FAILED,
    OK,
    PREEMPTED,
    UNSERVED,
    add_agent_entry,
)
from simbudget.engine.compiled.events import (
    ASK,
    AT_ONCE,
    END,
    JOB,
    SLOTS,
    URGENT,
    after,
    at_once,
    is_due,
)
from simbudget.engine.compiled.limits import may_not_start
from simbudget.engine.compiled.points import (
    JOB_AT_GPUS,
    JOB_BEGINS,
    JOB_QUEUES,
    JOB_STAYED,
    JOB_TELLS,
    JOB_TRIES,
    WAITS,
)
from simbudget.engine.compiled.pools import ask, leave
from simbudget.engine.compiled.state import GPUS, Record, Site
from simbudget.engine.compiled.timesheet import EXPERIMENT as EXPERIMENTING
from simbudget.engine.compiled.timesheet import NOTHING, WAITING_GPU, waits_for_experiment
from simbudget.engine.laws.limits import begin_to_cost, cease_to_cost
from simbudget.engine.laws.work import (
    draw_attempt_at_experiment,
    draw_experiment,
    draw_preemption_ns,
    job_lanes,
    saved_ns,
)
from simbudget.engine.program import NONE, Billing

_ON_DEMAND: Final = int(Billing.ON_DEMAND)
_SPOT: Final = int(Billing.SPOT)


@internal
def open_job(site: Site, run: Record, agent: Record, is_beside: int) -> None:
    """Draw an experiment: the same work in every attempt."""
    step = site.steps[agent.step]
    uniforms = job_lanes(agent.stream, step.cells[0], agent.cycle, 0, 0)
    job_ns, gpus = draw_experiment(site.rows, site.table, step.cells, uniforms)
    agent.job_ns = job_ns
    agent.job_gpus = min(gpus, run.units[GPUS])
    agent.job_is_beside = is_beside
    agent.job_is_alive = agent.job_is_allowed = 1
    agent.job_is_over = 0
    agent.job_attempt = 0
    agent.job_point = JOB_BEGINS
    if is_beside:
        at_once(site, run, SLOTS * agent.number + JOB, URGENT)


@internal
def play_job(site: Site, run: Record, agent: Record, point: int) -> None:
    """Let a job go on from a point until it waits or has ended."""
    while point != WAITS:
        if point == JOB_AT_GPUS:
            point = _at_gpus(site, run, agent)
        elif point == JOB_STAYED:
            point = _stayed(site, run, agent)
        elif point == JOB_QUEUES:
            point = _queues(site, run, agent)
        else:
            point = _tries(site, run, agent)


@internal
def _tries(site: Site, run: Record, agent: Record) -> int:
    cells = site.steps[agent.step].cells
    uniforms = job_lanes(agent.stream, cells[0], agent.cycle, 0, agent.job_attempt)
    work_ns, fails = draw_attempt_at_experiment(site.rows, cells, uniforms, agent.job_ns)
    agent.job_work_ns = work_ns
    agent.job_fails = 1 if fails else 0
    agent.job_done_ns = 0
    return JOB_QUEUES


@internal
def _queues(site: Site, run: Record, agent: Record) -> int:
    waits_for_experiment(run, agent, WAITING_GPU)
    agent.job_asked = run.now
    agent.job_point = JOB_AT_GPUS
    ask(site, run, agent, GPUS, agent.job_gpus)
    return WAITS


@internal
def _at_gpus(site: Site, run: Record, agent: Record) -> int:
    """Take the GPUs, unless the budget has been reached meanwhile."""
    if may_not_start(site, run, agent):
        agent.job_is_over_limit = agent.attempt_is_over
        _record_unserved(site, run, agent)
        leave(site, run, agent, GPUS)
        run.cancelled_jobs += 1
        return _over(site, run, agent, 0)
    waits_for_experiment(run, agent, EXPERIMENTING)
    _draw_stay(site, run, agent)
    agent.job_began = run.now
    agent.job_turn = agent.context_turns
    if _is_metered(run):
        start_meter(site, run, GPU_METER, agent.job_gpus)
        if run.keeps_accounts:
            begin_to_cost(agent.account, agent.job_gpus * site.meters[GPU_METER].usd_per_hour, run.now)
    agent.job_point = JOB_STAYED
    after(site, run, SLOTS * agent.number + JOB, agent.job_stay_ns, END, agent.number)
    return WAITS


@internal
def _draw_stay(site: Site, run: Record, agent: Record) -> None:
    """Draw how long the job stays on its GPUs, and whether it is pre-empted before its work is done."""
    left_ns = agent.job_work_ns - agent.job_done_ns
    agent.job_stay_ns = left_ns
    agent.job_preempted = 0
    if run.preempted_every == NONE:
        return
    stay_ns = draw_preemption_ns(
        site.rows, run.preempted_every, agent.stream, agent.stretches, agent.job_gpus
    )
    agent.stretches += 1
    if stay_ns < left_ns:
        agent.job_stay_ns = stay_ns
        agent.job_preempted = 1


@internal
def _stayed(site: Site, run: Record, agent: Record) -> int:
    """Give the GPUs back, and go on with what is left: the rest, another attempt, or nothing."""
    outcome = FAILED if agent.job_fails else OK
    _bill(site, run, agent, PREEMPTED if agent.job_preempted else outcome)
    leave(site, run, agent, GPUS)
    if agent.job_preempted:
        done_ns = agent.job_done_ns + agent.job_stay_ns
        agent.job_done_ns = saved_ns(done_ns, run.checkpoint_every_ns)
        return _asks(site, run, agent, JOB_QUEUES)
    if agent.job_fails == 0:
        run.experiments += 1
        run.jobs += 1
        return _over(site, run, agent, 1)
    agent.job_attempt += 1
    if agent.job_attempt == site.steps[agent.step].attempts:
        run.jobs += 1
        return _over(site, run, agent, 1)
    return _asks(site, run, agent, JOB_TRIES)


@internal
def _asks(site: Site, run: Record, agent: Record, point: int) -> int:
    """Wait for the agent's turn at this instant."""
    if not is_due(run, site):
        return point
    after(site, run, SLOTS * agent.number + JOB, 0, ASK, agent.number)
    agent.job_point = point
    return WAITS


@internal
def _over(site: Site, run: Record, agent: Record, is_allowed: int) -> int:
    """End the job."""
    waits_for_experiment(run, agent, NOTHING)
    agent.job_is_alive = 0
    agent.job_is_allowed = is_allowed
    if agent.job_is_beside:
        agent.job_point = JOB_TELLS
        at_once(site, run, SLOTS * agent.number + JOB, AT_ONCE)
    return WAITS


@internal
def _bill(site: Site, run: Record, agent: Record, outcome: int) -> None:
    """Count, bill and record a job's time on its GPUs."""
    run.gpu_ns += float(agent.job_gpus) * float(run.now - agent.job_began)
    cost_usd = 0.0
    if _is_metered(run):
        cost_usd = stop_meter(site, run, GPU_METER, agent.job_began, agent.job_gpus)
        pay_for_time(run, GPU, cost_usd, agent.job_began, run.now)
        if run.keeps_accounts:
            usd_per_hour = agent.job_gpus * site.meters[GPU_METER].usd_per_hour
            cease_to_cost(agent.account, usd_per_hour, agent.job_began, cost_usd)
    if run.records:
        row = site.entries[add_agent_entry(site, run, agent, EXPERIMENT, agent.job_began, outcome)]
        row.turn = agent.job_turn - 1
        row.queued_ns = agent.job_began - agent.job_asked
        row.gpus = agent.job_gpus
        if _is_metered(run):
            row.component = GPU
            row.cost_usd = cost_usd


@internal
def _is_metered(run: Record) -> bool:
    return run.billing in (_ON_DEMAND, _SPOT)


@internal
def _record_unserved(site: Site, run: Record, agent: Record) -> None:
    if run.records:
        row = site.entries[add_agent_entry(site, run, agent, EXPERIMENT, run.now, UNSERVED)]
        row.queued_ns = run.now - agent.job_asked
        row.gpus = agent.job_gpus


@internal
def break_off_job(site: Site, run: Record, agent: Record) -> None:
    """Leave the job wherever it stands, because its agent is interrupted."""
    if agent.job_point == JOB_AT_GPUS:
        _record_unserved(site, run, agent)
        leave(site, run, agent, GPUS)
    elif agent.job_point == JOB_STAYED:
        _bill(site, run, agent, CUT)
        leave(site, run, agent, GPUS)
    run.cancelled_jobs += 1
    _over(site, run, agent, 1)
