"""What is written down during a run: its entries, if requested, and how agents spend their time.

Entries are rows of numbers, each added when the thing it records has ended. Their table has a fixed length. When it is
full, entries are still counted, so that the run can be played again with a table that is long enough.
"""

import math
from typing import Final

from simbudget.compilation import internal
from simbudget.engine.compiled.tables import Record, Site
from simbudget.engine.laws.accounts import REVIEW as REVIEWS
from simbudget.engine.laws.accounts import SCORER, TOKENS
from simbudget.engine.laws.tasks import NO_TASK
from simbudget.ledger.entry import ACTIVITIES

KINDS: Final = (
    "call",
    "compaction",
    "post",
    "poll",
    "tool",
    "experiment",
    "score",
    "wait",
    "down",
    "sandbox",
    "staff",
    "reserved",
    "fixed",
    "review",
    "gate",
    "restart",
    "drop",
    "plan",
    "served",
    "judge",
)
CALL: Final = KINDS.index("call")
COMPACTION: Final = KINDS.index("compaction")
POST: Final = KINDS.index("post")
POLL: Final = KINDS.index("poll")
TOOL: Final = KINDS.index("tool")
EXPERIMENT: Final = KINDS.index("experiment")
SCORE: Final = KINDS.index("score")
WAIT: Final = KINDS.index("wait")
DOWN: Final = KINDS.index("down")
SANDBOXES: Final = KINDS.index("sandbox")
STAFF_HOURS: Final = KINDS.index("staff")
RESERVED: Final = KINDS.index("reserved")
FIXED_COSTS: Final = KINDS.index("fixed")
REVIEW: Final = KINDS.index("review")
GATE: Final = KINDS.index("gate")
RESTART: Final = KINDS.index("restart")
DROP: Final = KINDS.index("drop")
PLAN: Final = KINDS.index("plan")
SERVED_GPUS: Final = KINDS.index("served")
JUDGE: Final = KINDS.index("judge")

OUTCOMES: Final = ("ok", "failed", "cut", "unserved", "preempted", "blamed")
OK: Final = OUTCOMES.index("ok")
FAILED: Final = OUTCOMES.index("failed")
CUT: Final = OUTCOMES.index("cut")
UNSERVED: Final = OUTCOMES.index("unserved")
PREEMPTED: Final = OUTCOMES.index("preempted")
BLAMED: Final = OUTCOMES.index("blamed")

NO_MODEL: Final = -1
NO_COMPONENT: Final = -1
NO_POOL: Final = -1
_NO_PLACE: Final = -1
_FLEET: Final = -1


@internal
def paid_under(kind: int) -> int:
    """Return the component under which a call of a kind is paid.

    Args:
        kind: one of `KINDS`, by its number.
    """
    if kind == JUDGE:
        return SCORER
    return REVIEWS if kind == REVIEW else TOKENS


@internal
def add_entry(site: Site, run: Record, agent: int, kind: int, started: int, ended: int) -> int:
    """Add an entry that has no place in an agent's work; return its number, to fill in what else it has.

    Args:
        site: the arrays of the run.
        run: the run's record.
        agent: the number of the agent, or of the fleet.
        kind: one of `KINDS`, by its number.
        started: when it began, in nanoseconds.
        ended: when it ended, in nanoseconds.
    """
    # Entries beyond the table overwrite its last row, and are counted.
    number = min(run.entries, len(site.entries) - 1)
    run.entries += 1
    row = site.entries[number]
    row.agent = agent
    row.kind = kind
    row.started = started
    row.ended = ended
    row.cycle = row.session = row.turn = row.task = row.attempt = _NO_PLACE
    row.queued_ns = 0
    row.sub_agent = 0
    row.model = NO_MODEL
    row.service = 0
    row.tokens[:] = 0
    row.gpus = 0
    row.pool = NO_POOL
    row.component = NO_COMPONENT
    row.cost_usd = 0.0
    row.score = math.nan
    row.outcome = OK
    return number


@internal
def add_agent_entry(site: Site, run: Record, agent: Record, kind: int, started: int, outcome: int) -> int:
    """Add an entry of what an agent has done until now; return its number.

    Args:
        site: the arrays of the run.
        run: the run's record.
        agent: the agent's record.
        kind: one of `KINDS`, by its number.
        started: when it began, in nanoseconds.
        outcome: one of `OUTCOMES`, by its number.
    """
    number = add_entry(site, run, agent.owner, kind, started, run.now)
    row = site.entries[number]
    row.sub_agent = agent.sub_agent
    row.cycle = agent.cycle
    row.session = agent.session
    row.turn = agent.context_turns - 1 if agent.session != _NO_PLACE else _NO_PLACE
    row.outcome = outcome
    note_task(row, agent)
    return number


@internal
def note_task(row: Record, of: Record) -> None:
    """Write the task of an agent, a sub-agent or a job to an entry, if it has one.

    Args:
        row: the entry.
        of: the record of the agent, the sub-agent or the job.
    """
    if of.task != NO_TASK:
        row.task = of.task
        row.attempt = of.task_attempt


@internal
def add_call_entry(site: Site, run: Record, agent: Record, outcome: int) -> None:
    """Add the entry of a call that was paid; that of a review has the verdict.

    Args:
        site: the arrays of the run.
        run: the run's record.
        agent: the agent's record.
        outcome: one of `OUTCOMES`, by its number.
    """
    row = site.entries[add_agent_entry(site, run, agent, agent.request_kind, agent.entry_began, outcome)]
    if agent.request_kind == REVIEW:
        row.cycle = _NO_PLACE
        row.score = agent.entry_score
        row.outcome = BLAMED if agent.blames else OK
    row.queued_ns = agent.entry_queued_ns
    row.model = site.clients[agent.client].model
    row.service = site.clients[agent.client].service
    for token_class in range(len(agent.entry_tokens)):
        row.tokens[token_class] = agent.entry_tokens[token_class]
    row.component = paid_under(agent.request_kind)
    row.cost_usd = agent.entry_cost_usd


@internal
def add_fleet_entry(site: Site, run: Record, kind: int, component: int, cost_usd: float, gpus: int) -> None:
    """Add an entry of the fleet as a whole, from the start until now.

    Args:
        site: the arrays of the run.
        run: the run's record.
        kind: one of `KINDS`, by its number.
        component: the number of the component in `COMPONENTS`.
        cost_usd: the amount, in US dollars.
        gpus: GPUs that were held.
    """
    if run.records:
        row = site.entries[add_entry(site, run, _FLEET, kind, 0, run.now)]
        row.component = component
        row.cost_usd = cost_usd
        row.gpus = gpus


# What an agent does.
MODEL: Final = ACTIVITIES.index("model")
USES_TOOL: Final = ACTIVITIES.index("tool")
EXPERIMENTING: Final = ACTIVITIES.index("experiment")
SCORING: Final = ACTIVITIES.index("scoring")
WAITING_GPU: Final = ACTIVITIES.index("waiting_gpu")
WAITING_SCORER: Final = ACTIVITIES.index("waiting_scorer")
WAITING_API: Final = ACTIVITIES.index("waiting_api")
WAITING_OTHER: Final = ACTIVITIES.index("waiting_other")
IS_DOWN: Final = ACTIVITIES.index("down")
NOTHING: Final = -1


@internal
def does(run: Record, agent: Record, activity: int) -> None:
    """Switch the agent's activity.

    Args:
        run: the run's record.
        agent: the agent's record.
        activity: one of `ACTIVITIES`, by its number.
    """
    _add_up(run, agent)
    agent.activity = activity


@internal
def notes(site: Site, run: Record, caller: Record, activity: int) -> None:
    """Switch the activity of an agent or of a sub-agent; NOTHING: the sub-agent has ended.

    Args:
        site: the arrays of the run.
        run: the run's record.
        caller: the caller's record.
        activity: one of `ACTIVITIES`, by its number.
    """
    if caller.sub_agent == 0:
        does(run, caller, activity)
        return
    agent = site.agents[caller.owner]
    agent.team_calling += (1 if activity == MODEL else 0) - (1 if caller.activity == MODEL else 0)
    agent.team_waiting += (1 if activity == WAITING_API else 0) - (1 if caller.activity == WAITING_API else 0)
    caller.activity = activity
    if agent.team_is_broken_up or agent.team_left == 0:
        return
    # An agent with sub-agents does what at least one of them does: a model's call before a tool before waiting.
    if agent.team_calling > 0:
        does(run, agent, MODEL)
    else:
        does(run, agent, WAITING_API if agent.team_waiting == agent.team_left else USES_TOOL)


@internal
def waits_for_experiment(site: Site, run: Record, agent: Record, activity: int) -> None:
    """Switch the activity of the experiment that the agent waits for; NOTHING: it has ended.

    Args:
        site: the arrays of the run.
        run: the run's record.
        agent: the agent's record.
        activity: one of `ACTIVITIES`, by its number.
    """
    _add_up(run, agent)
    if agent.activity_of_job == WAITING_GPU:
        site.pools[agent.pool].waited_ns += run.now - agent.waits_for_gpus_since
    agent.activity_of_job = activity
    agent.waits_for_gpus_since = run.now


@internal
def end_timesheet(run: Record, agent: Record) -> None:
    """End the agent's life."""
    _add_up(run, agent)
    agent.ended = run.now


@internal
def _add_up(run: Record, agent: Record) -> None:
    activity = agent.activity if agent.activity_of_job == NOTHING else agent.activity_of_job
    if activity != NOTHING:
        agent.spent_ns[activity] += run.now - agent.since
    agent.since = run.now
