"""Experiments, as their agent sees them: waiting for a job, or polling beside it."""

from simbudget.compilation import internal
from simbudget.engine.compiled.calls import (
    HELD,
    wants_call,
)
from simbudget.engine.compiled.entries import (
    POLL,
)
from simbudget.engine.compiled.events import ASK, ITSELF, SLOTS, after
from simbudget.engine.compiled.jobs import open_job, play_job
from simbudget.engine.compiled.limits import may_not_start
from simbudget.engine.compiled.points import (
    AWAITS_JOB,
    BUDGET_REACHED,
    CALLS,
    IN_EXPERIMENT,
    JOB_BEGINS,
    JOB_OVER,
    NEXT_POLL,
    POLL_DUE,
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
    open_job(site, run, agent, 1 if polls else 0)
    if polls:
        agent.poll_asked = run.now
        return NEXT_POLL
    agent.point = IN_EXPERIMENT
    play_job(site, run, agent, JOB_BEGINS)
    return WAITS


@internal
def next_poll(site: Site, run: Record, agent: Record) -> int:
    """Wait until the next poll is due, or the experiment has ended."""
    if agent.job_is_alive == 0:
        return AWAITS_JOB
    every_ns, output, result = draw_poll(
        site.rows, site.table, site.steps[agent.step].poll, agent.stream, agent.polls
    )
    agent.polls += 1
    agent.poll_output = output
    agent.poll_result_tokens = result
    agent.waits_for_poll = 1
    agent.point = POLL_DUE
    due_ns = max(0, agent.poll_asked + every_ns - run.now)
    after(site, run, SLOTS * agent.number + ITSELF, due_ns, ASK, agent.number)
    return WAITS


@internal
def poll_due(site: Site, run: Record, agent: Record) -> int:
    """Make the poll, unless the experiment has ended."""
    agent.waits_for_poll = 0
    if agent.job_is_alive == 0:
        return AWAITS_JOB
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
def awaits_job(agent: Record) -> int:
    """Poll no more, and wait for the experiment's end."""
    agent.polls_now = 0
    if agent.job_is_over:
        return JOB_OVER
    agent.waits_for_job = 1
    agent.point = JOB_OVER
    return WAITS
