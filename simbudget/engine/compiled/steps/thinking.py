"""Thinking: turn after turn, a call and work with tools."""

from typing import Final

from simbudget.compilation import internal
from simbudget.engine.compiled.calls import wants_call
from simbudget.engine.compiled.contexts import (
    HELD,
    begin_own_terms,
    context_is_used,
    end_own_terms,
    open_context,
)
from simbudget.engine.compiled.entries import (
    CALL,
    OK,
    TOOL,
)
from simbudget.engine.compiled.points import (
    CALLS,
    ENDS,
    STEP_DONE,
    TOOL_DONE,
    TURNS,
)
from simbudget.engine.compiled.state import Record, Site
from simbudget.engine.compiled.steps.common import (
    record_spent,
    spends,
)
from simbudget.engine.compiled.timesheet import TOOL as USES_TOOL
from simbudget.engine.laws.calls import draw_returned, draw_turn, opened_result
from simbudget.engine.laws.work import draw_turns
from simbudget.engine.program import NONE, Lasts

_THINK: Final = int(Lasts.THINK)


@internal
def thinks(site: Site, run: Record, agent: Record) -> int:
    """Begin the turns of the step."""
    step = site.steps[agent.step]
    is_own = step.context != NONE
    if not is_own and site.contexts[agent.context_row].lasts == _THINK and context_is_used(agent):
        open_context(site, run, agent)
    agent.turns_left = draw_turns(site.rows, site.table, step.cells, agent.stream, agent.cycle)
    if is_own or step.client != NONE or step.turn != NONE:
        begin_own_terms(site, run, agent)
    return TURNS


@internal
def turns(site: Site, run: Record, agent: Record) -> int:
    """Begin the next turn with a call."""
    if agent.turns_left == 0:
        return ENDS if agent.sub_agent else _thought(site, agent)
    agent.turns_left -= 1
    draws = site.turns[agent.turn_row].draws
    output, thinking, tool_result, tool_ns = draw_turn(
        site.rows, site.table, draws, agent.stream, agent.turns, agent.context_number
    )
    agent.turns += 1
    agent.tool_ns = tool_ns
    agent.tool_result_tokens = tool_result
    wants_call(site, agent, CALL, output, thinking)
    return CALLS


@internal
def _thought(site: Site, agent: Record) -> int:
    """Go back to the group's context, if the step had its own, with what it returns."""
    step = site.steps[agent.step]
    if step.context != NONE or step.client != NONE or step.turn != NONE:
        end_own_terms(site, agent)
        agent.context[HELD] += draw_returned(
            site.rows, site.table, step.returns, agent.stream, step.cells[0], agent.cycle
        )
    return STEP_DONE


@internal
def _takes_in(site: Site, agent: Record) -> None:
    turn = site.turns[agent.turn_row]
    agent.context[HELD] += opened_result(
        site.rows, turn.opening_times, turn.opening_turns, agent.tool_result_tokens, agent.context_results
    )
    agent.context_results += 1


@internal
def turn_answered(site: Site, run: Record, agent: Record) -> int:
    """Work with tools on what the call said."""
    if agent.tool_ns:
        return spends(site, run, agent, USES_TOOL, agent.tool_ns, TOOL_DONE)
    _takes_in(site, agent)
    return TURNS


@internal
def tool_done(site: Site, run: Record, agent: Record) -> int:
    """Take the tools' results into the context."""
    record_spent(site, run, agent, TOOL, OK)
    _takes_in(site, agent)
    return TURNS
