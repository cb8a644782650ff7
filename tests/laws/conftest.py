"""Laws are compiled when Python first calls them, which takes longer than hypothesis gives an example."""

import numpy as np
import pytest

from simbudget.distributions import families
from simbudget.distributions.sampling import quantile
from simbudget.engine.laws.calls import split_tokens
from simbudget.engine.laws.hours import closes_ns, is_open, open_ns, opens_ns
from simbudget.engine.laws.provider import call_starts_ns, level_at, take
from simbudget.engine.streams import philox


@pytest.fixture(scope="session", autouse=True)
def laws_are_compiled() -> None:
    """Call each law that examples are drawn for once, so that no example pays for the compiler."""
    buckets, context, office = (
        np.ones((3, 3)),
        np.array([1, 0, -1, -1]),
        np.array([0, 1, 1, 1, 1, 1, 1, 1, 1]),
    )
    call_starts_ns(buckets, context, 0, -1, 0, 0)
    take(buckets, 0, 0, 0)
    level_at(buckets[1], 0)
    split_tokens(np.zeros(4, dtype=np.int64), 1, 1, 1, 1)
    for law in (opens_ns, closes_ns, is_open):
        law(office, 0)
    open_ns(office, 0, 1)
    philox(0, 0, 0, 0, 0, 0)
    table: list[float] = []
    quantile(*families.normal(0.0, 1.0).row(table), np.array(table or [0.0]), 0.5)
