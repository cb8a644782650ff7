"""Candidate pilots, the expected information from each, and the recommended one."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from simbudget.deciding.information import Value
from simbudget.numbers import NOTHING, hours, percent, usd
from simbudget.results import Picture, Result, Table
from simbudget.scenario.scenario import Scenario

WORTHWHILE: Final = 0.10
"""A pilot that narrows the interval of spend by less than this fraction is not worth running."""

_MOST_OF_BEST: Final = 0.8
"""The cheapest pilot that narrows by at least this fraction of the best pilot's narrowing is recommended."""


@dataclass(frozen=True)
class Pilot:
    """One pilot and its expected information."""

    agents: int
    hours: float
    cost_usd: float
    """Mean spend."""
    explained: float
    """The share of the between-world variance of the run's spend that its record explains."""
    narrowing: float
    """By which part the spread of the projected spend could get smaller, luck included, if all that its record shows
    were used beside the scenario's own ranges."""
    results_explained: float | None
    """The same share for the number of transferable results; None if they are not counted."""
    information: Value | None
    """The expected value of sample information for the decision; None without one."""
    rehearsed: float | None = None
    """By which part the projected spend's interval was narrower, on average, where the pilot was rehearsed and
    calibrated on; None: it was not."""

    @property
    def promised(self) -> float:
        """Return the narrowing to count on: as rehearsed, else as the record would allow."""
        return self.narrowing if self.rehearsed is None else self.rehearsed

    @property
    def net_usd(self) -> float | None:
        """Return what is gained for the decision less what the pilot costs."""
        return None if self.information is None else self.information.usd - self.cost_usd

    @property
    def usd_per_percent(self) -> float | None:
        """Return what the pilot costs for each percent by which it narrows the spread; None if it does not."""
        return self.cost_usd / (100.0 * self.promised) if self.promised > 0.0 else None

    @property
    def narrowing_per_100_usd(self) -> float:
        """Return the narrowing for each 100 dollars."""
        return self.promised / max(self.cost_usd, 1e-9) * 100.0


@dataclass(frozen=True)
class PilotPlan(Result):
    """Pilots of several sizes and durations, and the one to run."""

    scenario: Scenario
    seed: int
    worlds: int
    spread_usd: float
    """Current standard deviation of the run's projected spend."""
    most: float
    """The narrowing if every unknown were known; the remaining variation is chance."""
    pilots: tuple[Pilot, ...]
    recommended: Pilot | None
    worth_usd: float | None
    """Value of a transferable result in the decision."""
    plans: tuple[str, ...]
    """The alternatives of the decision."""
    rehearsals: int = 0
    """Number of worlds in which a pilot was rehearsed."""
    notes: tuple[str, ...] = ()

    json_name = "pilots.json"

    def answer(self) -> str:
        """Return the pilot to run, or why none."""
        return _answer(self)

    def tables(self) -> list[Table]:
        """Return the table of the pilots' costs and expected information."""
        return [_table(self)]

    def figures(self) -> dict[str, Picture]:
        """Return what each pilot costs against how much narrower the projection would get."""
        from simbudget.deciding import figures as drawn  # noqa: PLC0415  matplotlib is slow to import

        return {"pilots": Picture("Expected information from pilots", partial(drawn.pilots, self))}

    def as_json(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return {
            "scenario": self.scenario.name,
            "seed": self.seed,
            "worlds": self.worlds,
            "spread_now_usd": self.spread_usd,
            "narrowing_if_all_were_known": self.most,
            "worth_of_a_result_usd": self.worth_usd,
            "plans": list(self.plans),
            "rehearsals": self.rehearsals,
            "recommended": _pilot_as_json(self.recommended) if self.recommended else None,
            "pilots": [_pilot_as_json(pilot) for pilot in self.pilots],
        }


@dataclass(frozen=True)
class Pilots:
    """The candidate pilots: every size with every duration."""

    sizes: tuple[int, ...]
    """Numbers of agents in the first group."""
    hours: tuple[float, ...]
    rehearsals: int = 0
    """Number of worlds of rehearsals; pilots are tried from the cheapest on until one reaches the expected gain."""


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
    return for_spend(pilots)


def for_spend(pilots: Sequence[Pilot]) -> Pilot | None:
    """Return the cheapest pilot that narrows the spend nearly as much as the best; None if none narrows it enough.

    Where pilots were rehearsed, those that were not do not count.
    """
    counted = [pilot for pilot in pilots if pilot.rehearsed is not None] or list(pilots)
    most = max(pilot.promised for pilot in counted)
    if most < WORTHWHILE:
        return None
    return min(
        (pilot for pilot in counted if does_enough(pilot.promised, most)), key=lambda pilot: pilot.cost_usd
    )


def does_enough(narrowing: float, most: float) -> bool:
    """Return whether a narrowing is so close to the maximum that a larger pilot would not pay off.

    Args:
        narrowing: the share by which a pilot narrows the interval of spend.
        most: the same of the best pilot.
    """
    return narrowing >= _MOST_OF_BEST * most


def _pilot_as_json(pilot: Pilot) -> dict[str, Any]:
    value = pilot.information
    return {
        "agents": pilot.agents,
        "hours": pilot.hours,
        "cost_usd": pilot.cost_usd,
        "spend_variance_explained": pilot.explained,
        "spend_narrowing": pilot.promised,
        "spend_narrowing_at_best": pilot.narrowing,
        "spend_narrowing_rehearsed": pilot.rehearsed,
        "narrowing_per_100_usd": pilot.narrowing_per_100_usd,
        "usd_per_percent_narrower": pilot.usd_per_percent,
        "results_variance_explained": pilot.results_explained,
        "value_of_information_usd": {"value": value.usd, "error": value.error_usd} if value else None,
        "net_value_usd": pilot.net_usd,
    }


_ROUNDING: Final = 1e-9
"""Relative spread below which a spend is constant but for rounding errors of sums."""


def _answer(found: PilotPlan) -> str:
    """Return the answer: the pilot to run, or the reason to run none."""
    best = found.recommended
    if best is not None:
        gain = ""
        if best.net_usd is not None and best.information is not None:
            gain = f"; for the decision it is worth {usd(best.information.usd)}, {usd(best.net_usd)} more than it costs"
        return (
            f"Run {_name(best)} for about {usd(best.cost_usd)}: it is expected to make the projected spend "
            f"{percent(best.promised)} narrower{_how_known(best)} (all that could be known: {percent(found.most)})"
            f"{gain}."
        )
    if found.worth_usd is not None:
        narrowest = for_spend(found.pilots)
        alone = (
            "To project the spend alone, none would do much either."
            if narrowest is None
            else f"To project the spend alone, {_name(narrowest)} would make it {percent(narrowest.promised)} narrower"
            f"{_how_known(narrowest)} for {usd(narrowest.cost_usd)}."
        )
        return (
            f"No pilot pays for the decision between {' and '.join(map(_quoted, found.plans))} if a result is worth "
            f"{usd(found.worth_usd)}: its evidence would not change the decision by enough. {alone}"
        )
    if found.spread_usd <= _ROUNDING * max(pilot.cost_usd for pilot in found.pilots):
        return "No pilot is needed: the spend has no unknowns and no random variation."
    if any(pilot.rehearsed is not None for pilot in found.pilots):
        return (
            f"No pilot is worth its price: none that was rehearsed made the projected spend {percent(WORTHWHILE)} "
            "narrower: what `calibrate` learns from so little is no more precise than the scenario's ranges."
        )
    return (
        f"No pilot is worth its price: none would make the projected spend {percent(WORTHWHILE)} narrower; "
        f"{percent(1 - found.most)} of its spread is chance, which no evidence removes."
    )


def _quoted(name: str) -> str:
    return f'"{name}"'


def _how_known(pilot: Pilot) -> str:
    return "" if pilot.rehearsed is None else ", as rehearsed"


def _name(pilot: Pilot) -> str:
    return f"{pilot.agents} agent{'s' if pilot.agents > 1 else ''} for {hours(pilot.hours)}"


def _narrower(narrowing: float) -> str:
    """Return by how much an interval is narrower, in words where it is wider."""
    return percent(narrowing) if narrowing >= 0.0 else f"{percent(-narrowing)} wider"


def _table(found: PilotPlan) -> Table:
    decides = found.worth_usd is not None
    columns = (
        "pilot",
        "costs",
        "spend narrower by",
        *(("rehearsed",) if found.rehearsals else ()),
        "for 1 % of that",
        *(("results explained", "worth") if decides else ()),
    )
    rows = []
    for pilot in found.pilots:
        rehearsed = NOTHING if pilot.rehearsed is None else _narrower(pilot.rehearsed)
        decision = (
            (NOTHING, NOTHING)
            if pilot.information is None
            else (percent(pilot.results_explained), usd(pilot.information.usd))
        )
        rows.append(
            (
                _name(pilot),
                usd(pilot.cost_usd),
                percent(pilot.narrowing),
                *((rehearsed,) if found.rehearsals else ()),
                usd(pilot.usd_per_percent),
                *(decision if decides else ()),
            )
        )
    caption = f"spread of the spend now: {usd(found.spread_usd)} (standard deviation)"
    if any(pilot.rehearsed is not None for pilot in found.pilots):
        caption += f"; rehearsed in {found.rehearsals} worlds, except for pilots more expensive than needed"
    return Table(f"Expected information from pilots ({found.worlds:,} worlds)", columns, rows, caption)
