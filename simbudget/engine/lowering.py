"""Lowering: a scenario becomes a program, the flat tables that every engine interprets."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from simbudget.distributions.families import constant
from simbudget.engine.laws.calls import NO_CACHE
from simbudget.engine.laws.draws import NANOSECOND, Integers
from simbudget.engine.laws.gates import GATE_COLUMNS
from simbudget.engine.laws.research import Research
from simbudget.engine.laws.review import A_SHARE, ALL, LEADERS, NONE_REVIEWED
from simbudget.engine.laws.worlds import (
    CALIBRATED,
    CALIBRATED_FACT,
    DRAWN_EACH_TIME,
    ONE_A_REPLICATION,
    ONE_A_WORLD,
    TYPICAL_A_WORLD,
    TYPICAL_A_WORLD_ONE_A_REPLICATION,
)
from simbudget.engine.program import (
    NONE,
    Billing,
    GroupRow,
    Lasts,
    PriceRow,
    Program,
    Settings,
    Step,
    StepRow,
)
from simbudget.engine.streams import agent_key, direction_key, named_purpose, step_purpose
from simbudget.prices.models import ClassPrices, model_prices
from simbudget.scenario import model as scenarios
from simbudget.scenario.quantities import Kind, Quantity
from simbudget.scenario.research import Review

_NO_LONG_TIER = 1 << 62
_ALWAYS = (0, 86_400) + 7 * (1,)
_CACHE_LIFE_NS = {"off": NO_CACHE, "5 min": 300 * NANOSECOND, "1 h": 3600 * NANOSECOND}
_LASTS = {"think": Lasts.THINK, "cycle": Lasts.CYCLE, "life": Lasts.LIFE}
_BILLING = {
    "on demand": Billing.ON_DEMAND,
    "reserved": Billing.RESERVED,
    "per agent": Billing.PER_AGENT,
    "spot": Billing.SPOT,
}
_REVIEW_OF = {None: NONE_REVIEWED, "all": ALL, "best": LEADERS}
_QUANTITIES = (
    "explores",
    "follows",
    "ideas",
    "first_quality",
    "transfers",
    "refines",
    "gain",
    "real_share",
    "noise",
    "hacks",
    "hack_score",
    "caught",
    "blames",
    "reviewed_share",
    "review_time",
    "review_price",
)
"""The fields of `Research` that are quantities."""

_KIND_OF_DRAW = {
    Kind.EXACT: DRAWN_EACH_TIME,
    Kind.VARIES: DRAWN_EACH_TIME,
    Kind.UNKNOWN: ONE_A_WORLD,
    Kind.BOTH: TYPICAL_A_WORLD,
}
_KIND_OF_FACT = {
    **_KIND_OF_DRAW,
    Kind.VARIES: ONE_A_REPLICATION,
    Kind.BOTH: TYPICAL_A_WORLD_ONE_A_REPLICATION,
}


def lower(scenario: scenarios.Scenario) -> Program:
    """Return the program of a scenario.

    Raises:
        UserError: a model without a price in the scenario is not on the price list either.
    """
    lowering = _Lowering(scenario)
    steps: list[StepRow] = []
    groups: list[GroupRow] = []
    for group in scenario.fleet:
        first_agent = sum(row.agents for row in groups)
        groups.append(lowering.group(group, first_agent, len(steps)))
        steps.extend(lowering.steps(group))
    prices = tuple(lowering.price_row(group) for group in scenario.fleet)
    settings = lowering.settings()
    directions, direction_keys = _directions(scenario)
    review = scenario.review
    api = scenario.api
    limits = (api.requests_per_min, api.input_tokens_per_min, api.output_tokens_per_min)
    budget = scenario.stop.budget
    return Program(
        steps=tuple(steps),
        groups=tuple(groups),
        prices=prices,
        settings=settings,
        budget_usd=float("inf") if budget is None else budget,
        agents_budget_usd=float("inf") if budget is None else budget - (scenario.stop.reserve or 0.0),
        limits_per_min=np.array([limit or 0.0 for limit in limits]),
        hours=np.array([_hours(group.staff) for group in scenario.fleet], dtype=np.int64),
        agent_groups=np.repeat(np.arange(len(groups)), [row.agents for row in groups]),
        agent_keys=np.array(list(_agent_keys(scenario)), dtype=np.int64),
        target_score=float("inf") if scenario.stop.target_score is None else scenario.stop.target_score,
        research=lowering.research(),
        gates=lowering.gates(),
        review_hours=np.array(_hours(review), dtype=np.int64),
        reviewers=review.people if review else 0,
        agent_directions=directions,
        direction_keys=direction_keys,
        **lowering.quantities.arrays(),
        own_steps=tuple(lowering.own_steps),
        group_names=tuple(group.group for group in scenario.fleet),
        gate_names=tuple(gate.name or f"gate {number}" for number, gate in enumerate(scenario.gates, 1)),
        models=tuple(group.model or "" for group in scenario.fleet),
    )


def _makes_calls(group: scenarios.Group) -> bool:
    """Return whether a group's agents ever call a model."""
    polls = any(isinstance(step, scenarios.Experiment) and step.polls for step in group.cycle)
    calling = scenarios.Think | scenarios.Share | scenarios.OwnStep
    return polls or any(isinstance(step, calling) for step in group.cycle)


def _agent_keys(scenario: scenarios.Scenario) -> Iterable[int]:
    for group in scenario.fleet:
        for member in range(group.agents):
            yield agent_key(group.group, member)


def _cached_at_start(group: scenarios.Group) -> int:
    """Return how much of the context under way at the start the cache holds: all, unless the scenario says less."""
    start, cached = round(group.start.context_tokens.exact_value), group.start.cached_tokens
    return start if cached is None else min(start, round(cached.exact_value))


def _directions(scenario: scenarios.Scenario) -> tuple[Integers, Integers]:
    """Return the direction of each agent, and the keys of the directions.

    Without a word about it each agent has its own; where all choose among known methods there is one for all.
    """
    if scenario.research is not None and scenario.research.known_methods is not None:
        agents = sum(group.agents for group in scenario.fleet)
        return np.zeros(agents, dtype=np.int64), np.array([direction_key("known methods", 0)], dtype=np.int64)
    of_agents: list[int] = []
    keys: list[int] = []
    for group in scenario.fleet:
        count = min(group.directions or group.agents, group.agents)
        of_agents.extend(len(keys) + member % count for member in range(group.agents))
        keys.extend(direction_key(group.group, direction) for direction in range(count))
    return np.array(of_agents, dtype=np.int64), np.array(keys, dtype=np.int64)


def _hours(office: scenarios.Staff | Review | None) -> tuple[int, ...]:
    if office is None:
        opens_s, closes_s, *days = _ALWAYS
    else:
        hours = office.hours
        opens_s, closes_s, days = hours.opens_s, hours.closes_s, [int(day) for day in hours.days]
    return opens_s * NANOSECOND, closes_s * NANOSECOND, *days


def _ns(duration_s: float) -> int:
    return round(duration_s * NANOSECOND)


@dataclass
class _Quantities:
    """The quantities of a program, numbered as they come."""

    rows: list[tuple[float, ...]] = field(default_factory=list)
    table: list[float] = field(default_factory=list)
    kinds: list[int] = field(default_factory=list)
    spreads: list[float] = field(default_factory=list)
    purposes: list[int] = field(default_factory=list)
    numbers: dict[tuple[str, bool], int] = field(default_factory=dict)

    def add(self, quantity: Quantity | None, is_fact: bool = False) -> int:
        """Return the number of a quantity, the same for the same name; `NONE` for no quantity."""
        if quantity is None:
            return NONE
        key = quantity.name, is_fact
        if key not in self.numbers:
            kind = (_KIND_OF_FACT if is_fact else _KIND_OF_DRAW)[quantity.kind]
            row = (*quantity.distribution.row(self.table), quantity.low, quantity.high)
            if quantity.posterior is not None:
                kind = CALIBRATED_FACT if is_fact else CALIBRATED
                row = (*quantity.posterior.row(self.table), quantity.low, quantity.high)
            self.numbers[key] = self._append(row, kind, quantity.spread or 1.0, named_purpose(quantity.name))
        return self.numbers[key]

    def fact(self, quantity: Quantity | None) -> int:
        """Return the number of a quantity that is one number in every replication."""
        return self.add(quantity, is_fact=True)

    def number(self, value: float) -> int:
        """Return the number of the quantity that is always `value`."""
        row = (*constant(value).row(self.table), value, value)
        return self._append(row, DRAWN_EACH_TIME, 1.0, 0)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the quantities as the arrays of a program."""
        return {
            "rows": np.array(self.rows, dtype=np.float64),
            "table": np.array(self.table or [0.0], dtype=np.float64),
            "kinds": np.array(self.kinds, dtype=np.int64),
            "spreads": np.array(self.spreads, dtype=np.float64),
            "purposes": np.array(self.purposes, dtype=np.int64),
        }

    def _append(self, row: tuple[float, ...], kind: int, spread: float, purpose: int) -> int:
        self.rows.append(row)
        self.kinds.append(kind)
        self.spreads.append(spread)
        self.purposes.append(purpose)
        return len(self.rows) - 1


class _Lowering:
    def __init__(self, scenario: scenarios.Scenario) -> None:
        self.scenario = scenario
        self.quantities = _Quantities()
        self.own_steps: list[tuple[str, str]] = []

    def group(self, group: scenarios.Group, first_agent: int, first_step: int) -> GroupRow:
        quantities, turn, context = self.quantities, group.turn, group.context
        thinks = any(isinstance(step, scenarios.Think | scenarios.OwnStep) for step in group.cycle)
        speed = self.scenario.models[group.model] if group.model and _makes_calls(group) else None
        crashes, staff = group.crashes, group.staff
        return GroupRow(
            first_agent=first_agent,
            agents=group.agents,
            first_step=first_step,
            steps=len(group.cycle),
            is_people=int(group.kind == "people"),
            first_start_ns=_ns(group.start.first.exact_value),
            start_every_ns=_ns(group.start.then_every.exact_value),
            lasts=_LASTS[context.lasts],
            cache_life_ns=_CACHE_LIFE_NS[context.cache],
            limit_tokens=quantities.fact(context.limit_tokens),
            output=quantities.add(turn.output_tokens if thinks else None),
            thinking=quantities.add(turn.thinking_tokens if thinks else None),
            tool_result=quantities.add(turn.tool_result_tokens if thinks else None),
            tool_time=quantities.add(turn.tool_time if thinks else None),
            first_prompt=quantities.add(context.first_prompt_tokens),
            compacted=quantities.add(context.compacted_to_tokens),
            first_token=quantities.add(speed.first_token if speed else None),
            output_speed=quantities.add(speed.output_speed if speed else None),
            error_rate=quantities.fact(self.scenario.api.error_rate),
            gives_up_for=quantities.add(self.scenario.api.gives_up_for),
            crash_every=quantities.fact(crashes.every if crashes else None),
            crash_restart=quantities.add(crashes.restart if crashes else None),
            sandbox_price=quantities.fact(group.sandbox.price),
            staff_price=quantities.fact(staff.price if staff else None),
            start_context_tokens=round(group.start.context_tokens.exact_value),
            start_cached_tokens=_cached_at_start(group),
            start_context_turns=round(group.start.context_turns.exact_value),
            cache_misses=quantities.fact(context.cache_misses),
            opening_times=quantities.fact(turn.opening.times if thinks and turn.opening else None),
            opening_turns=quantities.fact(turn.opening.turns if thinks and turn.opening else None),
        )

    def steps(self, group: scenarios.Group) -> Iterable[StepRow]:
        counted: dict[int, int] = {}
        for step in group.cycle:
            kind = Step.WORK if step.kind == "think" and group.kind == "people" else Step[step.kind.upper()]
            ordinal = counted[kind] = counted.get(kind, -1) + 1
            yield self._step(step, kind, step_purpose(kind, ordinal))

    def _step(self, step: scenarios.Step, kind: Step, purpose: int) -> StepRow:
        quantities = self.quantities
        if isinstance(step, scenarios.Think):
            return StepRow(kind, purpose, quantities.add(step.time if kind == Step.WORK else step.turns))
        if isinstance(step, scenarios.OwnStep):
            self.own_steps.append((str(step.file.resolve()), step.function))
            return StepRow(kind, purpose, size=len(self.own_steps) - 1)
        if not isinstance(step, scenarios.Experiment):
            return StepRow(kind, purpose)
        polls = step.polls
        return StepRow(
            kind,
            purpose,
            size=quantities.add(step.time),
            gpus=quantities.add(step.gpus),
            fails=quantities.fact(step.fails),
            poll_every=quantities.add(polls.every if polls else None),
            poll_output=quantities.add(polls.output_tokens if polls else None),
            poll_result=quantities.add(polls.result_tokens if polls else None),
        )

    def price_row(self, group: scenarios.Group) -> PriceRow:
        """Return the prices of a group's model: the scenario's own, else those of the price list."""
        if group.model is None:
            return PriceRow(_NO_LONG_TIER, *8 * [self.quantities.number(0.0)])
        own = self.scenario.prices.models.get(group.model)
        if own is None:
            return self._list_prices(group.model, group.context.cache)
        base = self._own_tier(own)
        if own.long is None:
            return PriceRow(_NO_LONG_TIER, *base, *base)
        return PriceRow(round(own.long.above.exact_value), *base, *self._own_tier(own.long))

    def _own_tier(self, tier: scenarios.PriceTier) -> list[int]:
        prices = (tier.input, tier.cache_write, tier.cache_read, tier.output)
        return [self.quantities.fact(price) for price in prices]

    def _list_prices(self, model: str, cache: str) -> PriceRow:
        prices = model_prices(model, self.scenario.prices.on)
        base = self._list_tier(prices.base, cache)
        if prices.long is None:
            return PriceRow(_NO_LONG_TIER, *base, *base)
        return PriceRow(prices.long.above_tokens, *base, *self._list_tier(prices.long, cache))

    def _list_tier(self, prices: ClassPrices, cache: str) -> list[int]:
        write = prices.cache_write_1h if cache == "1 h" else prices.cache_write_5m
        return [self.quantities.number(p) for p in (prices.input, write, prices.cache_read, prices.output)]

    def _has(self, kind: type[scenarios.Step]) -> bool:
        """Return whether any group's cycle has a step of a kind; what no step uses is not lowered."""
        return any(isinstance(step, kind) for group in self.scenario.fleet for step in group.cycle)

    def settings(self) -> Settings:
        scenario, quantities = self.scenario, self.quantities
        stop, gpus, scorer = scenario.stop, scenario.gpus, scenario.scorer
        checkpoint = gpus.checkpoint_every
        return Settings(
            horizon_ns=_ns(stop.after.exact_value),
            begins_ns=stop.begins_s * NANOSECOND,
            most_cycles=stop.cycles_per_agent or _NO_LONG_TIER,
            reads_at_most=scenario.forum.reads_at_most,
            post_tokens=quantities.add(scenario.forum.post_tokens if self._has(scenarios.Share) else None),
            fixed=quantities.fact(scenario.fixed),
            retries=scenario.api.retries,
            gpus=gpus.count,
            gpu_users=sum(group.agents for group in scenario.fleet if group.kind == "agents"),
            billing=_BILLING[gpus.billing],
            gpu_price=quantities.fact(gpus.price),
            preempted_every=quantities.fact(gpus.preempted.every if gpus.preempted else None),
            checkpoint_every_ns=_ns(checkpoint.exact_value) if checkpoint else 0,
            servers=scorer.servers,
            scoring_time=quantities.add(scorer.time if self._has(scenarios.Score) else None),
            cool_down_ns=_ns(scorer.cool_down.exact_value),
            quota=scorer.quota_per_agent_per_day or 0,
            score_price=quantities.fact(scorer.price),
            no_improvement_ns=_ns(stop.no_improvement_for.exact_value) if stop.no_improvement_for else 0,
        )

    def research(self) -> Research:
        """Return the parameters of research and review; all absent where nothing is scored."""
        scenario, fact, draw = self.scenario, self.quantities.fact, self.quantities.add
        research, review = scenario.research, scenario.review
        is_on = research is not None and self._has(scenarios.Score)
        if research is None or not is_on:
            return Research(*len(Research._fields) * [0])._replace(**dict.fromkeys(_QUANTITIES, NONE))
        of = review.of if review else None
        return Research(
            is_on=1,
            explores=fact(research.explores),
            follows=fact(research.follows),
            ideas=fact(research.ideas),
            known_methods=research.known_methods or 0,
            first_quality=draw(research.first_quality),
            transfers=fact(research.transfers),
            refines=fact(research.refines),
            gain=draw(research.gain),
            real_share=fact(research.real_share),
            noise=fact(scenario.scorer.noise),
            hacks=fact(research.hacks),
            hack_score=draw(research.hack_score),
            caught=fact(research.caught if review else None),
            blames=fact(research.blames if review else None),
            reviewed_share=self.quantities.number(of) if isinstance(of, float) else NONE,
            review_of=A_SHARE if isinstance(of, float) else _REVIEW_OF[of],
            review_time=draw(review.time if review else None),
            review_price=fact(review.price if review else None),
            finalists=research.finalists,
            gates_as_they_appear=int(research.gates_start == "as finalists appear"),
            begins_ns=scenario.stop.begins_s * NANOSECOND,
        )

    def gates(self) -> Integers:
        """Return the [gates, 6] gates; none where nothing is scored."""
        fact, draw = self.quantities.fact, self.quantities.add
        rows = [
            [
                draw(gate.keeps),
                fact(gate.smallest_effect),
                fact(gate.noise),
                fact(gate.price),
                draw(gate.time),
                int(gate.tries == "passed"),
            ]
            for gate in self.scenario.gates
            if self.scenario.research is not None and self._has(scenarios.Score)
        ]
        return np.array(rows, dtype=np.int64).reshape(-1, GATE_COLUMNS)
