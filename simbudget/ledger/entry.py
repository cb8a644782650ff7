"""One entry of a ledger, and the vocabulary of entries.

Simulated, imported and live runs all become rows of this form; code downstream reads rows and cannot tell which kind
of run they come from.
"""

from typing import NamedTuple

COMPONENTS = ("tokens", "gpu", "scorer", "sandbox", "review", "gates", "staff", "fixed")
"""What money is spent on, in the order of all tables, array axes and figures."""

ACTIVITIES = (
    "model",
    "tool",
    "experiment",
    "scoring",
    "waiting_gpu",
    "waiting_scorer",
    "waiting_api",
    "waiting_other",
    "down",
)
"""Activities of an agent, of which exactly one applies at any moment of its life."""

FLEET = -1
"""Agent number of entries that belong to the whole fleet (a reserved pool, fixed costs)."""

CALLS = "calls"
"""Kind of an entry for several calls that a log reports only together; see `Entry.calls`."""


class Entry(NamedTuple):
    """One event: who, when, for how long, what was used, and what it cost.

    `started_s` and `duration_s` are those of the event itself, `queued_s` is the waiting time before it. Token classes
    exclude each other. `outcome` is `ok`, `failed` (an attempt without a result, a gate not passed), `cut` (by a crash
    or the end of the run, or a job for which its agent waits no longer), `unserved` (cut, or stopped by the budget,
    while queueing), `preempted`, or `blamed` (a submission that review considers a hack). `score` is a measurement, by
    the scorer or by a gate. Only entries with a cost have a `component`.

    What a log does not report is unknown, never zero: None in a count (NA in the frame), NaN in a time, cost or score,
    -1 in `cycle`, `session` and `turn`, an empty text.
    """

    run: int
    agent: int
    cycle: int
    session: int
    turn: int
    kind: str
    started_s: float
    duration_s: float
    queued_s: float
    model: str = ""
    uncached_input_tokens: int | None = 0
    cache_write_tokens: int | None = 0
    cache_read_tokens: int | None = 0
    output_tokens: int | None = 0
    gpus: int | None = 0
    component: str = ""
    cost_usd: float = 0.0
    score: float = float("nan")
    outcome: str = "ok"
    source: str = "simulated"
    context_tokens: int | None = None
    """Length of the whole prompt: the sum of its three classes, also where the log does not separate them."""
    cache_write_1h_tokens: int | None = None
    """Part of `cache_write_tokens` that is cached for an hour."""
    thinking_tokens: int | None = None
    """Part of `output_tokens` that was thinking."""
    calls: int | None = None
    """Number of model calls in an entry of kind `calls`."""
    reported_cost_usd: float = float("nan")
    """Cost according to the log itself."""
    list_cost_usd: float = float("nan")
    """Cost of the known tokens by the price list of the day: a lower bound if a count is unknown."""
    status: str = ""
    """The log's own word for the outcome, if it has one: `keep`, `crash`, `end_turn`, …"""
    kept: bool | None = None
    """Whether an experiment's change was kept as the new best."""
    name: str = ""
    """Name of a tool, id of an experiment, who was waited for (`person`), or the pool of a simulated job where there
    are several pools."""
    parent: str = ""
    """The `name` of the experiment that this one builds on."""
    service: str = ""
    """Service of a call: `batch`, `flex`, `priority`, `fast`; empty for standard."""
    inference_geo: str = ""
    """The place that a call was bound to (`us`), for which some providers charge more."""
    web_searches: int | None = None
    """Number of searches that the provider ran for a call, each of which is charged."""
    task_number: int | None = None
    """Number of the task, from 0, that an agent of a simulation or pilot was at; logs name the task of a whole run."""
    attempt: int | None = None
    """Number of the attempt at that task, from 0."""
