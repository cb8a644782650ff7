"""The other steps of a cycle: thinking, people's work, sharing in the forum, and submitting; see `reference.agent`."""

from typing import Final

from simbudget.compilation import internal
from simbudget.engine.compiled import records, states
from simbudget.engine.compiled.accounts import may_not_start, pay
from simbudget.engine.compiled.calls import (
    HELD,
    begin_own_terms,
    context_is_used,
    end_own_terms,
    open_context,
    wants_call,
)
from simbudget.engine.compiled.judging import begin_judging, end_judging
from simbudget.engine.compiled.records import add_agent_entry, does
from simbudget.engine.compiled.scheduling import ask, leave, place_before_server
from simbudget.engine.compiled.states import asks, asks_board, record_spent, spends, waits_for_office
from simbudget.engine.compiled.tables import Record, Site
from simbudget.engine.laws.accounts import SCORER, SPENT_USD
from simbudget.engine.laws.calls import draw_post, draw_returned, draw_turn, opened_result
from simbudget.engine.laws.hours import closes_ns
from simbudget.engine.laws.work import DAY_NS, PURPOSE, draw_scoring_ns, draw_turns, draw_work_ns
from simbudget.engine.program import NONE, Lasts

_THINK: Final = int(Lasts.THINK)


@internal
def thinks(site: Site, run: Record, agent: Record) -> int:
    """Begin the turns of the step."""
    step = site.steps[agent.step]
    is_own = step.context != NONE
    # An empty context need not be opened again: its first prompt has not been sent.
    if not is_own and site.contexts[agent.context_row].lasts == _THINK and context_is_used(agent):
        open_context(site, run, agent)
    agent.turns_left = draw_turns(site.rows, site.table, step.work, agent.stream, agent.cycle)
    if is_own or step.client != NONE or step.turn != NONE:
        begin_own_terms(site, run, agent)
    return states.TURNS


@internal
def turns(site: Site, run: Record, agent: Record) -> int:
    """Begin the next turn with a call."""
    if agent.turns_left == 0:
        return states.ENDS if agent.sub_agent else _thought(site, agent)
    agent.turns_left -= 1
    parts = site.turns[agent.turn_row].parts
    output, thinking, tool_result, tool_ns = draw_turn(
        site.rows, site.table, parts, agent.stream, agent.turns, agent.context_number
    )
    agent.turns += 1
    agent.tool_ns = tool_ns
    agent.tool_result_tokens = tool_result
    wants_call(site, agent, records.CALL, output, thinking)
    return states.CALLS


@internal
def _thought(site: Site, agent: Record) -> int:
    """Go back to the group's context, if the step had its own, with what it returns."""
    step = site.steps[agent.step]
    if step.context != NONE or step.client != NONE or step.turn != NONE:
        end_own_terms(site, agent)
        agent.context[HELD] += draw_returned(
            site.rows, site.table, step.returns, agent.stream, step.work[PURPOSE], agent.cycle
        )
    return states.STEP_DONE


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
        return spends(site, run, agent, records.USES_TOOL, agent.tool_ns, states.TOOL_DONE)
    _takes_in(site, agent)
    return states.TURNS


@internal
def tool_done(site: Site, run: Record, agent: Record) -> int:
    """Take the tools' results into the context."""
    record_spent(site, run, agent, records.TOOL, records.OK)
    _takes_in(site, agent)
    return states.TURNS


@internal
def works(site: Site, run: Record, agent: Record) -> int:
    """Begin to work for a time, in office hours only."""
    work = site.steps[agent.step].work
    agent.work_left_ns = draw_work_ns(site.rows, site.table, work, agent.stream, agent.cycle)
    return states.BUDGET_REACHED if may_not_start(site, run, agent) else states.GOES_ON_WORKING


@internal
def goes_on_working(site: Site, run: Record, agent: Record) -> int:
    """Work until the work is done or the office closes."""
    if agent.work_left_ns <= 0:
        return states.STEP_DONE
    if waits_for_office(site, run, agent, states.OFFICE_OPENS_FOR_WORK):
        return states.WAITS
    return works_until_closing(site, run, agent)


@internal
def works_until_closing(site: Site, run: Record, agent: Record) -> int:
    """Work for one stretch of office hours at most."""
    week_ns = run.begins_ns + run.now
    until_closing_ns = closes_ns(site.groups[agent.group].hours, week_ns) - week_ns
    agent.stretch_ns = min(agent.work_left_ns, until_closing_ns)
    return spends(site, run, agent, records.USES_TOOL, agent.stretch_ns, states.STRETCH_DONE)


@internal
def stretch_done(site: Site, run: Record, agent: Record) -> int:
    """Count what is left of the work."""
    record_spent(site, run, agent, records.TOOL, records.OK)
    agent.work_left_ns -= agent.stretch_ns
    return states.GOES_ON_WORKING


@internal
def shares_in_turn(site: Site, run: Record, agent: Record) -> int:
    """Read what others have posted, and write a post."""
    if may_not_start(site, run, agent):
        return states.BUDGET_REACHED
    agent.post_tokens = draw_post(site.rows, site.table, run.post_tokens, agent.stream, agent.posts)
    agent.posts += 1
    tokens, first = _reads(site, run, agent)
    if site.groups[agent.group].is_people == 0:
        agent.context[HELD] += tokens
    if run.has_research:
        run.board_first_post = first
        return asks_board(run, agent, states.FOR_POSTS, states.POSTS_READ)
    return posts_read(site, run, agent)


@internal
def posts_read(site: Site, run: Record, agent: Record) -> int:
    """Write a post: with a call, if the agent is not one of the people."""
    if site.groups[agent.group].is_people:
        return post_answered(site, run, agent)
    wants_call(site, agent, records.POST, agent.post_tokens, 0)
    return states.CALLS


@internal
def post_answered(site: Site, run: Record, agent: Record) -> int:
    """Report the agent's own best submission in the post, if there is one."""
    if run.has_research:
        return asks_board(run, agent, states.FOR_TELLING, states.POST_KNOWN)
    return posts(site, run, agent)


@internal
def posts(site: Site, run: Record, agent: Record) -> int:
    """Publish the post."""
    site.forum[run.posts % len(site.forum)] = run.posted_tokens
    agent.own_post = run.posts
    agent.own_post_tokens = agent.post_tokens
    run.posts += 1
    run.posted_tokens += agent.post_tokens
    return states.STEP_DONE


@internal
def _reads(site: Site, run: Record, agent: Record) -> tuple[int, int]:
    """Return the tokens of the latest posts of others since the agent's last look, and the first that is read.

    Notes the look. Whoever reads has posted at most once since then, so sums of what was posted before each post are
    enough.
    """
    first, most = agent.posts_seen, run.reads_at_most
    agent.posts_seen = run.posts
    others = run.posts - first - (1 if agent.own_post >= first else 0)
    if others > most:
        first = run.posts - most
        if agent.own_post >= first:
            first -= 1
    if first == run.posts:
        return 0, first
    # The ring of sums has been overwritten: the run is played again with a longer one.
    if run.posts - first > len(site.forum):
        run.forum_is_short = 1
    own_tokens = agent.own_post_tokens if agent.own_post >= first else 0
    return run.posted_tokens - site.forum[first % len(site.forum)] - own_tokens, first


@internal
def scores(site: Site, agent: Record) -> int:
    """Begin to make submissions: one, or one for each job that ended well since the last."""
    agent.submissions_left = agent.ended_well if site.steps[agent.step].each else 1
    return states.SUBMITS if agent.submissions_left else states.STEP_DONE


@internal
def submits(site: Site, run: Record, agent: Record) -> int:
    """Wait for the end of the cool-down, and for a day whose quota is not used up."""
    allowed = run.now
    if agent.submissions:
        allowed = max(run.now, agent.submitted + run.cool_down_ns)
        day = allowed // DAY_NS
        if run.quota and agent.submitted // DAY_NS == day and agent.submissions_that_day >= run.quota:
            allowed = (day + 1) * DAY_NS
    if allowed > run.now:
        return spends(site, run, agent, records.WAITING_OTHER, allowed - run.now, states.ALLOWED_TO_SUBMIT)
    return asks(site, run, agent, states.SUBMITS_IN_TURN)


@internal
def submits_in_turn(site: Site, run: Record, agent: Record) -> int:
    """Join the scorer's line."""
    if may_not_start(site, run, agent):
        return states.BUDGET_REACHED
    is_same_day = agent.submissions > 0 and agent.submitted // DAY_NS == run.now // DAY_NS
    agent.submissions_that_day = agent.submissions_that_day + 1 if is_same_day else 1
    agent.submitted = agent.scorer_asked = run.now
    agent.submissions += 1
    agent.ended_well = 0
    does(run, agent, records.WAITING_SCORER)
    agent.state = states.AT_SCORER
    ask(site, run, place_before_server(agent), run.scorers, 1)
    return states.WAITS


@internal
def at_scorer(site: Site, run: Record, agent: Record) -> int:
    """Have the submission scored, unless the budget has been reached meanwhile."""
    if may_not_start(site, run, agent):
        leaves_scorers_line(site, run, agent)
        return states.BUDGET_REACHED
    pay(run, SCORER, run.score_price_usd)
    if run.keeps_accounts:
        agent.account[SPENT_USD] += run.score_price_usd
    run.scorer_calls += 1
    agent.scoring_began = run.now
    if run.judge != NONE:
        does(run, agent, records.SCORING)
        begin_judging(site, run, agent)
        return states.JUDGES
    return scores_by_itself(site, run, agent)


@internal
def scores_by_itself(site: Site, run: Record, agent: Record) -> int:
    """Let the scorer take its own time, after its judge's calls if it has one."""
    # Submissions are counted when they are made, so this one is the last.
    submission = agent.submissions - 1
    duration_ns = draw_scoring_ns(site.rows, site.table, run.scoring_time, agent.stream, submission)
    return spends(site, run, agent, records.SCORING, duration_ns, states.SCORED)


@internal
def leaves_scorers_line(site: Site, run: Record, agent: Record) -> None:
    """Leave the scorer without having been served."""
    if run.records:
        number = add_agent_entry(site, run, agent, records.SCORE, run.now, records.UNSERVED)
        site.entries[number].queued_ns = run.now - agent.scorer_asked
    leave(site, run, place_before_server(agent), run.scorers)


@internal
def scoring_done(site: Site, run: Record, agent: Record) -> int:
    """Ask the board for the score, if research is simulated."""
    if run.has_research:
        return asks_board(run, agent, states.FOR_SCORE, states.SCORE_KNOWN)
    return scored(site, run, agent, records.OK)


@internal
def scored(site: Site, run: Record, agent: Record, outcome: int) -> int:
    """Record the submission, and leave the scorer to the next.

    Args:
        site: the arrays of the run.
        run: the run's record.
        agent: the agent's record.
        outcome: one of `OUTCOMES`, by its number.
    """
    if run.records:
        row = site.entries[add_agent_entry(site, run, agent, records.SCORE, agent.scoring_began, outcome)]
        row.queued_ns = agent.scoring_began - agent.scorer_asked
        if run.score_price_usd != 0.0:
            row.component = SCORER
            row.cost_usd = run.score_price_usd
        if run.has_research and outcome == records.OK:
            row.score = agent.entry_score
    run.scorer_ns += run.now - agent.scoring_began
    leave(site, run, place_before_server(agent), run.scorers)
    agent.submissions_left -= 1
    return states.SUBMITS if agent.submissions_left else states.STEP_DONE


@internal
def judged(site: Site, run: Record, agent: Record) -> int:
    """Go on after a judge's call: with the next, or with the scorer's own time."""
    agent.judge_calls_left -= 1
    if agent.judge_calls_left > 0:
        return states.JUDGES
    end_judging(site, agent)
    return scores_by_itself(site, run, agent)


@internal
def breaks_off_scoring(site: Site, run: Record, agent: Record) -> None:
    """Leave the scorer before the judge has made all its calls."""
    end_judging(site, agent)
    scored(site, run, agent, records.CUT)
