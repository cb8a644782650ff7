"""Worlds: one draw of everything unknown, as the rows from which all further draws are made."""

import math
from typing import Final

from simbudget.compilation import compiled
from simbudget.distributions.base import CONSTANT, LOGNORMAL, NORMAL_P90
from simbudget.engine.laws.draws import ROW_LENGTH, Floats, Integers, draw
from simbudget.engine.streams import WORLD_ITSELF, uniforms

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
