"""Guesses: how an answer changes if ranges that vary from draw to draw are guesses at one value.

A bare range of a quantity that is drawn repeatedly (a turn's output, a job's hours) varies from draw to draw. Over
thousands of draws its scatter averages out, and its middle counts as known. Someone who wrote the range because the
value is not known meant something else. The scenario is therefore also simulated with each such range as one unknown
value per world.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from simbudget.deciding.alternatives import Alternative, Sample, project_together
from simbudget.deciding.outcomes import RESULTS, SHOW, SPEND
from simbudget.deciding.splits import Driver, fitted_to, split_of
from simbudget.engine.lowering import lower
from simbudget.engine.streams import named_purpose
from simbudget.numbers import percent, usd
from simbudget.projection.projection import Projection
from simbudget.projection.unknowns import unknowns_of
from simbudget.results import Cell, Table
from simbudget.scenario.language.quantities import Kind, Quantity
from simbudget.scenario.scenario import Scenario

_PART: Final = 5
"""A fifth of the replications, since only the strongest influences are named."""
_FEWEST: Final = 80
"""Sixty-four worlds, where a fifth of the replications are second ones."""
_NAMED: Final = 5
"""Names in one note: a longer list is not read."""


@dataclass(frozen=True)
class Interval:
    """The p10 and p90 of a figure for the scenario as written, and if its ranges are guesses; None if infinite."""

    figure: str
    written_usd: tuple[float | None, float | None]
    guessed_usd: tuple[float | None, float | None]


@dataclass(frozen=True)
class Guesses:
    """The influence of ranges that count as known if they are guesses at one value each."""

    ranges: dict[str, str]
    """The ranges as written, by the name of the quantity."""
    replications: int
    intervals: tuple[Interval, ...]
    drivers: dict[str, tuple[Driver, ...]]
    """By outcome, the ranges with a detectable influence on it, the strongest first."""

    def table(self) -> Table:
        """Return the table of intervals and detectable influences."""
        rows: list[tuple[Cell, ...]] = [
            (each.figure, _interval(each.written_usd), _interval(each.guessed_usd)) for each in self.intervals
        ]
        for outcome in (SPEND, RESULTS):
            show = SHOW[outcome.unit]
            rows.extend(
                (
                    f"{outcome.label}: {driver.unknown} ({driver.written})",
                    f"{percent(driver.total)} of its variance",
                    f"{show(driver.at_low)} to {show(driver.at_high)}",
                )
                for driver in self.drivers.get(outcome.name, ())[:_NAMED]
            )
        title = f"If the {len(self.ranges)} ranges that vary from draw to draw are guesses at one value each"
        caption = f"{self.replications:,} replications; moves are from a range's p10 to its p90"
        return Table(title, ("what", "as written", "if they are guesses"), rows, caption)

    def note(self) -> str:
        """Return the note that names ranges that count as known, and says what to write if one is a guess."""
        named = [f"{name} ({text})" for name, text in self.ranges.items()]
        more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
        return (
            "these ranges vary from draw to draw, and their middle counts as known: "
            f"{', '.join(named[:_NAMED])}{more}; where it is a guess, `{{typical: a to b, varies: 2x}}` makes it an "
            "unknown like the others"
        )

    def as_json(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return {
            "ranges": self.ranges,
            "replications": self.replications,
            "intervals": {
                each.figure: {"as_written": list(each.written_usd), "if_guesses": list(each.guessed_usd)}
                for each in self.intervals
            },
            "drivers": {
                name: [
                    {"unknown": driver.unknown, "total": driver.total, "error": driver.error,
                     "at_p10": driver.at_low, "at_p90": driver.at_high}
                    for driver in drivers
                ]
                for name, drivers in self.drivers.items()
            },
        }  # fmt: skip


def counts_as_known(quantity: Quantity) -> bool:
    """Return whether a quantity is an uncalibrated range that varies from draw to draw."""
    return quantity.kind is Kind.VARIES and quantity.posterior is None and " to " in quantity.text


def with_guesses(scenario: Scenario) -> Scenario:
    """Return the scenario in which each range that counts as known is one unknown value."""

    def guessed(quantity: Quantity) -> Quantity:
        return replace(quantity, kind=Kind.UNKNOWN) if counts_as_known(quantity) else quantity

    return scenario.with_quantities(guessed)


def if_guesses(plan: Alternative, projection: Projection, sample: Sample) -> Guesses | None:
    """Return the influence of ranges that count as known if they are guesses; None without such ranges.

    Args:
        plan: the plan as written.
        projection: its projection.
        sample: the sample of the projection; a fifth of it is simulated (80 replications at least).
    """
    used = set(lower(plan.scenario).purposes.tolist())
    ranges = {
        quantity.name: quantity.text
        for quantity in plan.scenario.quantities()
        if counts_as_known(quantity) and named_purpose(quantity.name) in used
    }
    if not ranges:
        return None
    few = min(sample.replications, max(_FEWEST, sample.replications // _PART))
    scenario = with_guesses(plan.scenario)
    (guessed,) = project_together([scenario], replace(sample, replications=few))
    return Guesses(
        ranges,
        len(guessed.replications),
        tuple(_intervals(projection, guessed)),
        _drivers(replace(plan, scenario=scenario), guessed, sample.seed, ranges),
    )


def _intervals(written: Projection, guessed: Projection) -> Iterator[Interval]:
    spends = (projection.summary.spend_usd for projection in (written, guessed))
    yield Interval("spend", *((spend.p10, spend.p90) for spend in spends))
    prices = [_price(projection) for projection in (written, guessed)]
    if prices[0] is not None and prices[1] is not None:
        yield Interval("a transferable result", prices[0], prices[1])


def _price(projection: Projection) -> tuple[float | None, float | None] | None:
    research = projection.summary.research
    price = research.cost_per_transferable_result_usd if research is not None else None
    return None if price is None or price.by_world is None else (price.by_world.p10, price.by_world.p90)


def _drivers(
    plan: Alternative, projection: Projection, seed: int, ranges: dict[str, str]
) -> dict[str, tuple[Driver, ...]]:
    frame = projection.replications
    unknowns = unknowns_of(plan.scenario, seed, np.unique(frame["world"].to_numpy()))
    found = {}
    for outcome in (SPEND, RESULTS):
        emulator = fitted_to(plan, outcome, frame, unknowns.uniforms)
        if emulator is not None:
            drivers = split_of(outcome, frame, emulator, unknowns).drivers
            found[outcome.name] = tuple(
                driver for driver in drivers if driver.unknown in ranges and driver.total > 0.0
            )
    return found


def _interval(ends: tuple[float | None, float | None]) -> str:
    low, high = ("no end" if end is None else usd(end) for end in ends)
    return f"{low} to {high}"
