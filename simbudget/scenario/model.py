"""The scenario as frozen, validated values: what the YAML says, with every default filled in.

Field names are the keys of the scenario language (SCENARIO.md). Quantities are in base units.
"""

from __future__ import annotations

import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict

# CONTRACT (to be turned into the real thing; names, nesting and types below are what the engine reads)
# Tokens, Seconds, PerHour, ... = Annotated[Quantity, Expect(dimension=..., bare="varies"|"unknown", low=..., ...)]


class Block(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class Start(Block):
    first: Seconds            # exact only (default 0 s)
    then_every: Seconds       # exact only (default 0 s)


class Crashes(Block):
    every: Seconds            # bare range: unknown. mean of the exponential, > 0
    restart: Seconds          # bare range: varies


class Sandbox(Block):
    price: UsdPerHour         # bare range: unknown; default 0 $/h


class OfficeHours(Block):     # from text: "always" or "Mon-Fri 9-17" or "Mon-Sat 8:30-18:00"
    days: tuple[bool, ...]    # seven, Monday first
    opens_s: int              # seconds after midnight
    closes_s: int


class Staff(Block):
    price: UsdPerHour
    hours: OfficeHours        # default always


class Polls(Block):
    every: Seconds            # exact or range; > 0
    output_tokens: Tokens     # default 60
    result_tokens: Tokens     # default 300


class Think(Block):           # written `think: {turns: ...}`; people: `think: {time: ...}`
    kind: Literal["think"]
    turns: Count | None       # default 30 to 120 style default, stated
    time: Seconds | None      # only for people


class Experiment(Block):
    kind: Literal["experiment"]
    gpus: Count               # default 1
    time: Seconds
    fails: Fraction           # bare range: unknown; default 0
    polls: Polls | None


class Score(Block):
    kind: Literal["score"]


class Share(Block):
    kind: Literal["share"]


class Turn(Block):
    output_tokens: Tokens
    thinking_tokens: Tokens   # default 0
    tool_result_tokens: Tokens
    tool_time: Seconds


class Context(Block):
    first_prompt_tokens: Tokens
    limit_tokens: Tokens      # exact
    compacted_to_tokens: Tokens
    lasts: Literal["think", "cycle", "life"]          # default cycle
    cache: Literal["off", "5 min", "1 h"]             # default 5 min


class Group(Block):
    group: str                # default "agents" (made unique: agents, agents-2, ...)
    kind: Literal["agents", "people"]
    agents: int               # >= 1; for people the key `people` is not added: `agents` counts them too
    model: str | None         # None for people; default for agents: stated default
    directions: int | None
    start: Start
    crashes: Crashes | None
    sandbox: Sandbox
    staff: Staff | None       # people only, default price 0? -> required for people
    cycle: tuple[Step, ...]   # the scenario's when not given; ALWAYS filled in after loading
    turn: Turn                # the scenario's, overridden key by key; ALWAYS filled in
    context: Context          # the same


class ModelSpeed(Block):      # `models: {NAME: {...}}`
    first_token: Seconds      # bare range: varies
    output_speed: TokensPerSecond   # bare range: varies; > 0


class PriceTier(Block):       # all $/Mtok; ranges are unknown
    input: UsdPerMtok
    cache_write: UsdPerMtok
    cache_read: UsdPerMtok
    output: UsdPerMtok


class LongTier(PriceTier):
    above: Tokens             # exact


class ModelPrices(PriceTier):
    long: LongTier | None


class Prices(Block):          # `prices: {on: DATE, MODEL: {...}}`
    on: datetime.date         # default: today, said so in `check` and in the summary
    models: dict[str, ModelPrices]    # the explicit ones


class Api(Block):
    requests_per_min: float | None        # exact, > 0; None: not limited
    input_tokens_per_min: float | None
    output_tokens_per_min: float | None
    error_rate: Fraction      # bare: unknown; default 0
    retries: int              # default 2, >= 0
    gives_up_for: Seconds     # default 1 min; bare: varies
    tier: Literal["start", "build", "scale", "custom"] | None    # usage tier, any case; monthly spend cap


class Preempted(Block):
    every: Seconds            # of GPU time; bare: unknown


class Gpus(Block):
    count: int                # default: one per agent of the fleet
    type: str                 # default "H100"
    price: UsdPerHour         # default: from the dated GPU price table by type; bare: unknown
    billing: Literal["on demand", "reserved", "per agent", "spot"]    # default on demand
    preempted: Preempted | None        # only with spot
    checkpoint_every: Seconds | None   # exact; only with spot


class Scorer(Block):
    servers: int              # default 1
    time: Seconds             # bare: varies
    cool_down: Seconds        # exact; default 0
    quota_per_agent_per_day: int | None
    price: UsdPerCall         # default 0; bare: unknown
    noise: Number             # bare: unknown; default 0


class Forum(Block):
    post_tokens: Tokens
    reads_at_most: int        # default 30


class Review(Block):
    people: int
    hours: OfficeHours
    time: Seconds
    price: UsdPerHour
    of: str | float           # "all", "best" or a fraction


class Gate(Block):
    name: str
    keeps: Fraction           # bare: varies
    smallest_effect: Number
    noise: Number
    price: UsdPerTry
    time: Seconds


class Research(Block):
    explores: Fraction        # probabilities: bare is unknown
    first_quality: Number     # bare: varies
    refines: Fraction
    gain: Fraction            # varies
    transfers: Fraction
    real_share: Fraction
    hacks: Fraction
    hack_score: Number        # varies
    caught: Fraction
    finalists: int


class Stop(Block):
    after: Seconds            # exact; default 1 day
    budget: float | None      # US dollars, exact
    begins_s: int             # seconds after Monday 0:00, from "Mon 9:00"; default Mon 9:00   (key `begins`)
    begins_on: datetime.date | None   # when `begins` is a date and time, e.g. 2026-03-02 9:00
    cycles_per_agent: int | None


class Limit(Block):           # from text "spend p90 <= $20,000"
    text: str
    figure: str               # spend, wall_clock, agent_hours, cost_per_agent_hour, overrun, gpu_hours, model_calls, probability_within_budget ...
    statistic: Literal["mean", "p10", "p50", "p90"]   # default p90 for <=, p10 for >=
    at_most: bool
    value: float


class Scenario(Block):
    version: int              # key `simbudget`, default 1
    name: str                 # default: the file's name
    fleet: tuple[Group, ...]
    cycle: tuple[Step, ...]
    models: dict[str, ModelSpeed]     # ALWAYS has every model used by the fleet, defaults filled in
    prices: Prices
    api: Api
    gpus: Gpus
    scorer: Scorer
    forum: Forum
    review: Review | None
    research: Research | None
    gates: tuple[Gate, ...]
    fixed: Usd                # money spent once at the start whatever happens; default $0
    stop: Stop
    limits: tuple[Limit, ...]
