"""Outcomes of runs: the columns of a projection's replications that decisions use, with display names."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import pandas as pd

from simbudget.deciding.alternatives import ANY_RESULT
from simbudget.numbers import NOTHING, count, hours, percent, usd
from simbudget.scenario.scenario import Scenario


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
    expected: str | None = None
    """A column with the same mean in every world and less variance, used for means instead of `column`."""

    @property
    def of_means(self) -> str:
        """Return the column used for means."""
        return self.expected or self.column


SPEND: Final = Outcome("spend_usd", "spend", "spend_usd", Unit.USD)
RESULTS: Final = Outcome(
    "transferable_results",
    "transferable results",
    "transferable_true",
    Unit.COUNT,
    of_results=True,
    expected="transferable_expected",  # given what a run found, whether it holds is integrated out (Rao and Blackwell)
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


def same_skill(scenarios: Sequence[Scenario]) -> Iterator[str]:
    """Yield a note if scenarios differ in their models, and not in how good those models are at the work.

    A model's prices and speeds are known; how many tasks or ideas come out right with it is not, unless somebody
    writes it. Without the note, the cheapest model always looks best.
    """
    models = [frozenset(scenario.models) for scenario in scenarios]
    if len(set(models)) < 2:
        return
    names = " and ".join(sorted(frozenset().union(*models) - frozenset.intersection(*models)))
    remedy = "give each a file of its own with what a short run of it shows, and compare the files"
    if scenarios[0].tasks is not None and len({scenario.tasks for scenario in scenarios}) == 1:
        yield f"{names} are taken to solve tasks equally often (one `tasks.solved` for all); {remedy}"
    if all(map(counts_results, scenarios)) and len({scenario.research for scenario in scenarios}) == 1:
        yield f"{names} are taken to have equally good ideas (one `research` for all); {remedy}"


def outcomes_of(scenarios: Sequence[Scenario], frames: Sequence[pd.DataFrame]) -> list[Outcome]:
    """Return the outcomes that apply to every one of these scenarios, whose replications are given.

    Args:
        scenarios: the scenarios that are compared.
        frames: their replications, as `paired_rows` returns them.
    """
    with_results = all(counts_results(scenario) for scenario in scenarios)
    return [
        outcome
        for outcome in OUTCOMES
        if (with_results or not outcome.of_results)
        and all(outcome.column in frame and frame[outcome.column].notna().any() for frame in frames)
    ]
