"""Experiments: jobs on GPUs, side by side, with their queue, failures, pre-emptions and bill.

See `reference.experiments`. A job has its own record, its own points and its own slots of events. The only job of an
agent that does not poll is the agent's own doing, which goes on when the job has ended; jobs beside their agent tell of
their end by an event.
"""

from typing import Final

from simbudget.compilation import internal
from simbudget.engine.compiled.accounts import (
    GPU,
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
    note_task,
)
from simbudget.engine.compiled.events import (
    ASK,
    AT_ONCE,
    END,
    JOB_INTERRUPTION,
    JOB_ITSELF,
    JOBS_OVER,
    SLOTS,
    URGENT,
    after_of_job,
    at_once,
    cancel,
    first_slot_of_job,
    is_due,
)
from simbudget.engine.compiled.limits import may_not_start
from simbudget.engine.compiled.points import (
    JOB_AT_GPUS,
    JOB_QUEUES,
    JOB_STAYED,
    JOB_TRIES,
    WAITS,
)
from simbudget.engine.compiled.pools import ask, leave, place_of_job
from simbudget.engine.compiled.state import Record, Site
from simbudget.engine.compiled.timesheet import EXPERIMENT as EXPERIMENTING
from simbudget.engine.compiled.timesheet import NOTHING, WAITING_GPU, waits_for_experiment
from simbudget.engine.laws.limits import begin_to_cost, cease_to_cost
from simbudget.engine.laws.work import (
    draw_at_once,
    draw_attempt_at_experiment,
    draw_experiment,
    draw_preemption_ns,
    job_lanes,
    saved_ns,
)
from simbudget.engine.program import NONE, Billing

_BY_USE: Final = int(Billing.BY_USE)


@internal
def job_of(site: Site, run: Record, agent: Record, number: int) -> Record:
    """Return one of the jobs of an agent's experiment, by its number from 0."""
    return site.jobs[agent.number * run.jobs_of_agent + number]


@internal
def open_jobs(site: Site, run: Record, agent: Record, polls: bool) -> None:
    """Draw the jobs of an experiment, and let them begin where they are beside their agent."""
    step = site.steps[agent.step]
    agent.jobs = _draw_jobs(site, run, agent)
    agent.pool = step.pool
    agent.jobs_left = agent.jobs
    agent.jobs_well = agent.jobs_running = agent.jobs_waiting = 0
    agent.jobs_are_beside = 1 if polls or agent.jobs > 1 else 0
    agent.jobs_are_over = agent.jobs_are_told = agent.job_is_refused = 0
    units = site.pools[step.pool].units
    for number in range(agent.jobs):
        job = job_of(site, run, agent, number)
        uniforms = job_lanes(agent.stream, step.cells[0], agent.cycle, number, 0)
        job_ns, gpus = draw_experiment(site.rows, site.table, step.cells, uniforms)
        job.job_ns = job_ns
        job.gpus = min(gpus, units)
        job.is_alive = 1
        job.task, job.task_attempt = agent.task, agent.task_attempt
        job.activity = NOTHING
        job.attempt = 0
        job.point = JOB_TRIES
        if agent.jobs_are_beside:
            at_once(site, run, first_slot_of_job(run, job) + JOB_ITSELF, URGENT)


@internal
def _draw_jobs(site: Site, run: Record, agent: Record) -> int:
    """Return the number of parallel jobs of the step; it may exceed the room that has been made."""
    step = site.steps[agent.step]
    if step.at_once == NONE:
        return 1
    count = draw_at_once(site.rows, site.table, step.at_once, agent.stream, step.cells[0], agent.cycle)
    if count > run.jobs_of_agent:
        run.jobs_are_short = max(run.jobs_are_short, count)
        return int(run.jobs_of_agent)
    return count


@internal
def play_job(site: Site, run: Record, agent: Record, job: Record, point: int) -> None:
    """Let a job go on from a point until it waits or has ended."""
    while point != WAITS:
        if point == JOB_AT_GPUS:
            point = _at_gpus(site, run, agent, job)
        elif point == JOB_STAYED:
            point = _stayed(site, run, agent, job)
        elif point == JOB_QUEUES:
            point = _queues(site, run, agent, job)
        else:
            point = _tries(site, run, agent, job)


@internal
def _tries(site: Site, run: Record, agent: Record, job: Record) -> int:
    cells = site.steps[agent.step].cells
    uniforms = job_lanes(agent.stream, cells[0], agent.cycle, job.number, job.attempt)
    work_ns, fails = draw_attempt_at_experiment(site.rows, cells, uniforms, job.job_ns)
    job.work_ns = work_ns
    job.fails = 1 if fails else 0
    job.done_ns = 0
    return JOB_QUEUES


@internal
def _queues(site: Site, run: Record, agent: Record, job: Record) -> int:
    _does(site, run, agent, job, WAITING_GPU)
    job.asked = run.now
    job.point = JOB_AT_GPUS
    ask(site, run, place_of_job(run, job), agent.pool, job.gpus)
    return WAITS


@internal
def _at_gpus(site: Site, run: Record, agent: Record, job: Record) -> int:
    """Take the GPUs, unless the budget has been reached meanwhile."""
    if may_not_start(site, run, agent):
        is_first = agent.job_is_refused == 0
        agent.job_is_over_limit = agent.attempt_is_over and (is_first or agent.job_is_over_limit)
        _record_unserved(site, run, agent, job)
        leave(site, run, place_of_job(run, job), agent.pool)
        run.cancelled_jobs += 1
        agent.job_is_refused = 1
        return _ends(site, run, agent, job, 0)
    _does(site, run, agent, job, EXPERIMENTING)
    _draw_stay(site, run, agent, job)
    job.began = run.now
    job.session = agent.session
    job.turn = agent.context_turns - 1
    if _is_metered(site, agent):
        start_meter(site, run, agent.pool, job.gpus)
        if run.keeps_accounts:
            begin_to_cost(agent.account, job.gpus * site.meters[agent.pool].usd_per_hour, run.now)
    job.point = JOB_STAYED
    after_of_job(site, run, job, job.stay_ns, END)
    return WAITS


@internal
def _draw_stay(site: Site, run: Record, agent: Record, job: Record) -> None:
    """Draw how long the job stays on its GPUs, and whether it is pre-empted before its work is done."""
    left_ns = job.work_ns - job.done_ns
    job.stay_ns = left_ns
    job.is_preempted = 0
    every = site.pools[agent.pool].preempted_every
    if every == NONE:
        return
    stay_ns = draw_preemption_ns(site.rows, every, agent.stream, agent.stretches, job.gpus)
    agent.stretches += 1
    if stay_ns < left_ns:
        job.stay_ns = stay_ns
        job.is_preempted = 1


@internal
def _stayed(site: Site, run: Record, agent: Record, job: Record) -> int:
    """Give the GPUs back, and go on with what is left: the rest, another attempt, or nothing."""
    outcome = FAILED if job.fails else OK
    _bill(site, run, agent, job, PREEMPTED if job.is_preempted else outcome)
    leave(site, run, place_of_job(run, job), agent.pool)
    if job.is_preempted:
        job.done_ns = saved_ns(job.done_ns + job.stay_ns, site.pools[agent.pool].checkpoint_every_ns)
        return _asks(site, run, job, JOB_QUEUES)
    if job.fails == 0:
        run.experiments += 1
        run.jobs += 1
        return _ends(site, run, agent, job, 1)
    job.attempt += 1
    if job.attempt == site.steps[agent.step].attempts:
        run.jobs += 1
        return _ends(site, run, agent, job, 0)
    return _asks(site, run, job, JOB_TRIES)


@internal
def _asks(site: Site, run: Record, job: Record, point: int) -> int:
    """Wait for the job's turn at this instant."""
    if not is_due(run, site):
        return point
    after_of_job(site, run, job, 0, ASK)
    job.point = point
    return WAITS


@internal
def _ends(site: Site, run: Record, agent: Record, job: Record, is_well: int) -> int:
    """End a job; when its agent need not wait any longer, the others are cancelled."""
    _does(site, run, agent, job, NOTHING)
    job.is_alive = 0
    agent.jobs_left -= 1
    agent.jobs_well += is_well
    if agent.jobs_are_over:
        return WAITS
    enough = is_well and agent.jobs_well == site.steps[agent.step].wait_for
    if agent.jobs_left == 0 or enough:
        agent.jobs_are_over = 1
        if agent.jobs_are_beside:
            at_once(site, run, SLOTS * agent.number + JOBS_OVER, AT_ONCE)
            interrupt_jobs(site, run, agent)
    return WAITS


@internal
def interrupt_jobs(site: Site, run: Record, agent: Record) -> None:
    """Let the jobs beside an agent that have not ended be broken off."""
    for number in range(agent.jobs):
        job = job_of(site, run, agent, number)
        if job.is_alive:
            at_once(site, run, first_slot_of_job(run, job) + JOB_INTERRUPTION, URGENT)


@internal
def _does(site: Site, run: Record, agent: Record, job: Record, activity: int) -> None:
    """Note what a job does: the agent's experiment runs if one of them does."""
    if job.activity == EXPERIMENTING:
        agent.jobs_running -= 1
    elif job.activity == WAITING_GPU:
        agent.jobs_waiting -= 1
    job.activity = activity
    if activity == EXPERIMENTING:
        agent.jobs_running += 1
    elif activity == WAITING_GPU:
        agent.jobs_waiting += 1
    shown = NOTHING
    if agent.jobs_running:
        shown = EXPERIMENTING
    elif agent.jobs_waiting:
        shown = WAITING_GPU
    waits_for_experiment(site, run, agent, shown)


@internal
def _bill(site: Site, run: Record, agent: Record, job: Record, outcome: int) -> None:
    """Count, bill and record a job's time on its GPUs."""
    site.pools[agent.pool].used_ns += float(job.gpus) * float(run.now - job.began)
    cost_usd = 0.0
    if _is_metered(site, agent):
        cost_usd = stop_meter(site, run, agent.pool, job.began, job.gpus)
        pay_for_time(run, GPU, cost_usd, job.began, run.now)
        if run.keeps_accounts:
            usd_per_hour = job.gpus * site.meters[agent.pool].usd_per_hour
            cease_to_cost(agent.account, usd_per_hour, job.began, cost_usd)
    if run.records:
        row = site.entries[add_agent_entry(site, run, agent, EXPERIMENT, job.began, outcome)]
        note_task(row, job)
        row.session = job.session
        row.turn = job.turn
        row.queued_ns = job.began - job.asked
        row.gpus = job.gpus
        row.pool = agent.pool
        if _is_metered(site, agent):
            row.component = GPU
            row.cost_usd = cost_usd


@internal
def _is_metered(site: Site, agent: Record) -> bool:
    return site.pools[agent.pool].billing == _BY_USE


@internal
def _record_unserved(site: Site, run: Record, agent: Record, job: Record) -> None:
    if run.records:
        row = site.entries[add_agent_entry(site, run, agent, EXPERIMENT, run.now, UNSERVED)]
        note_task(row, job)
        row.queued_ns = run.now - job.asked
        row.gpus = job.gpus
        row.pool = agent.pool


@internal
def break_off_job(site: Site, run: Record, agent: Record, job: Record) -> None:
    """Leave a job wherever it stands: its agent is interrupted, or waits for it no longer."""
    if job.is_alive == 0:
        return
    cancel(site, run, first_slot_of_job(run, job) + JOB_ITSELF)
    if job.point == JOB_AT_GPUS:
        _record_unserved(site, run, agent, job)
        leave(site, run, place_of_job(run, job), agent.pool)
    elif job.point == JOB_STAYED:
        _bill(site, run, agent, job, CUT)
        leave(site, run, place_of_job(run, job), agent.pool)
    run.cancelled_jobs += 1
    _ends(site, run, agent, job, 0)
