"""Submissions: the cool-down and the quota, the scorer's line, the score."""

from simbudget.compilation import internal
from simbudget.engine.compiled.accounts import SCORER, pay
from simbudget.engine.compiled.entries import (
    CUT,
    OK,
    SCORE,
    UNSERVED,
    add_agent_entry,
)
from simbudget.engine.compiled.limits import may_not_start
from simbudget.engine.compiled.points import (
    ALLOWED_TO_SUBMIT,
    AT_SCORER,
    BUDGET_REACHED,
    JUDGES,
    SCORE_KNOWN,
    SCORED,
    STEP_DONE,
    SUBMITS,
    SUBMITS_IN_TURN,
    WAITS,
)
from simbudget.engine.compiled.pools import ask, leave, place_before_server
from simbudget.engine.compiled.state import Record, Site
from simbudget.engine.compiled.steps.common import (
    FOR_SCORE,
    asks,
    asks_board,
    spends,
)
from simbudget.engine.compiled.steps.judging import begin_judging, end_judging
from simbudget.engine.compiled.timesheet import SCORING, WAITING_OTHER, WAITING_SCORER, does
from simbudget.engine.laws.limits import SPENT_USD
from simbudget.engine.laws.work import DAY_NS, draw_scoring_ns
from simbudget.engine.program import NONE


@internal
def scores(site: Site, agent: Record) -> int:
    """Begin to make submissions: one, or one for each job that ended well since the last."""
    agent.submissions_left = agent.ended_well if site.steps[agent.step].each else 1
    return SUBMITS if agent.submissions_left else STEP_DONE


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
    if may_not_start(site, run, agent):
        return BUDGET_REACHED
    is_same_day = agent.submissions > 0 and agent.submitted // DAY_NS == run.now // DAY_NS
    agent.submissions_that_day = agent.submissions_that_day + 1 if is_same_day else 1
    agent.submitted = agent.scorer_asked = run.now
    agent.submissions += 1
    agent.ended_well = 0
    does(run, agent, WAITING_SCORER)
    agent.point = AT_SCORER
    ask(site, run, place_before_server(agent), run.scorers, 1)
    return WAITS


@internal
def at_scorer(site: Site, run: Record, agent: Record) -> int:
    """Have the submission scored, unless the budget has been reached meanwhile."""
    if may_not_start(site, run, agent):
        leaves_scorers_line(site, run, agent)
        return BUDGET_REACHED
    pay(run, SCORER, run.score_price_usd)
    if run.keeps_accounts:
        agent.account[SPENT_USD] += run.score_price_usd
    run.scorer_calls += 1
    agent.scoring_began = run.now
    if run.judge != NONE:
        does(run, agent, SCORING)
        begin_judging(site, run, agent)
        return JUDGES
    return scores_by_itself(site, run, agent)


@internal
def scores_by_itself(site: Site, run: Record, agent: Record) -> int:
    """Let the scorer take its own time, after its judge's calls if it has one."""
    submission = agent.submissions - 1
    duration_ns = draw_scoring_ns(site.rows, site.table, run.scoring_time, agent.stream, submission)
    return spends(site, run, agent, SCORING, duration_ns, SCORED)


@internal
def leaves_scorers_line(site: Site, run: Record, agent: Record) -> None:
    """Leave the scorer without having been served."""
    if run.records:
        number = add_agent_entry(site, run, agent, SCORE, run.now, UNSERVED)
        site.entries[number].queued_ns = run.now - agent.scorer_asked
    leave(site, run, place_before_server(agent), run.scorers)


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
        row = site.entries[add_agent_entry(site, run, agent, SCORE, agent.scoring_began, outcome)]
        row.queued_ns = agent.scoring_began - agent.scorer_asked
        if run.score_price_usd != 0.0:
            row.component = SCORER
            row.cost_usd = run.score_price_usd
        if run.has_research and outcome == OK:
            row.score = agent.entry_score
    run.scorer_ns += run.now - agent.scoring_began
    leave(site, run, place_before_server(agent), run.scorers)
    agent.submissions_left -= 1
    return SUBMITS if agent.submissions_left else STEP_DONE


@internal
def judged(site: Site, run: Record, agent: Record) -> int:
    """Go on after a judge's call: with the next, or with the scorer's own time."""
    agent.judge_calls_left -= 1
    if agent.judge_calls_left > 0:
        return JUDGES
    end_judging(site, agent)
    return scores_by_itself(site, run, agent)


@internal
def breaks_off_scoring(site: Site, run: Record, agent: Record) -> None:
    """Leave the scorer before the judge has made all its calls."""
    end_judging(site, agent)
    scored(site, run, agent, CUT)
