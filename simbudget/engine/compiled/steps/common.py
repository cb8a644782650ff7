"""What every step uses: spending time, asking in turn, asking the board, waiting for the office."""

from typing import Final

from simbudget.compilation import internal
from simbudget.engine.compiled.entries import (
    add_agent_entry,
)
from simbudget.engine.compiled.events import ASK, END, ITSELF, SLOTS, after, is_due
from simbudget.engine.compiled.points import (
    WAITS,
)
from simbudget.engine.compiled.state import Record, Site
from simbudget.engine.compiled.timesheet import WAITING_OTHER, notes
from simbudget.engine.laws.hours import is_open, opens_ns

# What can be asked of the board.
FOR_SCORE: Final = 1
FOR_POSTS: Final = 2
FOR_TELLING: Final = 3
FOR_KNOWN: Final = 4
FOR_REVIEW: Final = 5


@internal
def spends(site: Site, run: Record, agent: Record, activity: int, duration_ns: int, then: int) -> int:
    """Do one thing for a given time, and go on at the point `then`."""
    notes(site, run, agent, activity)
    agent.entry_began = run.now
    agent.point = then
    after(site, run, SLOTS * agent.number + ITSELF, duration_ns, END, agent.rank)
    return WAITS


@internal
def asks(site: Site, run: Record, agent: Record, then: int) -> int:
    """Wait until it is the agent's turn to ask for something at this instant, and go on at the point `then`."""
    if not is_due(run, site):
        return then
    after(site, run, SLOTS * agent.number + ITSELF, 0, ASK, agent.rank)
    agent.point = then
    return WAITS


@internal
def asks_board(run: Record, agent: Record, what: int, then: int) -> int:
    """Ask something of the board, which answers at once, and go on at the point `then`."""
    run.board_asked = what
    run.board_agent = agent.number
    agent.point = then
    return WAITS


@internal
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
