"""One entry of a ledger, and the fixed words that entries use.

Simulated, imported and live runs all become rows of this shape; everything downstream reads rows and cannot
tell which kind of run wrote them.
"""

from typing import NamedTuple

COMPONENTS = ("tokens", "gpu", "scorer", "sandbox", "review", "gates", "staff", "fixed")
"""What money is spent on, in the order of every table, array axis and picture."""

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
"""What an agent can be doing; at every moment of its life it does exactly one of these."""

FLEET = -1
"""The agent number of entries that belong to the whole fleet (a reserved pool, fixed costs)."""

CALLS = "calls"
"""The kind of an entry that stands for several calls, which a log tells only together; see `Entry.calls`."""


class Entry(NamedTuple):
    """One thing that happened: who, when, for how long, what was used, what it cost.

    `started_s` and `duration_s` are of the thing itself; `queued_s` is how long it was waited for before.
    Token classes exclude each other. `outcome` is `ok`, `failed` (an attempt without a result, a gate not passed),
    `cut` (by a crash or the end of the run), `unserved` (cut, or stopped by the budget, while it queued), `preempted`,
    or `blamed` (a submission that its review takes for a hack). `score` is what was measured: by the scorer, by a gate.
    Only rows that cost something have a `component`.

    What a log does not say is not known, and never zero: None in a count (NA in the frame), NaN in a time,
    cost or score, -1 in `cycle`, `session` and `turn`, an empty text.
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
    """The whole prompt: the sum of its three classes, also where the log does not tell them apart."""
    cache_write_1h_tokens: int | None = None
    """Those of the `cache_write_tokens` that the cache keeps for an hour."""
    thinking_tokens: int | None = None
    """Those of the `output_tokens` that were thinking."""
    calls: int | None = None
    """How many model calls an entry of kind `calls` stands for."""
    reported_cost_usd: float = float("nan")
    """What the log itself says that this cost."""
    list_cost_usd: float = float("nan")
    """What the known tokens cost by the price list of the day: a lower bound where a count is not known."""
    status: str = ""
    """The log's own word for how it ended, if it has one: `keep`, `crash`, `end_turn`, …"""
    kept: bool | None = None
    """Whether an experiment's change was kept as the new best."""
    name: str = ""
    """The tool's name, the experiment's own id, who was waited for (`person`)."""
    parent: str = ""
    """The `name` of the experiment that this one builds on."""
    service: str = ""
    """By which service of its provider a call was made: `batch`, `flex`, `priority`, `fast`; empty: as standard."""
    inference_geo: str = ""
    """The place that a call was bound to (`us`), for which some providers charge more."""
    web_searches: int | None = None
    """How many searches the provider ran for a call, which it charges one by one."""
