"""Breaking off whatever an agent does: at a crash, at the horizon."""

from typing import Final

from simbudget.compilation import internal
from simbudget.engine.compiled.accounts import pause_costs
from simbudget.engine.compiled.calls import break_off_call
from simbudget.engine.compiled.contexts import end_own_terms
from simbudget.engine.compiled.entries import CUT, DOWN, TOOL, WAIT
from simbudget.engine.compiled.events import (
    AT_ONCE,
    ITSELF,
    SLOTS,
    at_once,
    cancel,
)
from simbudget.engine.compiled.jobs import break_off_job, interrupt_jobs, job_of
from simbudget.engine.compiled.life import ends
from simbudget.engine.compiled.points import (
    ALLOWED_TO_SUBMIT,
    AT_SCORER,
    CALLS,
    EXPERIMENTS,
    GONE,
    IN_DELEGATION,
    IN_EXPERIMENT,
    JOBS_ENDED,
    OFFICE_OPENS,
    OFFICE_OPENS_FOR_WORK,
    POLL_DUE,
    RESTARTS,
    SCORED,
    STRETCH_DONE,
    TEAM_TOLD,
    THINKS,
    TOOL_DONE,
    WAITS_FOR_TASK,
)
from simbudget.engine.compiled.state import Record, Site
from simbudget.engine.compiled.steps.common import record_spent, spends
from simbudget.engine.compiled.steps.delegating import break_up_team
from simbudget.engine.compiled.steps.scoring import (
    breaks_off_scoring,
    leaves_scorers_line,
    scored,
)
from simbudget.engine.compiled.tasks import ends_attempt
from simbudget.engine.compiled.timesheet import DOWN as IS_DOWN

BY_CRASH: Final = 1
BY_HORIZON: Final = 2


@internal
def interrupt(site: Site, run: Record, agent: Record) -> None:
    """Break off whatever the agent does: to restart after a crash, or to end at the horizon."""
    cancel(site, run, SLOTS * agent.number + ITSELF)
    _break_off(site, run, agent)
    end_own_terms(site, agent)
    if agent.interrupted_by == BY_HORIZON:
        if agent.has_lived:
            ends(site, run, agent)
        else:  # the run was stopped before its start
            agent.is_alive = 0
            agent.point = GONE
            at_once(site, run, SLOTS * agent.number + ITSELF, AT_ONCE)
        return
    ends_attempt(site, run, agent, False)
    pause_costs(site, run, agent)
    spends(site, run, agent, IS_DOWN, agent.restart_ns, RESTARTS)


@internal
def _break_off(site: Site, run: Record, agent: Record) -> None:
    point = agent.point
    if point in (IN_DELEGATION, TEAM_TOLD):
        break_up_team(site, run, agent)
        return
    if point == IN_EXPERIMENT:
        break_off_job(site, run, agent, job_of(site, run, agent, 0))
        return
    if point == WAITS_FOR_TASK:
        agent.waits_for_task = 0
        record_spent(site, run, agent, WAIT, CUT)
    elif point in (OFFICE_OPENS, RESTARTS):
        record_spent(site, run, agent, DOWN if point == RESTARTS else WAIT, CUT)
    elif CALLS <= point < THINKS:
        break_off_call(site, run, agent)
        if agent.is_judged:
            breaks_off_scoring(site, run, agent)
    elif THINKS <= point < EXPERIMENTS:
        break_off_step(site, run, agent)
    if agent.polls_now or point in (POLL_DUE, JOBS_ENDED):
        agent.polls_now = agent.waits_for_poll = agent.waits_for_job = 0
        interrupt_jobs(site, run, agent)


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
