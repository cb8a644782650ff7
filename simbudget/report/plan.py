"""What a person sees of a search for the best plan: the answer, the frontier, the finalists."""

from collections.abc import Iterator, Sequence

from rich.table import Table

from simbudget.deciding.objectives import Objective
from simbudget.deciding.plan import Evaluation, Plan
from simbudget.numbers import percent, usd
from simbudget.report.comparison import SHOW, plan_table


def plan_answer(found: Plan) -> str:
    """Return the answer: the plan, and what it is likely to bring in worlds that the search has not seen."""
    chosen, question = found.chosen, found.question
    tried = f"{len(found.evaluations):,} of {question.space.size:,} plans tried"
    spend = f"{usd(chosen.spend_usd)} (80 %: {usd(chosen.spend_p10_usd)} to {usd(chosen.spend_p90_usd)})"
    if not chosen.is_feasible:
        parts = (_beyond(text, part) for text, part in chosen.violations.items() if part > 0)
        nearest = f"the nearest is {chosen.name}, beyond {', '.join(parts)}"
        return f"No plan keeps to all limits ({tried}); {nearest}; it spends {spend}."
    goal = "" if question.requirement is None else f" and {question.requirement.text}"
    objective = question.objective
    is_spend = objective.column == "spend_usd" and objective.per is None
    value = "" if is_spend else f"; {objective.text} {_value(objective, chosen)}"
    return f"Choose {chosen.name}: it spends {spend}{value}{goal} ({tried}; these figures are from fresh worlds)."


def _beyond(text: str, part: float) -> str:
    """Return a limit and by how much it is passed; what the search saw is cut at the whole limit."""
    return f"{text} by {'100 % or more' if part >= 1.0 else percent(part)}"


def _value(objective: Objective, each: Evaluation) -> str:
    show = SHOW[objective.unit]
    if each.value == float("inf"):
        return "no result"
    return f"{show(each.value)} ± {show(each.error)}"


def plan_tables(found: Plan) -> Iterator[Table]:
    """Yield the table of the frontier, of the finalists, and of what the search overstated."""
    objective = found.question.objective
    rests_on = f"{found.evaluations[0].replications:,} replications each"
    if len(found.frontier) > 1:
        yield _table(f"Frontier of cost against {objective.text} ({rests_on})", found.frontier, objective)
    rests_on = f"{found.finalists[0].replications:,} replications each"
    yield _table(f"Finalists ({rests_on})", found.finalists, objective)
    table = plan_table("The chosen plan: in the worlds of the search, and in fresh ones", "worlds")
    for column in (objective.text, "spend", "p10 to p90"):
        table.add_column(column, justify="right", overflow="fold")
    for name, each in (("of the search", found.in_search), ("fresh", found.chosen)):
        table.add_row(name, *_cells(each, objective))
    yield table


def _cells(each: Evaluation, objective: Objective) -> tuple[str, str, str]:
    interval = f"{usd(each.spend_p10_usd)} to {usd(each.spend_p90_usd)}"
    return _value(objective, each), usd(each.spend_usd), interval


def _table(title: str, evaluations: Sequence[Evaluation], objective: Objective) -> Table:
    table = plan_table(title, "plan")
    for column in (objective.text, "spend", "p10 to p90", "within limits"):
        table.add_column(column, justify="right", overflow="fold")
    for each in evaluations:
        table.add_row(each.name, *_cells(each, objective), "yes" if each.is_feasible else "NO")
    return table
