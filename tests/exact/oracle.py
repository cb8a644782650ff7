"""A second, slow and plain implementation of the deterministic part of the scenario language.

It interprets the dictionary that a scenario's YAML holds, with exact fractions, and knows nothing of the
engine. There is one loop. At every instant: first what ends, in the order of the agents' numbers; then the
queues are served; then the agents that have nothing to wait for act, lowest number first, one action at a
time. Between two instants nothing changes, so every sum (money, GPU time, agents' time) is the state times
the time that passes. Randomness, failures, crashes and pre-emption are not part of it.

The rules that SCENARIO.md leaves open are decided here as follows: a cool-down and a quota are waited for
before the scorer's queue is joined; a context that lasts for one `think` begins anew when a `think` begins, so
polls and posts after it belong to it; which of a call's tokens are cached is settled when the call starts, and
so is what it takes from the buckets; a refused poll ends the polling, not the job that is being paid for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal

from tests.exact.oracle_state import Agent, Call, Context, Job, Money, Totals, Waiting

from tests.exact.quantities_by_hand import exact, second_of_week

CACHE_LIFE_S = {"off": None, "5 min": 300, "1 h": 3600}
A_MILLIONTH = Fraction(1, 1_000_000)
Seconds = Fraction
Purpose = Literal["turn", "compaction", "poll", "share"]


def run(scenario: dict[str, Any]) -> Totals:
    """Return what the whole run of a deterministic scenario adds up to."""
    return _Run(scenario).to_the_end()


@dataclass
class _Bucket:
    """One of the fleet's token buckets: a minute's worth, full at the start, refilled all the time."""

    per_min: Fraction
    level: Fraction
    used: Fraction = Fraction(0)

    def wait(self, need: Fraction) -> Seconds:
        """Return after how many seconds a call that takes `need` may start."""
        return max(Fraction(0), (min(need, self.per_min) - self.level) * 60 / self.per_min)

    def refill(self, seconds: Seconds) -> None:
        self.level = min(self.per_min, self.level + self.per_min / 60 * seconds)

    def take(self, need: Fraction) -> None:
        self.level -= need
        self.used += need


@dataclass
class _Run:
    scenario: dict[str, Any]
    now: Seconds = Fraction(0)
    agents: list[Agent] = field(default_factory=list)
    gpu_queue: list[Agent] = field(default_factory=list)
    scorer_queue: list[Agent] = field(default_factory=list)
    api_queue: list[Agent] = field(default_factory=list)
    posts: list[tuple[int, int]] = field(default_factory=list)
    money: Money = field(default_factory=Money)
    totals: Totals = field(default_factory=Totals)

    def __post_init__(self) -> None:
        scenario = self.scenario
        self.stop = scenario.get("stop", {})
        self.horizon = exact(self.stop.get("after", "1 day"))
        self.begins = second_of_week(self.stop.get("begins", "Mon 9:00"))
        for group in scenario["fleet"]:
            for k in range(group.get("agents", 1)):
                self.agents.append(Agent.of(len(self.agents), k, group, scenario))
        gpus = scenario.get("gpus", {})
        self.gpus = gpus.get("count", len(self.agents))
        self.gpu_price = exact(gpus.get("price", 0))
        self.billing = gpus.get("billing", "on demand")
        self.scorer = scenario.get("scorer", {})
        self.servers = self.scorer.get("servers", 1)
        limits = {name: scenario.get("api", {}).get(name) for name in _LIMITS}
        self.buckets = {name: _Bucket(exact(n), exact(n)) for name, n in limits.items() if n is not None}
        self.money.fixed = exact(scenario.get("fixed", 0))

    # The loop.

    def to_the_end(self) -> Totals:
        while True:
            self._settle()
            if self.now >= self.horizon or not any(agent.alive for agent in self.agents):
                break
            self._pass_time(min(self._next_instant(), self.horizon) - self.now)
        for agent in self.agents:
            agent.end(self.now)
        self.totals.close(self.agents, self.money, self.buckets, self)
        return self.totals

    def _settle(self) -> None:
        """Do everything that happens at this instant."""
        while True:
            for agent in self.agents:
                self._end_what_is_over(agent)
            if self.now >= self.horizon:
                return
            self._serve_queues()
            ready = next((agent for agent in self.agents if self._ready(agent)), None)
            if ready is None:
                return
            self._act(ready)

    def _next_instant(self) -> Seconds:
        instants = [bound for agent in self.agents for bound in agent.bounds(self.now) if bound > self.now]
        instants += [
            agent.hours.next_change(self.begins + self.now) - self.begins
            for agent in self.agents
            if agent.alive and agent.hours
        ]
        if self.api_queue:
            instants.append(self._api_start(self.api_queue[0]))
        return min(instants, default=self.horizon)

    def _pass_time(self, seconds: Seconds) -> None:
        """Let time pass in which nothing happens: everything that runs accrues."""
        for agent in self.agents:
            if agent.running_now(self.now):
                self._accrue(agent, seconds)
        if self.billing == "reserved":
            self.money.gpu += self.gpus * self.gpu_price * seconds
            self.totals.gpu_s_billed += self.gpus * seconds
        for bucket in self.buckets.values():
            bucket.refill(seconds)
        self.now += seconds

    def _accrue(self, agent: Agent, seconds: Seconds) -> None:
        is_open = agent.hours is None or agent.hours.open_at(self.begins + self.now)
        agent.spend_time(seconds, is_open)
        self.money.sandbox += agent.sandbox_price * seconds
        if is_open:
            self.money.staff += agent.staff_price * seconds
        if self.billing == "per agent":
            share = Fraction(self.gpus, len(self.agents))
            self.money.gpu += share * self.gpu_price * seconds
            self.totals.gpu_s_billed += share * seconds
        if agent.job and agent.job.running:
            self.totals.gpu_s_used += agent.job.gpus * seconds
            if self.billing == "on demand" or self.billing == "spot":
                self.money.gpu += agent.job.gpus * self.gpu_price * seconds
                self.totals.gpu_s_billed += agent.job.gpus * seconds
        if agent.waiting is Waiting.SCORING:
            self.totals.scorer_s_used += seconds

    # What ends.

    def _end_what_is_over(self, agent: Agent) -> None:
        if not agent.alive:
            return
        if agent.call and agent.call.ends == self.now:
            self._end_call(agent, agent.call)
        if agent.job and agent.job.ends == self.now:
            self.totals.experiments += 1
            agent.job = None
        if agent.until == self.now:
            if agent.waiting is Waiting.SCORING:
                self.totals.scorer_calls += 1
            agent.waiting, agent.until = Waiting.NOTHING, None
        if agent.waiting is Waiting.WORK and agent.work_left == 0:
            agent.waiting = Waiting.NOTHING
        if agent.idle:
            agent.pass_what_takes_no_time()

    def _end_call(self, agent: Agent, call: Call) -> None:
        agent.call = None
        agent.context.tokens += call.output
        if call.purpose == "compaction":
            agent.context = Context(agent.first_prompt + call.output)
        elif call.purpose == "poll":
            agent.context.tokens += call.result
        elif call.purpose == "share":
            self.posts.append((agent.number, call.output))

    # Who waits.

    def _serve_queues(self) -> None:
        while self.gpu_queue and self.gpu_queue[0].wanted_gpus <= self._free_gpus():
            agent = self.gpu_queue.pop(0)
            if self._allowed(agent) and agent.job:
                agent.job.ends = self.now + agent.job.time
        while self.scorer_queue and self._busy_servers() < self.servers:
            agent = self.scorer_queue.pop(0)
            if self._allowed(agent):
                self.money.scorer += exact(self.scorer.get("price", 0))
                agent.wait(Waiting.SCORING, self.now + exact(self.scorer["time"]))
        while self.api_queue and self._api_start(self.api_queue[0]) == self.now:
            self._start_call(self.api_queue.pop(0))

    def _free_gpus(self) -> int:
        return self.gpus - sum(agent.job.gpus for agent in self.agents if agent.job and agent.job.running)

    def _busy_servers(self) -> int:
        return sum(agent.waiting is Waiting.SCORING for agent in self.agents)

    def _allowed(self, agent: Agent) -> bool:
        """Return whether the budget lets something start; where it does not, the agent's run ends."""
        budget = self.stop.get("budget")
        if budget is None or self.money.total() < exact(budget) - A_MILLIONTH:
            return True
        if agent.job and agent.call:
            agent.call, agent.next_poll = None, None
        else:
            agent.end(self.now)
        return False

    # Calls.

    def _classes(self, agent: Agent, at: Seconds) -> tuple[int, int, int]:
        """Return the uncached, written and read tokens of a call that starts at `at`."""
        context, life = agent.context, CACHE_LIFE_S[agent.cache]
        if life is None:
            return context.tokens, 0, 0
        if context.last_began is None or at - context.last_began > life:
            return 0, context.tokens, 0
        return 0, context.tokens - context.last_sent, context.last_sent

    def _needs(self, agent: Agent, call: Call, at: Seconds) -> dict[str, Fraction]:
        uncached, written, _ = self._classes(agent, at)
        return dict(
            zip(_LIMITS, map(Fraction, (1, uncached + written, call.output + call.thinking)), strict=True)
        )

    def _api_start(self, agent: Agent) -> Seconds:
        """Return when the first in the queue may start; its cache may be lost while it waits."""
        assert agent.call
        at = self.now
        for _ in range(2):
            needs = self._needs(agent, agent.call, at)
            at = self.now + max(
                (b.wait(needs[name]) for name, b in self.buckets.items()), default=Fraction(0)
            )
        return at

    def _start_call(self, agent: Agent) -> None:
        call, context = agent.call, agent.context
        if call is None or not self._allowed(agent):
            return
        classes = self._classes(agent, self.now)
        for name, need in self._needs(agent, call, self.now).items():
            if name in self.buckets:
                self.buckets[name].take(need)
        prices = self.scenario["prices"][agent.model]
        if "long" in prices and context.tokens > prices["long"]["above"]:
            prices = prices["long"]
        amounts = (*classes, call.output + call.thinking)
        for name, amount in zip(("input", "cache_write", "cache_read", "output"), amounts, strict=True):
            self.money.tokens += amount * exact(prices[name]) * A_MILLIONTH_IF_BARE(prices[name])
        self.totals.count_call(amounts)
        context.last_began, context.last_sent = self.now, context.tokens
        speed = self.scenario["models"][agent.model]
        call.ends = self.now + exact(speed["first_token"]) + amounts[3] / exact(speed["output_speed"])
        if call.purpose == "poll":
            agent.next_poll = self.now + agent.poll_every

    def _ask_for_call(self, agent: Agent, call: Call) -> None:
        """Queue for a call; where the context is full, for a compaction first."""
        if agent.context.tokens > agent.limit and not agent.just_compacted:
            agent.todo.append(("call", call))
            agent.just_compacted = True
            call = Call("compaction", agent.compacted_to)
        else:
            agent.just_compacted = False
        agent.call = call
        if self._allowed(agent):
            self.api_queue.append(agent)

    # What agents do.

    def _ready(self, agent: Agent) -> bool:
        """Return whether the agent waits for nothing and has something to do now."""
        if not agent.alive or agent.call or self.now < agent.starts:
            return False
        if agent.poll_is_open(self.now):
            return True
        return agent.idle

    def _act(self, agent: Agent) -> None:
        """Let an agent do the next thing on its list."""
        if not agent.poll_is_open(self.now) and not self._at_work(agent):
            return
        if agent.poll_is_due(self.now):
            self._ask_for_call(agent, Call("poll", agent.poll_output, result=agent.poll_result))
            return
        kind, what = agent.next_thing()
        if kind == "call":
            self._ask_for_call(agent, what)
        elif kind == "tool":
            agent.wait(Waiting.TOOL, self.now + agent.tool_time)
        elif kind == "share":
            agent.read(self.posts, self.scenario["forum"].get("reads_at_most", 30))
            self._ask_for_call(agent, Call("share", int(self.scenario["forum"]["post_tokens"])))
        elif kind == "experiment" and self._allowed(agent):
            agent.job = Job(what.get("gpus", 1), exact(what["time"]))
            agent.set_polls(what.get("polls"), self.now)
            self.gpu_queue.append(agent)
        elif kind == "score":
            self._submit(agent)
        elif kind == "work":
            agent.waiting, agent.work_left = Waiting.WORK, exact(what)

    def _submit(self, agent: Agent) -> None:
        """Join the scorer's queue, or wait until the cool-down and the quota allow it."""
        day, quota = self.now // 86400, self.scorer.get("quota_per_agent_per_day")
        allowed_from = self.now
        if agent.submissions:
            allowed_from = max(self.now, agent.submissions[-1] + exact(self.scorer.get("cool_down", 0)))
        if (
            quota is not None
            and sum(at // 86400 == allowed_from // 86400 for at in agent.submissions) >= quota
        ):
            allowed_from = (allowed_from // 86400 + 1) * Fraction(86400)
        if allowed_from > self.now:
            agent.todo.append(("score", None))
            agent.wait(Waiting.OTHER, allowed_from)
        elif self._allowed(agent):
            agent.submissions.append(self.now)
            agent.waiting = Waiting.SCORER
            self.scorer_queue.append(agent)
        del day

    def _at_work(self, agent: Agent) -> bool:
        """Return whether a person may start something now; if not, the person waits for the office to open."""
        if agent.hours is None or agent.hours.open_at(self.begins + self.now):
            return True
        opens = agent.hours.next_change(self.begins + self.now)
        while not agent.hours.open_at(opens):
            opens = agent.hours.next_change(opens)
        agent.wait(Waiting.OTHER, opens - self.begins)
        return False


_LIMITS = ("requests_per_min", "input_tokens_per_min", "output_tokens_per_min")
