"""The scenario as frozen, validated values: what the YAML says, with every default filled in.

Field names are the keys of the scenario language. Quantities are in base units. Each annotation says what the
key expects; `loading` reads what takes more than one key to read (groups, steps, models, prices).
"""

import datetime
from pathlib import Path
from typing import Annotated, Literal

from simbudget.prices.tiers import TIERS
from simbudget.scenario.amounts import Amount
from simbudget.scenario.calendar import Begins, OfficeHours, parse_begins
from simbudget.scenario.evidence import Evidence
from simbudget.scenario.expectations import HOURS, MOST_AGENTS, MOST_USD, fact, time, tokens
from simbudget.scenario.fields import Block, Nested, Parsed, choice, number, whole, words
from simbudget.scenario.limits import Limit
from simbudget.scenario.own_steps import OwnFile
from simbudget.scenario.quantities import Quantity
from simbudget.scenario.research import Gate, Research, Review
from simbudget.units import Dimension


class Start(Block):
    """When the agents of a group start."""

    first: Annotated[Quantity, time("0 s", exact=True)]
    then_every: Annotated[Quantity, time("0 s", exact=True)]
    context_tokens: Annotated[Quantity, fact(Dimension.NUMBER, "0")]
    """The first context of each agent is under way already, and holds so many tokens; 0: it begins as any other."""
    cached_tokens: Annotated[Quantity | None, Amount(Dimension.NUMBER, exact=True, high=1e9, optional=True)]
    """So many of them the cache holds at the agent's start; all, unless it is written."""
    context_turns: Annotated[Quantity, Amount(Dimension.NUMBER, "0", exact=True, high=1e9)]
    """So many turns that context has behind it; see `turn.opening`."""


class Crashes(Block):
    """How often an agent crashes, and how long it is down then."""

    every: Annotated[Quantity, fact(Dimension.DURATION, low=1.0)]
    restart: Annotated[Quantity, time("10 min")]


class Sandbox(Block):
    """What an agent's sandbox costs."""

    price: Annotated[Quantity, fact(Dimension.USD_PER_HOUR, "0 $/h")]


class Staff(Block):
    """What people are paid, in their hours."""

    price: Annotated[Quantity, fact(Dimension.USD_PER_HOUR)]
    hours: Annotated[OfficeHours, HOURS]


class Polls(Block):
    """How an agent looks after its experiment."""

    every: Annotated[Quantity, time(low=1.0)]
    output_tokens: Annotated[Quantity, tokens("60")]
    result_tokens: Annotated[Quantity, tokens("300")]


class Think(Block):
    """A step of model calls; of people: of working time."""

    kind: Literal["think"] = "think"
    turns: Annotated[Quantity | None, Amount(Dimension.NUMBER, high=1e6, optional=True)]
    time: Annotated[Quantity | None, time(optional=True)]


class Experiment(Block):
    """A step that is a job on GPUs."""

    kind: Literal["experiment"] = "experiment"
    gpus: Annotated[Quantity, Amount(Dimension.NUMBER, "1", low=1.0, high=1e6)]
    time: Annotated[Quantity, time()]
    fails: Annotated[Quantity, fact(Dimension.FRACTION, "0%")]
    polls: Annotated[Polls | None, Nested(Polls, optional=True)]


class Score(Block):
    """A step that sends a submission to the scorer."""

    kind: Literal["score"] = "score"


class Share(Block):
    """A step that reads the forum and posts."""

    kind: Literal["share"] = "share"


class OwnStep(Block):
    """A step that its user wrote in Python; the reference engine runs it."""

    kind: Literal["python"] = "python"
    file: Annotated[Path, OwnFile()]
    function: Annotated[str, words("step")]


Step = Think | Experiment | Score | Share | OwnStep


class Opening(Block):
    """How much more than later the tools return in a context's first turns, in which an agent looks around.

    The results of its k-th turn, from 0 and anew after a compaction, are 1 + (times - 1) exp(-k / turns) times as
    large.
    """

    times: Annotated[Quantity, fact(Dimension.NUMBER, "1")]
    turns: Annotated[Quantity, Amount(Dimension.NUMBER, "4", is_fact=True, low=0.1, high=1e6)]


class Turn(Block):
    """One model call and the tool results that follow it."""

    output_tokens: Annotated[Quantity, tokens("{typical: 350 to 1200, varies: 3x}")]
    thinking_tokens: Annotated[Quantity, tokens("0")]
    tool_result_tokens: Annotated[Quantity, tokens("{typical: 500 to 3000, varies: 4x}")]
    tool_time: Annotated[Quantity, time("{typical: 5 s to 30 s, varies: 5x}")]
    opening: Annotated[Opening, Nested(Opening)]


class Context(Block):
    """What a call sends, and what of it the cache holds."""

    first_prompt_tokens: Annotated[Quantity, tokens("20000")]
    limit_tokens: Annotated[Quantity, fact(Dimension.NUMBER, "160000")]
    compacted_to_tokens: Annotated[Quantity, tokens("20000")]
    lasts: Annotated[str, choice("think", "cycle", "life", default="cycle")]
    cache: Annotated[str, choice("off", "5 min", "1 h", default="5 min")]
    cache_misses: Annotated[Quantity, fact(Dimension.FRACTION, "0%")]
    """The chance that a call finds nothing in the cache, though it is young."""


class Group(Block):
    """Some alike agents, or people."""

    group: Annotated[str, words()]
    kind: Annotated[str, choice("agents", "people", default="agents")]
    agents: Annotated[int, whole(1, MOST_AGENTS, stand_in=1)]
    model: Annotated[str | None, words()]
    directions: Annotated[int | None, whole(1, MOST_AGENTS)]
    start: Annotated[Start, Nested(Start)]
    crashes: Annotated[Crashes | None, Nested(Crashes, optional=True)]
    sandbox: Annotated[Sandbox, Nested(Sandbox)]
    staff: Annotated[Staff | None, Nested(Staff, optional=True)]
    cycle: tuple[Step, ...]
    turn: Turn
    context: Context


class ModelSpeed(Block):
    """How quick a model answers."""

    first_token: Annotated[Quantity, time("1.5 s to 5 s")]
    output_speed: Annotated[Quantity, Amount(Dimension.TOKENS_PER_S, "45 to 80 tokens/s", low=0.01, high=1e6)]


class PriceTier(Block):
    """Prices by token class; `cache_write` is of the class that the scenario's cache writes."""

    input: Annotated[Quantity, fact(Dimension.USD_PER_MTOK)]
    cache_write: Annotated[Quantity, fact(Dimension.USD_PER_MTOK)]
    cache_read: Annotated[Quantity, fact(Dimension.USD_PER_MTOK)]
    output: Annotated[Quantity, fact(Dimension.USD_PER_MTOK)]


class LongTier(PriceTier):
    """Prices of a call whose context is longer than `above`."""

    above: Annotated[Quantity, tokens(exact=True)]


class ModelPrices(PriceTier):
    """The scenario's own prices of a model."""

    long: Annotated[LongTier | None, Nested(LongTier, optional=True)]


class Prices(Block):
    """The date of the price list, and the scenario's own prices."""

    on: datetime.date
    models: dict[str, ModelPrices]


class Api(Block):
    """The provider's limits and errors."""

    requests_per_min: Annotated[float | None, number(Dimension.NUMBER, 0.001, 1e9)]
    input_tokens_per_min: Annotated[float | None, number(Dimension.NUMBER, 1, 1e12)]
    output_tokens_per_min: Annotated[float | None, number(Dimension.NUMBER, 1, 1e12)]
    error_rate: Annotated[Quantity, Amount(Dimension.FRACTION, "0%", is_fact=True, high=0.99)]
    retries: Annotated[int, whole(0, 1000, "2")]
    gives_up_for: Annotated[Quantity, time("1 min")]
    tier: Annotated[str | None, choice(*TIERS)]


class Preempted(Block):
    """How often a spot GPU is taken away."""

    every: Annotated[Quantity, fact(Dimension.DURATION, low=1.0)]


class Gpus(Block):
    """The pool of GPUs, and how it is paid for."""

    count: Annotated[int, whole(1, 1_000_000, stand_in=0)]
    type: Annotated[str, words("H100")]
    price: Annotated[Quantity | None, Amount(Dimension.USD_PER_HOUR, is_fact=True, high=1e6, optional=True)]
    billing: Annotated[str, choice("on demand", "reserved", "per agent", "spot", default="on demand")]
    preempted: Annotated[Preempted | None, Nested(Preempted, optional=True, as_text="every")]
    checkpoint_every: Annotated[Quantity | None, time(exact=True, low=1.0, optional=True)]


class Scorer(Block):
    """The server that turns submissions into scores."""

    servers: Annotated[int, whole(1, 1_000_000, "1")]
    time: Annotated[Quantity, time("1 min")]
    cool_down: Annotated[Quantity, time("0 s", exact=True)]
    quota_per_agent_per_day: Annotated[int | None, whole(1, 1_000_000)]
    price: Annotated[Quantity, fact(Dimension.USD_PER_CALL, "0 $/call")]
    noise: Annotated[Quantity, fact(Dimension.NUMBER, "0")]


class Forum(Block):
    """Where agents read and post."""

    post_tokens: Annotated[Quantity, tokens("300 to 1200")]
    reads_at_most: Annotated[int, whole(0, 1_000_000, "30")]


class Stop(Block):
    """When a run ends."""

    after: Annotated[Quantity, time("1 day", exact=True, low=1.0)]
    budget: Annotated[float | None, number(Dimension.MONEY, 0.01, MOST_USD)]
    begins: Annotated[Begins, Parsed(parse_begins, "Mon 9:00")]
    cycles_per_agent: Annotated[int | None, whole(1, 1_000_000_000)]
    target_score: Annotated[float | None, number(Dimension.NUMBER, -10.0, 10.0)]
    reserve: Annotated[float | None, number(Dimension.MONEY, 0.0, MOST_USD)]
    """The part of the budget that agents leave for gates."""
    no_improvement_for: Annotated[Quantity | None, time(exact=True, low=1.0, optional=True)]

    @property
    def begins_s(self) -> int:
        """Return when the run begins, in seconds after a Monday 0:00."""
        return self.begins.week_s

    @property
    def begins_on(self) -> datetime.date | None:
        """Return on which date the run begins, if that is known."""
        return self.begins.date


class Scenario(Block):
    """A whole scenario."""

    version: int
    name: str
    fleet: tuple[Group, ...]
    models: dict[str, ModelSpeed]
    """Every model of the fleet."""
    prices: Prices
    api: Annotated[Api, Nested(Api)]
    gpus: Annotated[Gpus, Nested(Gpus)]
    scorer: Annotated[Scorer, Nested(Scorer)]
    forum: Annotated[Forum, Nested(Forum)]
    review: Annotated[Review | None, Nested(Review, optional=True)]
    research: Annotated[Research | None, Nested(Research, optional=True)]
    gates: tuple[Gate, ...]
    evidence: Evidence | None
    fixed: Annotated[Quantity, Amount(Dimension.MONEY, "$0", is_fact=True, high=MOST_USD)]
    stop: Annotated[Stop, Nested(Stop)]
    limits: tuple[Limit, ...]
