"""What the fleet shares: GPUs, scorer and forum, and when a run stops.

Field names are the keys of the scenario language; quantities are in base units. A field's annotation says what its
key expects, and the sentence below it what the key means; reference page and JSON Schema are generated from both.
"""

import datetime
from typing import Annotated, Any, Final, NamedTuple

from simbudget.scenario.language.amounts import Amount
from simbudget.scenario.language.blocks import Block
from simbudget.scenario.language.calendar import Begins, parse_begins
from simbudget.scenario.language.document import Fields
from simbudget.scenario.language.expectations import (
    MOST_USD,
    Nested,
    Parsed,
    choice,
    fact,
    model_name,
    number,
    time,
    tokens,
    whole,
    words,
)
from simbudget.scenario.language.quantities import Quantity
from simbudget.scenario.language.reading import Reading
from simbudget.scenario.provider import Service, ServiceKey
from simbudget.units import Dimension


class Billing(NamedTuple):
    """What of a pool of GPUs is charged for."""

    use: bool = False
    """The time for which jobs and served models hold its GPUs."""
    run: bool = False
    """All its GPUs, from the start of the run to its end."""
    agents: bool = False
    """Each agent's equal share of it, for the agent's life. It excludes the other two: the unit is a share then."""
    keys: tuple[str, ...] = ()
    """Keys of `gpus` that only pools billed in this way may have."""

    @property
    def only_use(self) -> bool:
        """Return whether a pool that nothing uses costs nothing."""
        return self.use and not (self.run or self.agents)


BILLINGS: Final = {
    "on demand": Billing(use=True),
    "reserved": Billing(run=True),
    "per agent": Billing(agents=True),
    "spot": Billing(use=True, keys=("preempted", "checkpoint_every")),
}
"""The kinds of billing. Everything above this layer reads these columns and knows no names."""


class Preempted(Block):
    """How often spot GPUs are preempted."""

    every: Annotated[Quantity, fact(Dimension.DURATION, low=1.0)]
    """Mean GPU time between preemptions."""


class Gpus(Block):
    """A pool of GPUs and how it is billed. There may be a list of pools, each with a name."""

    name: Annotated[str | None, words()]
    """The pool's name, needed if there are several or a model is served on it."""
    count: Annotated[int, whole(1, 1_000_000, stand_in=0)]
    """Number of GPUs; by default one per agent."""
    type: Annotated[str, words("H100")]
    """GPU type, which determines the price if none is written."""
    price: Annotated[Quantity | None, Amount(Dimension.USD_PER_HOUR, is_fact=True, high=1e6, optional=True)]
    """Price of one GPU."""
    billing: Annotated[str, choice(*BILLINGS, default="on demand")]
    """What is billed: use, the whole pool, each agent's share of it, or use with the risk of preemption."""
    preempted: Annotated[Preempted | None, Nested(Preempted, optional=True, as_text="every")]
    """How often a spot GPU is preempted."""
    speed: Annotated[
        Quantity, Amount(Dimension.NUMBER, "1", is_fact=True, low=0.001, high=1000.0, percent=True)
    ]
    """Relative speed, which divides the duration of jobs."""
    checkpoint_every: Annotated[Quantity | None, time(exact=True, low=1.0, optional=True)]
    """Time between checkpoints from which preempted jobs resume; by default they start again."""

    @property
    def bills(self) -> Billing:
        """Return what of the pool is charged for."""
        return BILLINGS[self.billing]


class Scorer(Block):
    """The server that turns submissions into scores."""

    servers: Annotated[int, whole(1, 1_000_000, "1")]
    """Number of submissions scored in parallel."""
    time: Annotated[Quantity, time("1 min")]
    """Duration of one scoring."""
    cool_down: Annotated[Quantity, time("0 s", exact=True)]
    """Minimum time between an agent's submissions."""
    quota_per_agent_per_day: Annotated[int | None, whole(1, 1_000_000)]
    """Submissions per agent and day of the run; by default unlimited."""
    price: Annotated[Quantity, fact(Dimension.USD_PER_CALL, "0 $/call")]
    """Price of one scoring."""
    noise: Annotated[Quantity, fact(Dimension.NUMBER, "0", percent=True)]
    """Standard deviation of a score around the true quality."""
    model: Annotated[str | None, model_name()]
    """A model that judges submissions; `time` is then in addition to its calls, and by default 0 s."""
    calls: Annotated[Quantity, Amount(Dimension.NUMBER, "1", low=1.0, high=1e6)]
    """Number of judge calls per scoring, rounded."""
    input_tokens: Annotated[Quantity | None, tokens(optional=True)]
    """Uncached input of each call."""
    output_tokens: Annotated[Quantity | None, tokens(optional=True)]
    """Output of each call."""
    service: Annotated[Service | None, ServiceKey()]
    """The provider's service for the judge's calls."""

    @classmethod
    def depending(cls, reading: Reading, fields: Fields | None, name: str) -> dict[str, Any]:
        """Return the default `time` of a judge, 0 s, as its calls already take time."""
        if fields is None or "model" not in fields.values or "time" in fields.values:
            return {}
        return {"time": time("0 s").read(reading, None, f"{name}.time")}


class Forum(Block):
    """The forum where agents read and post."""

    post_tokens: Annotated[Quantity, tokens("300 to 1200")]
    """Length of a post."""
    reads_at_most: Annotated[int, whole(0, 1_000_000, "30")]
    """Maximum number of posts that an agent reads at a time."""


class Stop(Block):
    """When a run ends."""

    after: Annotated[Quantity, time("1 day", exact=True, low=1.0)]
    """Latest end of the run."""
    budget: Annotated[float | None, number(Dimension.MONEY, 0.01, MOST_USD)]
    """Spend at which nothing new is started."""
    begins: Annotated[Begins, Parsed(parse_begins, "Mon 9:00")]
    """When the run begins: a weekday or a date, and a time."""
    budget_counts: Annotated[str, choice("when begun", "when billed", default="when begun")]
    """Whether a call counts when it begins, as with a guard that reserves its cost, or when it has ended."""
    cycles_per_agent: Annotated[int | None, whole(1, 1_000_000_000)]
    """Number of cycles after which an agent ends."""
    target_score: Annotated[float | None, number(Dimension.NUMBER, -10.0, 10.0, percent=True)]
    """Measured score at which the run ends."""
    reserve: Annotated[float | None, number(Dimension.MONEY, 0.0, MOST_USD)]
    """Part of the budget that agents leave for review and gates."""
    no_improvement_for: Annotated[Quantity | None, time(exact=True, low=1.0, optional=True)]
    """Time without an improvement of the best score after which the run ends."""

    @property
    def begins_s(self) -> int:
        """Return the start of the run in seconds after Monday 0:00."""
        return self.begins.week_s

    @property
    def begins_on(self) -> datetime.date | None:
        """Return the date of the run's start, if it is known."""
        return self.begins.date
