"""Spans of time: which part of a time something else took."""

from collections.abc import Iterable

import numpy as np

from simbudget.arrays import Floats


def covered_s(opens_s: Floats, closes_s: Floats, spans: Iterable[tuple[float, float]]) -> Floats:
    """Return how much of each span lies in the union of others.

    Args:
        opens_s: [spans] starts in seconds.
        closes_s: [spans] ends, none before its start.
        spans: starts and ends of the others, in any order; they may overlap.
    """
    union: list[list[float]] = []
    for begin, end in sorted(spans):
        if union and begin <= union[-1][1]:
            union[-1][1] = max(union[-1][1], end)
        else:
            union.append([begin, end])
    if not union:
        return np.zeros(len(opens_s))
    edges = np.array(union)
    after = np.diff(edges, axis=1)[:, 0].cumsum()
    reached = np.column_stack([after - np.diff(edges, axis=1)[:, 0], after]).ravel()
    return np.asarray(
        np.interp(closes_s, edges.ravel(), reached) - np.interp(opens_s, edges.ravel(), reached)
    )
