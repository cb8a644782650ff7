"""An agent's life from its start to its end: cycles, tasks, and downtime after crashes; see `reference.agent`."""

from typing import Final

from simbudget.compilation import internal
from simbudget.engine.compiled import records, scheduling, states
from simbudget.engine.compiled.accounts import begin_costs, end_costs, may_not_start, resume_costs, total_usd
from simbudget.engine.compiled.calls import end_own_terms, forget_contexts, open_context, take_up_context
from simbudget.engine.compiled.delegates import sub_agent_ends
from simbudget.engine.compiled.judging import review_is_refused
from simbudget.engine.compiled.records import does, end_timesheet
from simbudget.engine.compiled.scheduling import after, at_once, cancel, own_slot, wakes_after
from simbudget.engine.compiled.states import asks_board, record_spent, waits_for_office
from simbudget.engine.compiled.steps import breaks_off_scoring
from simbudget.engine.compiled.tables import Record, Site
from simbudget.engine.laws.accounts import SPENT_USD, TIME_NS, mark, spent_by_now
from simbudget.engine.laws.draws import nanoseconds
from simbudget.engine.laws.tasks import (
    NO_TASK,
    all_is_done,
    attempt_solves,
    end_attempt,
    may_be_returned,
    note_money,
    take_task,
)
from simbudget.engine.laws.work import PURPOSE, draw_crash, is_done
from simbudget.engine.program import IDLE_CYCLES, NONE, Condition, Lasts, Step


@internal
def takes_task(site: Site, run: Record, agent: Record) -> int:
    """Take the next task, wait for one that may become free, or end."""
    if may_not_start(site, run, agent):
        return states.BUDGET_REACHED
    task = take_task(site.tasks, site.terms.attempts, site.terms.takes_all)
    if task == NO_TASK:
        return _waits_for_task(site, run, agent)
    agent.task = task
    agent.task_attempt = site.tasks.begun[task] - 1
    agent.task_taken = run.now
    mark(agent.account, run.now, agent.task_marks)
    return states.BEGINS_CYCLE


@internal
def _waits_for_task(site: Site, run: Record, agent: Record) -> int:
    if not may_be_returned(site.tasks):
        return states.ENDS
    does(run, agent, records.WAITING_OTHER)
    agent.entry_began = run.now
    agent.waits_for_task = 1
    agent.state = states.WAITS_FOR_TASK
    return states.WAITS


@internal
def asks_again(site: Site, run: Record, agent: Record) -> int:
    """Ask for a task again, now that an attempt has ended."""
    agent.waits_for_task = 0
    record_spent(site, run, agent, records.WAIT, records.OK)
    return states.TAKES_TASK_IN_TURN


@internal
def ends_attempt(site: Site, run: Record, agent: Record, is_whole: bool) -> None:
    """End the attempt at the task that the agent is at, if it is at one, and let others ask anew.

    Args:
        site: the arrays of the run.
        run: the run's record.
        agent: the agent's record.
        is_whole: whether the last step of the cycle was reached.
    """
    if agent.task == NO_TASK:
        return
    solves = is_whole and attempt_solves(site.rows, site.terms, agent.stream, agent.task, agent.task_attempt)
    cost_usd = spent_by_now(agent.account, run.now) - agent.task_marks[SPENT_USD]
    if end_attempt(site.tasks, site.terms, agent.task, solves, cost_usd):
        note_money(site.tasks, total_usd(site, run))
    agent.task = NO_TASK
    # All who wait ask again, in the order of their numbers, since any of them may take a task that is free again.
    for number in range(run.agents):
        waiter = site.agents[number]
        if waiter.waits_for_task and site.places[own_slot(waiter)] == scheduling.NOWHERE:
            wakes_after(site, run, waiter, 0, scheduling.ASK)
    if all_is_done(site.tasks):
        after(site, run, scheduling.SLOTS * run.callers + scheduling.LAST_TASK, 0, scheduling.HORIZON, 0)


_CYCLE: Final = int(Lasts.CYCLE)
_STEP_THINK: Final = int(Step.THINK)
_STEP_WORK: Final = int(Step.WORK)
_STEP_EXPERIMENT: Final = int(Step.EXPERIMENT)
_STEP_SCORE: Final = int(Step.SCORE)
_STEP_DELEGATE: Final = int(Step.DELEGATE)
_ALWAYS: Final = int(Condition.ALWAYS)
_PART: Final = int(Condition.PART)
_IMPROVED: Final = int(Condition.IMPROVED)
_SUCCEEDED: Final = int(Condition.SUCCEEDED)
_UNKNOWN: Final = -1
"""No step has been done yet that a condition could refer to."""


@internal
def lives(site: Site, run: Record, agent: Record, state: int) -> int:  # noqa: PLR0911  one line a state
    """Return the state that follows a state between its start and its end that is in no step.

    Args:
        site: the arrays of the run.
        run: the run's record.
        agent: the agent's record.
        state: the state, one of `states`.
    """
    if state == states.STARTS:
        return _starts(site, run, agent)
    if state == states.NEXT_CYCLE:
        return _next_cycle(site, run, agent)
    if state == states.NEXT_STEP:
        return _next_step(site, run, agent)
    if state == states.OFFICE_OPENS:
        record_spent(site, run, agent, records.WAIT, records.OK)
        return states.DOES_STEP
    if state == states.DOES_STEP:
        return _does_step(site, agent)
    if state == states.STEP_DONE:
        agent.step += 1
        return states.NEXT_STEP
    if state == states.RESTARTS:
        return _restarts(site, run, agent)
    # From here on the state is an end: that of the budget, or of the agent's own life.
    if agent.sub_agent:
        return sub_agent_ends(site, run, agent)
    if agent.number >= run.first_reviewer:
        return review_is_refused(site, run, agent)
    if agent.is_judged:
        breaks_off_scoring(site, run, agent)
    if state == states.BUDGET_REACHED and agent.polls_now:
        return states.AWAITS_JOBS  # the job is being paid for, and goes on
    if state == states.BUDGET_REACHED and agent.attempt_is_over:
        end_own_terms(site, agent)
        return cycle_done(site, run, agent, is_whole=False)
    return ends(site, run, agent)


@internal
def _starts(site: Site, run: Record, agent: Record) -> int:
    agent.has_lived = 1
    agent.started = agent.since = run.now
    begin_costs(site, run, agent)
    mark(agent.account, run.now, agent.marks)
    stop_after = site.groups[agent.group].stop[TIME_NS]
    if stop_after != NONE:
        after_ns = nanoseconds(site.rows[stop_after, 1])
        after(
            site,
            run,
            scheduling.SLOTS * agent.number + scheduling.STOP,
            after_ns,
            scheduling.HORIZON,
            agent.rank,
        )
    _await_crash(site, run, agent)
    return states.NEXT_CYCLE


@internal
def ends(site: Site, run: Record, agent: Record) -> int:
    """End an agent's life, and what it costs by the hour."""
    ends_attempt(site, run, agent, False)
    end_timesheet(run, agent)
    end_costs(site, run, agent)
    # A crash or a stop that is still to come must not reach an agent that is gone.
    cancel(site, run, scheduling.SLOTS * agent.number + scheduling.CRASH)
    cancel(site, run, scheduling.SLOTS * agent.number + scheduling.STOP)
    agent.is_alive = 0
    agent.state = states.GONE
    at_once(site, run, own_slot(agent), scheduling.AT_ONCE)
    return states.WAITS


@internal
def is_gone(site: Site, run: Record) -> int:
    """End the run when all agents have ended, one event later as in SimPy."""
    run.alive -= 1
    if run.alive == 0:
        at_once(site, run, scheduling.SLOTS * run.callers + scheduling.OVER, scheduling.AT_ONCE)
    return states.WAITS


@internal
def _next_cycle(site: Site, run: Record, agent: Record) -> int:
    if agent.completed_cycles >= run.most_cycles:
        return states.ENDS
    agent.cycle_began = run.now
    return states.TAKES_TASK if run.has_tasks else states.BEGINS_CYCLE


@internal
def begins_cycle(site: Site, run: Record, agent: Record) -> int:
    """Begin a cycle, with a new context if that is due."""
    group = site.groups[agent.group]
    agent.cycle += 1
    if agent.needs_context or site.contexts[agent.context_row].lasts == _CYCLE:
        open_context(site, run, agent)
        # Only the very first context can have been under way before the run began.
        if agent.contexts == 1:
            take_up_context(site, run, agent)
        agent.needs_context = 0
    # Steps of all groups stand in one table.
    agent.step = group.first_step
    agent.has_succeeded = agent.has_improved = _UNKNOWN
    if group.submits_each and run.has_research:
        return asks_board(run, agent, states.FOR_KNOWN, states.NEXT_STEP)
    return states.NEXT_STEP


@internal
def _next_step(site: Site, run: Record, agent: Record) -> int:
    group = site.groups[agent.group]
    if agent.step == group.first_step + group.steps:
        return cycle_done(site, run, agent, is_whole=True)
    if not _is_done(site, agent):
        return states.STEP_DONE
    if waits_for_office(site, run, agent, states.OFFICE_OPENS):
        return states.WAITS
    return states.DOES_STEP


@internal
def _is_done(site: Site, agent: Record) -> bool:
    """Return whether a step of this cycle is done, or left out."""
    step = site.steps[agent.step]
    if step.condition == _ALWAYS:
        return True
    if step.condition == _PART:
        return is_done(site.rows, step.part, agent.stream, step.work[PURPOSE], agent.cycle)
    if step.condition == _IMPROVED:
        return agent.has_improved == 1
    return agent.has_succeeded == (1 if step.condition == _SUCCEEDED else 0)


@internal
def cycle_done(site: Site, run: Record, agent: Record, is_whole: bool) -> int:
    """Begin the next cycle, after one that was completed or broken off.

    Args:
        site: the arrays of the run.
        run: the run's record.
        agent: the agent's record.
        is_whole: whether the last step of the cycle was reached.
    """
    ends_attempt(site, run, agent, is_whole)
    agent.completed_cycles += 1
    run.cycles += 1
    agent.idle_cycles = agent.idle_cycles + 1 if run.now == agent.cycle_began else 0
    # An agent whose cycles take no time would keep the clock at this instant for ever.
    if agent.idle_cycles == IDLE_CYCLES:
        run.never_ends = 1 + agent.group
        return states.WAITS
    return states.NEXT_CYCLE


@internal
def _does_step(site: Site, agent: Record) -> int:
    kind = site.steps[agent.step].kind
    if kind == _STEP_THINK:
        return states.THINKS
    if kind == _STEP_WORK:
        return states.WORKS
    if kind == _STEP_EXPERIMENT:
        return states.EXPERIMENTS
    if kind == _STEP_DELEGATE:
        return states.DELEGATES
    return states.SCORES if kind == _STEP_SCORE else states.SHARES


@internal
def _await_crash(site: Site, run: Record, agent: Record) -> None:
    """Let the next crash come in its time."""
    crashes = site.groups[agent.group].crashes
    if crashes[0] == NONE:
        return
    up_ns, restart_ns = draw_crash(site.rows, site.table, crashes, agent.stream, agent.crashes)
    agent.restart_ns = restart_ns
    agent.crashes += 1
    after(
        site, run, scheduling.SLOTS * agent.number + scheduling.CRASH, up_ns, scheduling.CRASHES, agent.rank
    )


@internal
def _restarts(site: Site, run: Record, agent: Record) -> int:
    record_spent(site, run, agent, records.DOWN, records.OK)
    resume_costs(site, run, agent)
    agent.needs_context = 1
    forget_contexts(site, agent)
    agent.ended_well = 0
    _await_crash(site, run, agent)
    return states.NEXT_CYCLE
