"""Experiments, as their agent sees them: waiting for jobs, or polling beside them."""

from simbudget.compilation import internal
from simbudget.engine.compiled.calls import wants_call
from simbudget.engine.compiled.contexts import HELD
from simbudget.engine.compiled.entries import (
    POLL,
)
from simbudget.engine.compiled.events import ASK, ITSELF, SLOTS, after
from simbudget.engine.compiled.jobs import job_of, open_jobs, play_job
from simbudget.engine.compiled.limits import may_not_start
from simbudget.engine.compiled.points import (
    AWAITS_JOBS,
    BUDGET_REACHED,
    CALLS,
    CYCLE_BREAKS_OFF,
    IN_EXPERIMENT,
    JOB_TRIES,
    JOBS_ENDED,
    NEXT_POLL,
    POLL_DUE,
    STEP_DONE,
    WAITS,
)
from simbudget.engine.compiled.state import Record, Site
from simbudget.engine.laws.calls import draw_poll
from simbudget.engine.program import NONE


@internal
def experiments_in_turn(site: Site, run: Record, agent: Record) -> int:
    """Begin an experiment, and wait for it; or poll beside it."""
    if may_not_start(site, run, agent):
        return BUDGET_REACHED
    polls = site.steps[agent.step].poll[0] != NONE
    open_jobs(site, run, agent, polls)
    if polls:
        agent.poll_asked = run.now
        return NEXT_POLL
    if agent.jobs_are_beside:
        return awaits_jobs(agent)
    agent.point = IN_EXPERIMENT
    play_job(site, run, agent, job_of(site, run, agent, 0), JOB_TRIES)
    return WAITS


@internal
def next_poll(site: Site, run: Record, agent: Record) -> int:
    """Wait until the next poll is due, or the experiment has ended."""
    if agent.jobs_are_over:
        return AWAITS_JOBS
    every_ns, output, result = draw_poll(
        site.rows, site.table, site.steps[agent.step].poll, agent.stream, agent.polls
    )
    agent.polls += 1
    agent.poll_output = output
    agent.poll_result_tokens = result
    agent.waits_for_poll = 1
    agent.point = POLL_DUE
    due_ns = max(0, agent.poll_asked + every_ns - run.now)
    after(site, run, SLOTS * agent.number + ITSELF, due_ns, ASK, agent.rank)
    return WAITS


@internal
def poll_due(site: Site, run: Record, agent: Record) -> int:
    """Make the poll, unless the experiment has ended."""
    agent.waits_for_poll = 0
    if agent.jobs_are_over:
        return AWAITS_JOBS
    agent.polls_now = 1
    wants_call(site, agent, POLL, agent.poll_output, 0)
    return CALLS


@internal
def poll_answered(agent: Record) -> int:
    """Take the poll's result into the context."""
    agent.polls_now = 0
    agent.context[HELD] += agent.poll_result_tokens
    agent.poll_asked = agent.call_began
    return NEXT_POLL


@internal
def awaits_jobs(agent: Record) -> int:
    """Poll no more, and wait for the experiment's end."""
    agent.polls_now = 0
    if agent.jobs_are_told:
        return JOBS_ENDED
    agent.waits_for_job = 1
    agent.point = JOBS_ENDED
    return WAITS


@internal
def jobs_ended(site: Site, agent: Record) -> int:
    """Go on after an experiment: with the next step, or with the next cycle if that is said of failures."""
    agent.ended_well += agent.jobs_well
    agent.has_succeeded = 1 if agent.jobs_well > 0 else 0
    if agent.job_is_refused:
        agent.attempt_is_over = agent.job_is_over_limit
        return BUDGET_REACHED
    return CYCLE_BREAKS_OFF if site.steps[agent.step].ends_cycle and agent.jobs_well == 0 else STEP_DONE
