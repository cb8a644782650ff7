"""Precision: when a projection has enough replications.

The looks are at fixed numbers of replications, ever further apart: each costs a bootstrap, and the more there
are the less one more matters.
"""

from typing import Final

import numpy as np

from simbudget.projection.aggregate import Aggregate

FIRST_LOOK: Final = 40
"""Replications before the first look."""

_LEAST_STEP: Final = 20
_STEP_PART: Final = 10


def next_look(look: int) -> int:
    """Return after how many replications to look again: a tenth more, and 20 at least."""
    return look + max(_LEAST_STEP, look // _STEP_PART)


def is_precise(aggregate: Aggregate, precision: float) -> bool:
    """Return whether the Monte-Carlo error of every figure of spend is below a part of that figure."""
    spend = aggregate.statistics("spend_usd")
    return bool((spend.errors <= precision * np.abs(spend.values)).all())
