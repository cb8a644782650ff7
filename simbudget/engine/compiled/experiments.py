"""Experiments: jobs on GPUs, side by side, and how their agent waits for them; see `reference.experiments`.

A job has its own record, its own states and its own slots of events. The only job of an agent that does not poll is the
agent's own doing, which goes on when the job has ended; the end of jobs beside their agent is an event.
"""

from simbudget.compilation import internal
from simbudget.engine.compiled import records, scheduling, states
from simbudget.engine.compiled.accounts import may_not_start, pay_for_time, start_meter, stop_meter
from simbudget.engine.compiled.calls import HELD, wants_call
from simbudget.engine.compiled.records import add_agent_entry, note_task, waits_for_experiment
from simbudget.engine.compiled.scheduling import (
    after_of_job,
    ask,
    at_once,
    cancel,
    first_slot_of_job,
    is_due,
    leave,
    place_of_job,
    wakes_after,
)
from simbudget.engine.compiled.tables import Record, Site
from simbudget.engine.laws.accounts import GPU, begin_to_cost, cease_to_cost
from simbudget.engine.laws.calls import draw_poll
from simbudget.engine.laws.work import (
    PURPOSE,
    draw_at_once,
    draw_attempt_at_experiment,
    draw_experiment,
    draw_preemption_ns,
    job_lanes,
    saved_ns,
)
from simbudget.engine.program import NONE


@internal
def job_of(site: Site, run: Record, agent: Record, number: int) -> Record:
    """Return one of the jobs of an agent's experiment, by its number from 0.

    Args:
        site: the arrays of the run.
        run: the run's record.
        agent: the agent's record.
        number: which of the experiment's it is, from 0.
    """
    return site.jobs[agent.number * run.jobs_of_agent + number]


@internal
def open_jobs(site: Site, run: Record, agent: Record, polls: bool) -> None:
    """Draw the jobs of an experiment, and schedule them if they run beside their agent.

    Args:
        site: the arrays of the run.
        run: the run's record.
        agent: the agent's record.
        polls: whether the agent polls meanwhile.
    """
    step = site.steps[agent.step]
    agent.jobs = _draw_jobs(site, run, agent)
    agent.pool = step.pool
    agent.jobs_left = agent.jobs
    agent.jobs_well = agent.jobs_running = agent.jobs_waiting = 0
    agent.jobs_are_beside = 1 if polls or agent.jobs > 1 else 0
    agent.jobs_are_over = agent.jobs_over_is_known = agent.job_is_refused = 0
    # A job that wants more GPUs than there are takes all: it would wait for ever.
    units = site.pools[step.pool].units
    for number in range(agent.jobs):
        job = job_of(site, run, agent, number)
        uniforms = job_lanes(agent.stream, step.work[PURPOSE], agent.cycle, number, 0)
        job_ns, gpus = draw_experiment(site.rows, site.table, step.work, uniforms)
        job.job_ns = job_ns
        job.gpus = min(gpus, units)
        job.is_alive = 1
        job.task, job.task_attempt = agent.task, agent.task_attempt
        job.activity = records.NOTHING
        job.attempt = 0
        job.state = states.JOB_TRIES
        if agent.jobs_are_beside:
            at_once(site, run, first_slot_of_job(run, job) + scheduling.JOB_ITSELF, scheduling.URGENT)


@internal
def _draw_jobs(site: Site, run: Record, agent: Record) -> int:
    """Return the number of parallel jobs of the step; it may exceed the room that has been made."""
    step = site.steps[agent.step]
    if step.at_once == NONE:
        return 1
    count = draw_at_once(site.rows, site.table, step.at_once, agent.stream, step.work[PURPOSE], agent.cycle)
    if count > run.jobs_of_agent:
        run.jobs_are_short = max(run.jobs_are_short, count)
        return int(run.jobs_of_agent)
    return count


@internal
def play_job(site: Site, run: Record, agent: Record, job: Record, state: int) -> None:
    """Run a job from a state until it waits or has ended.

    Args:
        site: the arrays of the run.
        run: the run's record.
        agent: the agent's record.
        job: the job's record.
        state: the state, one of `states`.
    """
    while state != states.WAITS:
        if state == states.JOB_AT_GPUS:
            state = _at_gpus(site, run, agent, job)
        elif state == states.JOB_STAYED:
            state = _stayed(site, run, agent, job)
        elif state == states.JOB_QUEUES:
            state = _queues(site, run, agent, job)
        else:
            state = _tries(site, run, agent, job)


@internal
def _tries(site: Site, run: Record, agent: Record, job: Record) -> int:
    work = site.steps[agent.step].work
    uniforms = job_lanes(agent.stream, work[PURPOSE], agent.cycle, job.number, job.attempt)
    work_ns, fails = draw_attempt_at_experiment(site.rows, work, uniforms, job.job_ns)
    job.work_ns = work_ns
    job.fails = 1 if fails else 0
    job.done_ns = 0
    return states.JOB_QUEUES


@internal
def _queues(site: Site, run: Record, agent: Record, job: Record) -> int:
    _does(site, run, agent, job, records.WAITING_GPU)
    job.asked = run.now
    job.state = states.JOB_AT_GPUS
    ask(site, run, place_of_job(run, job), agent.pool, job.gpus)
    return states.WAITS


@internal
def _at_gpus(site: Site, run: Record, agent: Record, job: Record) -> int:
    """Take the GPUs, unless the budget has been reached meanwhile."""
    if may_not_start(site, run, agent):
        # That which ends the agent outweighs that which ends only its attempt at a task.
        is_first = agent.job_is_refused == 0
        agent.job_is_over_limit = agent.attempt_is_over and (is_first or agent.job_is_over_limit)
        _record_unserved(site, run, agent, job)
        leave(site, run, place_of_job(run, job), agent.pool)
        run.cancelled_jobs += 1
        agent.job_is_refused = 1
        return _ends(site, run, agent, job, 0)
    _does(site, run, agent, job, records.EXPERIMENTING)
    # Drawn when the job gets its GPUs, so that the order of draws is that of starts.
    _draw_stay(site, run, agent, job)
    job.began = run.now
    job.session = agent.session
    job.turn = agent.context_turns - 1
    if site.pools[agent.pool].bills_use:
        start_meter(site, run, agent.pool, job.gpus)
        if run.keeps_accounts:
            begin_to_cost(agent.account, job.gpus * site.meters[agent.pool].usd_per_hour, run.now)
    job.state = states.JOB_STAYED
    after_of_job(site, run, job, job.stay_ns, scheduling.END)
    return states.WAITS


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
    """Release the GPUs, and continue with the remaining work, another attempt, or the end."""
    outcome = records.FAILED if job.fails else records.OK
    _bill(site, run, agent, job, records.PREEMPTED if job.is_preempted else outcome)
    leave(site, run, place_of_job(run, job), agent.pool)
    # It joins the end of the queue, and its failure, if any, still lies ahead at the same amount of work.
    if job.is_preempted:
        job.done_ns = saved_ns(job.done_ns + job.stay_ns, site.pools[agent.pool].checkpoint_every_ns)
        return _asks(site, run, job, states.JOB_QUEUES)
    if job.fails == 0:
        run.experiments += 1
        run.jobs += 1
        return _ends(site, run, agent, job, 1)
    job.attempt += 1
    if job.attempt == site.steps[agent.step].attempts:
        run.jobs += 1
        return _ends(site, run, agent, job, 0)
    return _asks(site, run, job, states.JOB_TRIES)


@internal
def _asks(site: Site, run: Record, job: Record, state: int) -> int:
    """Wait for the job's turn at this instant."""
    if not is_due(run, site):
        return state
    after_of_job(site, run, job, 0, scheduling.ASK)
    job.state = state
    return states.WAITS


@internal
def _ends(site: Site, run: Record, agent: Record, job: Record, is_well: int) -> int:
    """End a job; when its agent need not wait any longer, the others are cancelled."""
    _does(site, run, agent, job, records.NOTHING)
    job.is_alive = 0
    agent.jobs_left -= 1
    agent.jobs_well += is_well
    # Those that were cancelled when enough had succeeded end later, and nobody waits for them.
    if agent.jobs_are_over:
        return states.WAITS
    enough = is_well and agent.jobs_well == site.steps[agent.step].wait_for
    if agent.jobs_left == 0 or enough:
        agent.jobs_are_over = 1
        if agent.jobs_are_beside:
            at_once(site, run, scheduling.SLOTS * agent.number + scheduling.JOBS_OVER, scheduling.AT_ONCE)
            interrupt_jobs(site, run, agent)
    return states.WAITS


@internal
def interrupt_jobs(site: Site, run: Record, agent: Record) -> None:
    """Interrupt the jobs beside an agent that have not ended."""
    for number in range(agent.jobs):
        job = job_of(site, run, agent, number)
        if job.is_alive:
            at_once(site, run, first_slot_of_job(run, job) + scheduling.JOB_INTERRUPTION, scheduling.URGENT)


@internal
def _does(site: Site, run: Record, agent: Record, job: Record, activity: int) -> None:
    """Note what a job does: the agent's experiment runs if one of them does."""
    if job.activity == records.EXPERIMENTING:
        agent.jobs_running -= 1
    elif job.activity == records.WAITING_GPU:
        agent.jobs_waiting -= 1
    job.activity = activity
    if activity == records.EXPERIMENTING:
        agent.jobs_running += 1
    elif activity == records.WAITING_GPU:
        agent.jobs_waiting += 1
    shown = records.NOTHING
    if agent.jobs_running:
        shown = records.EXPERIMENTING
    elif agent.jobs_waiting:
        shown = records.WAITING_GPU
    waits_for_experiment(site, run, agent, shown)


@internal
def _bill(site: Site, run: Record, agent: Record, job: Record, outcome: int) -> None:
    """Count, bill and record a job's time on its GPUs."""
    site.pools[agent.pool].used_ns += float(job.gpus) * float(run.now - job.began)
    cost_usd = 0.0
    if site.pools[agent.pool].bills_use:
        cost_usd = stop_meter(site, run, agent.pool, job.began, job.gpus)
        pay_for_time(run, GPU, cost_usd, job.began, run.now)
        if run.keeps_accounts:
            usd_per_hour = job.gpus * site.meters[agent.pool].usd_per_hour
            cease_to_cost(agent.account, usd_per_hour, job.began, cost_usd)
    if run.records:
        row = site.entries[add_agent_entry(site, run, agent, records.EXPERIMENT, job.began, outcome)]
        note_task(row, job)
        row.session = job.session
        row.turn = job.turn
        row.queued_ns = job.began - job.asked
        row.gpus = job.gpus
        row.pool = agent.pool
        if site.pools[agent.pool].bills_use:
            row.component = GPU
            row.cost_usd = cost_usd


@internal
def _record_unserved(site: Site, run: Record, agent: Record, job: Record) -> None:
    if run.records:
        row = site.entries[add_agent_entry(site, run, agent, records.EXPERIMENT, run.now, records.UNSERVED)]
        note_task(row, job)
        row.queued_ns = run.now - job.asked
        row.gpus = job.gpus
        row.pool = agent.pool


@internal
def break_off_job(site: Site, run: Record, agent: Record, job: Record) -> None:
    """Abort a job in whatever state it is: its agent is interrupted, or no longer waits for it."""
    # It may have ended at this very instant, before its interruption came.
    if job.is_alive == 0:
        return
    cancel(site, run, first_slot_of_job(run, job) + scheduling.JOB_ITSELF)
    if job.state == states.JOB_AT_GPUS:
        _record_unserved(site, run, agent, job)
        leave(site, run, place_of_job(run, job), agent.pool)
    elif job.state == states.JOB_STAYED:
        _bill(site, run, agent, job, records.CUT)
        leave(site, run, place_of_job(run, job), agent.pool)
    run.cancelled_jobs += 1
    _ends(site, run, agent, job, 0)


@internal
def experiments_in_turn(site: Site, run: Record, agent: Record) -> int:
    """Begin an experiment, and wait for it; or poll beside it."""
    if may_not_start(site, run, agent):
        return states.BUDGET_REACHED
    polls = site.steps[agent.step].polls[0] != NONE
    open_jobs(site, run, agent, polls)
    if polls:
        agent.poll_asked = run.now
        return states.NEXT_POLL
    if agent.jobs_are_beside:
        return awaits_jobs(agent)
    agent.state = states.IN_EXPERIMENT
    play_job(site, run, agent, job_of(site, run, agent, 0), states.JOB_TRIES)
    return states.WAITS


@internal
def next_poll(site: Site, run: Record, agent: Record) -> int:
    """Wait until the next poll is due, or the experiment has ended."""
    if agent.jobs_are_over:
        return states.AWAITS_JOBS
    every_ns, output, result = draw_poll(
        site.rows, site.table, site.steps[agent.step].polls, agent.stream, agent.polls
    )
    agent.polls += 1
    agent.poll_output = output
    agent.poll_result_tokens = result
    agent.waits_for_poll = 1
    agent.state = states.POLL_DUE
    # A call may have taken longer than the time between polls; then the next one is due at once.
    due_ns = max(0, agent.poll_asked + every_ns - run.now)
    wakes_after(site, run, agent, due_ns, scheduling.ASK)
    return states.WAITS


@internal
def poll_due(site: Site, run: Record, agent: Record) -> int:
    """Make the poll, unless the experiment has ended."""
    agent.waits_for_poll = 0
    if agent.jobs_are_over:
        return states.AWAITS_JOBS
    agent.polls_now = 1
    wants_call(site, agent, records.POLL, agent.poll_output, 0)
    return states.CALLS


@internal
def poll_answered(agent: Record) -> int:
    """Take the poll's result into the context."""
    agent.polls_now = 0
    agent.context[HELD] += agent.poll_result_tokens
    agent.poll_asked = agent.call_began
    return states.NEXT_POLL


@internal
def awaits_jobs(agent: Record) -> int:
    """Poll no more, and wait for the experiment's end."""
    agent.polls_now = 0
    if agent.jobs_over_is_known:
        return states.JOBS_ENDED
    agent.waits_for_job = 1
    agent.state = states.JOBS_ENDED
    return states.WAITS


@internal
def jobs_ended(site: Site, agent: Record) -> int:
    """Go on after an experiment: with the next step, or with the next cycle if that is said of failures."""
    agent.ended_well += agent.jobs_well
    agent.has_succeeded = 1 if agent.jobs_well > 0 else 0
    if agent.job_is_refused:
        agent.attempt_is_over = agent.job_is_over_limit
        return states.BUDGET_REACHED
    return (
        states.CYCLE_BREAKS_OFF
        if site.steps[agent.step].ends_cycle and agent.jobs_well == 0
        else states.STEP_DONE
    )
