"""From point to point: what an agent does next, and how whatever it does is broken off at a crash or the horizon."""

from typing import Final

from simbudget.compilation import internal
from simbudget.engine.compiled import points, records, scheduling
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
    team_is_told,
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
from simbudget.engine.compiled.points import asks, record_spent, spends
from simbudget.engine.compiled.scheduling import at_once, cancel
from simbudget.engine.compiled.state import Record, Site
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


@internal
def advance(site: Site, run: Record, agent: Record, point: int) -> None:
    """Let an agent go on from a point until it waits or its life is over.

    Args:
        site: the arrays of the run.
        run: the run's record.
        agent: the agent's record.
        point: the point, one of `points`.
    """
    while point != points.WAITS:
        # The most frequent points come first: calls, turns and tools are most of what happens.
        if point < points.THINKS:
            point = (
                _goes_on_in_call(site, run, agent, point)
                if point >= points.CALLS
                else lives(site, run, agent, point)
            )
        elif point == points.TURNS:
            point = turns(site, run, agent)
        elif point == points.TURN_ANSWERED:
            point = turn_answered(site, run, agent)
        elif point == points.TOOL_DONE:
            point = tool_done(site, run, agent)
        elif point >= points.GONE:
            point = _goes_on_beside(site, run, agent, point)
        elif point >= points.TAKES_TASK:
            point = _goes_on_to_task(site, run, agent, point)
        elif point >= points.SUB_AGENT_STARTS:
            point = _goes_on_in_delegation(site, run, agent, point)
        elif point >= points.EXPERIMENTS:
            point = _goes_on_in_experiment(site, run, agent, point)
        else:
            point = _goes_on_in_step(site, run, agent, point)


@internal
def _goes_on_in_call(site: Site, run: Record, agent: Record, point: int) -> int:
    """Go through the stages of a call; return the first point that is none of them."""
    while True:
        if point == points.CALLS:
            point = calls(site, run, agent)
        elif point == points.TRIES:
            point = tries(site, run, agent)
        elif point == points.TRIES_IN_TURN:
            point = tries_in_turn(site, run, agent)
        elif point == points.LET_THROUGH:
            point = let_through(site, run, agent)
        elif point == points.ANSWERED:
            point = answered(site, run, agent, records.OK)
        elif point == points.WAITS_FOR_LIMITS:
            point = waits_for_limits(site, run, agent)
        elif point == points.AT_PLAN:
            point = at_plan(site, run, agent)
        elif point == points.AT_HEAD_OF_LINE:
            point = at_head_of_line(site, run, agent)
        elif point == points.LEAVES_LINE:
            point = leaves_line(site, run, agent)
        elif point == points.ATTEMPT_FAILED:
            point = attempt_failed(site, run, agent)
        else:
            return point


@internal
def _goes_on_to_task(site: Site, run: Record, agent: Record, point: int) -> int:
    if point == points.TAKES_TASK:
        return asks(site, run, agent, points.TAKES_TASK_IN_TURN)
    if point == points.TAKES_TASK_IN_TURN:
        return takes_task(site, run, agent)
    if point == points.WAITS_FOR_TASK:
        return asks_again(site, run, agent)
    if point == points.CYCLE_BREAKS_OFF:
        return cycle_done(site, run, agent, is_whole=False)
    return begins_cycle(site, run, agent)


@internal
def _goes_on_beside(site: Site, run: Record, caller: Record, point: int) -> int:  # noqa: PLR0911  one line a point
    """Go on with what judges and reviewers do, or with the end of an agent."""
    if point == points.JUDGES:
        return judges(site, run, caller)
    if point == points.JUDGED:
        return judged(site, run, caller)
    if point == points.ASKED_FOR_REVIEW:
        return joins_reviewers(site, run, caller)
    if point == points.AT_REVIEWERS:
        return reviews(site, run, caller)
    if point == points.REVIEW_ANSWERED:
        return review_answered(site, run, caller)
    if point == points.REVIEW_NOTED:
        return ends_review(site, run, caller)
    return review_is_over(site, run, caller) if point == points.REVIEW_OVER else is_gone(site, run)


@internal
def _goes_on_in_delegation(site: Site, run: Record, agent: Record, point: int) -> int:
    if point == points.SUB_AGENT_STARTS:
        return sub_agent_starts(site, run, agent)
    if point == points.DELEGATES:
        return delegates(site, run, agent)
    if point == points.IN_DELEGATION:
        return team_has_ended(site, run, agent)
    return team_is_told(site, run, agent)


@internal
def _goes_on_in_experiment(site: Site, run: Record, agent: Record, point: int) -> int:  # noqa: PLR0911  one line a point
    if point == points.EXPERIMENTS:
        return asks(site, run, agent, points.EXPERIMENTS_IN_TURN)
    if point == points.EXPERIMENTS_IN_TURN:
        return experiments_in_turn(site, run, agent)
    if point == points.NEXT_POLL:
        return next_poll(site, run, agent)
    if point == points.POLL_DUE:
        return poll_due(site, run, agent)
    if point == points.POLL_ANSWERED:
        return poll_answered(agent)
    if point == points.AWAITS_JOBS:
        return awaits_jobs(agent)
    return jobs_ended(site, agent)


@internal
def _goes_on_in_step(site: Site, run: Record, agent: Record, point: int) -> int:  # noqa: PLR0911, PLR0912  one a point
    if point == points.THINKS:
        return thinks(site, run, agent)
    if point == points.WORKS:
        return works(site, run, agent)
    if point == points.GOES_ON_WORKING:
        return goes_on_working(site, run, agent)
    if point == points.OFFICE_OPENS_FOR_WORK:
        record_spent(site, run, agent, records.WAIT, records.OK)
        return works_until_closing(site, run, agent)
    if point == points.STRETCH_DONE:
        return stretch_done(site, run, agent)
    if point == points.SCORES:
        return scores(site, agent)
    if point == points.SUBMITS:
        return submits(site, run, agent)
    if point == points.ALLOWED_TO_SUBMIT:
        record_spent(site, run, agent, records.WAIT, records.OK)
        return asks(site, run, agent, points.SUBMITS_IN_TURN)
    if point == points.SUBMITS_IN_TURN:
        return submits_in_turn(site, run, agent)
    if point == points.AT_SCORER:
        return at_scorer(site, run, agent)
    if point == points.SCORED:
        return scoring_done(site, run, agent)
    if point == points.SCORE_KNOWN:
        return scored(site, run, agent, records.OK)
    if point == points.SHARES:
        return asks(site, run, agent, points.SHARES_IN_TURN)
    if point == points.SHARES_IN_TURN:
        return shares_in_turn(site, run, agent)
    if point == points.POSTS_READ:
        return posts_read(site, run, agent)
    if point == points.POST_KNOWN:
        return posts(site, run, agent)
    return post_answered(site, run, agent)


@internal
def jobs_tell(site: Site, run: Record, agent: Record) -> None:
    """Let the agent know that the jobs beside it have ended, or as many as it waits for."""
    agent.jobs_are_told = 1
    slot = scheduling.SLOTS * agent.number + scheduling.ITSELF
    if agent.waits_for_poll:
        agent.waits_for_poll = 0
        cancel(site, run, slot)
        at_once(site, run, slot, scheduling.AT_ONCE)
    elif agent.waits_for_job:
        agent.waits_for_job = 0
        advance(site, run, agent, points.JOBS_ENDED)


BY_CRASH: Final = 1
BY_HORIZON: Final = 2


@internal
def interrupt(site: Site, run: Record, agent: Record) -> None:
    """Break off whatever the agent does: to restart after a crash, or to end at the horizon."""
    cancel(site, run, scheduling.SLOTS * agent.number + scheduling.ITSELF)
    _break_off(site, run, agent)
    # A step's own client and context end with it, however it ends.
    end_own_terms(site, agent)
    if agent.interrupted_by == BY_HORIZON:
        if agent.has_lived:
            ends(site, run, agent)
        else:  # the run was stopped before its start
            agent.is_alive = 0
            agent.point = points.GONE
            at_once(site, run, scheduling.SLOTS * agent.number + scheduling.ITSELF, scheduling.AT_ONCE)
        return
    ends_attempt(site, run, agent, False)
    pause_costs(site, run, agent)
    spends(site, run, agent, records.IS_DOWN, agent.restart_ns, points.RESTARTS)


@internal
def _break_off(site: Site, run: Record, agent: Record) -> None:
    point = agent.point
    if point in (points.IN_DELEGATION, points.TEAM_TOLD):
        break_up_team(site, run, agent)
        return
    if point == points.IN_EXPERIMENT:
        break_off_job(site, run, agent, job_of(site, run, agent, 0))
        return
    if point == points.WAITS_FOR_TASK:
        agent.waits_for_task = 0
        record_spent(site, run, agent, records.WAIT, records.CUT)
    elif point in (points.OFFICE_OPENS, points.RESTARTS):
        record_spent(
            site, run, agent, records.DOWN if point == points.RESTARTS else records.WAIT, records.CUT
        )
    elif points.CALLS <= point < points.THINKS:
        break_off_call(site, run, agent)
        if agent.is_judged:
            breaks_off_scoring(site, run, agent)
    elif points.THINKS <= point < points.EXPERIMENTS:
        break_off_step(site, run, agent)
    # Jobs beside the agent end with what it does, and after it.
    if agent.polls_now or point in (points.POLL_DUE, points.JOBS_ENDED):
        agent.polls_now = agent.waits_for_poll = agent.waits_for_job = 0
        interrupt_jobs(site, run, agent)


@internal
def break_off_step(site: Site, run: Record, agent: Record) -> None:
    """Leave what the agent does in a step, other than a call or an experiment, because it is interrupted."""
    if agent.point in (points.TOOL_DONE, points.STRETCH_DONE):
        record_spent(site, run, agent, records.TOOL, records.CUT)
    elif agent.point in (points.OFFICE_OPENS_FOR_WORK, points.ALLOWED_TO_SUBMIT):
        record_spent(site, run, agent, records.WAIT, records.CUT)
    elif agent.point == points.AT_SCORER:
        leaves_scorers_line(site, run, agent)
    elif agent.point == points.SCORED:
        scored(site, run, agent, records.CUT)
