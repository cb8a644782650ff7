"""What the language can say and not every engine can simulate: said once, plainly, and never silently ignored.

An engine that learns a feature takes its row out of the table here, and lowers it.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

from simbudget.errors import Problem, UserError
from simbudget.scenario import model as scenarios

Scenario = scenarios.Scenario


def _steps(scenario: Scenario) -> Iterator[Any]:
    return (step for group in scenario.fleet for step in group.cycle)


def _any_step(kind: type[scenarios.Step], key: str, plain: Any = None) -> Callable[[Scenario], bool]:
    """Return whether a step of a kind says anything but what is plain of a key."""
    return lambda scenario: any(
        isinstance(step, kind) and getattr(step, key) != plain for step in _steps(scenario)
    )


def _context(scenario: Scenario, key: str) -> bool:
    return any(key in context.written for context in _contexts(scenario))


def _contexts(scenario: Scenario) -> Iterator[scenarios.Context]:
    yield scenario.context
    yield from (group.context for group in scenario.fleet)


def _has_service(scenario: Scenario) -> bool:
    services = [*(group.service for group in scenario.fleet), scenario.scorer.service]
    services += [getattr(step, "service", None) for step in _steps(scenario)]
    return any(service is not None and service.name != "standard" for service in services)


NOT_YET: Final[tuple[tuple[str, Callable[[Scenario], bool]], ...]] = ()
"""What no engine can simulate, by the words that a message has for it: whether a scenario asks for it."""

NOT_COMPILED: Final[tuple[tuple[str, Callable[[Scenario], bool]], ...]] = (
    ("`think` with a `model` of its own", _any_step(scenarios.Think, "model")),
    ("`think` with a `turn` of its own", _any_step(scenarios.Think, "turn")),
    ("`think` with a `context` of its own", _any_step(scenarios.Think, "context")),
    ("`delegate`", lambda scenario: any(isinstance(step, scenarios.Delegate) for step in _steps(scenario))),
    ("`context.shared_prefix_tokens`", lambda scenario: _context(scenario, "shared_prefix_tokens")),
    ("`context.when_full`", lambda scenario: any(c.when_full.how != "compact" for c in _contexts(scenario))),
    ("`service`", _has_service),
    (
        "a model that is `served_on` GPUs",
        lambda scenario: any(model.served_on is not None for model in scenario.models.values()),
    ),
    ("`api.models`", lambda scenario: bool(scenario.api.models)),
    ("`api.plan`", lambda scenario: scenario.api.plan is not None),
    (
        "steps written in Python",
        lambda scenario: any(isinstance(s, scenarios.OwnStep) for s in _steps(scenario)),
    ),
    ("`scorer.model`", lambda scenario: scenario.scorer.model is not None),
    ("`review.by`", lambda scenario: scenario.review is not None and scenario.review.by is not None),
)
"""What the reference engine alone can simulate, in the same form."""


def not_compiled(scenario: Scenario) -> tuple[str, ...]:
    """Return what of a scenario the reference engine alone can simulate, in words."""
    return tuple(words for words, asks in NOT_COMPILED if asks(scenario))


def require_supported(scenario: Scenario) -> None:
    """Raise UserError if a scenario asks for something that the engines cannot simulate yet."""
    missing = [words for words, asks in NOT_YET if asks(scenario)]
    if missing:
        listed = ", ".join(missing)
        what = "they are" if len(missing) > 1 else "it is"
        message = f"{listed} cannot be simulated yet"
        raise UserError(Problem(message, remedy=f"{what} understood and checked; leave out to project"))
