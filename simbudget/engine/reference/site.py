"""The site: what the agents of one run share, from the clock and the accounts to the tasks and the forum."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from simpy.events import Event

from simbudget.engine.laws.accounts import GPU, STAFF
from simbudget.engine.laws.calls import CLASSES
from simbudget.engine.laws.draws import (
    Floats,
    Integers,
)
from simbudget.engine.laws.pools import PoolRow, unit_usd_per_hour
from simbudget.engine.laws.tasks import (
    NO_TASK,
    all_is_done,
    attempt_solves,
    empty_task_list,
    end_attempt,
    may_be_returned,
    note_money,
    take_task,
)
from simbudget.engine.program import NONE, Program, ServedRow
from simbudget.engine.reference.accounts import Accounts, Limits, Meter, StaffMeter, Usage
from simbudget.engine.reference.board import Board
from simbudget.engine.reference.provider import Limiter, Subscription, clients_of, turns_of
from simbudget.engine.reference.records import Record
from simbudget.engine.reference.scheduling import Clock, Happens, Phase, Pool
from simbudget.ledger.entry import COMPONENTS, FLEET


@dataclass(frozen=True)
class Attempt:
    """An attempt at a task that is under way."""

    task: int
    number: int
    """Of the task's attempts, from 0."""
    limits: Limits


class Tasks:
    """The tasks of one run, which agents take one at a time."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._terms = site.program.tasks
        self.are_given = self._terms.total > 0
        self.list = empty_task_list(max(1, self._terms.total))
        self._waiting: dict[int, Event] = {}
        """By the numbers of the agents that wait for a task."""
        self.end_run: Callable[[], None] = lambda: None
        """Ends the run; set by `run`."""

    @property
    def may_become_free(self) -> bool:
        """Return whether a task that somebody is at can be taken again if the attempt does not solve it."""
        return bool(may_be_returned(self.list))

    def take(self, usage: Usage) -> Attempt | None:
        """Begin an attempt at the next task; None if none can be taken now.

        Args:
            usage: what the agent has used so far.
        """
        terms = self._terms
        task = take_task(self.list, terms.attempts, terms.takes_all)
        if task == NO_TASK:
            return None
        quantities = (terms.time, terms.spend, terms.tokens, terms.turns)
        limits = Limits(usage, self._site.rows, quantities, self._site.clock.now)
        return Attempt(task, int(self.list.begun[task]) - 1, limits)

    def wait(self, agent: int) -> Happens:
        """Wait until an attempt has ended, and it is the agent's turn to ask again.

        Args:
            agent: the number of the agent.
        """
        self._waiting[agent] = Event(self._site.clock)
        try:
            yield self._waiting[agent]
        finally:
            self._waiting.pop(agent, None)

    def end(self, attempt: Attempt, is_whole: bool) -> None:
        """Note the end of an attempt, which may have solved its task if it is whole, and let others ask anew.

        Args:
            attempt: the attempt.
            is_whole: whether the last step of the cycle was reached.
        """
        site, terms = self._site, self._terms
        key = np.array([site.key.seed, site.key.world, site.key.replication], dtype=np.int64)
        solves = is_whole and attempt_solves(site.rows, terms, key, attempt.task, attempt.number)
        if end_attempt(self.list, terms, attempt.task, solves, attempt.limits.spent_usd):
            note_money(self.list, site.accounts.total_usd())
        for agent, event in self._waiting.items():
            if not event.triggered:
                site.clock.after(0, Phase.ASK, agent, event=event)
        if all_is_done(self.list):
            over = site.clock.after(0, Phase.HORIZON)
            assert over.callbacks is not None
            over.callbacks.append(lambda _: self.end_run())


def begin_serving(site: Site) -> None:
    """Start to charge for the GPUs of all served models, where a pool is paid by use.

    Args:
        site: what the run shares.
    """
    for served in site.program.served:
        if (meter := _meter(site, served)) is not None:
            meter.start(0, served.gpus)


def end_serving(site: Site) -> None:
    """Count and pay what the served models have held until now.

    Args:
        site: what the run shares.
    """
    now_ns = site.clock.now
    for served in site.program.served:
        site.tally.gpu_ns[served.pool] += float(served.gpus) * float(now_ns)
        columns = {"model": site.program.models[served.model], "gpus": served.gpus}
        if (meter := _meter(site, served)) is not None:
            cost_usd = meter.stop(0, now_ns, served.gpus)
            site.accounts.pay_for_time(GPU, cost_usd, 0, now_ns)
            columns |= {"component": "gpu", "cost_usd": cost_usd}
        site.record.add(FLEET, "served", 0, now_ns, columns)


def _meter(site: Site, served: ServedRow) -> Meter | None:
    """Return the meter of a served model's pool; None if the pool is paid whatever it is used for."""
    return site.gpu_meters[served.pool] if site.program.pools[served.pool].bills_use else None


@dataclass
class Tally:
    """What is counted over the whole fleet."""

    model_calls: int = 0
    tokens: Integers = field(default_factory=lambda: np.zeros(CLASSES, dtype=np.int64))
    """By class."""
    experiments: int = 0
    """Jobs that ended with a result."""
    jobs: int = 0
    """Jobs that ended by themselves, successfully or failed for good."""
    cancelled_jobs: int = 0
    """Jobs that were cancelled, cut or refused."""
    scorer_calls: int = 0
    cycles: int = 0
    gpu_ns: list[float] = field(default_factory=list)
    """GPU time used, in GPU-nanoseconds, by pool."""
    full_contexts: int = 0
    """Contexts that were full at a limit that the scenario does not set."""
    scorer_ns: float = 0.0


class Forum:
    """Where agents post, and read what others posted since they last looked."""

    def __init__(self, agents: int, reads_at_most: int) -> None:
        self._posts: list[tuple[int, int, int]] = []
        self._seen = [0] * agents
        self._reads_at_most = reads_at_most

    def post(self, agent: int, tokens: int, submission: int) -> None:
        """Publish a post of some tokens, which reports a submission or none.

        Args:
            agent: the number of the agent.
            tokens: number of tokens.
            submission: the number of the submission that it reports, or NOBODY.
        """
        self._posts.append((agent, tokens, submission))

    def read(self, agent: int) -> tuple[int, list[int]]:
        """Return the tokens of the others' latest posts since the agent last looked, and the submissions they report.

        Notes the look.

        Args:
            agent: the number of the agent.
        """
        # Own posts are skipped, and do not count among those that are read at most.
        unread = [post for post in self._posts[self._seen[agent] :] if post[0] != agent]
        self._seen[agent] = len(self._posts)
        read = unread[max(0, len(unread) - self._reads_at_most) :]
        return sum(tokens for _, tokens, _ in read), [submission for _, _, submission in read]


@dataclass(frozen=True)
class Key:
    """Which of all possible runs this is."""

    seed: int
    world: int
    replication: int


class Site:
    """The clock, the accounts and the resources of one run."""

    def __init__(self, program: Program, key: Key, record: bool) -> None:
        settings = program.settings
        self.program = program
        self.key = key
        self.rows: Floats = program.world(key.seed, key.world, key.replication)
        self.clock = Clock(program.agents)
        self.record = Record(self.clock, key.replication, record)
        self.accounts = Accounts(
            self.clock, program.agents_budget_usd, settings.horizon_ns, bool(settings.counts_when_billed)
        )
        self.charged = [1.0 - self.fact(discount) for discount in program.discounts]
        """By component, the part of each price that is charged after discounts."""
        self.limiters = tuple(Limiter(self.clock, limits) for limits in program.limits_per_min)
        self.prefixes: dict[tuple[int, int], int] = {}
        """When the last call began of all that share a prefix, by group and model."""
        self.calls_in_flight = [0] * len(program.served)
        """Calls to each model that is served on the fleet's own GPUs."""
        self.plan = None if program.plan is None else Subscription(self.clock, program.plan, self.rows)
        self.pools = tuple(Pool(self.clock, pool.free_gpus) for pool in program.pools)
        self.scorer = Pool(self.clock, settings.servers)
        self.forum = Forum(program.agents, settings.reads_at_most)
        self.tally = Tally(gpu_ns=[0.0] * len(program.pools))
        self.board = Board(self)
        self.tasks = Tasks(self)
        self.clients = clients_of(program, self.rows, self.limiters)
        self.turns = turns_of(program)
        self.gpu_meters = tuple(map(self._gpu_meter, program.pools))
        self.sandbox_meters = [self._meter("sandbox", group.sandbox_price) for group in program.groups]
        self.staff_meters = [self._staff_meter(group) for group in range(len(program.groups))]

    def fact(self, quantity: int) -> float:
        """Return the one value that a fact has in this run; 0 for none.

        Args:
            quantity: the row of the fact, or `NONE`.
        """
        return 0.0 if quantity == NONE else float(self.rows[quantity, 1])

    def _gpu_meter(self, pool: PoolRow) -> Meter:
        """Return the meter of a pool: its unit is a GPU, or the share of the pool that one agent has."""
        return self.accounts.add(
            Meter("gpu", unit_usd_per_hour(pool, self.fact(pool.price)) * self.charged[GPU])
        )

    def _meter(self, component: str, price: int) -> Meter:
        charged = self.charged[COMPONENTS.index(component)]
        return self.accounts.add(Meter(component, self.fact(price) * charged))

    def _staff_meter(self, group: int) -> Meter:
        price = self.fact(self.program.groups[group].staff_price) * self.charged[STAFF]
        begins_ns = self.program.settings.begins_ns
        return self.accounts.add(StaffMeter(price, self.program.hours[group], begins_ns))
