"""Net benefit: what alternatives are worth once a result has a worth, and how likely each is the best buy.

The net benefit of a run is worth × results - spend. Terms and methods are those of health-care decision models:
A. Briggs, K. Claxton and M. Sculpher, "Decision Modelling for Health Economic Evaluation", Oxford 2006, chapter 5;
E. Fenwick, B. J. O'Brien and A. Briggs, "Cost-effectiveness acceptability curves: facts, fallacies and frequently
asked questions", Health Economics 13 (2004), 405-415. Doing nothing, whose net benefit is 0, is always among the
alternatives: at a small worth it is the best buy.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

NOTHING: Final = "do nothing"

_POINTS: Final = 41


@dataclass(frozen=True)
class Acceptability:
    """For each worth of a result, how alternatives do; the last alternative is to do nothing."""

    worths_usd: Floats
    names: tuple[str, ...]
    probabilities: Floats
    """[worths, alternatives] the share of replications in which each has the highest net benefit; ties are shared."""
    expected_usd: Floats
    """[worths, alternatives] the mean net benefit: what a decision should go by."""

    @property
    def best(self) -> list[str]:
        """Return the alternative of the highest mean net benefit at each worth: the acceptability frontier."""
        return [self.names[index] for index in self.expected_usd.argmax(axis=1)]


def net_benefits(spends_usd: Sequence[Floats], results: Sequence[Floats], worth_usd: float) -> Floats:
    """Return the [replications, alternatives + 1] net benefits at one worth of a result; the last are 0."""
    columns = [worth_usd * result - spend for spend, result in zip(spends_usd, results, strict=True)]
    return np.column_stack([*columns, np.zeros_like(columns[0])])


def acceptability(
    names: Sequence[str], spends_usd: Sequence[Floats], results: Sequence[Floats], worths_usd: Floats
) -> Acceptability:
    """Return the acceptability curves of alternatives run in the same replications."""
    probabilities, expected = [], []
    for worth_usd in worths_usd:
        benefits = net_benefits(spends_usd, results, float(worth_usd))
        best = benefits == benefits.max(axis=1, keepdims=True)
        probabilities.append((best / best.sum(axis=1, keepdims=True)).mean(axis=0))
        expected.append(benefits.mean(axis=0))
    return Acceptability(worths_usd, (*names, NOTHING), np.array(probabilities), np.array(expected))


def worths_to_show(spends_usd: Sequence[Floats], results: Sequence[Floats]) -> Floats | None:
    """Return worths from a tenth of what a result costs in the cheapest alternative to ten times the dearest's.

    None if no alternative has a result in any replication.
    """
    prices = [
        float(spend.sum() / result.sum())
        for spend, result in zip(spends_usd, results, strict=True)
        if result.sum() > 0 and spend.sum() > 0
    ]
    if not prices:
        return None
    return np.geomspace(min(prices) / 10, max(prices) * 10, _POINTS)
