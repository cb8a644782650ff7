"""Precision: whether a projection has enough replications.

Precision is checked at fixed numbers of replications that are further and further apart, since each check costs a
bootstrap, and a single replication matters less and less.
"""

from typing import Final

import numpy as np

from simbudget.projection.aggregate import Aggregate

FIRST_LOOK: Final = 40
"""Number of replications at the first check."""

_LEAST_STEP: Final = 20
_STEP_PART: Final = 10


def next_look(look: int) -> int:
    """Return the number of replications at the next check: a tenth more, and at least 20 more."""
    return look + max(_LEAST_STEP, look // _STEP_PART)


def is_precise(aggregate: Aggregate, precision: float) -> bool:
    """Return whether the Monte-Carlo error of every figure of spend is at most this fraction of the figure."""
    spend = aggregate.statistics("spend_usd")
    return bool((spend.errors <= precision * np.abs(spend.values)).all())
