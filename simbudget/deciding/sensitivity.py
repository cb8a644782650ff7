"""Sensitivity: which unknowns and which choices move what a plan costs and brings, and what knowing more is worth."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from simbudget.deciding.alternatives import Alternative, Progress, Sample, paired_rows, project_together
from simbudget.deciding.compare import Against, compare_projections
from simbudget.deciding.emulator import Emulator
from simbudget.deciding.information import Value, of_group, partial_perfect
from simbudget.deciding.net_benefit import net_benefits
from simbudget.deciding.outcomes import OUTCOMES, RESULTS, SPEND, Outcome, counts_results
from simbudget.deciding.splits import HIGH, LOW, Split, fitted_to, means, split_of
from simbudget.deciding.splits import as_json as split_as_json
from simbudget.deciding.unknowns import Unknowns, unknowns_of
from simbudget.projection.projection import Projection

Floats = npt.NDArray[np.float64]

_SHOWN: Final = ("spend_usd", "wall_clock_hours", "best_true_quality", "transferable_results")


@dataclass(frozen=True)
class PriceMove:
    """What a transferable result costs where one unknown is low, and where it is high; infinite for no result."""

    unknown: str
    written: str
    at_low_usd: float
    at_high_usd: float


@dataclass(frozen=True)
class Information:
    """What knowing is worth for the decision at hand."""

    worth_usd: float
    """Of a transferable result."""
    plans: tuple[str, ...]
    """What is decided between."""
    best: str
    """The plan of the highest mean net benefit now."""
    of_each: dict[str, Value]
    """Per unknown, the dearest first."""
    of_all: Value


@dataclass(frozen=True)
class Sensitivity:
    """What moves a plan's outcomes."""

    projection: Projection
    worlds: int
    splits: tuple[Split, ...]
    prices: tuple[PriceMove, ...]
    """Empty where results are not counted, or too rare to say."""
    information: Information | None
    choices: tuple[Against, ...]
    """The plan with one choice otherwise, against it as it stands."""

    def split(self, name: str) -> Split:
        """Return the split of an outcome by its name."""
        return next(split for split in self.splits if split.outcome.name == name)


def sensitivity(
    plans: Sequence[Alternative],
    sample: Sample,
    worth_usd: float | None = None,
    progress: Progress | None = None,
) -> Sensitivity:
    """Return what moves the outcomes of the first plan, and what knowing is worth to decide between all of them.

    Args:
        plans: the plan, and others that it is decided against; doing nothing always is one.
        sample: how many replications; each world has two, which tell luck from what is unknown.
        worth_usd: what a transferable result is worth; by default what one costs, where the decision is open.
        progress: called with the replications done and those to do.

    Raises:
        UserError: an option makes no sense, or a scenario cannot be simulated.
    """
    projections = project_together(
        [plan.scenario for plan in plans], replace(sample, in_each_world=2), progress
    )
    frames = paired_rows(projections)
    worlds = np.unique(frames[0]["world"].to_numpy())
    unknowns = unknowns_of(plans[0].scenario, sample.seed, worlds)
    uniforms = unknowns.uniforms
    fitted = {
        outcome: fitted
        for outcome in OUTCOMES
        if outcome.name in _SHOWN
        and (fitted := fitted_to(plans[0], outcome, frames[0], uniforms)) is not None
    }
    return Sensitivity(
        projection=projections[0],
        worlds=len(worlds),
        splits=tuple(
            split_of(outcome, frames[0], emulator, unknowns) for outcome, emulator in fitted.items()
        ),
        prices=tuple(_prices(fitted, unknowns)),
        information=_information(plans, frames, uniforms, unknowns, worth_usd),
        choices=(),
    )


def one_at_a_time(
    plans: Sequence[Alternative], sample: Sample, progress: Progress | None = None
) -> tuple[Against, ...]:
    """Return every other plan against the first.

    Raises:
        UserError: an option makes no sense, or a scenario cannot be simulated.
    """
    projections = project_together([plan.scenario for plan in plans], sample, progress)
    return compare_projections(plans, projections).against


def _prices(fitted: dict[Outcome, Emulator], unknowns: Unknowns) -> list[PriceMove]:
    """Return how each unknown moves the price of a result: mean spend over mean results where it is low, and high."""
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
    spends, results = ([means(frame, outcome) for frame in frames] for outcome in (SPEND, RESULTS))
    if worth_usd is None:
        if not results[0].any():
            return None
        worth_usd = float(spends[0].sum() / results[0].sum())
    benefits = net_benefits(spends, results, worth_usd)
    names = (*(plan.name for plan in plans), "do nothing")
    of_each = dict(zip(unknowns.names, partial_perfect(uniforms, benefits), strict=True))
    ranked = dict(sorted(of_each.items(), key=lambda item: -item[1].usd))
    best = names[int(benefits.mean(axis=0).argmax())]
    return Information(worth_usd, names, best, ranked, of_group(uniforms, benefits))


def as_json(found: Sensitivity) -> dict[str, Any]:
    """Return everything as plain values."""
    information = found.information
    return {
        "scenario": found.projection.scenario.name,
        "seed": found.projection.seed,
        "replications": len(found.projection.replications),
        "worlds": found.worlds,
        "outcomes": {split.outcome.name: split_as_json(split) for split in found.splits},
        "cost_per_transferable_result_usd": [
            {"unknown": move.unknown, "at_p10": _finite(move.at_low_usd), "at_p90": _finite(move.at_high_usd)}
            for move in found.prices
        ],
        "value_of_information": None
        if information is None
        else {
            "worth_of_a_result_usd": information.worth_usd,
            "plans": list(information.plans),
            "best": information.best,
            "partial_perfect_usd": {
                name: {"value": value.usd, "error": value.error_usd}
                for name, value in information.of_each.items()
            },
            "perfect_usd": {"value": information.of_all.usd, "error": information.of_all.error_usd},
        },
        "choices": [
            {
                "change": against.name,
                "differences": {
                    outcome.name: {
                        "mean": _finite(difference.mean),
                        "monte_carlo_95": [_finite(difference.low), _finite(difference.high)],
                        "told_apart": difference.is_told,
                    }
                    for outcome, difference in against.differences.items()
                },
            }
            for against in found.choices
        ],
    }


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
