"""What is looked at before something is started: the budget and the limits of an agent; see `reference.limits`."""

from simbudget.compilation import internal
from simbudget.engine.compiled.accounts import budget_is_reached
from simbudget.engine.compiled.state import Record, Site
from simbudget.engine.laws.limits import is_at_limit
from simbudget.engine.laws.tasks import NO_TASK


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
