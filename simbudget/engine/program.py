"""The program: a scenario lowered to small flat tables of numbers, which every engine interprets.

Steps, groups and settings are rows of whole numbers; where a row speaks of a quantity it holds the quantity's
number. Quantities are rows of distributions (`laws.draws`). Times are nanoseconds. `lowering.lower` makes it.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple

import numpy as np

from simbudget.engine.laws.draws import Floats, Integers, draw_world
from simbudget.engine.laws.pools import PoolRow
from simbudget.engine.laws.research import Lab, Research
from simbudget.engine.laws.tasks import TaskTerms
from simbudget.errors import Problem

NONE: Final = -1
"""The number of a quantity that a row does not have."""

IDLE_CYCLES: Final = 1000
"""A run in which an agent goes through this many cycles without any time passing is refused as endless."""


class Step(IntEnum):
    """The kinds of steps; a person's think step is WORK."""

    THINK = 0
    WORK = 1
    EXPERIMENT = 2
    SCORE = 3
    SHARE = 4
    PYTHON = 5
    """Its `size` is the number of the user's own step."""
    DELEGATE = 6


class Condition(IntEnum):
    """When a step is done."""

    ALWAYS = 0
    SUCCEEDED = 1
    FAILED = 2
    IMPROVED = 3
    PART = 4


class Lasts(IntEnum):
    """How long a context lasts."""

    THINK = 0
    CYCLE = 1
    LIFE = 2


class WorkDraws(NamedTuple):
    """What the laws of work look up for a step: the purpose of its stream, and quantities or `NONE`."""

    purpose: int
    size: int = NONE
    """Turns of a think step or a sub-agent, seconds of a person's work or of an experiment."""
    gpus: int = NONE
    fails: int = NONE
    speed: int = NONE
    """Of the pool, by which the time of an experiment is divided."""


class PollDraws(NamedTuple):
    """Calls that an agent makes beside an experiment, as quantities."""

    every: int = NONE
    output: int = NONE
    result: int = NONE


class StepRow(NamedTuple):
    """One step of a cycle; what is drawn are quantities, or `NONE`."""

    kind: int
    work: WorkDraws
    polls: PollDraws = PollDraws()
    pool: int = 0
    """The number of the pool on which an experiment runs."""
    attempts: int = 3
    """Maximum number of tries of a job."""
    ends_cycle: int = 0
    """Whether the cycle ends if no job has succeeded."""
    at_once: int = NONE
    """Jobs side by side; `NONE`: one."""
    wait_for: int = 0
    """Number of successful jobs after which the agent goes on; 0: it waits until all have ended."""
    each: int = 0
    """Whether each job that has succeeded since the last score is submitted."""
    condition: int = 0
    """When the step is done, one of `Condition`."""
    part: int = NONE
    """The probability that it is done, if that is the condition."""
    client: int = NONE
    """The client, turn and context of the step's calls, as rows of those tables; `NONE`: the group's."""
    turn: int = NONE
    context: int = NONE
    """A step that has one has a context of its own."""
    returns: int = NONE
    """Tokens that join the group's context when a context of the step's own, or of a sub-agent, ends."""
    sub_agents: int = NONE


class CallDraws(NamedTuple):
    """What is drawn for each attempt at a call, as quantities."""

    first_token: int
    output_speed: int
    error_rate: int
    gives_up_for: int


class ClientRow(NamedTuple):
    """One way to call a model: how quick it is, how often it fails, what it costs, and how long its cache lives."""

    model: int
    """The number of the model's name."""
    cache_life_ns: int
    """It also decides what is paid for writing to the cache."""
    attempt: CallDraws
    price_row: tuple[int, ...]
    """[laws.calls.PRICES] tokens from which the long-context tier holds; by token class, its prices in $/Mtok; those in
    that tier: quantities."""
    price_factor: int = NONE
    """The factor by which prices are multiplied; `NONE`: 1."""
    service: int = 0
    """The number of the service in `pricing.charge.SERVICES`."""
    line: int = 0
    """The row of `limits_per_min` whose limits hold for its calls; `NONE`: no limits."""
    is_planned: int = 0
    """Whether its calls are part of the subscription."""
    returns_in: int = NONE
    """How long a call in a batch takes; `NONE`: calls take as long as the model needs."""
    served: int = NONE
    """The row of the served model that it calls; `NONE`: a provider's."""


class TurnDraws(NamedTuple):
    """What is drawn for each turn, as quantities."""

    output: int
    thinking: int
    tool_result: int
    tool_time: int


class TurnRow(NamedTuple):
    """One kind of turn, as quantities."""

    parts: TurnDraws
    opening_times: int
    """Factor by which the first tool results of a context are larger than later ones; `NONE`: 1."""
    opening_turns: int


class ContextRow(NamedTuple):
    """How contexts begin, how long they last, and what happens when they are full."""

    lasts: int
    first_prompt: int
    limit_tokens: int
    compacted: int
    cache_misses: int
    limit_is_written: int = 1
    keeps_thinking: int = 0
    shared_prefix: int = NONE
    when_full: int = 0
    """One of `laws.calls`: COMPACT, RESTART, DROP."""
    carried: int = NONE
    """Tokens that a restart carries over."""
    left_part: int = NONE
    """The part of the limit that is left when the oldest part is dropped."""


class ServedRow(NamedTuple):
    """A model served on the fleet's own GPUs for the whole run. Speeds are quantities."""

    model: int
    pool: int
    gpus: int
    """GPUs that its replicas hold together."""
    replicas: int
    throughput: int
    at_most: int


class PlanRow(NamedTuple):
    """A subscription. Amounts of money are quantities."""

    price: int
    """Of a seat, for 30 days."""
    seats: int
    lengths_ns: tuple[int, int]
    """Of its window and of a week; 0: there is no such limit."""
    allows: tuple[int, int]
    """What may be used in its window and in a week."""
    pays: int
    """Whether a call at the limit is paid at list prices; otherwise it waits."""


class CrashDraws(NamedTuple):
    """How often an agent crashes and how long it is down then, as quantities."""

    every: int = NONE
    restart: int = NONE


class StopDraws(NamedTuple):
    """What ends an agent, as quantities: the time after its start, and limits on what it may use (`laws.accounts`)."""

    after: int = NONE
    spend: int = NONE
    tokens: int = NONE
    turns: int = NONE


class GroupRow(NamedTuple):
    """One group of the fleet. `client`, `turn` and `context` are rows of those tables; prices are quantities."""

    first_agent: int
    agents: int
    first_step: int
    steps: int
    is_people: int
    first_start_ns: int
    start_every_ns: int
    client: int
    turn: int
    context: int
    crashes: CrashDraws
    stop: StopDraws
    sandbox_price: int
    staff_price: int
    start_context_tokens: int = NONE
    """Tokens with which each agent's first context begins instead of a first prompt; 0: a first prompt."""
    start_cached_tokens: int = 0
    """Maximum number of those tokens that the cache holds when the agent starts."""
    start_context_turns: int = 0
    """Number of turns that context already has behind it."""

    @property
    def is_limited(self) -> bool:
        """Return whether anything but time limits each of its agents."""
        return self.stop[1:] != StopDraws()[1:]


class Settings(NamedTuple):
    """Settings of the whole fleet; prices and times that are drawn are quantities."""

    horizon_ns: int
    begins_ns: int
    """Nanoseconds from a Monday 0:00 to the start of the run."""
    most_cycles: int
    reads_at_most: int
    post_tokens: int
    fixed: int
    retries: int
    servers: int
    scoring_time: int
    cool_down_ns: int
    quota: int
    """Submissions an agent may make in a day of the run; 0 for any number."""
    score_price: int
    judge: int
    """The client with which a model scores submissions; `NONE`: no model does."""
    judge_calls: int
    judge_input: int
    judge_output: int
    reviewer: int
    """The client with which a model reviews submissions; `NONE`: people do, if anybody does."""
    review_input: int
    review_output: int
    no_improvement_ns: int
    """The run ends when the best score has not risen for this time; 0 for never."""
    counts_when_billed: int = 0
    """Whether the budget counts a call when it has ended, not when it begins."""


@dataclass(frozen=True)
class Program:
    """A scenario as tables. Agents are numbered through all groups, in the order of the fleet."""

    steps: tuple[StepRow, ...]
    groups: tuple[GroupRow, ...]
    clients: tuple[ClientRow, ...]
    turns: tuple[TurnRow, ...]
    contexts: tuple[ContextRow, ...]
    pools: tuple[PoolRow, ...]
    """The pools of GPUs; the first is the one of experiments that name none."""
    served: tuple[ServedRow, ...]
    plan: PlanRow | None
    settings: Settings
    budget_usd: float
    """Infinite if there is none."""
    agents_budget_usd: float
    """What agents may spend: the budget less the reserve for gates."""
    limits_per_min: Floats
    """[lines, 3] requests, input tokens and output tokens per minute; 0 is unlimited. The first line is that of all
    models that have none of their own."""
    hours: Integers
    """[groups, 9] office hours, see `laws.hours`; agents' are always."""
    agent_groups: Integers
    """[agents] the group of each."""
    agent_keys: Integers
    """[agents] the number of each one's streams."""
    target_score: float
    """The run ends when a score reaches it; infinite if there is none."""
    research: Research
    gates: Integers
    """[gates, 6] see `laws.gates`."""
    review_hours: Integers
    """[9] the reviewers' office hours, see `laws.hours`."""
    reviewers: int
    agent_directions: Integers
    """[agents] the direction in which each starts to look for ideas."""
    direction_keys: Integers
    """[directions] the number of each one's streams."""
    rows: Floats
    """[quantities, 8] see `laws.draws`."""
    table: Floats
    """Numbers that rows refer to, such as the points of an empirical distribution."""
    kinds: Integers
    """[quantities] when each is drawn, see `laws.draws`."""
    spreads: Floats
    """[quantities] p90/median of the draws around an unknown typical value."""
    purposes: Integers
    """[quantities] each one's stream, from its name."""
    own_steps: tuple[tuple[str, str], ...]
    """File and function of each step that a user wrote in Python."""
    not_compiled: tuple[str, ...]
    """Features that only the reference engine simulates, in words; empty if both do."""
    group_names: tuple[str, ...]
    gate_names: tuple[str, ...]
    pool_names: tuple[str, ...]
    models: tuple[str, ...]
    """The names of the models; an empty one for people's."""
    tasks: TaskTerms
    discounts: Integers
    """[components] the part by which each component's prices are less: a quantity, or `NONE`."""

    @property
    def entry_pools(self) -> tuple[str, ...]:
        """Return the pool names for entries; a single pool has none."""
        return self.pool_names if len(self.pools) > 1 else ("",)

    @property
    def agents(self) -> int:
        """Return the number of agents and people in the fleet."""
        return len(self.agent_groups)

    def world(self, seed: int, world: int, replication: int) -> Floats:
        """Return the [quantities, 8] rows of one world, facts settled as in one replication.

        Args:
            seed: seed of all draws.
            world: the number of the world.
            replication: the number of the replication.
        """
        stream = np.array([seed, world, replication], dtype=np.int64)
        rows = np.empty_like(self.rows)
        draw_world(rows, self.rows, self.table, self.kinds, self.spreads, self.purposes, stream)
        return rows

    def lab(self, rows: Floats, seed: int, world: int, replication: int) -> Lab:
        """Return the lookup tables of the laws of research in one world, whose `rows` are given.

        Args:
            rows: [quantities, 8] the rows of the world.
            seed: seed of all draws.
            world: the number of the world.
            replication: the number of the replication.
        """
        run = np.array([seed, world, replication], dtype=np.int64)
        keys = np.asarray(self.agent_keys, dtype=np.int64)
        return Lab(rows, self.table, self.research, self.gates, self.review_hours, keys, run)

    def never_ends(self, group: int) -> Problem:
        """Return the mistake of a group whose agents go through cycles that take no time.

        Args:
            group: the number of the group.
        """
        return Problem(
            f"group {self.group_names[group]!r}: {IDLE_CYCLES:,} cycles in a row took no time, "
            "so the run would never end",
            remedy="give a step of its cycle some time, or set stop.cycles_per_agent",
        )

    def is_deterministic(self) -> bool:
        """Return whether every replication in every world is the same."""
        if self.own_steps:
            return False
        crashes = any(group.crashes.every != NONE for group in self.groups)
        fails = any(not self._is_surely(step.work.fails, 0.0) for step in self.steps)
        parts = [step.part for step in self.steps]
        branches = not all(self._is_surely(part, 0.0) or self._is_surely(part, 1.0) for part in parts)
        errors = any(not self._is_surely(client.attempt.error_rate, 0.0) for client in self.clients)
        chance = (
            crashes or fails or branches or errors or any(pool.preempted_every != NONE for pool in self.pools)
        )
        chance = chance or bool(self.research.is_on) or self._solves_by_chance()
        return not chance and not self.kinds.any() and bool((self.rows[:, 0] == 0).all())

    def _solves_by_chance(self) -> bool:
        solved = self.tasks.solved
        return self.tasks.total > 0 and not (self._is_surely(solved, 0.0) or self._is_surely(solved, 1.0))

    def _is_surely(self, quantity: int, value: float) -> bool:
        return quantity == NONE or (
            self.kinds[quantity] == 0 and tuple(self.rows[quantity, :2]) == (0.0, value)
        )
