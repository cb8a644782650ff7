"""The steps of a cycle: think, work, experiment, score, share; see `reference.agent` and `reference.experiments`."""

from typing import Final

from simbudget.compilation import inlined, internal
from simbudget.engine.compiled.accounts import SCORER, budget_is_reached, pay
from simbudget.engine.compiled.calls import (
    HELD,
    context_is_used,
    open_context,
    wants_call,
)
from simbudget.engine.compiled.entries import (
    CALL,
    CUT,
    OK,
    POLL,
    POST,
    SCORE,
    TOOL,
    UNSERVED,
    WAIT,
    add_agent_entry,
)
from simbudget.engine.compiled.events import ASK, END, ITSELF, SLOTS, after, is_due
from simbudget.engine.compiled.jobs import open_job, play_job
from simbudget.engine.compiled.points import (
    ALLOWED_TO_SUBMIT,
    AT_SCORER,
    AWAITS_JOB,
    BUDGET_REACHED,
    CALLS,
    GOES_ON_WORKING,
    IN_EXPERIMENT,
    JOB_BEGINS,
    JOB_OVER,
    NEXT_POLL,
    OFFICE_OPENS_FOR_WORK,
    POLL_DUE,
    POST_KNOWN,
    POSTS_READ,
    SCORE_KNOWN,
    SCORED,
    STEP_DONE,
    STRETCH_DONE,
    SUBMITS_IN_TURN,
    TOOL_DONE,
    TURNS,
    WAITS,
)
from simbudget.engine.compiled.pools import ask, leave
from simbudget.engine.compiled.state import SCORERS, Record, Site
from simbudget.engine.compiled.timesheet import SCORING, WAITING_OTHER, WAITING_SCORER, does
from simbudget.engine.compiled.timesheet import TOOL as USES_TOOL
from simbudget.engine.laws.calls import draw_poll, draw_post, draw_turn, opened_result
from simbudget.engine.laws.hours import closes_ns, is_open, opens_ns
from simbudget.engine.laws.work import DAY_NS, draw_scoring_ns, draw_turns, draw_work_ns
from simbudget.engine.program import NONE, Lasts

# What can be asked of the board.
FOR_SCORE: Final = 1
FOR_POSTS: Final = 2
FOR_TELLING: Final = 3

_THINK: Final = int(Lasts.THINK)


# What every step uses.


@inlined
def spends(site: Site, run: Record, agent: Record, activity: int, duration_ns: int, then: int) -> int:
    """Do one thing for so long, and go on at the point `then`."""
    does(run, agent, activity)
    agent.entry_began = run.now
    agent.point = then
    after(site, run, SLOTS * agent.number + ITSELF, duration_ns, END, agent.number)
    return WAITS


@internal
def asks(site: Site, run: Record, agent: Record, then: int) -> int:
    """Wait until it is the agent's turn to ask for something at this instant, and go on at the point `then`."""
    if not is_due(run, site):
        return then
    after(site, run, SLOTS * agent.number + ITSELF, 0, ASK, agent.number)
    agent.point = then
    return WAITS


@inlined
def asks_board(run: Record, agent: Record, what: int, then: int) -> int:
    """Ask something of the board, which answers at once, and go on at the point `then`."""
    run.board_asked = what
    run.board_agent = agent.number
    agent.point = then
    return WAITS


@inlined
def record_spent(site: Site, run: Record, agent: Record, kind: int, outcome: int) -> None:
    """Record what the agent has spent its time on."""
    if run.records:
        add_agent_entry(site, run, agent, kind, agent.entry_began, outcome)


@internal
def waits_for_office(site: Site, run: Record, agent: Record, then: int) -> bool:
    """Return whether the office is closed, and then wait for it and go on at the point `then`."""
    group = site.groups[agent.group]
    week_ns = run.begins_ns + run.now
    if group.is_people == 0 or is_open(group.hours, week_ns):
        return False
    opens = opens_ns(group.hours, week_ns)
    spends(site, run, agent, WAITING_OTHER, opens - week_ns, then)
    return True


# Thinking.


@internal
def thinks(site: Site, run: Record, agent: Record) -> int:
    """Begin so many turns."""
    if site.groups[agent.group].lasts == _THINK and context_is_used(agent):
        open_context(site, run, agent)
    cells = site.steps[agent.step].cells
    agent.turns_left = draw_turns(site.rows, site.table, cells, agent.stream, agent.cycle)
    return TURNS


@inlined
def turns(site: Site, run: Record, agent: Record) -> int:
    """Begin the next turn with a call."""
    if agent.turns_left == 0:
        return STEP_DONE
    agent.turns_left -= 1
    group = site.groups[agent.group]
    output, thinking, tool_result, tool_ns = draw_turn(
        site.rows, site.table, group.turn, agent.stream, agent.turns, agent.contexts - 1
    )
    agent.turns += 1
    agent.tool_ns = tool_ns
    agent.tool_result_tokens = tool_result
    wants_call(agent, CALL, output, thinking)
    return CALLS


@inlined
def _takes_in(site: Site, agent: Record) -> None:
    group = site.groups[agent.group]
    agent.context[HELD] += opened_result(
        site.rows, group.opening_times, group.opening_turns, agent.tool_result_tokens, agent.context_results
    )
    agent.context_results += 1


@inlined
def turn_answered(site: Site, run: Record, agent: Record) -> int:
    """Work with tools on what the call said."""
    if agent.tool_ns:
        return spends(site, run, agent, USES_TOOL, agent.tool_ns, TOOL_DONE)
    _takes_in(site, agent)
    return TURNS


@inlined
def tool_done(site: Site, run: Record, agent: Record) -> int:
    """Take the tools' results into the context."""
    record_spent(site, run, agent, TOOL, OK)
    _takes_in(site, agent)
    return TURNS


# The work of people.


@internal
def works(site: Site, run: Record, agent: Record) -> int:
    """Begin to work for a time, in office hours only."""
    cells = site.steps[agent.step].cells
    agent.work_left_ns = draw_work_ns(site.rows, site.table, cells, agent.stream, agent.cycle)
    return BUDGET_REACHED if budget_is_reached(site, run) else GOES_ON_WORKING


@internal
def goes_on_working(site: Site, run: Record, agent: Record) -> int:
    """Work until the work is done or the office closes."""
    if agent.work_left_ns <= 0:
        return STEP_DONE
    if waits_for_office(site, run, agent, OFFICE_OPENS_FOR_WORK):
        return WAITS
    return works_until_closing(site, run, agent)


@internal
def works_until_closing(site: Site, run: Record, agent: Record) -> int:
    """Work for one stretch of office hours at most."""
    week_ns = run.begins_ns + run.now
    until_closing_ns = closes_ns(site.groups[agent.group].hours, week_ns) - week_ns
    agent.stretch_ns = min(agent.work_left_ns, until_closing_ns)
    return spends(site, run, agent, USES_TOOL, agent.stretch_ns, STRETCH_DONE)


@internal
def stretch_done(site: Site, run: Record, agent: Record) -> int:
    """Count what is left of the work."""
    record_spent(site, run, agent, TOOL, OK)
    agent.work_left_ns -= agent.stretch_ns
    return GOES_ON_WORKING


# Submissions.


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
        return spends(site, run, agent, WAITING_OTHER, allowed - run.now, ALLOWED_TO_SUBMIT)
    return asks(site, run, agent, SUBMITS_IN_TURN)


@internal
def submits_in_turn(site: Site, run: Record, agent: Record) -> int:
    """Join the scorer's line."""
    if budget_is_reached(site, run):
        return BUDGET_REACHED
    is_same_day = agent.submissions > 0 and agent.submitted // DAY_NS == run.now // DAY_NS
    agent.submissions_that_day = agent.submissions_that_day + 1 if is_same_day else 1
    agent.submitted = agent.scorer_asked = run.now
    agent.submissions += 1
    does(run, agent, WAITING_SCORER)
    agent.point = AT_SCORER
    ask(site, run, agent, SCORERS, 1)
    return WAITS


@internal
def at_scorer(site: Site, run: Record, agent: Record) -> int:
    """Have the submission scored, unless the budget has been reached meanwhile."""
    if budget_is_reached(site, run):
        leaves_scorers_line(site, run, agent)
        return BUDGET_REACHED
    pay(run, SCORER, run.score_price_usd)
    run.scorer_calls += 1
    submission = agent.submissions - 1
    duration_ns = draw_scoring_ns(site.rows, site.table, run.scoring_time, agent.stream, submission)
    return spends(site, run, agent, SCORING, duration_ns, SCORED)


@internal
def leaves_scorers_line(site: Site, run: Record, agent: Record) -> None:
    """Leave the scorer without having been served."""
    if run.records:
        number = add_agent_entry(site, run, agent, SCORE, run.now, UNSERVED)
        site.entries[number].queued_ns = run.now - agent.scorer_asked
    leave(site, run, agent, SCORERS)


@internal
def scoring_done(site: Site, run: Record, agent: Record) -> int:
    """Hear the score from the board, where there is one."""
    if run.has_research:
        return asks_board(run, agent, FOR_SCORE, SCORE_KNOWN)
    return scored(site, run, agent, OK)


@internal
def scored(site: Site, run: Record, agent: Record, outcome: int) -> int:
    """Make place for the next submission."""
    if run.records:
        row = site.entries[add_agent_entry(site, run, agent, SCORE, agent.entry_began, outcome)]
        row.queued_ns = agent.entry_began - agent.scorer_asked
        if run.score_price_usd != 0.0:
            row.component = SCORER
            row.cost_usd = run.score_price_usd
        if run.has_research and outcome == OK:
            row.score = agent.entry_score
    run.scorer_ns += run.now - agent.entry_began
    leave(site, run, agent, SCORERS)
    return STEP_DONE


# The forum.


@internal
def shares_in_turn(site: Site, run: Record, agent: Record) -> int:
    """Read what others have posted, and write a post."""
    if budget_is_reached(site, run):
        return BUDGET_REACHED
    agent.post_tokens = draw_post(site.rows, site.table, run.post_tokens, agent.stream, agent.posts)
    agent.posts += 1
    tokens, first = _reads(site, run, agent)
    if site.groups[agent.group].is_people == 0:
        agent.context[HELD] += tokens
    if run.has_research:
        run.board_first_post = first
        return asks_board(run, agent, FOR_POSTS, POSTS_READ)
    return posts_read(site, run, agent)


@internal
def posts_read(site: Site, run: Record, agent: Record) -> int:
    """Write a post: with a call, if the agent is not one of the people."""
    if site.groups[agent.group].is_people:
        return post_answered(site, run, agent)
    wants_call(agent, POST, agent.post_tokens, 0)
    return CALLS


@internal
def post_answered(site: Site, run: Record, agent: Record) -> int:
    """Say in the post what is best on the board of one's own, where there is one."""
    if run.has_research:
        return asks_board(run, agent, FOR_TELLING, POST_KNOWN)
    return posts(site, run, agent)


@internal
def posts(site: Site, run: Record, agent: Record) -> int:
    """Let others see the post."""
    site.forum[run.posts % len(site.forum)] = run.posted_tokens
    agent.own_post = run.posts
    agent.own_post_tokens = agent.post_tokens
    run.posts += 1
    run.posted_tokens += agent.post_tokens
    return STEP_DONE


@internal
def _reads(site: Site, run: Record, agent: Record) -> tuple[int, int]:
    """Return the tokens of the latest posts of others since the agent's last look, and the first that is read.

    Notes the look.

    Who reads has posted at most once since then, so sums of what was posted before each post are enough.
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
    if run.posts - first > len(site.forum):
        run.forum_is_short = 1
    own_tokens = agent.own_post_tokens if agent.own_post >= first else 0
    return run.posted_tokens - site.forum[first % len(site.forum)] - own_tokens, first


# Experiments, as their agent sees them.


@internal
def experiments_in_turn(site: Site, run: Record, agent: Record) -> int:
    """Begin an experiment, and wait for it; or poll beside it."""
    if budget_is_reached(site, run):
        return BUDGET_REACHED
    polls = site.steps[agent.step].poll[0] != NONE
    open_job(site, run, agent, 1 if polls else 0)
    if polls:
        agent.poll_asked = run.now
        return NEXT_POLL
    agent.point = IN_EXPERIMENT
    play_job(site, run, agent, JOB_BEGINS)
    return WAITS


@internal
def next_poll(site: Site, run: Record, agent: Record) -> int:
    """Wait until the next poll is due, or the experiment has ended."""
    if agent.job_is_alive == 0:
        return AWAITS_JOB
    every_ns, output, result = draw_poll(
        site.rows, site.table, site.steps[agent.step].poll, agent.stream, agent.polls
    )
    agent.polls += 1
    agent.poll_output = output
    agent.poll_result_tokens = result
    agent.waits_for_poll = 1
    agent.point = POLL_DUE
    due_ns = max(0, agent.poll_asked + every_ns - run.now)
    after(site, run, SLOTS * agent.number + ITSELF, due_ns, ASK, agent.number)
    return WAITS


@internal
def poll_due(site: Site, run: Record, agent: Record) -> int:
    """Make the poll, unless the experiment has ended."""
    agent.waits_for_poll = 0
    if agent.job_is_alive == 0:
        return AWAITS_JOB
    agent.polls_now = 1
    wants_call(agent, POLL, agent.poll_output, 0)
    return CALLS


@internal
def poll_answered(agent: Record) -> int:
    """Take the poll's result into the context."""
    agent.polls_now = 0
    agent.context[HELD] += agent.poll_result_tokens
    agent.poll_asked = agent.call_began
    return NEXT_POLL


@internal
def awaits_job(agent: Record) -> int:
    """Poll no more, and wait for the experiment's end."""
    agent.polls_now = 0
    if agent.job_is_over:
        return JOB_OVER
    agent.waits_for_job = 1
    agent.point = JOB_OVER
    return WAITS


@internal
def break_off_step(site: Site, run: Record, agent: Record) -> None:
    """Leave what the agent does in a step, other than a call or an experiment, because it is interrupted."""
    if agent.point in (TOOL_DONE, STRETCH_DONE):
        record_spent(site, run, agent, TOOL, CUT)
    elif agent.point in (OFFICE_OPENS_FOR_WORK, ALLOWED_TO_SUBMIT):
        record_spent(site, run, agent, WAIT, CUT)
    elif agent.point == AT_SCORER:
        leaves_scorers_line(site, run, agent)
    elif agent.point == SCORED:
        scored(site, run, agent, CUT)
