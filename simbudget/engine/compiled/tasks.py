"""Tasks: taking one, waiting for one, what comes of an attempt; see `reference.tasks`."""

from simbudget.compilation import internal
from simbudget.engine.compiled.accounts import total_usd
from simbudget.engine.compiled.entries import OK, WAIT
from simbudget.engine.compiled.events import ASK, HORIZON, ITSELF, LAST_TASK, NOWHERE, SLOTS, after
from simbudget.engine.compiled.limits import may_not_start
from simbudget.engine.compiled.points import (
    BEGINS_CYCLE,
    BUDGET_REACHED,
    ENDS,
    TAKES_TASK_IN_TURN,
    WAITS,
    WAITS_FOR_TASK,
)
from simbudget.engine.compiled.state import Record, Site
from simbudget.engine.compiled.steps.common import record_spent
from simbudget.engine.compiled.timesheet import WAITING_OTHER, does
from simbudget.engine.laws.limits import SPENT_USD, mark, spent_by_now
from simbudget.engine.laws.tasks import (
    NO_TASK,
    all_is_done,
    attempt_solves,
    end_attempt,
    may_be_returned,
    note_money,
    take_task,
)


@internal
def takes_task(site: Site, run: Record, agent: Record) -> int:
    """Take the next task, wait for one that may become free, or end."""
    if may_not_start(site, run, agent):
        return BUDGET_REACHED
    task = take_task(site.tasks, site.terms.attempts, site.terms.takes_all)
    if task == NO_TASK:
        return _waits_for_task(site, run, agent)
    agent.task = task
    agent.task_attempt = site.tasks.begun[task] - 1
    agent.task_taken = run.now
    mark(agent.account, run.now, agent.task_marks)
    return BEGINS_CYCLE


@internal
def _waits_for_task(site: Site, run: Record, agent: Record) -> int:
    if not may_be_returned(site.tasks):
        return ENDS
    does(run, agent, WAITING_OTHER)
    agent.entry_began = run.now
    agent.waits_for_task = 1
    agent.point = WAITS_FOR_TASK
    return WAITS


@internal
def asks_again(site: Site, run: Record, agent: Record) -> int:
    """Ask for a task again, now that an attempt has ended."""
    agent.waits_for_task = 0
    record_spent(site, run, agent, WAIT, OK)
    return TAKES_TASK_IN_TURN


@internal
def ends_attempt(site: Site, run: Record, agent: Record, is_whole: bool) -> None:
    """End the attempt at the task that the agent is at, if it is at one, and let others ask anew."""
    if agent.task == NO_TASK:
        return
    solves = is_whole and attempt_solves(site.rows, site.terms, agent.stream, agent.task, agent.task_attempt)
    cost_usd = spent_by_now(agent.account, run.now) - agent.task_marks[SPENT_USD]
    if end_attempt(site.tasks, site.terms, agent.task, solves, cost_usd):
        note_money(site.tasks, total_usd(site, run))
    agent.task = NO_TASK
    for number in range(run.agents):
        slot = SLOTS * number + ITSELF
        if site.agents[number].waits_for_task and site.places[slot] == NOWHERE:
            after(site, run, slot, 0, ASK, site.agents[number].rank)
    if all_is_done(site.tasks):
        after(site, run, SLOTS * run.callers + LAST_TASK, 0, HORIZON, 0)
