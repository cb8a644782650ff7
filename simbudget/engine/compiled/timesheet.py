"""The timesheet of an agent: what it does with its time; see `reference.timesheet`."""

from typing import Final

from simbudget.compilation import internal
from simbudget.engine.compiled.state import Record, Site
from simbudget.ledger.entry import ACTIVITIES

MODEL: Final = ACTIVITIES.index("model")
TOOL: Final = ACTIVITIES.index("tool")
EXPERIMENT: Final = ACTIVITIES.index("experiment")
SCORING: Final = ACTIVITIES.index("scoring")
WAITING_GPU: Final = ACTIVITIES.index("waiting_gpu")
WAITING_SCORER: Final = ACTIVITIES.index("waiting_scorer")
WAITING_API: Final = ACTIVITIES.index("waiting_api")
WAITING_OTHER: Final = ACTIVITIES.index("waiting_other")
DOWN: Final = ACTIVITIES.index("down")
NOTHING: Final = -1


@internal
def does(run: Record, agent: Record, activity: int) -> None:
    """Note what the agent does from now on."""
    _add_up(run, agent)
    agent.activity = activity


@internal
def notes(site: Site, run: Record, caller: Record, activity: int) -> None:
    """Note what an agent does from now on, or one of its sub-agents; NOTHING: the sub-agent has ended."""
    if caller.sub_agent == 0:
        does(run, caller, activity)
        return
    agent = site.agents[caller.owner]
    agent.team_calling += (1 if activity == MODEL else 0) - (1 if caller.activity == MODEL else 0)
    agent.team_waiting += (1 if activity == WAITING_API else 0) - (1 if caller.activity == WAITING_API else 0)
    caller.activity = activity
    if agent.team_is_broken_up or agent.team_left == 0:
        return
    if agent.team_calling > 0:
        does(run, agent, MODEL)
    else:
        does(run, agent, WAITING_API if agent.team_waiting == agent.team_left else TOOL)


@internal
def waits_for_experiment(site: Site, run: Record, agent: Record, activity: int) -> None:
    """Note what the experiment does, for which the agent waits from now on; NOTHING: it has ended."""
    _add_up(run, agent)
    if agent.activity_of_job == WAITING_GPU:
        site.pools[agent.pool].waited_ns += run.now - agent.waits_for_gpus_since
    agent.activity_of_job = activity
    agent.waits_for_gpus_since = run.now


@internal
def end_timesheet(run: Record, agent: Record) -> None:
    """End the agent's life."""
    _add_up(run, agent)
    agent.ended = run.now


@internal
def _add_up(run: Record, agent: Record) -> None:
    activity = agent.activity if agent.activity_of_job == NOTHING else agent.activity_of_job
    if activity != NOTHING:
        agent.spent_ns[activity] += run.now - agent.since
    agent.since = run.now
