"""The question of a search for a plan, built from command-line options."""

from collections.abc import Sequence
from dataclasses import dataclass

from simbudget.deciding.objectives import LEAST_COST, Objective, parse_objective, parse_requirement
from simbudget.deciding.space import Space, parse_dimension
from simbudget.errors import Problem, UserError
from simbudget.scenario.limits import Limit


@dataclass(frozen=True)
class Question:
    """The question of a search."""

    objective: Objective
    space: Space
    budget_usd: float | None = None
    requirement: Limit | None = None
    """Limits in addition to the scenario's."""
    evaluations: int = 60


def ask(
    varied: Sequence[str],
    budget_usd: float | None = None,
    goal: str | None = None,
    least_cost_for: str | None = None,
    evaluations: int = 60,
) -> Question:
    """Return the question for command-line options.

    Raises:
        UserError: an option is wrong, or they do not go together.
    """
    if (goal is None) == (least_cost_for is None):
        remedy = "give one of them, such as a goal of 'P(any transferable)'"
        what = "neither a goal nor" if goal is None else "both a goal and"
        raise UserError(Problem(f"{what} a limit to reach for the least cost is given", remedy=remedy))
    space = Space(tuple(parse_dimension(text) for text in varied))
    keys = [dimension.key for dimension in space.dimensions]
    if len(set(keys)) < len(keys):
        raise UserError(Problem("the same key is varied twice", remedy="vary each key once"))
    if goal is not None:
        return Question(parse_objective(goal), space, budget_usd, None, evaluations)
    assert least_cost_for is not None
    return Question(LEAST_COST, space, budget_usd, parse_requirement(least_cost_for), evaluations)
