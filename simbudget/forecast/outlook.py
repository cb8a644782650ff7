"""What is to be expected of a run from where it stands: the results of watching it."""

from dataclasses import dataclass
from typing import Any

from simbudget.arrays import Floats
from simbudget.forecast.outlook_tables import outlook_json, outlook_tables, verdict, worthwhile_words
from simbudget.forecast.run_state import RunState
from simbudget.results import Result, Table
from simbudget.units import HOUR_S


@dataclass(frozen=True)
class Learnt:
    """What the run so far has said of one unknown."""

    name: str
    before: tuple[float, float, float]
    """p10, p50, p90."""
    after: tuple[float, float, float]
    narrower: float
    """By which part its interval got narrower, on a logarithmic scale where it is positive."""


@dataclass(frozen=True)
class Worthwhile:
    """When the next hour costs more than it brings."""

    stop_at_hours: float
    p10: float
    p90: float
    """Of a bootstrap over runs."""
    next_hour_costs_usd: float
    next_hour_brings_usd: float


@dataclass(frozen=True)
class Outlook(Result):
    """What is to be expected of a run, from where it stands."""

    state: RunState
    ends_hours: float
    """The planned end."""
    budget_usd: float | None
    spent_usd: dict[str, float]
    """p10, p50, p90: where the log does not tell all that was spent, the scenario says what else was."""
    expected_by_now_usd: dict[str, float]
    """The same, as it was projected before the run."""
    spend_usd: dict[str, float]
    """At the planned end, if the budget does not stop it; mean, p10, p50, p90."""
    spend_before_usd: dict[str, float]
    """As it was projected before the run."""
    by_component_usd: dict[str, dict[str, float]]
    counts: dict[str, dict[str, float]]
    within_budget: float | None
    budget_met_hours: dict[str, float | None] | None
    """p10, p50, p90 of when the budget is reached; None: not before the planned end."""
    limits: list[dict[str, Any]]
    learnt: list[Learnt]
    worthwhile: Worthwhile | None
    surprise: float
    curve: dict[str, list[float]]
    """hours, and p10, p50, p90 of what will have been spent by then."""
    sure: float
    samples: dict[str, Floats]
    """[draws] of the spend (`spend_usd`) and of each count at the planned end."""
    notes: tuple[str, ...] = ()

    json_name = "outlook.json"

    def answer(self) -> str:
        """Return whether the run is on track and, if that was asked, until when it is worth its price."""
        if self.worthwhile is None:
            return verdict(self)
        return f"{verdict(self)}\n{worthwhile_words(self.worthwhile, self)}"

    def as_json(self) -> dict[str, Any]:
        """Return everything as `watch --json` prints it."""
        return outlook_json(self)

    def tables(self) -> list[Table]:
        """Return the planned end, what was learnt so far, and the limits."""
        return list(outlook_tables(self))

    @property
    def is_met(self) -> bool:
        """Return whether the run is on track."""
        return self.is_on_track

    @property
    def is_on_track(self) -> bool:
        """Return whether every limit is kept, and the budget as surely as asked for.

        Without a budget and a limit of the spend, what was projected before the run is the standard.
        """
        if not all(limit["holds"] for limit in self.limits):
            return False
        if self.within_budget is not None:
            return self.within_budget >= self.sure
        return not self.is_beyond_plan or any(limit["limit"].startswith("spend") for limit in self.limits)

    @property
    def is_beyond_plan(self) -> bool:
        """Return whether the spend is above the interval projected before the run, by now or at the planned end."""
        now = self.spent_usd["p50"] > self.expected_by_now_usd["p90"]
        return now or self.spend_usd["p50"] > self.spend_before_usd["p90"]

    @property
    def elapsed_hours(self) -> float:
        """Return how long the run has lasted."""
        return self.state.elapsed_s / HOUR_S
