"""The work of people, in office hours."""

from simbudget.compilation import internal
from simbudget.engine.compiled.entries import (
    OK,
    TOOL,
)
from simbudget.engine.compiled.limits import may_not_start
from simbudget.engine.compiled.points import (
    BUDGET_REACHED,
    GOES_ON_WORKING,
    OFFICE_OPENS_FOR_WORK,
    STEP_DONE,
    STRETCH_DONE,
    WAITS,
)
from simbudget.engine.compiled.state import Record, Site
from simbudget.engine.compiled.steps.common import (
    record_spent,
    spends,
    waits_for_office,
)
from simbudget.engine.compiled.timesheet import TOOL as USES_TOOL
from simbudget.engine.laws.hours import closes_ns
from simbudget.engine.laws.work import draw_work_ns


@internal
def works(site: Site, run: Record, agent: Record) -> int:
    """Begin to work for a time, in office hours only."""
    cells = site.steps[agent.step].cells
    agent.work_left_ns = draw_work_ns(site.rows, site.table, cells, agent.stream, agent.cycle)
    return BUDGET_REACHED if may_not_start(site, run, agent) else GOES_ON_WORKING


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
