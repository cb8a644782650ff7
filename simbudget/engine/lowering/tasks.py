"""Tasks, as a program holds them."""

from simbudget.engine.laws.tasks import TaskTerms
from simbudget.engine.lowering.quantities import Quantities
from simbudget.scenario import scenario as scenarios


def tasks_of(scenario: scenarios.Scenario, quantities: Quantities) -> TaskTerms:
    """Return the terms on which a scenario's tasks are worked on."""
    tasks = scenario.tasks
    if tasks is None:
        return TaskTerms()
    limit = tasks.limit
    return TaskTerms(
        total=tasks.count,
        attempts=tasks.attempts,
        takes_all=int(tasks.until == "all attempts"),
        solved=quantities.fact(tasks.solved),
        difficulty=quantities.fact(tasks.difficulty),
        time=quantities.fact(limit.time if limit else None),
        spend=quantities.fact(limit.spend if limit else None),
        tokens=quantities.fact(limit.tokens if limit else None),
        turns=quantities.fact(limit.turns if limit else None),
    )
