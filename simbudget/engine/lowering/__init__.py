"""Lowering: a scenario becomes a program, the flat tables that every engine interprets."""

from collections.abc import Iterable

import numpy as np

from simbudget.engine.lowering.clients import Calling
from simbudget.engine.lowering.evidence import weigh
from simbudget.engine.lowering.groups import group_row, step_rows
from simbudget.engine.lowering.pools import pool_names, pool_row
from simbudget.engine.lowering.prices import discounts_of
from simbudget.engine.lowering.quantities import Quantities, office_hours
from simbudget.engine.lowering.research import directions_of, gates_of, research_of
from simbudget.engine.lowering.settings import not_compiled, settings_of, tasks_of
from simbudget.engine.program import (
    GroupRow,
    Program,
    StepRow,
)
from simbudget.engine.streams import agent_key
from simbudget.scenario import scenario as scenarios

__all__ = ["lower"]


def lower(scenario: scenarios.Scenario) -> Program:
    """Return the program of a scenario.

    Args:
        scenario: its evidence is weighed first.

    Raises:
        UserError: a model without a price in the scenario is not on the price list either.
    """
    scenario = weigh(scenario).scenario
    quantities = Quantities()
    calling = Calling(scenario, quantities)
    own_steps: list[tuple[str, str]] = []
    steps: list[StepRow] = []
    groups: list[GroupRow] = []
    for group in scenario.fleet:
        first_agent = sum(row.agents for row in groups)
        groups.append(group_row(scenario, group, calling, quantities, first_agent, len(steps)))
        steps.extend(step_rows(scenario, group, calling, own_steps))
    served = calling.served()
    agents = sum(group.agents for group in scenario.fleet if group.kind == "agents")
    pools = tuple(
        pool_row(pool, quantities, sum(row.gpus for row in served if row.pool == number), agents)
        for number, pool in enumerate(scenario.pools)
    )
    settings = settings_of(scenario, quantities, calling)
    directions, direction_keys = directions_of(scenario)
    review = scenario.review
    budget = scenario.stop.budget
    tasks, discounts = tasks_of(scenario, quantities), discounts_of(scenario, quantities)
    return Program(
        steps=tuple(steps),
        groups=tuple(groups),
        clients=tuple(calling.clients.values()),
        turns=tuple(calling.turns),
        contexts=tuple(calling.contexts),
        pools=pools,
        served=served,
        plan=calling.plan(),
        settings=settings,
        budget_usd=float("inf") if budget is None else budget,
        agents_budget_usd=float("inf") if budget is None else budget - (scenario.stop.reserve or 0.0),
        limits_per_min=calling.limits_per_min(),
        hours=np.array([office_hours(group.staff) for group in scenario.fleet], dtype=np.int64),
        agent_groups=np.repeat(np.arange(len(groups)), [row.agents for row in groups]),
        agent_keys=np.array(list(_agent_keys(scenario)), dtype=np.int64),
        target_score=float("inf") if scenario.stop.target_score is None else scenario.stop.target_score,
        research=research_of(scenario, quantities),
        gates=gates_of(scenario, quantities),
        review_hours=np.array(office_hours(review), dtype=np.int64),
        reviewers=review.people if review else 0,
        agent_directions=directions,
        direction_keys=direction_keys,
        **quantities.arrays(),
        own_steps=tuple(own_steps),
        not_compiled=not_compiled(scenario),
        group_names=tuple(group.group for group in scenario.fleet),
        gate_names=tuple(gate.name or f"gate {number}" for number, gate in enumerate(scenario.gates, 1)),
        pool_names=pool_names(scenario),
        models=tuple(calling.models),
        tasks=tasks,
        discounts=discounts,
    )


def _agent_keys(scenario: scenarios.Scenario) -> Iterable[int]:
    for group in scenario.fleet:
        for member in range(group.agents):
            yield agent_key(group.group, member)
