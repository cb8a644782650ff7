"""Planning: the best plan in a space within budget and limits, its Pareto frontier, and its expected outcome.

Plans are evaluated with common random numbers. The best few are evaluated again with more replications, and of those
that cannot be distinguished the cheapest is chosen. The best of many noisy estimates is biased upwards (the winner's
curse), so the chosen plan is projected again in worlds not used by the search, and that projection is reported.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import pandas as pd

from simbudget.arrays import Floats
from simbudget.deciding.alternatives import Sample, paired_rows, project_together
from simbudget.deciding.changes import SHORT_NAMES, Change, Source
from simbudget.deciding.objectives import (
    LEAST_COST,
    Objective,
    parse_objective,
    parse_requirement,
    violations,
)
from simbudget.deciding.outcomes import SHOW, counts_results, same_skill
from simbudget.deciding.search import Point, Space, Tried, parse_axis, search
from simbudget.errors import Problem, UserError, check_range
from simbudget.numbers import percent, usd, with_error
from simbudget.projection.projection import Projection
from simbudget.results import Picture, Result, Table
from simbudget.scenario.limits import NEEDS_RESEARCH, NEEDS_TASKS, Limit
from simbudget.scenario.scenario import Scenario


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
    """Return the question of a search for the best plan.

    Args:
        varied: dimensions of the space, such as `agents=1:32` or `model=a,b`.
        budget_usd: what nine in ten runs may spend at most.
        goal: the figure to maximise; either this or `least_cost_for`.
        least_cost_for: the requirement to meet at least cost.
        evaluations: maximum number of plans tried.

    Raises:
        UserError: an option is wrong, or they do not go together.
    """
    if (goal is None) == (least_cost_for is None):
        remedy = "give one of them, such as a goal of 'P(any transferable)'"
        what = "neither a goal nor" if goal is None else "both a goal and"
        raise UserError(Problem(f"{what} a limit to reach for the least cost is given", remedy=remedy))
    check_range("evaluations", evaluations, 1)
    space = Space(tuple(parse_axis(text) for text in varied))
    keys = [dimension.key for dimension in space.dimensions]
    if len(set(keys)) < len(keys):
        raise UserError(Problem("the same key is varied twice", remedy="vary each key once"))
    if goal is not None:
        return Question(parse_objective(goal), space, budget_usd, None, evaluations)
    assert least_cost_for is not None
    return Question(LEAST_COST, space, budget_usd, parse_requirement(least_cost_for), evaluations)


FINALISTS: Final = 6
MORE: Final = 4
"""Factor on the number of replications for finalists and for the chosen plan."""

_FRESH: Final = 1_000_003
"""Added to the seed for worlds that the search does not use."""


@dataclass(frozen=True)
class Evaluation:
    """One plan and its outcome."""

    changes: tuple[Change, ...]
    value: float
    """Standard error of the objective, in its unit."""
    error: float
    spend_usd: float
    spend_p10_usd: float
    spend_p90_usd: float
    violations: dict[str, float]
    replications: int

    @property
    def is_feasible(self) -> bool:
        """Return whether the plan keeps to all its limits."""
        return all(violation <= 0.0 for violation in self.violations.values())

    @property
    def name(self) -> str:
        """Return what the plan changes."""
        return " ".join(map(str, self.changes))


@dataclass(frozen=True)
class BestPlan(Result):
    """The chosen plan and its alternatives."""

    question: Question
    evaluations: tuple[Evaluation, ...]
    """All plans tried, in their order."""
    frontier: tuple[Evaluation, ...]
    """The Pareto frontier: feasible plans that no other beats in both cost and objective, the cheapest first."""
    finalists: tuple[Evaluation, ...]
    """The best few plans, evaluated with more replications, the best first."""
    in_search: Evaluation
    """The chosen plan as the search evaluated it last."""
    chosen: Evaluation
    """The chosen plan in new worlds."""
    projection: Projection
    """Projection of the chosen plan in new worlds."""
    source: Source
    """The chosen plan as a scenario."""
    notes: tuple[str, ...] = ()

    json_name = "plan.json"

    def answer(self) -> str:
        """Return the plan, and what it is likely to bring in worlds that the search has not seen."""
        return _answer(self)

    def tables(self) -> list[Table]:
        """Return the frontier, the finalists, and what the search overstated."""
        return list(_tables(self))

    def figures(self) -> dict[str, Picture]:
        """Return the frontier of cost against the objective."""
        from simbudget.deciding import figures as drawn  # noqa: PLC0415  matplotlib is slow to import

        return {"frontier": Picture("Cost against the objective", partial(drawn.plan_frontier, self))}

    @property
    def is_met(self) -> bool:
        """Return whether the plan meets all limits."""
        return self.chosen.is_feasible

    def as_json(self) -> dict[str, Any]:
        """Return everything as plain values."""
        question = self.question
        return {
            "objective": question.objective.text,
            "least_cost_for": question.requirement.text if question.requirement else None,
            "budget_usd": question.budget_usd,
            "plans_in_space": question.space.size,
            "chosen": _evaluation_as_json(self.chosen) | {"fresh_worlds": True},
            "as_the_search_saw_it": _evaluation_as_json(self.in_search),
            "projection": self.projection.as_json(),
            "frontier": [_evaluation_as_json(each) for each in self.frontier],
            "finalists": [_evaluation_as_json(each) for each in self.finalists],
            "evaluations": [_evaluation_as_json(each) for each in self.evaluations],
            "notes": list(self.notes),
        }

    def _write_files(self, folder: Path) -> list[Path]:
        path = folder / "plan.yaml"
        path.write_text(written_plan(self), encoding="utf-8")
        return [path]


class _Evaluator:
    """Evaluates plans."""

    def __init__(
        self, source: Source, question: Question, sample: Sample, progress: Callable[[], None]
    ) -> None:
        self.source, self.question, self.sample, self.progress = source, question, sample, progress
        self.found: dict[Point, Evaluation] = {}
        self._known: dict[Point, tuple[tuple[Change, ...], Scenario]] = {}

    def changes(self, point: Point) -> tuple[Change, ...]:
        """Return what a plan changes; the budget is the run's own too, where that is higher or has none."""
        return self._read(point)[0]

    def scenario(self, point: Point) -> Scenario:
        """Return a plan's scenario, which has to reach what is asked of it."""
        return self._read(point)[1]

    def _read(self, point: Point) -> tuple[tuple[Change, ...], Scenario]:
        if point not in self._known:
            changes, budget_usd = self.question.space.changes(point), self.question.budget_usd
            scenario = self.source.load(*changes).scenario
            own = scenario.stop.budget
            if budget_usd is not None and (own is None or own > budget_usd):
                others = (change for change in changes if change.path != SHORT_NAMES["budget"])
                changes = (*others, Change("budget", f"${budget_usd:.10g}"))
                scenario = self.source.load(*changes).scenario
            required = self.question.requirement
            limits = (*scenario.limits, required) if required else scenario.limits
            self._known[point] = changes, scenario.with_values(limits=limits)
        return self._known[point]

    def try_plan(self, point: Point) -> Tried:
        """Return the evaluation of a plan in the worlds of the search."""
        projection, frame = self.project(point, self.sample)
        evaluation, by_world = self.evaluation(point, projection, frame)
        self.found[point] = evaluation
        self.progress()
        error = float(by_world.std(ddof=1) / math.sqrt(len(by_world))) if len(by_world) > 1 else 0.0
        return Tried(point, float(by_world.mean()), error, tuple(evaluation.violations.values()))

    def project(self, point: Point, sample: Sample) -> tuple[Projection, pd.DataFrame]:
        """Return the projection of a plan, and its replications."""
        projections = project_together([self.scenario(point)], sample)
        return projections[0], paired_rows([projections[0].replications])[0]

    def evaluation(
        self, point: Point, projection: Projection, frame: pd.DataFrame
    ) -> tuple[Evaluation, Floats]:
        """Return the evaluation of a plan, and its objective in each world."""
        objective = self.question.objective
        by_world = objective.by_world(frame)
        figures = projection.statistics
        return Evaluation(
            changes=self.changes(point),
            value=objective.value(float(by_world.mean())),
            error=objective.error(by_world),
            spend_usd=figures.value("spend_usd"),
            spend_p10_usd=figures.value("spend_usd", "p10"),
            spend_p90_usd=figures.value("spend_usd", "p90"),
            violations=violations(projection, self.question.budget_usd),
            replications=figures.replications,
        ), by_world


def plan(
    source: Source, question: Question, sample: Sample, progress: Callable[[int, int], None] | None = None
) -> BestPlan:
    """Return the best plan of a space.

    Args:
        source: the scenario that is varied.
        question: what is searched for, and where.
        sample: the replications of one evaluation, and the seed.
        progress: called with the evaluations done and those to do.

    Raises:
        UserError: the scenario or a plan of the space is wrong, or what is searched for makes no sense for it.
    """
    _require_sense(source, question)
    total = min(question.space.size, question.evaluations) + FINALISTS + 1
    done = [0]

    def step() -> None:
        done[0] += 1
        (progress or (lambda done, total: None))(min(done[0], total), total)

    evaluator = _Evaluator(source, question, sample, step)
    tried = search(question.space, evaluator.try_plan, question.evaluations, sample.seed)
    evaluations = tuple(evaluator.found[each.point] for each in tried)
    point, finalists = _choose(evaluator, tried, replace(sample, replications=MORE * sample.replications))
    fresh = replace(sample, seed=sample.seed + _FRESH, replications=MORE * sample.replications)
    projection, frame = evaluator.project(point, fresh)
    step()
    chosen, _ = evaluator.evaluation(point, projection, frame)
    in_search = next(each for each in finalists if each.changes == chosen.changes)
    return BestPlan(
        question,
        evaluations,
        tuple(frontier(evaluations, question.objective)),
        finalists,
        in_search,
        chosen,
        projection,
        source.changed(*chosen.changes),
        tuple(same_skill([evaluator.scenario(each.point) for each in tried])),
    )


def _require_sense(source: Source, question: Question) -> None:
    """Check a question against the scenario, before anything is simulated.

    Args:
        source: the scenario that is varied.
        question: what is searched for.

    Raises:
        UserError: a plan of the space is wrong, or what is searched for makes no sense for the scenario.
    """
    scenario = source.load().scenario
    of_results = question.requirement is not None and question.requirement.figure in NEEDS_RESEARCH
    if (question.objective.of_results or of_results) and not counts_results(scenario):
        remedy = "write a `score` step, `research` and `gates` in the scenario, or choose for another figure"
        raise UserError(Problem("transferable results are not counted in this scenario", remedy=remedy))
    of_tasks = question.requirement is not None and question.requirement.figure in NEEDS_TASKS
    if (question.objective.of_tasks or of_tasks) and scenario.tasks is None:
        remedy = "write `tasks` in the scenario, or choose for another figure"
        raise UserError(Problem("there are no tasks in this scenario", remedy=remedy))
    if (
        question.requirement
        and question.requirement.figure == "probability_within_budget"
        and not scenario.stop.budget
    ):
        raise UserError(
            Problem("there is no budget to stay within", remedy="write `stop.budget`, or give a budget")
        )
    for dimension in question.space.dimensions:  # each value once, so that mistakes are reported at once
        for value in (
            dimension.values if dimension.places is None else (dimension.values[0], dimension.values[-1])
        ):
            source.load(Change(dimension.key, value))


def _choose(
    evaluator: _Evaluator, tried: Sequence[Tried], sample: Sample
) -> tuple[Point, tuple[Evaluation, ...]]:
    """Return the plan to choose, and the finalists: the best few, with more replications."""
    ranked = sorted(tried, key=lambda each: each.rank, reverse=True)[:FINALISTS]
    finals: list[tuple[Point, Evaluation, Floats]] = []
    for each in ranked:
        finals.append((each.point, *evaluator.evaluation(each.point, *evaluator.project(each.point, sample))))
        evaluator.progress()
    feasible = [final for final in finals if final[1].is_feasible]
    if not feasible:
        least = min(finals, key=lambda final: max(final[1].violations.values()))
        return least[0], tuple(evaluation for _, evaluation, _ in finals)
    best = max(feasible, key=lambda final: float(final[2].mean()))
    equals = [final for final in feasible if not _is_worse(final[2], best[2])]
    cheapest = min(equals, key=lambda final: final[1].spend_usd)
    finals.sort(key=lambda final: (final[1].is_feasible, float(final[2].mean())), reverse=True)
    return cheapest[0], tuple(evaluation for _, evaluation, _ in finals)


def _is_worse(by_world: Floats, best: Floats) -> bool:
    """Return whether a plan is worse than the best by more than one standard error of their paired difference."""
    if len(by_world) != len(best):
        return float(by_world.mean()) < float(best.mean())
    behind = best - by_world
    error = float(behind.std(ddof=1) / math.sqrt(len(behind))) if len(behind) > 1 else 0.0
    return float(behind.mean()) > error


def frontier(evaluations: Sequence[Evaluation], objective: Objective) -> list[Evaluation]:
    """Return the feasible plans that no other beats in both cost and objective, the cheapest first.

    Args:
        evaluations: the plans tried.
        objective: what is maximised beside low cost.
    """
    feasible = sorted((each for each in evaluations if each.is_feasible), key=lambda each: each.spend_usd)
    kept: list[Evaluation] = []
    for each in feasible:
        better = objective.maximise and kept and each.value > kept[-1].value
        lower = not objective.maximise and kept and each.value < kept[-1].value
        if not kept or better or lower:
            kept.append(each)
    return kept


def _evaluation_as_json(each: Evaluation) -> dict[str, Any]:
    return {
        "changes": {change.key: change.written for change in each.changes},
        "value": each.value if math.isfinite(each.value) else None,
        "error": each.error if math.isfinite(each.error) else None,
        "spend_usd": {"mean": each.spend_usd, "p10": each.spend_p10_usd, "p90": each.spend_p90_usd},
        "within_limits": each.is_feasible,
        "beyond_limits": each.violations,
        "replications": each.replications,
    }


def written_plan(found: BestPlan) -> str:
    """Return the chosen plan as a scenario file: the user's own text, with a few lines on top that say what it is."""
    chosen, objective = found.chosen, found.question.objective
    goal = found.question.requirement.text if found.question.requirement else objective.text
    budget_usd = found.question.budget_usd
    within = f", within ${budget_usd:,.0f}" if budget_usd is not None else ""
    lines = [
        f"# Chosen by `simbudget plan`: {len(found.evaluations):,} of {found.question.space.size:,} plans tried.",
        f"# For: {goal}{within}.",
        f"# Changed: {', '.join(map(str, chosen.changes))}.",
        f"# In new worlds: {objective.text} {chosen.value:.4g} (standard error {chosen.error:.2g}), "
        f"spend ${chosen.spend_usd:,.0f} (p10 to p90: ${chosen.spend_p10_usd:,.0f} to ${chosen.spend_p90_usd:,.0f}).",
    ]
    return "\n".join(lines) + "\n" + found.source.text


def _answer(found: BestPlan) -> str:
    """Return the answer: the plan and its projected outcome in worlds that the search did not use."""
    chosen, question = found.chosen, found.question
    tried = f"{len(found.evaluations):,} of {question.space.size:,} plans tried"
    spend = f"{usd(chosen.spend_usd)} (80 %: {usd(chosen.spend_p10_usd)} to {usd(chosen.spend_p90_usd)})"
    if not chosen.is_feasible:
        parts = (_beyond(text, part) for text, part in chosen.violations.items() if part > 0)
        nearest = f"the nearest is {chosen.name}, which misses {', '.join(parts)}"
        return f"No plan meets all limits ({tried}); {nearest}; it spends {spend}."
    goal = "" if question.requirement is None else f" and {question.requirement.text}"
    objective = question.objective
    is_spend = objective.column == "spend_usd" and objective.per is None
    value = "" if is_spend else f"; {objective.text} {_value(objective, chosen)}"
    return (
        f"Choose {chosen.name}: it spends {spend}{value}{goal} ({tried}; these figures are from new worlds)."
    )


def _beyond(text: str, part: float) -> str:
    """Return a limit and by how much it is missed; the search cuts that off at the limit itself."""
    return f"{text} by {'100 % or more' if part >= 1.0 else percent(part)}"


def _value(objective: Objective, each: Evaluation) -> str:
    show = SHOW[objective.unit]
    if each.value == float("inf"):
        return "no result"
    return with_error(show, each.value, each.error)


def _tables(found: BestPlan) -> Iterator[Table]:
    """Yield the tables of the frontier, of the finalists, and of the search's overestimates."""
    objective = found.question.objective
    rests_on = f"{found.evaluations[0].replications:,} replications each"
    if len(found.frontier) > 1:
        yield _table(f"Frontier of cost against {objective.text} ({rests_on})", found.frontier, objective)
    rests_on = f"{found.finalists[0].replications:,} replications each"
    yield _table(f"Finalists ({rests_on})", found.finalists, objective)
    rows = [
        (name, *_cells(each, objective))
        for name, each in (("of the search", found.in_search), ("fresh", found.chosen))
    ]
    title = "The chosen plan: in the worlds of the search, and in fresh ones"
    yield Table(title, ("worlds", objective.text, "spend", "p10 to p90"), rows)


def _cells(each: Evaluation, objective: Objective) -> tuple[str, str, str]:
    interval = f"{usd(each.spend_p10_usd)} to {usd(each.spend_p90_usd)}"
    return _value(objective, each), usd(each.spend_usd), interval


def _table(title: str, evaluations: Sequence[Evaluation], objective: Objective) -> Table:
    rows = [
        (each.name, *_cells(each, objective), "yes" if each.is_feasible else "NO") for each in evaluations
    ]
    return Table(title, ("plan", objective.text, "spend", "p10 to p90", "within limits"), rows)
