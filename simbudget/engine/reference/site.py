"""The site: what the agents of one run share."""

from dataclasses import dataclass, field
from typing import Final

from simbudget.engine.laws.draws import Floats
from simbudget.engine.program import NONE, Billing, PoolRow, Program
from simbudget.engine.reference.accounts import Accounts, Meter, StaffMeter
from simbudget.engine.reference.board import Board
from simbudget.engine.reference.clients import clients_of, turns_of
from simbudget.engine.reference.clock import Clock
from simbudget.engine.reference.limiter import Limiter
from simbudget.engine.reference.plan import Subscription
from simbudget.engine.reference.pool import Pool
from simbudget.engine.reference.record import Record
from simbudget.engine.reference.tasks import Tasks
from simbudget.ledger.entry import COMPONENTS

TOKENS: Final = COMPONENTS.index("tokens")
GPU: Final = COMPONENTS.index("gpu")
SCORER: Final = COMPONENTS.index("scorer")
SANDBOX: Final = COMPONENTS.index("sandbox")
STAFF: Final = COMPONENTS.index("staff")
FIXED: Final = COMPONENTS.index("fixed")


@dataclass
class Tally:
    """What is counted over the whole fleet."""

    model_calls: int = 0
    tokens: list[int] = field(default_factory=lambda: [0, 0, 0, 0])
    """Uncached input, cache write, cache read, output."""
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
    """Contexts that were full at a limit that nobody wrote."""
    scorer_ns: float = 0.0


class Forum:
    """Where agents post, and read what others posted since they last looked."""

    def __init__(self, agents: int, reads_at_most: int) -> None:
        self._posts: list[tuple[int, int, int]] = []
        self._seen = [0] * agents
        self._reads_at_most = reads_at_most

    def post(self, agent: int, tokens: int, submission: int) -> None:
        """Publish a post of some tokens, which reports a submission or none."""
        self._posts.append((agent, tokens, submission))

    def read(self, agent: int) -> tuple[int, list[int]]:
        """Return the tokens of the others' latest posts since the agent last looked, and the submissions they report.

        Notes the look.
        """
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
        self.calls_under_way = [0] * len(program.served)
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
        self.gpu_meters = tuple(self._gpu_meter(pool, settings.gpu_users) for pool in program.pools)
        self.sandbox_meters = [self._meter("sandbox", group.sandbox_price) for group in program.groups]
        self.staff_meters = [self._staff_meter(group) for group in range(len(program.groups))]

    def fact(self, quantity: int) -> float:
        """Return the one value that a fact has in this run; 0 for none."""
        return 0.0 if quantity == NONE else float(self.rows[quantity, 1])

    def _gpu_meter(self, pool: PoolRow, users: int) -> Meter:
        """Return the meter of a pool: its unit is a GPU, or the share of the pool that one agent has."""
        share = pool.gpus / users if pool.billing == Billing.PER_AGENT and users else 1.0
        return self.accounts.add(Meter("gpu", self.fact(pool.price) * share * self.charged[GPU]))

    def _meter(self, component: str, price: int) -> Meter:
        charged = self.charged[COMPONENTS.index(component)]
        return self.accounts.add(Meter(component, self.fact(price) * charged))

    def _staff_meter(self, group: int) -> Meter:
        price = self.fact(self.program.groups[group].staff_price) * self.charged[STAFF]
        begins_ns = self.program.settings.begins_ns
        return self.accounts.add(StaffMeter(price, self.program.hours[group], begins_ns))
