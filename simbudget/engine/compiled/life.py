"""An agent's life from its start to its end: cycle after cycle, with crashes; see `reference.agent`."""

from typing import Final

from simbudget.compilation import inlined, internal
from simbudget.engine.compiled.accounts import begin_costs, end_costs, pause_costs, resume_costs
from simbudget.engine.compiled.calls import (
    answered,
    at_head_of_line,
    attempt_failed,
    break_off_call,
    calls,
    leaves_line,
    let_through,
    open_context,
    tries,
    tries_in_turn,
)
from simbudget.engine.compiled.entries import CUT, DOWN, OK, WAIT
from simbudget.engine.compiled.events import (
    AT_ONCE,
    CRASH,
    CRASHES,
    INTERRUPTION_OF_JOB,
    ITSELF,
    JOB,
    SLOTS,
    URGENT,
    after,
    at_once,
    cancel,
)
from simbudget.engine.compiled.jobs import break_off_job
from simbudget.engine.compiled.points import (
    ALLOWED_TO_SUBMIT,
    ANSWERED,
    AT_HEAD_OF_LINE,
    AT_SCORER,
    ATTEMPT_FAILED,
    AWAITS_JOB,
    BUDGET_REACHED,
    CALLS,
    DOES_STEP,
    ENDS,
    EXPERIMENTS,
    EXPERIMENTS_IN_TURN,
    GOES_ON_WORKING,
    IN_EXPERIMENT,
    JOB_OVER,
    LEAVES_LINE,
    LET_THROUGH,
    NEXT_CYCLE,
    NEXT_POLL,
    NEXT_STEP,
    OFFICE_OPENS,
    OFFICE_OPENS_FOR_WORK,
    POLL_ANSWERED,
    POLL_DUE,
    POST_KNOWN,
    POSTS_READ,
    RESTARTS,
    SCORE_KNOWN,
    SCORED,
    SHARES,
    SHARES_IN_TURN,
    STARTS,
    STEP_DONE,
    STRETCH_DONE,
    SUBMITS,
    SUBMITS_IN_TURN,
    THINKS,
    TOOL_DONE,
    TRIES,
    TRIES_IN_TURN,
    TURN_ANSWERED,
    TURNS,
    WAITS,
    WORKS,
)
from simbudget.engine.compiled.state import Record, Site
from simbudget.engine.compiled.steps import (
    asks,
    at_scorer,
    awaits_job,
    break_off_step,
    experiments_in_turn,
    goes_on_working,
    next_poll,
    poll_answered,
    poll_due,
    post_answered,
    posts,
    posts_read,
    record_spent,
    scored,
    scoring_done,
    shares_in_turn,
    spends,
    stretch_done,
    submits,
    submits_in_turn,
    thinks,
    tool_done,
    turn_answered,
    turns,
    waits_for_office,
    works,
    works_until_closing,
)
from simbudget.engine.compiled.timesheet import DOWN as IS_DOWN
from simbudget.engine.compiled.timesheet import end_timesheet
from simbudget.engine.laws.work import draw_crash
from simbudget.engine.program import IDLE_CYCLES, NONE, Lasts, Step

BY_CRASH: Final = 1
BY_HORIZON: Final = 2

_CYCLE: Final = int(Lasts.CYCLE)
_STEP_THINK: Final = int(Step.THINK)
_STEP_WORK: Final = int(Step.WORK)
_STEP_EXPERIMENT: Final = int(Step.EXPERIMENT)
_STEP_SCORE: Final = int(Step.SCORE)


@internal
def advance(site: Site, run: Record, agent: Record, point: int) -> None:
    """Let an agent go on from a point until it waits or its life is over."""
    while point != WAITS:
        if point < THINKS:
            point = (
                _goes_on_in_call(site, run, agent, point)
                if point >= CALLS
                else _lives(site, run, agent, point)
            )
        elif point == TURNS:
            point = turns(site, run, agent)
        elif point == TURN_ANSWERED:
            point = turn_answered(site, run, agent)
        elif point == TOOL_DONE:
            point = tool_done(site, run, agent)
        elif point >= EXPERIMENTS:
            point = _goes_on_in_experiment(site, run, agent, point)
        else:
            point = _goes_on_in_step(site, run, agent, point)


@inlined
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
        elif point == AT_HEAD_OF_LINE:
            point = at_head_of_line(site, run, agent)
        elif point == LEAVES_LINE:
            point = leaves_line(site, run, agent)
        elif point == ATTEMPT_FAILED:
            point = attempt_failed(site, run, agent)
        else:
            return point


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
    if point == AWAITS_JOB:
        return awaits_job(agent)
    return STEP_DONE if agent.job_is_allowed else BUDGET_REACHED


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
def _lives(site: Site, run: Record, agent: Record, point: int) -> int:  # noqa: PLR0911  one line a point
    if point == STARTS:
        return _starts(site, run, agent)
    if point == NEXT_CYCLE:
        return _next_cycle(site, run, agent)
    if point == NEXT_STEP:
        return _next_step(site, run, agent)
    if point == OFFICE_OPENS:
        record_spent(site, run, agent, WAIT, OK)
        return DOES_STEP
    if point == DOES_STEP:
        return _does_step(site, agent)
    if point == STEP_DONE:
        agent.step += 1
        return NEXT_STEP
    if point == RESTARTS:
        return _restarts(site, run, agent)
    if point == BUDGET_REACHED and agent.polls_now:
        return AWAITS_JOB  # the job is being paid for, and goes on
    return _ends(site, run, agent)


# From start to end.


@internal
def _starts(site: Site, run: Record, agent: Record) -> int:
    agent.has_lived = 1
    agent.started = agent.since = run.now
    begin_costs(site, run, agent)
    _await_crash(site, run, agent)
    return NEXT_CYCLE


@internal
def _ends(site: Site, run: Record, agent: Record) -> int:
    end_timesheet(run, agent)
    end_costs(site, run, agent)
    cancel(site, run, SLOTS * agent.number + CRASH)
    agent.is_alive = 0
    run.alive -= 1
    return WAITS


@internal
def _next_cycle(site: Site, run: Record, agent: Record) -> int:
    if agent.completed_cycles >= run.most_cycles:
        return ENDS
    group = site.groups[agent.group]
    agent.cycle_began = run.now
    agent.cycle += 1
    if agent.needs_context or group.lasts == _CYCLE:
        open_context(site, run, agent)
        agent.needs_context = 0
    agent.step = group.first_step
    return NEXT_STEP


@internal
def _next_step(site: Site, run: Record, agent: Record) -> int:
    group = site.groups[agent.group]
    if agent.step == group.first_step + group.steps:
        return _cycle_done(run, agent)
    if waits_for_office(site, run, agent, OFFICE_OPENS):
        return WAITS
    return DOES_STEP


@internal
def _cycle_done(run: Record, agent: Record) -> int:
    agent.completed_cycles += 1
    run.cycles += 1
    agent.idle_cycles = agent.idle_cycles + 1 if run.now == agent.cycle_began else 0
    if agent.idle_cycles == IDLE_CYCLES:
        run.never_ends = 1 + agent.group
        return WAITS
    return NEXT_CYCLE


@internal
def _does_step(site: Site, agent: Record) -> int:
    kind = site.steps[agent.step].kind
    if kind == _STEP_THINK:
        return THINKS
    if kind == _STEP_WORK:
        return WORKS
    if kind == _STEP_EXPERIMENT:
        return EXPERIMENTS
    return SUBMITS if kind == _STEP_SCORE else SHARES


# Crashes, and the horizon.


@internal
def _await_crash(site: Site, run: Record, agent: Record) -> None:
    """Let the next crash come in its time."""
    crash = site.groups[agent.group].crash
    if crash[0] == NONE:
        return
    up_ns, restart_ns = draw_crash(site.rows, site.table, crash, agent.stream, agent.crashes)
    agent.restart_ns = restart_ns
    agent.crashes += 1
    after(site, run, SLOTS * agent.number + CRASH, up_ns, CRASHES, agent.number)


@internal
def interrupt(site: Site, run: Record, agent: Record) -> None:
    """Break off whatever the agent does: to restart after a crash, or to end at the horizon."""
    cancel(site, run, SLOTS * agent.number + ITSELF)
    _break_off(site, run, agent)
    if agent.interrupted_by == BY_HORIZON:
        if agent.has_lived:
            _ends(site, run, agent)
        else:  # the run was stopped before its start
            agent.is_alive = 0
            run.alive -= 1
        return
    pause_costs(site, run, agent)
    spends(site, run, agent, IS_DOWN, agent.restart_ns, RESTARTS)


@internal
def _break_off(site: Site, run: Record, agent: Record) -> None:
    point = agent.point
    if point == IN_EXPERIMENT:
        cancel_job(site, run, agent)
        return
    if point in (OFFICE_OPENS, RESTARTS):
        record_spent(site, run, agent, DOWN if point == RESTARTS else WAIT, CUT)
    elif CALLS <= point < THINKS:
        break_off_call(site, run, agent)
    elif THINKS <= point < EXPERIMENTS:
        break_off_step(site, run, agent)
    if agent.polls_now or point in (POLL_DUE, JOB_OVER):
        agent.polls_now = agent.waits_for_poll = agent.waits_for_job = 0
        if agent.job_is_alive:
            at_once(site, run, SLOTS * agent.number + INTERRUPTION_OF_JOB, URGENT)


@internal
def cancel_job(site: Site, run: Record, agent: Record) -> None:
    """Break off the agent's job."""
    if agent.job_is_alive:
        cancel(site, run, SLOTS * agent.number + JOB)
        break_off_job(site, run, agent)


@internal
def _restarts(site: Site, run: Record, agent: Record) -> int:
    record_spent(site, run, agent, DOWN, OK)
    resume_costs(site, run, agent)
    agent.needs_context = 1
    _await_crash(site, run, agent)
    return NEXT_CYCLE


@internal
def job_tells(site: Site, run: Record, agent: Record) -> None:
    """Let the agent know that the job beside it has ended."""
    agent.job_is_over = 1
    slot = SLOTS * agent.number + ITSELF
    if agent.waits_for_poll:
        agent.waits_for_poll = 0
        cancel(site, run, slot)
        at_once(site, run, slot, AT_ONCE)
    elif agent.waits_for_job:
        agent.waits_for_job = 0
        advance(site, run, agent, JOB_OVER)
