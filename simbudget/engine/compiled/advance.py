"""From point to point: what an agent does next, until it waits or its life is over."""

from simbudget.compilation import internal
from simbudget.engine.compiled.calls import (
    answered,
    at_head_of_line,
    at_plan,
    attempt_failed,
    calls,
    leaves_line,
    let_through,
    tries,
    tries_in_turn,
    waits_for_limits,
)
from simbudget.engine.compiled.entries import OK, WAIT
from simbudget.engine.compiled.events import (
    AT_ONCE,
    ITSELF,
    SLOTS,
    at_once,
    cancel,
)
from simbudget.engine.compiled.life import begins_cycle, cycle_done, is_gone, lives
from simbudget.engine.compiled.points import (
    ALLOWED_TO_SUBMIT,
    ANSWERED,
    ASKED_FOR_REVIEW,
    AT_HEAD_OF_LINE,
    AT_PLAN,
    AT_REVIEWERS,
    AT_SCORER,
    ATTEMPT_FAILED,
    AWAITS_JOBS,
    CALLS,
    CYCLE_BREAKS_OFF,
    DELEGATES,
    EXPERIMENTS,
    EXPERIMENTS_IN_TURN,
    GOES_ON_WORKING,
    GONE,
    IN_DELEGATION,
    JOBS_ENDED,
    JUDGED,
    JUDGES,
    LEAVES_LINE,
    LET_THROUGH,
    NEXT_POLL,
    OFFICE_OPENS_FOR_WORK,
    POLL_ANSWERED,
    POLL_DUE,
    POST_KNOWN,
    POSTS_READ,
    REVIEW_ANSWERED,
    REVIEW_NOTED,
    REVIEW_OVER,
    SCORE_KNOWN,
    SCORED,
    SCORES,
    SHARES,
    SHARES_IN_TURN,
    STRETCH_DONE,
    SUB_AGENT_STARTS,
    SUBMITS,
    SUBMITS_IN_TURN,
    TAKES_TASK,
    TAKES_TASK_IN_TURN,
    THINKS,
    TOOL_DONE,
    TRIES,
    TRIES_IN_TURN,
    TURN_ANSWERED,
    TURNS,
    WAITS,
    WAITS_FOR_LIMITS,
    WAITS_FOR_TASK,
    WORKS,
)
from simbudget.engine.compiled.reviewing import (
    ends_review,
    joins_reviewers,
    review_answered,
    review_is_over,
    reviews,
)
from simbudget.engine.compiled.state import Record, Site
from simbudget.engine.compiled.steps.common import asks, record_spent
from simbudget.engine.compiled.steps.delegating import (
    delegates,
    sub_agent_starts,
    team_has_ended,
    team_is_told,
)
from simbudget.engine.compiled.steps.experimenting import (
    awaits_jobs,
    experiments_in_turn,
    jobs_ended,
    next_poll,
    poll_answered,
    poll_due,
)
from simbudget.engine.compiled.steps.judging import judges
from simbudget.engine.compiled.steps.scoring import (
    at_scorer,
    judged,
    scored,
    scores,
    scoring_done,
    submits,
    submits_in_turn,
)
from simbudget.engine.compiled.steps.sharing import post_answered, posts, posts_read, shares_in_turn
from simbudget.engine.compiled.steps.thinking import thinks, tool_done, turn_answered, turns
from simbudget.engine.compiled.steps.working import goes_on_working, stretch_done, works, works_until_closing
from simbudget.engine.compiled.tasks import asks_again, takes_task


@internal
def advance(site: Site, run: Record, agent: Record, point: int) -> None:
    """Let an agent go on from a point until it waits or its life is over."""
    while point != WAITS:
        if point < THINKS:
            point = (
                _goes_on_in_call(site, run, agent, point)
                if point >= CALLS
                else lives(site, run, agent, point)
            )
        elif point == TURNS:
            point = turns(site, run, agent)
        elif point == TURN_ANSWERED:
            point = turn_answered(site, run, agent)
        elif point == TOOL_DONE:
            point = tool_done(site, run, agent)
        elif point >= GONE:
            point = _goes_on_beside(site, run, agent, point)
        elif point >= TAKES_TASK:
            point = _goes_on_to_task(site, run, agent, point)
        elif point >= SUB_AGENT_STARTS:
            point = _goes_on_in_delegation(site, run, agent, point)
        elif point >= EXPERIMENTS:
            point = _goes_on_in_experiment(site, run, agent, point)
        else:
            point = _goes_on_in_step(site, run, agent, point)


@internal
def _goes_on_in_call(site: Site, run: Record, agent: Record, point: int) -> int:
    """Go through the stages of a call; return the first point that is none of them."""
    while True:
        if point == CALLS:
            point = calls(site, run, agent)
        elif point == TRIES:
            point = tries(site, run, agent)
        elif point == TRIES_IN_TURN:
            point = tries_in_turn(site, run, agent)
        elif point == LET_THROUGH:
            point = let_through(site, run, agent)
        elif point == ANSWERED:
            point = answered(site, run, agent, OK)
        elif point == WAITS_FOR_LIMITS:
            point = waits_for_limits(site, run, agent)
        elif point == AT_PLAN:
            point = at_plan(site, run, agent)
        elif point == AT_HEAD_OF_LINE:
            point = at_head_of_line(site, run, agent)
        elif point == LEAVES_LINE:
            point = leaves_line(site, run, agent)
        elif point == ATTEMPT_FAILED:
            point = attempt_failed(site, run, agent)
        else:
            return point


@internal
def _goes_on_to_task(site: Site, run: Record, agent: Record, point: int) -> int:
    if point == TAKES_TASK:
        return asks(site, run, agent, TAKES_TASK_IN_TURN)
    if point == TAKES_TASK_IN_TURN:
        return takes_task(site, run, agent)
    if point == WAITS_FOR_TASK:
        return asks_again(site, run, agent)
    if point == CYCLE_BREAKS_OFF:
        return cycle_done(site, run, agent, is_whole=False)
    return begins_cycle(site, run, agent)


@internal
def _goes_on_beside(site: Site, run: Record, caller: Record, point: int) -> int:  # noqa: PLR0911  one line a point
    """Go on with what judges and reviewers do, or with the end of an agent."""
    if point == JUDGES:
        return judges(site, run, caller)
    if point == JUDGED:
        return judged(site, run, caller)
    if point == ASKED_FOR_REVIEW:
        return joins_reviewers(site, run, caller)
    if point == AT_REVIEWERS:
        return reviews(site, run, caller)
    if point == REVIEW_ANSWERED:
        return review_answered(site, run, caller)
    if point == REVIEW_NOTED:
        return ends_review(site, run, caller)
    return review_is_over(site, run, caller) if point == REVIEW_OVER else is_gone(site, run)


@internal
def _goes_on_in_delegation(site: Site, run: Record, agent: Record, point: int) -> int:
    if point == SUB_AGENT_STARTS:
        return sub_agent_starts(site, run, agent)
    if point == DELEGATES:
        return delegates(site, run, agent)
    if point == IN_DELEGATION:
        return team_has_ended(site, run, agent)
    return team_is_told(site, run, agent)


@internal
def _goes_on_in_experiment(site: Site, run: Record, agent: Record, point: int) -> int:  # noqa: PLR0911  one line a point
    if point == EXPERIMENTS:
        return asks(site, run, agent, EXPERIMENTS_IN_TURN)
    if point == EXPERIMENTS_IN_TURN:
        return experiments_in_turn(site, run, agent)
    if point == NEXT_POLL:
        return next_poll(site, run, agent)
    if point == POLL_DUE:
        return poll_due(site, run, agent)
    if point == POLL_ANSWERED:
        return poll_answered(agent)
    if point == AWAITS_JOBS:
        return awaits_jobs(agent)
    return jobs_ended(site, agent)


@internal
def _goes_on_in_step(site: Site, run: Record, agent: Record, point: int) -> int:  # noqa: PLR0911, PLR0912  one a point
    if point == THINKS:
        return thinks(site, run, agent)
    if point == WORKS:
        return works(site, run, agent)
    if point == GOES_ON_WORKING:
        return goes_on_working(site, run, agent)
    if point == OFFICE_OPENS_FOR_WORK:
        record_spent(site, run, agent, WAIT, OK)
        return works_until_closing(site, run, agent)
    if point == STRETCH_DONE:
        return stretch_done(site, run, agent)
    if point == SCORES:
        return scores(site, agent)
    if point == SUBMITS:
        return submits(site, run, agent)
    if point == ALLOWED_TO_SUBMIT:
        record_spent(site, run, agent, WAIT, OK)
        return asks(site, run, agent, SUBMITS_IN_TURN)
    if point == SUBMITS_IN_TURN:
        return submits_in_turn(site, run, agent)
    if point == AT_SCORER:
        return at_scorer(site, run, agent)
    if point == SCORED:
        return scoring_done(site, run, agent)
    if point == SCORE_KNOWN:
        return scored(site, run, agent, OK)
    if point == SHARES:
        return asks(site, run, agent, SHARES_IN_TURN)
    if point == SHARES_IN_TURN:
        return shares_in_turn(site, run, agent)
    if point == POSTS_READ:
        return posts_read(site, run, agent)
    if point == POST_KNOWN:
        return posts(site, run, agent)
    return post_answered(site, run, agent)


@internal
def jobs_tell(site: Site, run: Record, agent: Record) -> None:
    """Let the agent know that the jobs beside it have ended, or as many as it waits for."""
    agent.jobs_are_told = 1
    slot = SLOTS * agent.number + ITSELF
    if agent.waits_for_poll:
        agent.waits_for_poll = 0
        cancel(site, run, slot)
        at_once(site, run, slot, AT_ONCE)
    elif agent.waits_for_job:
        agent.waits_for_job = 0
        advance(site, run, agent, JOBS_ENDED)
