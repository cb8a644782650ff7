"""The tables of one run: what the reference engine keeps in objects, here in rows of numbers.

A record reads like an object (`agent.turns_left`) and compiles to a memory access. Everything is sized by the fleet, so
memory grows linearly with the agents; only the entries, which are kept when a ledger is wanted, grow with the run.
Times are nanoseconds and end in no suffix where the field's name says what happens then; durations end in `_ns`.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple, get_args, get_type_hints

import numpy as np
import numpy.typing as npt

from simbudget.engine.laws.accounts import ACCOUNT, BINS, USES
from simbudget.engine.laws.calls import CLASSES, PRICES
from simbudget.engine.laws.draws import Floats, Integers
from simbudget.engine.laws.hours import OFFICE
from simbudget.engine.laws.pools import PoolRow
from simbudget.engine.laws.provider import SPANS
from simbudget.engine.laws.tasks import TaskList, TaskTerms
from simbudget.engine.program import (
    ClientRow,
    ContextRow,
    GroupRow,
    PlanRow,
    ServedRow,
    Settings,
    StepRow,
    TurnRow,
)
from simbudget.ledger.entry import ACTIVITIES, COMPONENTS

Record = Any
"""A row of one of the dtypes below; numba knows its fields."""

_INT: Final = np.int64
_FLOAT: Final = np.float64


def _fields_of(row: Any, prefix: str = "", without: tuple[str, ...] = ()) -> list[Any]:
    """Return the fields of one of a program's rows as those of a record; a group of numbers is an array."""
    # Fields keep the order of the row; a tuple such as `CallDraws` becomes an array, which laws take as it is.
    fields: list[Any] = []
    for name, kind in get_type_hints(row).items():
        members = getattr(kind, "_fields", None) or get_args(kind)
        if name not in without:
            fields.append((prefix + name, _INT, len(members)) if members else (prefix + name, _INT))
    return fields


def records_of(dtype: np.dtype[Any], rows: Sequence[Any], **own: Any) -> npt.NDArray[Any]:
    """Return a program's rows as records.

    Args:
        dtype: one of the dtypes below, derived from the type of the rows.
        rows: the rows, named tuples.
        own: [rows] what the records have beside their rows, by field; other fields begin with 0.
    """
    records = np.zeros(len(rows), dtype)
    for record, row in zip(records, rows, strict=True):
        write_row(record, row)
    for name, column in own.items():
        records[name] = column
    return records


def write_row(record: Any, row: Any, prefix: str = "") -> None:
    """Write what a record has of a program's row.

    Args:
        record: the record.
        row: the row, a named tuple.
        prefix: what the fields' names begin with in the record.
    """
    for name, value in row._asdict().items():
        if prefix + name in record.dtype.names:
            record[prefix + name] = value


RUN: Final = np.dtype(
    [
        *_fields_of(Settings),
        *_fields_of(PlanRow, "plan_"),
        # what else the run is
        ("agents", _INT),
        ("bin_ns", _FLOAT),
        ("budget_usd", _FLOAT),
        ("score_price_usd", _FLOAT),
        ("models", _INT),
        ("records", _INT),
        ("has_research", _INT),
        ("target_score", _FLOAT),
        ("budget_with_gates_usd", _FLOAT),
        ("discounts", _INT, len(COMPONENTS)),
        ("charged", _FLOAT, len(COMPONENTS)),  # after discounts, the part of each component's prices
        ("keeps_accounts", _INT),  # whether what each agent uses is kept: something limits it
        ("has_tasks", _INT),
        ("task_limits", _FLOAT, USES),
        # where it stands
        ("now", _INT),
        ("alive", _INT),  # agents that have not ended yet
        ("is_over", _INT),
        ("ended", _INT),  # when the last agent's life ended
        ("scheduled", _INT),
        ("heap_size", _INT),
        ("entries", _INT),
        ("never_ends", _INT),
        # the pools, and the jobs on those of GPUs
        ("gpu_pools", _INT),
        ("scorers", _INT),
        ("line", _INT),
        ("jobs_of_agent", _INT),
        ("sub_agents_of_agent", _INT),
        ("sub_agents_are_short", _INT),
        ("callers", _INT),  # agents, sub-agents and models that review
        ("places_of_agent", _INT),
        ("jobs_are_short", _INT),
        # models that review: the first of their records, those that review nothing, and how many there are
        ("reviewers", _INT),  # the number of their pool
        ("first_reviewer", _INT),
        ("idle_reviewer", _INT),
        ("reviews_asked", _INT),
        ("reviews_in_flight", _INT),
        ("awaits_reviews", _INT),
        ("reviewers_are_short", _INT),
        # the subscription: its window and week, and the line of calls that wait for their end
        ("has_plan", _INT),
        ("plan_ends", _INT, SPANS),
        ("plan_used_usd", _FLOAT, SPANS),
        ("plan_allows_usd", _FLOAT, SPANS),
        ("plan_month_usd", _FLOAT),
        ("plan_places", _INT),
        ("plan_waiting", _INT),
        ("plan_queued_ns", _INT),
        # the forum
        ("posts", _INT),
        ("posted_tokens", _INT),
        ("forum_is_short", _INT),
        # what is asked of the board
        ("board_asked", _INT),
        ("board_agent", _INT),
        ("board_first_post", _INT),
        ("notebook_is_short", _INT),
        ("target_is_reached", _INT),
        ("concluded", _INT),  # when the last review and the last try at a gate have ended
        # the accounts
        ("spent_usd", _FLOAT),
        ("unbilled_usd", _FLOAT),  # for calls under way, which the budget does not count yet
        ("by_component_usd", _FLOAT, len(COMPONENTS)),
        ("by_time_usd", _FLOAT, (len(COMPONENTS), BINS)),
        # the tally
        ("model_calls", _INT),
        ("full_contexts", _INT),
        ("tokens", _INT, CLASSES),
        ("experiments", _INT),
        ("jobs", _INT),
        ("cancelled_jobs", _INT),
        ("scorer_calls", _INT),
        ("cycles", _INT),
        ("scorer_ns", _FLOAT),
    ],
    align=True,
)

CONTEXT_AT_HAND: Final = (
    ("context", _INT, 4),  # tokens, sent tokens, when the last call began, the cache's life
    ("first_prompt_tokens", _INT),
    ("opened_with_tokens", _INT),
    ("context_turns", _INT),
    ("context_results", _INT),
    ("context_number", _INT),
    ("prefix_tokens", _INT),
    ("session", _INT),
)
"""An agent's current context; a kept one has the same fields."""

AGENT: Final = np.dtype(
    [
        ("number", _INT),
        ("group", _INT),
        ("stream", _INT, 4),
        # whose sub-agent it is, if it is one, and where it comes at one instant
        ("owner", _INT),  # the agent itself, or the one whose sub-agent it is or whose submission it reviews
        ("sub_agent", _INT),  # which of its agent's it is, from 1; 0: it is the agent
        ("rank", _INT),
        # whom it calls, what its turns are made of, and how its contexts begin and end
        ("client", _INT),
        ("own_client", _INT),  # while another one makes its calls
        ("turn_row", _INT),
        ("context_row", _INT),
        # where it stands in its life
        ("state", _INT),
        ("is_alive", _INT),
        ("interrupted_by", _INT),
        ("needs_context", _INT),
        ("cycle", _INT),
        ("completed_cycles", _INT),
        ("idle_cycles", _INT),
        ("cycle_began", _INT),
        ("step", _INT),
        ("turns_left", _INT),
        # its sub-agents
        ("delegations", _INT),
        ("team", _INT),
        ("team_left", _INT),
        ("team_calling", _INT),
        ("team_waiting", _INT),
        ("team_is_broken_up", _INT),
        ("crashes", _INT),
        ("restart_ns", _INT),
        # its context, and its line to the model
        *CONTEXT_AT_HAND,
        ("is_on_own_context", _INT),
        ("contexts", _INT),
        ("sessions", _INT),
        ("turns", _INT),
        ("attempts", _INT),
        ("compactions", _INT),
        ("call_began", _INT),
        ("call_kind", _INT),
        ("call_output", _INT),
        ("call_joins", _INT),
        ("request_kind", _INT),
        ("request_output", _INT),
        ("request_asked", _INT),
        ("failures", _INT),
        ("giving_up_ns", _INT),
        ("line_asked", _INT),
        ("plan_place", _INT),
        ("plan_asked", _INT),
        ("waits_for_bell", _INT),
        ("tool_ns", _INT),
        ("tool_result_tokens", _INT),
        # work of people, submissions, posts
        ("work_left_ns", _INT),
        ("stretch_ns", _INT),
        ("submissions", _INT),
        ("submitted", _INT),
        ("submissions_that_day", _INT),
        ("scorer_asked", _INT),
        ("scoring_began", _INT),
        # the model that judges its submissions
        ("is_judged", _INT),
        ("own_key", _INT),  # of its streams, while the judge's are used
        ("own_attempts", _INT),
        ("judge_attempts", _INT),
        ("judge_calls", _INT),
        ("judge_calls_left", _INT),
        # what it reviews, if it is a model that reviews
        ("submission", _INT),
        ("awaits_gates", _INT),
        ("blames", _INT),
        ("review_began", _INT),
        ("next_idle", _INT),
        ("posts", _INT),
        ("post_tokens", _INT),
        ("posts_seen", _INT),
        ("own_post", _INT),
        ("own_post_tokens", _INT),
        # polling beside an experiment
        ("polls", _INT),
        ("polls_now", _INT),
        ("poll_asked", _INT),
        ("poll_output", _INT),
        ("poll_result_tokens", _INT),
        ("waits_for_poll", _INT),
        ("waits_for_job", _INT),
        # the jobs of its experiment
        ("jobs", _INT),
        ("jobs_left", _INT),
        ("jobs_well", _INT),
        ("jobs_running", _INT),
        ("jobs_waiting", _INT),
        ("jobs_are_beside", _INT),
        ("jobs_are_over", _INT),
        ("jobs_over_is_known", _INT),
        ("job_is_refused", _INT),
        ("pool", _INT),
        ("stretches", _INT),
        # what the rest of its cycle depends on
        ("has_succeeded", _INT),
        ("has_improved", _INT),
        ("ended_well", _INT),
        ("submissions_left", _INT),
        ("known_at_start", _INT),
        # the timesheet
        ("activity", _INT),
        ("activity_of_job", _INT),
        ("waits_for_gpus_since", _INT),
        ("since", _INT),
        ("started", _INT),
        ("ended", _INT),
        ("has_lived", _INT),
        ("spent_ns", _INT, len(ACTIVITIES)),
        # what it costs to be there
        ("sandbox_since", _INT),
        ("is_up", _INT),
        # what it has used, and its task
        ("account", _FLOAT, ACCOUNT),
        ("marks", _FLOAT, USES),
        ("unbilled_usd", _FLOAT),
        ("task", _INT),
        ("task_attempt", _INT),
        ("task_taken", _INT),
        ("task_marks", _FLOAT, USES),
        ("waits_for_task", _INT),
        ("attempt_is_over", _INT),  # by the last look that stopped it: the attempt's limits, not the budget
        ("job_is_over_limit", _INT),
        # the entry in the making
        ("entry_began", _INT),
        ("entry_queued_ns", _INT),
        ("entry_tokens", _INT, CLASSES),
        ("entry_cost_usd", _FLOAT),
        ("entry_score", _FLOAT),
    ],
    align=True,
)

GROUP: Final = np.dtype(
    [
        *_fields_of(GroupRow),
        ("is_limited", _INT),
        ("limits", _FLOAT, USES),
        ("hours", _INT, OFFICE),
        ("submits_each", _INT),
    ],
    align=True,
)

CLIENT: Final = np.dtype(
    [*_fields_of(ClientRow, without=("price_row",)), ("price_row", _INT, PRICES), ("prices", _FLOAT, PRICES)],
    align=True,
)

LIMITS: Final = np.dtype(
    [
        ("per_min", _FLOAT, 3),
        ("is_limited", _INT),
        ("buckets", _FLOAT, (3, 3)),
        ("held_up_by", _INT),
        ("queued_ns", _FLOAT, 3),
        ("used", _INT, 3),
    ],
    align=True,
)
"""The limits of all models that have none of their own, then of each model that has."""

SERVED: Final = np.dtype([*_fields_of(ServedRow), ("calls", _INT)], align=True)

KEPT: Final = np.dtype([("is_kept", _INT), *CONTEXT_AT_HAND], align=True)
"""Kept contexts: of each agent its group's, then those of its steps that have their own."""

TURN: Final = np.dtype(_fields_of(TurnRow), align=True)

CONTEXT: Final = np.dtype(_fields_of(ContextRow), align=True)

STEP: Final = np.dtype([*_fields_of(StepRow), ("kept", _INT)], align=True)
"""`kept` is the place of a step's context among an agent's kept contexts."""

JOB: Final = np.dtype(
    [
        ("agent", _INT),
        ("number", _INT),  # among the jobs of its agent's experiment
        ("state", _INT),
        ("is_alive", _INT),
        ("activity", _INT),
        ("job_ns", _INT),
        ("gpus", _INT),
        ("attempt", _INT),
        ("fails", _INT),
        ("work_ns", _INT),
        ("done_ns", _INT),
        ("asked", _INT),
        ("began", _INT),
        ("stay_ns", _INT),
        ("is_preempted", _INT),
        ("session", _INT),
        ("turn", _INT),
        ("task", _INT),
        ("task_attempt", _INT),
    ],
    align=True,
)
"""As many for each agent as it has had in parallel so far."""

POOL: Final = np.dtype(
    [
        ("units", _INT),  # those that served models hold are not among them
        ("free", _INT),
        ("head", _INT),
        ("tail", _INT),
        # what only pools of GPUs have
        *_fields_of(PoolRow),
        ("used_ns", _FLOAT),
        ("waited_ns", _INT),
    ],
    align=True,
)
"""Pools with a line in front of them: those of GPUs, then scorer servers, then the one place at the head of each of the
provider's lines, then the models that review."""

PLACE: Final = np.dtype(
    [
        ("next", _INT),
        ("previous", _INT),
        ("wants", _INT),
        ("waits", _INT),
        ("slot", _INT),  # of the event of being served
    ],
    align=True,
)
"""Where somebody stands in a line: each caller before the scorer or the reviewers, then each before the provider, then
each job."""

METER: Final = np.dtype(
    [
        ("component", _INT),
        ("staff_group", _INT),
        ("usd_per_hour", _FLOAT),
        ("units", _FLOAT),
        ("sum_of_starts_ns", _FLOAT),
    ],
    align=True,
)
"""Of each pool of GPUs, then of each group's sandboxes, then of each group's people."""

EVENT: Final = np.dtype([("at", _INT), ("rank", _INT), ("slot", _INT)], align=True)

ENTRY: Final = np.dtype(
    [
        ("agent", _INT),
        ("sub_agent", _INT),
        ("cycle", _INT),
        ("session", _INT),
        ("turn", _INT),
        ("task", _INT),
        ("attempt", _INT),
        ("kind", _INT),
        ("started", _INT),
        ("ended", _INT),
        ("queued_ns", _INT),
        ("model", _INT),
        ("service", _INT),
        ("tokens", _INT, CLASSES),
        ("gpus", _INT),
        ("pool", _INT),
        ("component", _INT),
        ("cost_usd", _FLOAT),
        ("score", _FLOAT),
        ("outcome", _INT),
    ],
    align=True,
)


class Site(NamedTuple):
    """All that a run is, as arrays; what of it a scenario fixes is the same for every replication."""

    run: np.ndarray[Any, Any]
    """[1] of RUN."""
    agents: np.ndarray[Any, Any]
    """Agents in their order, then the sub-agents of each, then models that review."""
    groups: np.ndarray[Any, Any]
    steps: np.ndarray[Any, Any]
    clients: np.ndarray[Any, Any]
    turns: np.ndarray[Any, Any]
    contexts: np.ndarray[Any, Any]
    kept: np.ndarray[Any, Any]
    """[agents, kept contexts] of KEPT."""
    limits: np.ndarray[Any, Any]
    served: np.ndarray[Any, Any]
    prefixes: Integers
    """[groups, models] when the last call began of all that share a prefix."""
    plan_line: Integers
    """[agents and sub-agents] who waits for the subscription, in the order in which they asked."""
    jobs: np.ndarray[Any, Any]
    pools: np.ndarray[Any, Any]
    standing: np.ndarray[Any, Any]
    """[places] of PLACE."""
    meters: np.ndarray[Any, Any]
    heap: np.ndarray[Any, Any]
    """[slots] of EVENT, a binary heap of those that are scheduled."""
    places: Integers
    """[slots] where in the heap each slot's event is, or NOWHERE."""
    rows: Floats
    """[quantities, 8] the world's quantities, see `laws.draws`."""
    table: Floats
    """What the rows look up."""
    forum: Integers
    """[posts that can still be read] the tokens posted before each post, by its number modulo the length."""
    entries: np.ndarray[Any, Any]
    """[capacity] of ENTRY."""
    terms: TaskTerms
    tasks: TaskList
