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


NOT_YET: Final[tuple[tuple[str, Callable[[Scenario], bool]], ...]] = ()
"""What no engine can simulate, by the words that a message has for it: whether a scenario asks for it."""

NOT_COMPILED: Final[tuple[tuple[str, Callable[[Scenario], bool]], ...]] = (
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
