"""What the compiled engine cannot simulate; the reference engine takes over, and a note says so."""

from collections.abc import Callable, Iterator
from typing import Any, Final

from simbudget.scenario import scenario as scenarios

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
    """Return what of a scenario the reference engine alone can simulate, in words."""
    return tuple(words for words, asks in NOT_COMPILED if asks(scenario))
