"""The states of agents and jobs, and how an agent waits.

A process of the reference engine stops at its `yield`s and goes on behind them. Here every stretch between two of them
is a function. It returns the state in which the agent goes on at once, or `WAITS` after it has written to `agent.state`
the one in which the agent goes on when its event comes.
"""

from typing import Final

from simbudget.compilation import internal
from simbudget.engine.compiled import scheduling
from simbudget.engine.compiled.records import (
    WAITING_OTHER,
    add_agent_entry,
    notes,
)
from simbudget.engine.compiled.scheduling import is_due, wakes_after
from simbudget.engine.compiled.tables import Record, Site
from simbudget.engine.laws.hours import is_open, opens_ns

WAITS: Final = 0

# From start to end.
STARTS: Final = 1
NEXT_CYCLE: Final = 2
NEXT_STEP: Final = 3
OFFICE_OPENS: Final = 4
DOES_STEP: Final = 5
STEP_DONE: Final = 6
RESTARTS: Final = 7
BUDGET_REACHED: Final = 8
ENDS: Final = 9

# A call to the model.
CALLS: Final = 10
TRIES: Final = 11
TRIES_IN_TURN: Final = 12
AT_HEAD_OF_LINE: Final = 13
LEAVES_LINE: Final = 14
LET_THROUGH: Final = 15
ATTEMPT_FAILED: Final = 16
ANSWERED: Final = 17
WAITS_FOR_LIMITS: Final = 18
AT_PLAN: Final = 19

# The steps of a cycle.
THINKS: Final = 20
TURNS: Final = 21
TURN_ANSWERED: Final = 22
TOOL_DONE: Final = 23
WORKS: Final = 24
GOES_ON_WORKING: Final = 25
OFFICE_OPENS_FOR_WORK: Final = 26
STRETCH_DONE: Final = 27
POST_KNOWN: Final = 28
SCORES: Final = 29
SUBMITS: Final = 30
ALLOWED_TO_SUBMIT: Final = 31
SUBMITS_IN_TURN: Final = 32
AT_SCORER: Final = 33
SCORED: Final = 34
SHARES: Final = 35
SHARES_IN_TURN: Final = 36
POST_ANSWERED: Final = 37
SCORE_KNOWN: Final = 38
POSTS_READ: Final = 39

# An experiment, as its agent sees it.
EXPERIMENTS: Final = 40
EXPERIMENTS_IN_TURN: Final = 41
IN_EXPERIMENT: Final = 42
NEXT_POLL: Final = 43
POLL_DUE: Final = 44
POLL_ANSWERED: Final = 45
AWAITS_JOBS: Final = 46
JOBS_ENDED: Final = 47

# Tasks.
TAKES_TASK: Final = 80
TAKES_TASK_IN_TURN: Final = 81
WAITS_FOR_TASK: Final = 82
BEGINS_CYCLE: Final = 83
CYCLE_BREAKS_OFF: Final = 84

# The ends of agents, models that judge, and models that review.
GONE: Final = 90
JUDGES: Final = 91
JUDGED: Final = 92
ASKED_FOR_REVIEW: Final = 93
AT_REVIEWERS: Final = 94
REVIEW_ANSWERED: Final = 95
REVIEW_NOTED: Final = 96
REVIEW_OVER: Final = 97

# An experiment, as the job that it is.
JOB_TRIES: Final = 50
JOB_QUEUES: Final = 51
JOB_AT_GPUS: Final = 52
JOB_STAYED: Final = 53

# Sub-agents: what they begin with, and how their agent waits for them.
SUB_AGENT_STARTS: Final = 60
DELEGATES: Final = 61
IN_DELEGATION: Final = 62
TEAM_RETURNS: Final = 63


# What can be asked of the board.
FOR_SCORE: Final = 1
FOR_POSTS: Final = 2
FOR_TELLING: Final = 3
FOR_KNOWN: Final = 4
FOR_REVIEW: Final = 5


@internal
def spends(site: Site, run: Record, agent: Record, activity: int, duration_ns: int, then: int) -> int:
    """Spend a given time on an activity, then continue in the state `then`.

    Args:
        site: the arrays of the run.
        run: the run's record.
        agent: the agent's record.
        activity: one of `ACTIVITIES`, by its number.
        duration_ns: the time, in nanoseconds.
        then: the state.
    """
    notes(site, run, agent, activity)
    agent.entry_began = run.now
    agent.state = then
    wakes_after(site, run, agent, duration_ns, scheduling.END)
    return WAITS


@internal
def asks(site: Site, run: Record, agent: Record, then: int) -> int:
    """Wait until it is the agent's turn to ask for something at this instant, then continue in the state `then`.

    Args:
        site: the arrays of the run.
        run: the run's record.
        agent: the agent's record.
        then: the state.
    """
    # Nothing else happens at this instant: the turn has come without an event.
    if not is_due(run, site):
        return then
    wakes_after(site, run, agent, 0, scheduling.ASK)
    agent.state = then
    return WAITS


@internal
def asks_board(run: Record, agent: Record, what: int, then: int) -> int:
    """Ask something of the board, which answers at once, then continue in the state `then`.

    Args:
        run: the run's record.
        agent: the agent's record.
        what: one of `FOR_SCORE`, `FOR_POSTS`, `FOR_TELLING`, `FOR_KNOWN`, `FOR_REVIEW`.
        then: the state.
    """
    run.board_asked = what
    run.board_agent = agent.number
    agent.state = then
    return WAITS


@internal
def record_spent(site: Site, run: Record, agent: Record, kind: int, outcome: int) -> None:
    """Record what the agent has spent its time on.

    Args:
        site: the arrays of the run.
        run: the run's record.
        agent: the agent's record.
        kind: one of `KINDS`, by its number.
        outcome: one of `OUTCOMES`, by its number.
    """
    if run.records:
        add_agent_entry(site, run, agent, kind, agent.entry_began, outcome)


@internal
def waits_for_office(site: Site, run: Record, agent: Record, then: int) -> bool:
    """Return whether the office is closed, and then wait for it then continue in the state `then`.

    Args:
        site: the arrays of the run.
        run: the run's record.
        agent: the agent's record.
        then: the state.
    """
    group = site.groups[agent.group]
    week_ns = run.begins_ns + run.now
    if group.is_people == 0 or is_open(group.hours, week_ns):
        return False
    opens = opens_ns(group.hours, week_ns)
    spends(site, run, agent, WAITING_OTHER, opens - week_ns, then)
    return True
