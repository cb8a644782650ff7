"""Outcomes of runs: the columns of a projection's replications that decisions use, with display names."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import pandas as pd

from simbudget.deciding.alternatives import ANY_RESULT
from simbudget.numbers import NOTHING, count, hours, percent, usd
from simbudget.scenario.model import Scenario


class Unit(StrEnum):
    """The unit of an outcome."""

    USD = "usd"
    HOURS = "hours"
    SHARE = "share"
    SCORE = "score"
    COUNT = "count"


Show = Callable[[float | None], str]


def _signed(show: Show, value: float | None) -> str:
    return f"-{show(-value)}" if value is not None and value < 0 else show(value)


SHOW: Final[dict[Unit, Show]] = {
    Unit.USD: usd,
    Unit.HOURS: lambda value: _signed(hours, value),
    Unit.SHARE: lambda value: _signed(percent, value),
    Unit.SCORE: lambda value: NOTHING if value is None else f"{value:.3f}",
    Unit.COUNT: count,
}
"""Format of each unit."""


@dataclass(frozen=True)
class Outcome:
    """One outcome of a run."""

    name: str
    """Its name in JSON."""
    label: str
    """Its name in tables and figures."""
    column: str
    unit: Unit
    of_results: bool = False
    """Whether it applies only to scenarios with gates, which define results."""


SPEND: Final = Outcome("spend_usd", "spend", "spend_usd", Unit.USD)
RESULTS: Final = Outcome(
    "transferable_results", "transferable results", "transferable_true", Unit.COUNT, of_results=True
)

SOLVED: Final = Outcome("tasks_solved", "tasks solved", "tasks_solved", Unit.COUNT)

CYCLES: Final = Outcome("cycles", "cycles", "cycles", Unit.COUNT)

OUTCOMES: Final = (
    SPEND,
    Outcome("wall_clock_hours", "wall clock", "wall_clock_hours", Unit.HOURS),
    Outcome("agent_hours", "agent-hours", "agent_hours", Unit.COUNT),
    CYCLES,
    SOLVED,
    Outcome("best_measured_score", "best measured score", "best_measured_score", Unit.SCORE),
    Outcome("best_true_quality", "best true quality", "best_true_quality", Unit.SCORE),
    RESULTS,
    Outcome(
        "probability_of_any_transferable_result",
        "any transferable result",
        ANY_RESULT,
        Unit.SHARE,
        of_results=True,
    ),
)


def counts_results(scenario: Scenario) -> bool:
    """Return whether a scenario defines transferable results, that is, has gates and scores."""
    scores = any(step.kind == "score" for group in scenario.fleet for step in group.cycle)
    return scenario.research is not None and bool(scenario.gates) and scores


def outcomes_of(scenarios: Sequence[Scenario], frames: Sequence[pd.DataFrame]) -> list[Outcome]:
    """Return the outcomes that apply to every one of these scenarios, whose replications are given."""
    with_results = all(counts_results(scenario) for scenario in scenarios)
    return [
        outcome
        for outcome in OUTCOMES
        if (with_results or not outcome.of_results)
        and all(outcome.column in frame and frame[outcome.column].notna().any() for frame in frames)
    ]
