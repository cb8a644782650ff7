"""What holds for a whole run: its end, forum, scorer and tasks; and which engine can simulate it."""

from collections.abc import Callable, Iterator
from typing import Any, Final

from simbudget.engine.laws.draws import NANOSECOND
from simbudget.engine.laws.tasks import TaskTerms
from simbudget.engine.lowering.clients import Calling
from simbudget.engine.lowering.quantities import Quantities, nanoseconds
from simbudget.engine.program import NONE, Settings
from simbudget.scenario import scenario as scenarios

_NO_LIMIT = 1 << 62
"""More cycles than any run has."""


def settings_of(scenario: scenarios.Scenario, quantities: Quantities, calling: Calling) -> Settings:
    """Return what holds for the whole run.

    Args:
        scenario: the scenario.
        quantities: the program's quantities; new ones are added.
        calling: the program's clients, turns and contexts; new ones are added.
    """
    stop, scorer = scenario.stop, scenario.scorer
    review = scenario.review if has_step(scenario, scenarios.Score) else None
    by_model = review is not None and review.by is not None
    is_judged = scorer.model is not None and has_step(scenario, scenarios.Score)
    return Settings(
        horizon_ns=nanoseconds(stop.after.exact_value),
        begins_ns=stop.begins_s * NANOSECOND,
        most_cycles=stop.cycles_per_agent or _NO_LIMIT,
        reads_at_most=scenario.forum.reads_at_most,
        post_tokens=quantities.add(
            scenario.forum.post_tokens if has_step(scenario, scenarios.Share) else None
        ),
        fixed=quantities.fact(scenario.fixed),
        retries=scenario.api.retries,
        servers=scorer.servers,
        scoring_time=quantities.add(scorer.time if has_step(scenario, scenarios.Score) else None),
        cool_down_ns=nanoseconds(scorer.cool_down.exact_value),
        quota=scorer.quota_per_agent_per_day or 0,
        score_price=quantities.fact(scorer.price),
        judge=calling.client(scorer.model, "off", scorer.service) if is_judged else NONE,
        judge_calls=quantities.add(scorer.calls if is_judged else None),
        judge_input=quantities.add(scorer.input_tokens if is_judged else None),
        judge_output=quantities.add(scorer.output_tokens if is_judged else None),
        reviewer=calling.client(review.by, "off", None) if review is not None and by_model else NONE,
        review_input=quantities.add(review.input_tokens if review is not None and by_model else None),
        review_output=quantities.add(review.output_tokens if review is not None and by_model else None),
        no_improvement_ns=nanoseconds(stop.no_improvement_for.exact_value) if stop.no_improvement_for else 0,
        counts_when_billed=int(stop.budget_counts == "when billed"),
    )


def has_step(scenario: scenarios.Scenario, kind: type[scenarios.Step]) -> bool:
    """Return whether any group's cycle has a step of a kind; what no step uses is not lowered.

    Args:
        scenario: the scenario.
        kind: the class of the step.
    """
    return any(isinstance(step, kind) for group in scenario.fleet for step in group.cycle)


def tasks_of(scenario: scenarios.Scenario, quantities: Quantities) -> TaskTerms:
    """Return the terms on which a scenario's tasks are worked on.

    Args:
        scenario: the scenario.
        quantities: the program's quantities; new ones are added.
    """
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


Scenario = scenarios.Scenario


def _steps(scenario: Scenario) -> Iterator[Any]:
    return (step for group in scenario.fleet for step in group.cycle)


NOT_COMPILED: Final[tuple[tuple[str, Callable[[Scenario], bool]], ...]] = (
    (
        "steps written in Python",
        lambda scenario: any(isinstance(s, scenarios.OwnStep) for s in _steps(scenario)),
    ),
)
"""What the reference engine alone can simulate, by the words that a note has for it: whether a scenario asks for it."""


def not_compiled(scenario: Scenario) -> tuple[str, ...]:
    """Return what of a scenario the reference engine alone can simulate, in words.

    Args:
        scenario: the scenario.
    """
    return tuple(words for words, asks in NOT_COMPILED if asks(scenario))
