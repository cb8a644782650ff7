"""Research, review and gates, as a program holds them."""

import numpy as np

from simbudget.engine.laws.draws import NANOSECOND, Integers
from simbudget.engine.laws.gates import GATE_COLUMNS
from simbudget.engine.laws.research import Research
from simbudget.engine.laws.review import A_SHARE, ALL, LEADERS, NONE_REVIEWED
from simbudget.engine.lowering.quantities import Quantities
from simbudget.engine.lowering.settings import has_step
from simbudget.engine.program import (
    NONE,
)
from simbudget.engine.streams import direction_key
from simbudget.scenario import scenario as scenarios

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


def research_of(scenario: scenarios.Scenario, quantities: Quantities) -> Research:
    """Return the parameters of research and review; all absent where nothing is scored.

    Args:
        scenario: the scenario.
        quantities: the program's quantities; new ones are added.
    """
    fact, draw = quantities.fact, quantities.add
    research, review = scenario.research, scenario.review
    is_on = research is not None and has_step(scenario, scenarios.Score)
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
        reviewed_share=quantities.number(of) if isinstance(of, float) else NONE,
        review_of=A_SHARE if isinstance(of, float) else _REVIEW_OF[of],
        review_time=draw(review.time if review else None),
        review_price=fact(review.price if review else None),
        finalists=research.finalists,
        counts_improvements=int(research.unit == "improvement"),
        gates_as_they_appear=int(research.gates_start == "as finalists appear"),
        begins_ns=scenario.stop.begins_s * NANOSECOND,
    )


def gates_of(scenario: scenarios.Scenario, quantities: Quantities) -> Integers:
    """Return the [gates, 6] gates; none where nothing is scored.

    Args:
        scenario: the scenario.
        quantities: the program's quantities; new ones are added.
    """
    fact, draw = quantities.fact, quantities.add
    rows = [
        [
            draw(gate.keeps),
            fact(gate.smallest_effect),
            fact(gate.noise),
            fact(gate.price),
            draw(gate.time),
            int(gate.tries == "passed"),
        ]
        for gate in scenario.gates
        if scenario.research is not None and has_step(scenario, scenarios.Score)
    ]
    return np.array(rows, dtype=np.int64).reshape(-1, GATE_COLUMNS)


def directions_of(scenario: scenarios.Scenario) -> tuple[Integers, Integers]:
    """Return the direction of each agent, and the keys of the directions.

    Without a word about it each agent has its own; where all choose among known methods there is one for all.

    Args:
        scenario: the scenario.
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
