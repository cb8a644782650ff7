"""What the fleet shares: GPUs, scorer and forum, and when a run stops.

Field names are the keys of the scenario language, quantities are in base units. Each annotation says what a key
expects, the sentence under it what the key means; the reference page and the JSON Schema are made from both.
"""

import datetime
from typing import Annotated, Any

from simbudget.scenario.amounts import Amount
from simbudget.scenario.blocks import Block
from simbudget.scenario.calendar import Begins, parse_begins
from simbudget.scenario.document import Fields
from simbudget.scenario.expectations import (
    MOST_USD,
    Nested,
    Parsed,
    choice,
    fact,
    number,
    time,
    tokens,
    whole,
    words,
)
from simbudget.scenario.provider import Service, ServiceKey
from simbudget.scenario.quantities import Quantity
from simbudget.scenario.reading import Reading
from simbudget.units import Dimension


class Preempted(Block):
    """How often a spot GPU is taken away."""

    every: Annotated[Quantity, fact(Dimension.DURATION, low=1.0)]
    """Mean GPU time between preemptions."""


class Gpus(Block):
    """A pool of GPUs, and how it is paid for. There may be a list of them, each with a name."""

    name: Annotated[str | None, words()]
    """The pool's name, where there are several or a model is served on it."""
    count: Annotated[int, whole(1, 1_000_000, stand_in=0)]
    """GPUs in the pool; one an agent by default."""
    type: Annotated[str, words("H100")]
    """Type, which says the price where none is written."""
    price: Annotated[Quantity | None, Amount(Dimension.USD_PER_HOUR, is_fact=True, high=1e6, optional=True)]
    """Price of one GPU."""
    billing: Annotated[str, choice("on demand", "reserved", "per agent", "spot", default="on demand")]
    """What is paid for: use, the whole pool, each agent's share of it, or use at the risk of preemption."""
    preempted: Annotated[Preempted | None, Nested(Preempted, optional=True, as_text="every")]
    """How often a spot GPU is taken away."""
    speed: Annotated[Quantity, Amount(Dimension.NUMBER, "1", is_fact=True, low=0.001, high=1000.0)]
    """A job's time is divided by it."""
    checkpoint_every: Annotated[Quantity | None, time(exact=True, low=1.0, optional=True)]
    """After a preemption a job starts again from its last checkpoint; from its beginning by default."""


class Scorer(Block):
    """The server that turns submissions into scores."""

    servers: Annotated[int, whole(1, 1_000_000, "1")]
    """Submissions that are scored at a time."""
    time: Annotated[Quantity, time("1 min")]
    """How long one scoring takes."""
    cool_down: Annotated[Quantity, time("0 s", exact=True)]
    """Least time between an agent's submissions."""
    quota_per_agent_per_day: Annotated[int | None, whole(1, 1_000_000)]
    """Submissions of an agent in one day of the run; unlimited by default."""
    price: Annotated[Quantity, fact(Dimension.USD_PER_CALL, "0 $/call")]
    """Price of a scoring."""
    noise: Annotated[Quantity, fact(Dimension.NUMBER, "0")]
    """Standard deviation of a score around the true quality."""
    model: Annotated[str | None, words()]
    """A model that judges submissions; `time` then comes on top of its calls, and is 0 s by default."""
    calls: Annotated[Quantity, Amount(Dimension.NUMBER, "1", low=1.0, high=1e6)]
    """Calls of the judge for one scoring, rounded."""
    input_tokens: Annotated[Quantity | None, tokens(optional=True)]
    """Uncached input of each."""
    output_tokens: Annotated[Quantity | None, tokens(optional=True)]
    """Output of each."""
    service: Annotated[Service | None, ServiceKey()]
    """The provider's service for its calls."""

    @classmethod
    def depending(cls, reading: Reading, fields: Fields | None, name: str) -> dict[str, Any]:
        """Return no time by default for a judge, whose calls take it."""
        if fields is None or "model" not in fields.values or "time" in fields.values:
            return {}
        return {"time": time("0 s").read(reading, None, f"{name}.time")}


class Forum(Block):
    """Where agents read and post."""

    post_tokens: Annotated[Quantity, tokens("300 to 1200")]
    """Length of a post."""
    reads_at_most: Annotated[int, whole(0, 1_000_000, "30")]
    """Posts that an agent reads at a time."""


class Stop(Block):
    """When a run ends."""

    after: Annotated[Quantity, time("1 day", exact=True, low=1.0)]
    """The run ends at the latest then."""
    budget: Annotated[float | None, number(Dimension.MONEY, 0.01, MOST_USD)]
    """At or past it nothing new is started."""
    begins: Annotated[Begins, Parsed(parse_begins, "Mon 9:00")]
    """When the run begins: a weekday or a date, and a time."""
    budget_counts: Annotated[str, choice("when begun", "when billed", default="when begun")]
    """Whether a call counts when it begins, as for a guard that reserves, or when it has ended."""
    cycles_per_agent: Annotated[int | None, whole(1, 1_000_000_000)]
    """Number of cycles after which an agent ends."""
    target_score: Annotated[float | None, number(Dimension.NUMBER, -10.0, 10.0)]
    """The run ends when a measured score reaches it."""
    reserve: Annotated[float | None, number(Dimension.MONEY, 0.0, MOST_USD)]
    """Part of the budget that agents leave for review and gates."""
    no_improvement_for: Annotated[Quantity | None, time(exact=True, low=1.0, optional=True)]
    """The run ends when the best score has not risen for so long."""

    @property
    def begins_s(self) -> int:
        """Return when the run begins, in seconds after a Monday 0:00."""
        return self.begins.week_s

    @property
    def begins_on(self) -> datetime.date | None:
        """Return on which date the run begins, if that is known."""
        return self.begins.date
