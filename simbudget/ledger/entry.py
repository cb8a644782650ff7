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


class Entry(NamedTuple):
    """One thing that happened: who, when, for how long, what was used, what it cost.

    `started_s` and `duration_s` are of the thing itself; `queued_s` is how long it was waited for before.
    Token classes exclude each other. `outcome` is `ok`, `failed` (an attempt without a result, a gate not passed),
    `cut` (by a crash or the end of the run), `unserved` (cut, or stopped by the budget, while it queued), `preempted`,
    or `blamed` (a submission that its review takes for a hack). `score` is what was measured: by the scorer, by a gate.
    Only rows that cost something have a `component`.
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
    uncached_input_tokens: int = 0
    cache_write_tokens: int = 0
    cache_read_tokens: int = 0
    output_tokens: int = 0
    gpus: int = 0
    component: str = ""
    cost_usd: float = 0.0
    score: float = float("nan")
    outcome: str = "ok"
    source: str = "simulated"
