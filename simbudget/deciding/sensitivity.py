"""Sensitivity: the influence of unknowns and choices on a plan's cost and results, and the value of information."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import numpy as np
import pandas as pd

from simbudget.arrays import Floats
from simbudget.deciding.alternatives import (
    FEW_TWICE,
    Alternative,
    Progress,
    Sample,
    paired_rows,
    project_together,
)
from simbudget.deciding.compare import Against
from simbudget.deciding.differences import Difference
from simbudget.deciding.emulator import Emulator
from simbudget.deciding.guesses import Guesses, if_guesses
from simbudget.deciding.information import Value, of_group, partial_perfect
from simbudget.deciding.net_benefit import net_benefits
from simbudget.deciding.outcomes import CYCLES, OUTCOMES, RESULTS, SHOW, SPEND, Outcome, Unit, counts_results
from simbudget.deciding.splits import FEWEST_WORLDS, HIGH, LOW, Driver, Split, fitted_to, means, split_of
from simbudget.deciding.splits import as_json as split_as_json
from simbudget.numbers import percent, usd, with_error
from simbudget.projection.projection import Projection
from simbudget.projection.unknowns import Unknowns, unknowns_of
from simbudget.results import Picture, Result, Table

DEFAULT_REPLICATIONS: Final = 250
"""In 200 worlds, an unknown that explains some 5 % of the variance between them is detected."""

_SHOWN: Final = ("spend_usd", "wall_clock_hours", "best_true_quality", "transferable_results")


@dataclass(frozen=True)
class PriceMove:
    """Cost of a transferable result if one unknown is low and if it is high; infinite without results."""

    unknown: str
    written: str
    at_low_usd: float
    at_high_usd: float


@dataclass(frozen=True)
class Information:
    """The value of information for a decision."""

    worth_usd: float
    """Value of a transferable result."""
    plans: tuple[str, ...]
    """The alternatives of the decision."""
    best: tuple[str, ...]
    """The plan with the currently highest mean net benefit; several if they are equally good."""
    of_each: dict[str, Value]
    """Value of knowing each unknown, the highest first."""
    of_all: Value


@dataclass(frozen=True)
class Sensitivity(Result):
    """The influences on a plan's outcomes."""

    projection: Projection
    worlds: int
    splits: tuple[Split, ...]
    prices: tuple[PriceMove, ...]
    """Empty if results are not counted, or too rare."""
    information: Information | None
    choices: tuple[Against, ...]
    """The plan with one choice changed, compared with the original."""
    guesses: Guesses | None = None
    """None without ranges that count as known."""
    notes: tuple[str, ...] = ()
    unknowns: tuple[str, ...] = ()
    """The names of everything unknown, whether it moves an outcome or not."""

    json_name = "sensitivity.json"

    def answer(self) -> str:
        """Return the main drivers of spend and results, and the value of knowing them."""
        sentences = [_in_words(split) for split in self.splits if split.outcome in (SPEND, RESULTS, CYCLES)]
        if self.information is not None:
            sentences.append(_worth_knowing(self.information))
        if all(split.outcome != SPEND for split in self.splits):
            sentences.insert(0, self._why_spend_stays())
        return " ".join(sentences)

    def _why_spend_stays(self) -> str:
        """Return the reason why spend has no driver."""
        if self.worlds < FEWEST_WORLDS:  # and one world alone shows nothing that differs between worlds
            return (
                f"{self.worlds} world{'s are' if self.worlds > 1 else ' is'} too few to say what moves spend."
            )
        if not self.unknowns:
            return "Nothing is unknown in this scenario."
        same = usd(self.projection.summary.spend_usd.mean)
        return f"No unknown moves spend, which is {same} in every world."

    def tables(self) -> list[Table]:
        """Return a ranked table for each outcome, for the price of a result, the value of knowing, and choices."""
        tables = [_drivers(split, self) for split in self.splits]
        if self.prices:
            tables.append(_price_moves(self))
        if self.information is not None:
            tables.append(_worth_of_knowing(self.information))
        if self.guesses is not None:
            tables.append(self.guesses.table())
        if self.choices:
            tables.append(_choices(self))
        return tables

    def figures(self) -> dict[str, Picture]:
        """Return a tornado of unknowns, and one of choices, for each outcome."""
        from simbudget.deciding import figures as drawn  # noqa: PLC0415  matplotlib is slow to import

        figures = {}
        for split in self.splits:
            name, label = split.outcome.name, split.outcome.label
            figures[f"tornado_{name}"] = Picture(f"What moves {label}", partial(drawn.tornado, split, self))
            if any(split.outcome in against.differences for against in self.choices):
                draw = partial(drawn.tornado_of_choices, self.choices, split.outcome, split.mean)
                figures[f"choices_{name}"] = Picture(f"One choice changed: {label}", draw)
        return figures

    def as_json(self) -> dict[str, Any]:
        """Return everything as plain values."""
        information = self.information
        return {
            "scenario": self.projection.scenario.name,
            "seed": self.projection.seed,
            "replications": len(self.projection.replications),
            "worlds": self.worlds,
            "outcomes": {split.outcome.name: split_as_json(split) for split in self.splits},
            "cost_per_transferable_result_usd": [
                {
                    "unknown": move.unknown,
                    "at_p10": _finite(move.at_low_usd),
                    "at_p90": _finite(move.at_high_usd),
                }
                for move in self.prices
            ],
            "value_of_information": None
            if information is None
            else {
                "worth_of_a_result_usd": information.worth_usd,
                "plans": list(information.plans),
                "best": list(information.best),
                "partial_perfect_usd": {
                    name: {"value": value.usd, "error": value.error_usd}
                    for name, value in information.of_each.items()
                },
                "perfect_usd": {"value": information.of_all.usd, "error": information.of_all.error_usd},
            },
            "choices": [
                {
                    "change": against.name,
                    "replications": against.differences[SPEND].replications,
                    "differences": {
                        outcome.name: {
                            "mean": _finite(difference.mean),
                            "monte_carlo_95": [_finite(difference.low), _finite(difference.high)],
                            "told_apart": difference.is_significant and not difference.is_same,
                        }
                        for outcome, difference in against.differences.items()
                    },
                }
                for against in self.choices
            ],
            "guesses": None if self.guesses is None else self.guesses.as_json(),
            "notes": list(self.notes),
        }

    def split(self, name: str) -> Split:
        """Return the split of an outcome by its name."""
        return next(split for split in self.splits if split.outcome.name == name)


def sensitivity(
    plans: Sequence[Alternative],
    sample: Sample,
    worth_usd: float | None = None,
    progress: Progress | None = None,
) -> Sensitivity:
    """Return the influences on the first plan's outcomes, and the value of information for the choice between all.

    Args:
        plans: the plan, and others that it is decided against; doing nothing always is one.
        sample: how many replications; a fifth of them are second ones of their world, to separate chance from unknowns.
        worth_usd: what a transferable result is worth; by default what one costs, where the decision is open.
        progress: called with the replications done and those to do.

    Raises:
        UserError: an option makes no sense, or a scenario cannot be simulated.
    """
    sample = replace(sample, in_each_world=FEW_TWICE)
    projections = project_together([plan.scenario for plan in plans], sample, progress)
    frames = paired_rows([projection.replications for projection in projections])
    worlds = np.unique(frames[0]["world"].to_numpy())
    unknowns = unknowns_of(plans[0].scenario, sample.seed, worlds)
    uniforms = unknowns.uniforms
    fitted = _fitted(plans[0], frames[0], uniforms)
    guesses = if_guesses(plans[0], projections[0], sample)
    return Sensitivity(
        projection=projections[0],
        worlds=len(worlds),
        splits=tuple(
            split_of(outcome, frames[0], emulator, unknowns) for outcome, emulator in fitted.items()
        ),
        prices=tuple(_prices(fitted, unknowns)),
        information=_information(plans, frames, uniforms, unknowns, worth_usd),
        choices=(),
        guesses=guesses,
        notes=(*_too_few(fitted, len(worlds)), *([guesses.note()] if guesses else [])),
        unknowns=unknowns.names,
    )


def _fitted(plan: Alternative, frame: pd.DataFrame, uniforms: Floats) -> dict[Outcome, Emulator]:
    """Return the emulators of the outcomes that vary between worlds.

    Cycles stand in for a spend that does not: on a subscription, it is what agents get done that varies.
    """
    fitted = {
        outcome: fitted_to(plan, outcome, frame, uniforms) for outcome in OUTCOMES if outcome.name in _SHOWN
    }
    if fitted[SPEND] is None:
        fitted[CYCLES] = fitted_to(plan, CYCLES, frame, uniforms)
    return {outcome: emulator for outcome, emulator in fitted.items() if emulator is not None}


_HIDDEN: Final = 0.05
"""An unknown that explains more than this share of an outcome's variance should be detectable."""


def _too_few(fitted: dict[Outcome, Emulator], worlds: int) -> Iterator[str]:
    """Yield notes on too few replications."""
    for outcome in (SPEND, RESULTS):
        emulator = fitted.get(outcome)
        if emulator is not None and emulator.hidden > _HIDDEN:
            needed = FEW_TWICE * worlds * emulator.hidden / _HIDDEN
            digits = 10 ** max(0, math.floor(math.log10(needed)) - 1)
            yield (
                f"with {worlds:,} worlds an unknown that explains {percent(emulator.hidden)} of the variance of "
                f"{outcome.label} may go undetected; about {math.ceil(needed / digits) * digits:,} replications would "
                f"show what explains {percent(_HIDDEN)}"
            )


def _prices(fitted: dict[Outcome, Emulator], unknowns: Unknowns) -> list[PriceMove]:
    """Return the price of a result, mean spend over mean results, where each unknown is low and where it is high."""
    spend, results = fitted.get(SPEND), fitted.get(RESULTS)
    if spend is None or results is None or results.mean <= 0.0:
        return []
    moves = []
    for place, name in enumerate(unknowns.names):
        low, high = (
            _quotient(spend.main_effect(place, rank), results.main_effect(place, rank))
            for rank in (LOW, HIGH)
        )
        if low != high:
            moves.append(PriceMove(name, unknowns.texts[place], low, high))
    return sorted(moves, key=lambda move: -abs(np.log(move.at_high_usd) - np.log(move.at_low_usd)))


def _quotient(spend_usd: float, results: float) -> float:
    return spend_usd / results if results > 0.0 else float("inf")


def _information(
    plans: Sequence[Alternative],
    frames: Sequence[pd.DataFrame],
    uniforms: Floats,
    unknowns: Unknowns,
    worth_usd: float | None,
) -> Information | None:
    if not all(counts_results(plan.scenario) for plan in plans) or not len(unknowns.names):
        return None
    spends = [means(frame, SPEND) for frame in frames]
    results = [means(frame, RESULTS) for frame in frames]
    if worth_usd is None:
        if not results[0].any():
            return None
        worth_usd = float(spends[0].sum() / results[0].sum())
    benefits = net_benefits(spends, results, worth_usd)
    names = (*(plan.name for plan in plans), "do nothing")
    of_each = dict(zip(unknowns.names, partial_perfect(uniforms, benefits), strict=True))
    ranked = dict(sorted(of_each.items(), key=lambda item: -item[1].usd))
    best = _best(names, benefits)
    of_all = of_group(uniforms, benefits)
    if ranked:  # to know all is worth no less than to know one, which a sparse regression on all may miss
        of_all = max(of_all, next(iter(ranked.values())), key=lambda value: value.usd)
    return Information(worth_usd, names, best, ranked, of_all)


def _best(names: Sequence[str], benefits: Floats) -> tuple[str, ...]:
    """Return the plans with the highest mean net benefit; if a result is worth what it costs, doing nothing is one."""
    of_plans = benefits.mean(axis=0)
    tolerance = _ROUNDING * float(np.abs(benefits).mean())
    return tuple(
        name for name, mean in zip(names, of_plans, strict=True) if of_plans.max() - mean <= tolerance
    )


_ROUNDING: Final = 1e-9
"""Relative rounding errors of sums in another order."""


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


_ROWS: Final = 8
"""Maximum number of rows of a ranked table."""

_IN_WORDS: Final = 3
_WORTH_SAYING: Final = 0.01
"""An unknown that explains less than 1 % of the variance stands in the table, not in the answer."""
_MOSTLY: Final = 0.5
"""An unknown with a smaller main-effect part of its share acts through interactions: its low and high say little."""


def _seen(split: Split) -> list[Driver]:
    return [driver for driver in split.drivers if driver.total > 0.0]


def _in_words(split: Split) -> str:
    seen, show = _seen(split), SHOW[split.outcome.unit]
    if not seen:
        luck = percent(split.luck)
        return (
            f"No unknown has a detectable effect on {split.outcome.label}; {luck} of its variance is chance."
        )
    named = [
        f"{driver.unknown} ({_share(driver)} of its variance: {show(driver.at_low)} at its p10, "
        f"{show(driver.at_high)} at its p90)"
        for place, driver in enumerate(seen[:_IN_WORDS])
        if driver.total >= _WORTH_SAYING or not place
    ]
    rest = f"; {percent(split.luck)} is chance" if split.luck >= 0.005 else ""
    label = split.outcome.label[0].upper() + split.outcome.label[1:]
    depend = "depend" if split.outcome.unit == Unit.COUNT else "depends"
    return f"{label} {depend} most on {', then on '.join(named)}{rest}."


def _share(driver: Driver) -> str:
    """Return the share that a driver explains, and its main effect if it acts mostly through interactions."""
    alone = f", {percent(driver.first_order)} alone," if driver.first_order < _MOSTLY * driver.total else ""
    return f"{percent(driver.total)}{alone}"


def _worth_knowing(information: Information) -> str:
    best = " and ".join(information.best)
    at = f"With a transferable result worth {usd(information.worth_usd)}, " + (
        f"the best plan is: {best}" if len(information.best) == 1 else f"these plans are equally good: {best}"
    )
    worth = [(name, value) for name, value in information.of_each.items() if value.usd > 2 * value.error_usd]
    if not worth:
        return f"{at}; knowing any single unknown in advance would have no detectable value."
    named = [f"{name} {usd(value.usd)}" for name, value in worth[:_IN_WORDS]]
    return f"{at}. Value of knowing in advance: {', '.join(named)}; of all at most {usd(information.of_all.usd)}."


def _drivers(split: Split, found: Sensitivity) -> Table:
    show = SHOW[split.outcome.unit]
    rests_on = f"{len(found.projection.replications):,} replications, {found.worlds:,} worlds"
    rows = [
        (
            driver.unknown,
            with_error(percent, driver.total, driver.error),
            percent(driver.first_order),
            show(driver.at_low),
            show(driver.at_high),
        )
        for driver in _seen(split)[:_ROWS]
    ]
    if split.luck > 0.0:
        rows.append(("chance within a world", percent(split.luck), "", "", ""))
    if split.unattributed > 0.0:
        rows.append(("not attributed", percent(split.unattributed), "", "", ""))
    unseen = len(split.drivers) - len(_seen(split))
    caption = f"{unseen} more: each less than about {percent(split.hidden)}, or nothing" if unseen else ""
    title = f"What moves {split.outcome.label}: mean {show(split.mean)} ({rests_on})"
    return Table(title, ("unknown", "share of variance", "alone", "at its p10", "at its p90"), rows, caption)


def _price_moves(found: Sensitivity) -> Table:
    def written(value: float) -> str:
        return usd(value) if value < float("inf") else "no result"

    title = "What moves the price of a transferable result (mean spend / mean results)"
    rows = [
        (move.unknown, written(move.at_low_usd), written(move.at_high_usd)) for move in found.prices[:_ROWS]
    ]
    return Table(title, ("unknown", "at its p10", "at its p90"), rows)


def _worth_of_knowing(information: Information) -> Table:
    title = f"Expected value of perfect information if a result is worth {usd(information.worth_usd)}"
    values = [
        *(each for each in list(information.of_each.items())[:_ROWS] if each[1].usd > 0.0),
        ("all unknowns", information.of_all),
    ]
    rows = [(name, with_error(usd, value.usd, value.error_usd)) for name, value in values]
    caption = f"before deciding between: {', '.join(information.plans)}"
    return Table(title, ("to know", "is worth at most"), rows, caption)


def _choices(found: Sensitivity) -> Table:
    with_results = any(RESULTS in against.differences for against in found.choices)
    outcomes = (SPEND, RESULTS) if with_results else (SPEND,)
    ranked = sorted(found.choices, key=lambda against: -abs(against.differences[SPEND].mean))
    rows = [
        (against.name, *(_cell(outcome, against.differences.get(outcome), found) for outcome in outcomes))
        for against in ranked
    ]
    title = "One choice changed: mean differences, with 95 % Monte-Carlo intervals"
    numbers = sorted({against.differences[SPEND].replications for against in ranked})
    rests_on = f"{numbers[0]:,} to {numbers[-1]:,}" if len(numbers) > 1 else f"{numbers[0]:,}"
    caption = f"{rests_on} replications of each; `?`: not significant"
    return Table(title, ("change", *(outcome.label for outcome in outcomes)), rows, caption)


_NEGLIGIBLE: Final = 1e-3
"""A difference that is surely smaller than this part of the plan's mean is not shown as a number."""


def _cell(outcome: Outcome, found: Difference | None, of: Sensitivity) -> str:
    show = SHOW[outcome.unit]
    if found is None or found.is_same:
        return "the same" if found else "–"
    mean = float(of.projection.replications[outcome.of_means].mean())
    if max(abs(found.low), abs(found.high)) < _NEGLIGIBLE * abs(mean):
        return "about the same"
    cell = f"{show(found.mean)} ({show(found.low)} to {show(found.high)})"
    return cell if found.is_significant else f"{cell}?"
