"""How a draw is made, from a quantity's row and a uniform of its stream, and how a world is: one draw of all unknowns.

`rows` has one row a quantity: code, a, b, c, start, length (see `distributions.base`), then the lowest and the
highest value that a draw may have. `table` holds what the rows look up.
"""

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from simbudget.compilation import compiled
from simbudget.distributions.base import CONSTANT, LOGNORMAL, NORMAL_P90, SHAPED
from simbudget.distributions.sampling import lognormal, normal_score, quantile
from simbudget.engine.streams import WORLD_ITSELF, uniforms

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
    """Return whether a quantity's typical value differs between contexts: its row's `c` says by how much.

    Args:
        rows: [quantities, 8] the world's quantities; see `laws.draws`.
        quantity: the row of the quantity.
    """
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
    """Return a duration in seconds as the nearest whole number of nanoseconds.

    Args:
        duration_s: the duration, in seconds.
    """
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
    """Return an exponential time of this mean for the uniform `u`, by inversion, in nanoseconds.

    Args:
        mean_s: the mean, in seconds.
        u: uniform in (0, 1).
    """
    return nanoseconds(-mean_s * math.log1p(-u))


DRAWN_EACH_TIME: Final = 0
ONE_A_WORLD: Final = 1
TYPICAL_A_WORLD: Final = 2
ONE_A_REPLICATION: Final = 3
TYPICAL_A_WORLD_ONE_A_REPLICATION: Final = 4
CALIBRATED: Final = 5
"""Its location, scatter and difference between contexts are a row of a calibration's joint draws."""
CALIBRATED_FACT: Final = 6
"""It is one number, from a row of a calibration's joint draws."""

UNKNOWN_KINDS: Final = (
    ONE_A_WORLD,
    TYPICAL_A_WORLD,
    TYPICAL_A_WORLD_ONE_A_REPLICATION,
    CALIBRATED,
    CALIBRATED_FACT,
)
"""The kinds that differ from world to world."""

DRAWS_START: Final = 5
"""The column of a calibrated row that says where its draws begin in the table: their number, then three each."""


@compiled
def settle(rows: Floats, quantity: int, value: float) -> None:
    """Make a quantity a constant, kept within its limits.

    Args:
        rows: [quantities, 8] the world's quantities; see `laws.draws`.
        quantity: the row of the quantity.
        value: the constant, in base units.
    """
    rows[quantity, 0] = CONSTANT
    rows[quantity, 1] = min(max(value, rows[quantity, 6]), rows[quantity, 7])


@compiled
def scatter(rows: Floats, quantity: int, typical: float, spread: float) -> None:
    """Make a quantity lognormal around its typical value.

    Args:
        rows: [quantities, 8] the world's quantities; see `laws.draws`.
        quantity: the row of the quantity.
        typical: the median, in base units.
        spread: p90 / median; at 1 or less the quantity is constant.
    """
    if typical <= 0.0 or spread <= 1.0:
        settle(rows, quantity, typical)
        return
    rows[quantity, 0] = LOGNORMAL
    rows[quantity, 1] = math.log(typical)
    rows[quantity, 2] = math.log(spread) / NORMAL_P90


@compiled
def settle_calibrated(rows: Floats, table: Floats, quantity: int, kind: int, world: int) -> None:
    """Give a calibrated quantity the values of its world, from a table of joint draws of the posterior.

    Args:
        rows: [quantities, 8] the world's quantities; see `laws.draws`.
        table: numbers that the rows refer to.
        quantity: the row of the quantity.
        kind: `CALIBRATED` or `CALIBRATED_FACT`.
        world: the number of the world; its row is that number modulo the number of draws.
    """
    start = int(rows[quantity, DRAWS_START])
    at = start + 1 + 3 * (world % int(table[start]))
    rows[quantity, DRAWS_START] = 0.0
    if kind == CALIBRATED_FACT:
        settle(rows, quantity, table[at])
        return
    rows[quantity, 1] = table[at]
    rows[quantity, 2] = table[at + 1]
    rows[quantity, 3] = table[at + 2]


@compiled
def draw_world(  # noqa: PLR0913, PLR0917  the columns of a table of quantities
    world: Floats,
    rows: Floats,
    table: Floats,
    kinds: Integers,
    spreads: Floats,
    purposes: Integers,
    stream: Integers,
) -> None:
    """Write a world: all quantities, with each unknown settled and each fact one number.

    Args:
        world: [quantities, 8] is written.
        rows: [quantities, 8] the quantities of the program.
        table: numbers that the rows refer to.
        kinds: [quantities] when each is drawn.
        spreads: [quantities] scatter around an unknown typical value, as p90 / median.
        purposes: [quantities] the purpose of each one's stream.
        stream: [3] seed, world and replication.
    """
    for quantity in range(len(rows)):
        for column in range(ROW_LENGTH):
            world[quantity, column] = rows[quantity, column]
    for quantity in range(len(kinds)):
        kind = kinds[quantity]
        if kind == DRAWN_EACH_TIME:
            continue
        if kind >= CALIBRATED:
            settle_calibrated(world, table, quantity, kind, stream[1])
            continue
        u_typical = uniforms(stream[0], stream[1], 0, WORLD_ITSELF, purposes[quantity], 0)[0]
        u_fact = uniforms(stream[0], stream[1], stream[2], WORLD_ITSELF, purposes[quantity], 1)[0]
        if kind == ONE_A_WORLD:
            settle(world, quantity, draw(rows, table, quantity, u_typical))
        elif kind == ONE_A_REPLICATION:
            settle(world, quantity, draw(rows, table, quantity, u_fact))
        else:
            scatter(world, quantity, draw(rows, table, quantity, u_typical), spreads[quantity])
            if kind == TYPICAL_A_WORLD_ONE_A_REPLICATION:
                settle(world, quantity, draw(world, table, quantity, u_fact))
