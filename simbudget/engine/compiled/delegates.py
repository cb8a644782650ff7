"""Sub-agents: what an agent delegates to callers with contexts of their own; see `reference.delegates`."""

from simbudget.compilation import internal
from simbudget.engine.compiled import records, scheduling, states
from simbudget.engine.compiled.calls import HELD, break_off_call, open_context
from simbudget.engine.compiled.records import notes
from simbudget.engine.compiled.scheduling import at_once, cancel, own_slot, rank_of
from simbudget.engine.compiled.states import record_spent
from simbudget.engine.compiled.tables import Record, Site
from simbudget.engine.laws.calls import draw_returned, draw_sub_agents, sub_agent_key
from simbudget.engine.laws.work import PURPOSE, draw_turns
from simbudget.engine.program import NONE


@internal
def delegates(site: Site, run: Record, agent: Record) -> int:
    """Start the sub-agents of a step."""
    step = site.steps[agent.step]
    count = draw_sub_agents(
        site.rows, site.table, step.sub_agents, agent.stream, step.work[PURPOSE], agent.cycle
    )
    if count > run.sub_agents_of_agent:  # the run is played again, with more room
        run.sub_agents_are_short = max(run.sub_agents_are_short, count)
        count = run.sub_agents_of_agent
    agent.team = agent.team_left = agent.team_waiting = count
    agent.team_calling = agent.team_is_broken_up = 0
    for place in range(count):
        _open_sub_agent(site, run, agent, sub_agent_of(site, run, agent, place), place)
    agent.delegations += 1
    if count == 0:
        return states.STEP_DONE
    agent.state = states.IN_DELEGATION
    return states.WAITS


@internal
def sub_agent_of(site: Site, run: Record, agent: Record, place: int) -> Record:
    """Return one of an agent's sub-agents, from 0.

    Args:
        site: the arrays of the run.
        run: the run's record.
        agent: the agent's record.
        place: which of the agent's it is, from 0.
    """
    return site.agents[run.agents + agent.number * run.sub_agents_of_agent + place]


@internal
def _open_sub_agent(site: Site, run: Record, agent: Record, caller: Record, place: int) -> None:
    """Reset a sub-agent's record, and let it begin."""
    step, group = site.steps[agent.step], site.groups[agent.group]
    for part in range(len(caller.stream) - 1):
        caller.stream[part] = agent.stream[part]
    caller.stream[len(caller.stream) - 1] = sub_agent_key(agent.stream, agent.delegations, place)
    caller.group = agent.group
    caller.owner = agent.number
    caller.sub_agent = place + 1
    # A sub-agent comes in its agent's place at an instant; the first shares it with the agent, which waits.
    caller.rank = rank_of(run, agent.number, place)
    caller.client = step.client
    caller.turn_row = group.turn if step.turn == NONE else step.turn
    caller.context_row = step.context
    caller.step = agent.step
    caller.cycle = agent.cycle
    caller.task, caller.task_attempt = agent.task, agent.task_attempt
    caller.is_alive = 1
    caller.polls_now = caller.waits_for_bell = 0
    caller.contexts = caller.turns = caller.attempts = caller.compactions = 0
    caller.activity = records.WAITING_API
    caller.state = states.SUB_AGENT_STARTS
    at_once(site, run, own_slot(caller), scheduling.URGENT)


@internal
def sub_agent_starts(site: Site, run: Record, caller: Record) -> int:
    """Begin the sub-agent's turns in a new context."""
    open_context(site, run, caller)
    work = site.steps[caller.step].work
    caller.turns_left = draw_turns(site.rows, site.table, work, caller.stream, 0)
    return states.TURNS


@internal
def sub_agent_ends(site: Site, run: Record, caller: Record) -> int:
    """End a sub-agent, whose turns are made or whose budget is reached; the last one lets its agent go on."""
    agent = site.agents[caller.owner]
    agent.team_left -= 1
    notes(site, run, caller, records.NOTHING)
    # The agent finds out for itself that the budget is reached.
    caller.is_alive = 0
    if agent.team_left == 0:
        at_once(site, run, own_slot(agent), scheduling.AT_ONCE)
    return states.WAITS


@internal
def team_has_ended(site: Site, run: Record, agent: Record) -> int:
    """Continue one event later: SimPy has an event for the last sub-agent's end, and one more for that of all."""
    agent.state = states.TEAM_RETURNS
    at_once(site, run, own_slot(agent), scheduling.AT_ONCE)
    return states.WAITS


@internal
def team_returns(site: Site, run: Record, agent: Record) -> int:
    """Take what the sub-agents return into the agent's context."""
    step = site.steps[agent.step]
    for place in range(agent.team):
        stream = sub_agent_of(site, run, agent, place).stream
        agent.context[HELD] += draw_returned(
            site.rows, site.table, step.returns, stream, step.work[PURPOSE], 0
        )
    return states.STEP_DONE


@internal
def break_up_team(site: Site, run: Record, agent: Record) -> None:
    """Interrupt the sub-agents, because their agent is interrupted."""
    agent.team_is_broken_up = 1
    for place in range(agent.team):
        caller = sub_agent_of(site, run, agent, place)
        if caller.is_alive:
            at_once(site, run, scheduling.SLOTS * caller.number + scheduling.INTERRUPTION, scheduling.URGENT)


@internal
def interrupt_sub_agent(site: Site, run: Record, caller: Record) -> None:
    """Abort what a sub-agent does."""
    cancel(site, run, own_slot(caller))
    if states.CALLS <= caller.state < states.THINKS:
        break_off_call(site, run, caller)
    elif caller.state == states.TOOL_DONE:
        record_spent(site, run, caller, records.TOOL, records.CUT)
    caller.is_alive = 0
