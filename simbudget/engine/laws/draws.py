"""How a draw is made: a quantity's row, and a uniform of its stream.

`rows` has one row a quantity: code, a, b, c, start, length (see `distributions.base`), then the lowest and the
highest value that a draw may have. `table` holds what the rows look up.
"""

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from simbudget.compilation import compiled
from simbudget.distributions.base import CONSTANT, LOGNORMAL, SHAPED
from simbudget.distributions.sampling import lognormal, normal_score, quantile

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

ROW_LENGTH: Final = 8
LOW: Final = 6
HIGH: Final = 7

NANOSECOND: Final = 1_000_000_000
"""Nanoseconds in a second: the clock counts whole ones, so that sums of durations are exact."""

LONGEST_S: Final = 1e9
"""No single duration is longer than this (32 years), so that the clock's 64 bits always suffice."""


@compiled
def _draw_other(rows: Floats, table: Floats, quantity: int, u: float) -> float:
    row = rows[quantity]
    return quantile(int(row[0]), row[1], row[2], row[3], int(row[4]), int(row[5]), table, u)


@compiled
def draw_here(rows: Floats, table: Floats, quantity: int, u: float) -> float:
    """Return what `draw` returns; constants and lognormals, which most draws are, without a call.

    For the draws of every model call; elsewhere `draw` keeps machine code small.

    Args:
        rows: [quantities, 8] the world's quantities; see `laws.draws`.
        table: numbers that the rows refer to.
        quantity: the row of the quantity.
        u: uniform in (0, 1).
    """
    code = int(rows[quantity, 0])
    if code == CONSTANT:
        value = rows[quantity, 1]
    elif code == LOGNORMAL:
        value = lognormal(rows[quantity, 1], rows[quantity, 2], u)
    else:
        value = _draw_other(rows, table, quantity, u)
    return min(max(value, rows[quantity, LOW]), rows[quantity, HIGH])


@compiled
def draw_count_here(rows: Floats, table: Floats, quantity: int, u: float) -> int:
    """Return what `draw_count` returns, without a call where `draw_here` needs none.

    Args:
        rows: [quantities, 8] the world's quantities; see `laws.draws`.
        table: numbers that the rows refer to.
        quantity: the row of the quantity.
        u: uniform in (0, 1).
    """
    return int(np.rint(draw_here(rows, table, quantity, u)))


@compiled
def draw_ns_here(rows: Floats, table: Floats, quantity: int, u: float) -> int:
    """Return what `draw_ns` returns, without a call where `draw_here` needs none.

    Args:
        rows: [quantities, 8] the world's quantities; see `laws.draws`.
        table: numbers that the rows refer to.
        quantity: the row of the quantity.
        u: uniform in (0, 1).
    """
    return nanoseconds(draw_here(rows, table, quantity, u))


@compiled
def draw(rows: Floats, table: Floats, quantity: int, u: float) -> float:
    """Return the draw of a quantity by inversion, in the quantity's base unit.

    Args:
        rows: [quantities, 8] the world's quantities; see `laws.draws`.
        table: numbers that the rows refer to.
        quantity: the row of the quantity.
        u: uniform in (0, 1).
    """
    return draw_here(rows, table, quantity, u)


@compiled
def differs(rows: Floats, quantity: int) -> bool:
    """Return whether a quantity's typical value differs between contexts: its row's `c` says by how much."""
    return rows[quantity, 3] > 0.0 and (rows[quantity, 0] == LOGNORMAL or rows[quantity, 0] == SHAPED)


@compiled
def draw_at_level(rows: Floats, table: Floats, quantity: int, u: float, u_level: float) -> float:
    """Return the draw of a quantity in a context with a level of its own.

    The level multiplies the typical value by exp(c z), where z is the normal score of `u_level` and c the difference
    between contexts: a random effect on the log scale.

    Args:
        rows: [quantities, 8] the world's quantities; see `laws.draws`.
        table: numbers that the rows refer to.
        quantity: the row of the quantity.
        u: uniform in (0, 1) of the draw.
        u_level: uniform in (0, 1) of the context's level.
    """
    if not differs(rows, quantity):
        return draw(rows, table, quantity, u)
    row = rows[quantity]
    location = row[1] + row[3] * normal_score(u_level)
    value = quantile(int(row[0]), location, row[2], 0.0, int(row[4]), int(row[5]), table, u)
    return min(max(value, row[LOW]), row[HIGH])


@compiled
def draw_count_at_level(rows: Floats, table: Floats, quantity: int, u: float, u_level: float) -> int:
    """Return `draw_at_level` rounded to a whole number, halves to even.

    Args:
        rows: [quantities, 8] the world's quantities; see `laws.draws`.
        table: numbers that the rows refer to.
        quantity: the row of the quantity.
        u: uniform in (0, 1) of the draw.
        u_level: uniform in (0, 1) of the context's level.
    """
    return int(np.rint(draw_at_level(rows, table, quantity, u, u_level)))


@compiled
def draw_count(rows: Floats, table: Floats, quantity: int, u: float) -> int:
    """Return the draw of a quantity rounded to a whole number, halves to even.

    Args:
        rows: [quantities, 8] the world's quantities; see `laws.draws`.
        table: numbers that the rows refer to.
        quantity: the row of the quantity.
        u: uniform in (0, 1).
    """
    return draw_count_here(rows, table, quantity, u)


@compiled
def nanoseconds(duration_s: float) -> int:
    """Return a duration in seconds as the nearest whole number of nanoseconds."""
    return int(np.rint(min(duration_s, LONGEST_S) * NANOSECOND))


@compiled
def draw_ns(rows: Floats, table: Floats, quantity: int, u: float) -> int:
    """Return the draw of a duration, in nanoseconds.

    Args:
        rows: [quantities, 8] the world's quantities; see `laws.draws`.
        table: numbers that the rows refer to.
        quantity: the row of the quantity.
        u: uniform in (0, 1).
    """
    return draw_ns_here(rows, table, quantity, u)


@compiled
def exponential_ns(mean_s: float, u: float) -> int:
    """Return an exponential time of this mean for the uniform `u`, by inversion, in nanoseconds."""
    return nanoseconds(-mean_s * math.log1p(-u))
