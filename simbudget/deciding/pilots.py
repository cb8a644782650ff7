"""Pilots that were looked at, what each is expected to tell, and which of them to run."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from simbudget.deciding.information import Value
from simbudget.scenario.model import Scenario

WORTHWHILE: Final = 0.10
"""A pilot that narrows the spend's interval by less than this part changes nothing to speak of."""

_MOST_OF_BEST: Final = 0.8
"""Of several pilots the cheapest that narrows by this part of what the best does is recommended."""


@dataclass(frozen=True)
class Pilot:
    """One pilot, and what it is expected to tell."""

    agents: int
    hours: float
    cost_usd: float
    """Mean spend."""
    explained: float
    """The part of the variance between worlds of the run's spend that its record explains."""
    narrowing: float
    """By which part the spread of the projected spend gets smaller, luck included."""
    results_explained: float | None
    """The part of the variance between worlds of the transferable results; None where they are not counted."""
    information: Value | None
    """The expected value of sample information for the decision; None without one."""

    @property
    def net_usd(self) -> float | None:
        """Return what is gained for the decision less what the pilot costs."""
        return None if self.information is None else self.information.usd - self.cost_usd

    @property
    def narrowing_per_100_usd(self) -> float:
        """Return the narrowing for each 100 dollars."""
        return self.narrowing / max(self.cost_usd, 1e-9) * 100.0


@dataclass(frozen=True)
class PilotPlan:
    """Pilots of several sizes and lengths, and the one to run."""

    scenario: Scenario
    seed: int
    worlds: int
    spread_usd: float
    """Standard deviation of the run's spend as projected now."""
    most: float
    """The narrowing if all that is unknown were known: the rest is luck."""
    pilots: tuple[Pilot, ...]
    recommended: Pilot | None
    worth_usd: float | None
    """Of a transferable result, for the decision."""
    plans: tuple[str, ...]
    """What is decided between."""


@dataclass(frozen=True)
class Pilots:
    """The pilots that are looked at: every size with every length."""

    sizes: tuple[int, ...]
    """Agents of the first group."""
    hours: tuple[float, ...]


def recommend(pilots: Sequence[Pilot]) -> Pilot | None:
    """Return the pilot to run, if any.

    Where there is a decision: the one that gains most beyond what it costs, if any gains. Else the cheapest that
    narrows nearly as much as the best, if that is worth mentioning.
    """
    if not pilots:
        return None
    if all(pilot.information is not None for pilot in pilots):
        best = max(pilots, key=lambda pilot: pilot.net_usd or 0.0)
        error = best.information.error_usd if best.information else 0.0
        return best if best.net_usd is not None and best.net_usd > error else None
    most = max(pilot.narrowing for pilot in pilots)
    if most < WORTHWHILE:
        return None
    enough = [pilot for pilot in pilots if pilot.narrowing >= _MOST_OF_BEST * most]
    return min(enough, key=lambda pilot: pilot.cost_usd)


def as_json(found: PilotPlan) -> dict[str, Any]:
    """Return everything as plain values."""
    return {
        "scenario": found.scenario.name,
        "seed": found.seed,
        "worlds": found.worlds,
        "spread_now_usd": found.spread_usd,
        "narrowing_if_all_were_known": found.most,
        "worth_of_a_result_usd": found.worth_usd,
        "plans": list(found.plans),
        "recommended": _pilot_as_json(found.recommended) if found.recommended else None,
        "pilots": [_pilot_as_json(pilot) for pilot in found.pilots],
    }


def _pilot_as_json(pilot: Pilot) -> dict[str, Any]:
    value = pilot.information
    return {
        "agents": pilot.agents,
        "hours": pilot.hours,
        "cost_usd": pilot.cost_usd,
        "spend_variance_explained": pilot.explained,
        "spend_narrowing": pilot.narrowing,
        "narrowing_per_100_usd": pilot.narrowing_per_100_usd,
        "results_variance_explained": pilot.results_explained,
        "value_of_information_usd": {"value": value.usd, "error": value.error_usd} if value else None,
        "net_value_usd": pilot.net_usd,
    }
