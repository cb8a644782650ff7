"""Which part of a time something else took."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simbudget.calibration.observed.spans import covered_s

TIMES = st.tuples(st.integers(0, 60), st.integers(0, 60)).map(sorted)


@given(st.lists(TIMES, min_size=1, max_size=5), st.lists(TIMES, max_size=8))
def test_what_is_covered_is_what_counting_the_seconds_finds(
    wanted: list[list[int]], others: list[list[int]]
) -> None:
    opens, closes = np.array(wanted, dtype=float).T
    counted = [
        sum(any(begin <= second < end for begin, end in others) for second in range(first, last))
        for first, last in wanted
    ]
    spans = [(float(begin), float(end)) for begin, end in others]
    assert covered_s(opens, closes, spans) == pytest.approx(counted)
