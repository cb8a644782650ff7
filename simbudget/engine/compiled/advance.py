"""Dispatch: which function handles each state of an agent, and how crashes and the horizon interrupt it."""

from typing import Final

from simbudget.compilation import internal
from simbudget.engine.compiled import records, scheduling, states
from simbudget.engine.compiled.accounts import pause_costs
from simbudget.engine.compiled.calls import (
    answered,
    at_head_of_line,
    at_plan,
    attempt_failed,
    break_off_call,
    calls,
    end_own_terms,
    leaves_line,
    let_through,
    tries,
    tries_in_turn,
    waits_for_limits,
)
from simbudget.engine.compiled.delegates import (
    break_up_team,
    delegates,
    sub_agent_starts,
    team_has_ended,
    team_returns,
)
from simbudget.engine.compiled.experiments import (
    awaits_jobs,
    break_off_job,
    experiments_in_turn,
    interrupt_jobs,
    job_of,
    jobs_ended,
    next_poll,
    poll_answered,
    poll_due,
)
from simbudget.engine.compiled.judging import (
    ends_review,
    joins_reviewers,
    judges,
    review_answered,
    review_is_over,
    reviews,
)
from simbudget.engine.compiled.life import (
    asks_again,
    begins_cycle,
    cycle_done,
    ends,
    ends_attempt,
    is_gone,
    lives,
    takes_task,
)
from simbudget.engine.compiled.scheduling import at_once, cancel, own_slot
from simbudget.engine.compiled.states import asks, record_spent, spends
from simbudget.engine.compiled.steps import (
    at_scorer,
    breaks_off_scoring,
    goes_on_working,
    judged,
    leaves_scorers_line,
    post_answered,
    posts,
    posts_read,
    scored,
    scores,
    scoring_done,
    shares_in_turn,
    stretch_done,
    submits,
    submits_in_turn,
    thinks,
    tool_done,
    turn_answered,
    turns,
    works,
    works_until_closing,
)
from simbudget.engine.compiled.tables import Record, Site


@internal
def advance(site: Site, run: Record, agent: Record, state: int) -> None:
    """Run an agent from a state until it waits or has ended.

    Args:
        site: the arrays of the run.
        run: the run's record.
        agent: the agent's record.
        state: the state, one of `states`.
    """
    while state != states.WAITS:
        # The most frequent states come first: calls, turns and tools are most of what happens.
        if state < states.THINKS:
            state = (
                _goes_on_in_call(site, run, agent, state)
                if state >= states.CALLS
                else lives(site, run, agent, state)
            )
        elif state == states.TURNS:
            state = turns(site, run, agent)
        elif state == states.TURN_ANSWERED:
            state = turn_answered(site, run, agent)
        elif state == states.TOOL_DONE:
            state = tool_done(site, run, agent)
        elif state >= states.GONE:
            state = _goes_on_beside(site, run, agent, state)
        elif state >= states.TAKES_TASK:
            state = _goes_on_to_task(site, run, agent, state)
        elif state >= states.SUB_AGENT_STARTS:
            state = _goes_on_in_delegation(site, run, agent, state)
        elif state >= states.EXPERIMENTS:
            state = _goes_on_in_experiment(site, run, agent, state)
        else:
            state = _goes_on_in_step(site, run, agent, state)


@internal
def _goes_on_in_call(site: Site, run: Record, agent: Record, state: int) -> int:
    """Go through the stages of a call; return the first state that is none of them."""
    while True:
        if state == states.CALLS:
            state = calls(site, run, agent)
        elif state == states.TRIES:
            state = tries(site, run, agent)
        elif state == states.TRIES_IN_TURN:
            state = tries_in_turn(site, run, agent)
        elif state == states.LET_THROUGH:
            state = let_through(site, run, agent)
        elif state == states.ANSWERED:
            state = answered(site, run, agent, records.OK)
        elif state == states.WAITS_FOR_LIMITS:
            state = waits_for_limits(site, run, agent)
        elif state == states.AT_PLAN:
            state = at_plan(site, run, agent)
        elif state == states.AT_HEAD_OF_LINE:
            state = at_head_of_line(site, run, agent)
        elif state == states.LEAVES_LINE:
            state = leaves_line(site, run, agent)
        elif state == states.ATTEMPT_FAILED:
            state = attempt_failed(site, run, agent)
        else:
            return state


@internal
def _goes_on_to_task(site: Site, run: Record, agent: Record, state: int) -> int:
    if state == states.TAKES_TASK:
        return asks(site, run, agent, states.TAKES_TASK_IN_TURN)
    if state == states.TAKES_TASK_IN_TURN:
        return takes_task(site, run, agent)
    if state == states.WAITS_FOR_TASK:
        return asks_again(site, run, agent)
    if state == states.CYCLE_BREAKS_OFF:
        return cycle_done(site, run, agent, is_whole=False)
    return begins_cycle(site, run, agent)


@internal
def _goes_on_beside(site: Site, run: Record, caller: Record, state: int) -> int:  # noqa: PLR0911  one line a state
    """Go on with what judges and reviewers do, or with the end of an agent."""
    if state == states.JUDGES:
        return judges(site, run, caller)
    if state == states.JUDGED:
        return judged(site, run, caller)
    if state == states.ASKED_FOR_REVIEW:
        return joins_reviewers(site, run, caller)
    if state == states.AT_REVIEWERS:
        return reviews(site, run, caller)
    if state == states.REVIEW_ANSWERED:
        return review_answered(site, run, caller)
    if state == states.REVIEW_NOTED:
        return ends_review(site, run, caller)
    return review_is_over(site, run, caller) if state == states.REVIEW_OVER else is_gone(site, run)


@internal
def _goes_on_in_delegation(site: Site, run: Record, agent: Record, state: int) -> int:
    if state == states.SUB_AGENT_STARTS:
        return sub_agent_starts(site, run, agent)
    if state == states.DELEGATES:
        return delegates(site, run, agent)
    if state == states.IN_DELEGATION:
        return team_has_ended(site, run, agent)
    return team_returns(site, run, agent)


@internal
def _goes_on_in_experiment(site: Site, run: Record, agent: Record, state: int) -> int:  # noqa: PLR0911  one line a state
    if state == states.EXPERIMENTS:
        return asks(site, run, agent, states.EXPERIMENTS_IN_TURN)
    if state == states.EXPERIMENTS_IN_TURN:
        return experiments_in_turn(site, run, agent)
    if state == states.NEXT_POLL:
        return next_poll(site, run, agent)
    if state == states.POLL_DUE:
        return poll_due(site, run, agent)
    if state == states.POLL_ANSWERED:
        return poll_answered(agent)
    if state == states.AWAITS_JOBS:
        return awaits_jobs(agent)
    return jobs_ended(site, agent)


@internal
def _goes_on_in_step(site: Site, run: Record, agent: Record, state: int) -> int:  # noqa: PLR0911, PLR0912  one a state
    if state == states.THINKS:
        return thinks(site, run, agent)
    if state == states.WORKS:
        return works(site, run, agent)
    if state == states.GOES_ON_WORKING:
        return goes_on_working(site, run, agent)
    if state == states.OFFICE_OPENS_FOR_WORK:
        record_spent(site, run, agent, records.WAIT, records.OK)
        return works_until_closing(site, run, agent)
    if state == states.STRETCH_DONE:
        return stretch_done(site, run, agent)
    if state == states.SCORES:
        return scores(site, agent)
    if state == states.SUBMITS:
        return submits(site, run, agent)
    if state == states.ALLOWED_TO_SUBMIT:
        record_spent(site, run, agent, records.WAIT, records.OK)
        return asks(site, run, agent, states.SUBMITS_IN_TURN)
    if state == states.SUBMITS_IN_TURN:
        return submits_in_turn(site, run, agent)
    if state == states.AT_SCORER:
        return at_scorer(site, run, agent)
    if state == states.SCORED:
        return scoring_done(site, run, agent)
    if state == states.SCORE_KNOWN:
        return scored(site, run, agent, records.OK)
    if state == states.SHARES:
        return asks(site, run, agent, states.SHARES_IN_TURN)
    if state == states.SHARES_IN_TURN:
        return shares_in_turn(site, run, agent)
    if state == states.POSTS_READ:
        return posts_read(site, run, agent)
    if state == states.POST_KNOWN:
        return posts(site, run, agent)
    return post_answered(site, run, agent)


@internal
def note_jobs_over(site: Site, run: Record, agent: Record) -> None:
    """Wake an agent whose jobs have ended, or as many of them as it waits for."""
    agent.jobs_over_is_known = 1
    slot = own_slot(agent)
    if agent.waits_for_poll:
        agent.waits_for_poll = 0
        cancel(site, run, slot)
        at_once(site, run, slot, scheduling.AT_ONCE)
    elif agent.waits_for_job:
        agent.waits_for_job = 0
        advance(site, run, agent, states.JOBS_ENDED)


BY_CRASH: Final = 1
BY_HORIZON: Final = 2


@internal
def interrupt(site: Site, run: Record, agent: Record) -> None:
    """Abort what the agent does, to restart after a crash or to end at the horizon."""
    cancel(site, run, own_slot(agent))
    _break_off(site, run, agent)
    # A step's own client and context end with it, however it ends.
    end_own_terms(site, agent)
    if agent.interrupted_by == BY_HORIZON:
        if agent.has_lived:
            ends(site, run, agent)
        else:  # the run was stopped before its start
            agent.is_alive = 0
            agent.state = states.GONE
            at_once(site, run, own_slot(agent), scheduling.AT_ONCE)
        return
    ends_attempt(site, run, agent, False)
    pause_costs(site, run, agent)
    spends(site, run, agent, records.IS_DOWN, agent.restart_ns, states.RESTARTS)


@internal
def _break_off(site: Site, run: Record, agent: Record) -> None:
    state = agent.state
    if state in (states.IN_DELEGATION, states.TEAM_RETURNS):
        break_up_team(site, run, agent)
        return
    if state == states.IN_EXPERIMENT:
        break_off_job(site, run, agent, job_of(site, run, agent, 0))
        return
    if state == states.WAITS_FOR_TASK:
        agent.waits_for_task = 0
        record_spent(site, run, agent, records.WAIT, records.CUT)
    elif state in (states.OFFICE_OPENS, states.RESTARTS):
        record_spent(
            site, run, agent, records.DOWN if state == states.RESTARTS else records.WAIT, records.CUT
        )
    elif states.CALLS <= state < states.THINKS:
        break_off_call(site, run, agent)
        if agent.is_judged:
            breaks_off_scoring(site, run, agent)
    elif states.THINKS <= state < states.EXPERIMENTS:
        break_off_step(site, run, agent)
    # Jobs beside the agent end with what it does, and after it.
    if agent.polls_now or state in (states.POLL_DUE, states.JOBS_ENDED):
        agent.polls_now = agent.waits_for_poll = agent.waits_for_job = 0
        interrupt_jobs(site, run, agent)


@internal
def break_off_step(site: Site, run: Record, agent: Record) -> None:
    """Leave what the agent does in a step, other than a call or an experiment, because it is interrupted."""
    if agent.state in (states.TOOL_DONE, states.STRETCH_DONE):
        record_spent(site, run, agent, records.TOOL, records.CUT)
    elif agent.state in (states.OFFICE_OPENS_FOR_WORK, states.ALLOWED_TO_SUBMIT):
        record_spent(site, run, agent, records.WAIT, records.CUT)
    elif agent.state == states.AT_SCORER:
        leaves_scorers_line(site, run, agent)
    elif agent.state == states.SCORED:
        scored(site, run, agent, records.CUT)
