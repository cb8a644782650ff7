"""Comparing: two or more alternatives with common random numbers, and what their differences rest on."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from simbudget.deciding.alternatives import Alternative, Progress, Sample, paired_rows, project_together
from simbudget.deciding.differences import Difference, RatioDifference, difference, ratio_difference
from simbudget.deciding.net_benefit import Acceptability, acceptability, worths_to_show
from simbudget.deciding.outcomes import RESULTS, SPEND, Outcome, counts_results, outcomes_of
from simbudget.projection.projection import Projection


@dataclass(frozen=True)
class Against:
    """One alternative against the first."""

    name: str
    first: str
    differences: dict[Outcome, Difference]
    price_usd: RatioDifference | None
    """Of a transferable result; None where results are not counted."""

    @property
    def is_same(self) -> bool:
        """Return whether the two are the same in every replication."""
        return all(found.is_same for found in self.differences.values())


@dataclass(frozen=True)
class Comparison:
    """Alternatives side by side."""

    alternatives: tuple[Alternative, ...]
    projections: tuple[Projection, ...]
    outcomes: tuple[Outcome, ...]
    against: tuple[Against, ...]
    """Every alternative but the first."""
    acceptability: Acceptability | None
    """None where results are not counted, or there is none in any replication."""

    @property
    def replications(self) -> int:
        """Return how many replications of each it rests on."""
        return max(len(projection.replications) for projection in self.projections)

    @property
    def worlds(self) -> int:
        """Return over how many worlds."""
        return max(projection.worlds for projection in self.projections)

    def as_json(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return {
            "seed": self.projections[0].seed,
            "replications": self.replications,
            "worlds": self.worlds,
            "alternatives": [
                {"name": alternative.name, "changes": [str(change) for change in alternative.changes]}
                | projection.as_json()
                for alternative, projection in zip(self.alternatives, self.projections, strict=True)
            ],
            "against_first": [_against_as_json(against) for against in self.against],
            "acceptability": _acceptability_as_json(self.acceptability),
        }


def compare(
    alternatives: Sequence[Alternative], sample: Sample | None = None, progress: Progress | None = None
) -> Comparison:
    """Return the comparison of two or more alternatives, the others against the first.

    Raises:
        UserError: an option makes no sense, or a scenario cannot be simulated.
    """
    projections = project_together([each.scenario for each in alternatives], sample, progress)
    projections = [
        replace(projection, notes=(*projection.notes, *alternative.notes))
        for alternative, projection in zip(alternatives, projections, strict=True)
    ]
    return compare_projections(alternatives, projections)


def compare_projections(alternatives: Sequence[Alternative], projections: Sequence[Projection]) -> Comparison:
    """Return the comparison of alternatives that were projected together."""
    frames = paired_rows(projections)
    scenarios = [each.scenario for each in alternatives]
    outcomes = outcomes_of(scenarios, frames)
    worlds = frames[0]["world"].to_numpy()
    spends = [frame[SPEND.column].to_numpy() for frame in frames]
    results = [frame[RESULTS.column].to_numpy() for frame in frames]
    counted = all(counts_results(scenario) for scenario in scenarios)
    against = [
        Against(
            name=alternatives[other].name,
            first=alternatives[0].name,
            differences={
                outcome: difference(
                    frames[0][outcome.column].to_numpy(), frames[other][outcome.column].to_numpy(), worlds
                )
                for outcome in outcomes
            },
            price_usd=ratio_difference((spends[0], spends[other]), (results[0], results[other]), worlds)
            if counted
            else None,
        )
        for other in range(1, len(alternatives))
    ]
    worths = worths_to_show(spends, results) if counted else None
    curves = None
    if worths is not None:
        curves = acceptability([each.name for each in alternatives], spends, results, worths, worlds)
    return Comparison(tuple(alternatives), tuple(projections), tuple(outcomes), tuple(against), curves)


def _against_as_json(against: Against) -> dict[str, Any]:
    return {
        "name": against.name,
        "first": against.first,
        "same_in_every_replication": against.is_same,
        "differences": {
            outcome.name: {
                "mean": _number(found.mean),
                "p10": _number(found.p10),
                "p50": _number(found.p50),
                "p90": _number(found.p90),
                "monte_carlo_95": [_number(found.low), _number(found.high)],
                "told_apart": found.is_told,
                "replications_needed": found.needed,
            }
            for outcome, found in against.differences.items()
        },
        "cost_per_transferable_result_usd": asdict(against.price_usd) if against.price_usd else None,
    }


def _acceptability_as_json(curves: Acceptability | None) -> dict[str, Any] | None:
    if curves is None:
        return None
    return {
        "worth_usd": [float(worth) for worth in curves.worths_usd],
        "probability_best_buy": dict(zip(curves.names, curves.probabilities.T.tolist(), strict=True)),
        "expected_net_benefit_usd": dict(zip(curves.names, curves.expected_usd.T.tolist(), strict=True)),
        "best": curves.best,
        "best_is_told_from_second": curves.is_told.tolist(),
    }


def _number(value: float) -> float | None:
    return value if np.isfinite(value) else None
