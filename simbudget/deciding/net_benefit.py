"""Net benefit of alternatives at a given value of a result, and the probability that each is the best.

The net benefit of a run is worth × results - spend. Terms and methods are those of health-care decision models:
A. Briggs, K. Claxton and M. Sculpher, "Decision Modelling for Health Economic Evaluation", Oxford 2006, chapter 5;
E. Fenwick, B. J. O'Brien and A. Briggs, "Cost-effectiveness acceptability curves: facts, fallacies and frequently
asked questions", Health Economics 13 (2004), 405-415. Doing nothing, with net benefit 0, is always an alternative,
and the best if a result is worth little.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from simbudget.arrays import Flags, Floats, Integers
from simbudget.deciding.differences import difference

NOTHING: Final = "do nothing"

_POINTS: Final = 41
"""Points of the curve: steps of about 12 % over two powers of ten."""


@dataclass(frozen=True)
class Acceptability:
    """The alternatives' net benefits at each worth of a result; the last alternative is to do nothing."""

    worths_usd: Floats
    names: tuple[str, ...]
    probabilities: Floats
    """[worths, alternatives] the share of replications in which each has the highest net benefit; ties are shared."""
    expected_usd: Floats
    """[worths, alternatives] mean net benefit in US dollars, on which a decision should be based."""
    is_significant: Flags
    """[worths] whether the highest mean is significantly above that of the next alternative that differs, at 95 %."""
    is_best: Flags
    """[worths, alternatives] whether each has the highest mean; several if they are the same in every replication."""

    @property
    def best(self) -> list[str]:
        """Return the alternatives of the highest mean net benefit at each worth: the acceptability frontier."""
        return [
            " and ".join(name for name, is_best in zip(self.names, row, strict=True) if is_best)
            for row in self.is_best
        ]


def net_benefits(spends_usd: Sequence[Floats], results: Sequence[Floats], worth_usd: float) -> Floats:
    """Return the [replications, alternatives + 1] net benefits in US dollars; those of the last, doing nothing, are 0.

    Args:
        spends_usd: for each alternative, [replications] spend.
        results: for each alternative, [replications] transferable results.
        worth_usd: value of a transferable result.
    """
    columns = [worth_usd * result - spend for spend, result in zip(spends_usd, results, strict=True)]
    return np.column_stack([*columns, np.zeros_like(columns[0])])


def acceptability(
    names: Sequence[str],
    spends_usd: Sequence[Floats],
    results: Sequence[Floats],
    worths_usd: Floats,
    worlds: Integers,
) -> Acceptability:
    """Return the acceptability curves of alternatives with paired replications.

    Args:
        names: of the alternatives.
        spends_usd: for each alternative, [replications] spend.
        results: for each alternative, [replications] transferable results.
        worths_usd: [worths] values of a transferable result.
        worlds: [replications] the world of each.
    """
    probabilities, expected, significant, same = [], [], [], []
    for worth_usd in worths_usd:
        benefits = net_benefits(spends_usd, results, float(worth_usd))
        # Where several are equally good in a run, as without any results, each counts as a part of the best.
        best = benefits == benefits.max(axis=1, keepdims=True)
        probabilities.append((best / best.sum(axis=1, keepdims=True)).mean(axis=0))
        expected.append(benefits.mean(axis=0))
        first = int(benefits.mean(axis=0).argmax())
        same.append((benefits == benefits[:, [first]]).all(axis=0))
        others = benefits[:, ~same[-1]]
        significant.append(
            not others.size
            or difference(others[:, others.mean(axis=0).argmax()], benefits[:, first], worlds).is_significant
        )
    return Acceptability(
        worths_usd,
        (*names, NOTHING),
        np.array(probabilities),
        np.array(expected),
        np.array(significant),
        np.array(same),
    )


def worths_to_show(spends_usd: Sequence[Floats], results: Sequence[Floats]) -> Floats | None:
    """Return values of a result from 1/10 of its cost in the cheapest alternative to 10 times that in the dearest.

    None if no alternative has a result in any replication.

    Args:
        spends_usd: for each alternative, [replications] spend in US dollars.
        results: for each alternative, [replications] transferable results.
    """
    prices = [
        float(spend.sum() / result.sum())
        for spend, result in zip(spends_usd, results, strict=True)
        if result.sum() > 0 and spend.sum() > 0
    ]
    if not prices:
        return None
    return np.geomspace(min(prices) / 10, max(prices) * 10, _POINTS)
