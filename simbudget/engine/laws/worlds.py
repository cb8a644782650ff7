"""What a world is: one draw of everything unknown, as the rows from which all further draws are made."""

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
    """Make a quantity the constant `value`."""
    rows[quantity, 0] = CONSTANT
    rows[quantity, 1] = min(max(value, rows[quantity, 6]), rows[quantity, 7])


@compiled
def scatter(rows: Floats, quantity: int, typical: float, spread: float) -> None:
    """Let draws scatter lognormally around `typical`, their median, with p90/median = `spread`."""
    if typical <= 0.0 or spread <= 1.0:
        settle(rows, quantity, typical)
        return
    rows[quantity, 0] = LOGNORMAL
    rows[quantity, 1] = math.log(typical)
    rows[quantity, 2] = math.log(spread) / NORMAL_P90


@compiled
def settle_calibrated(rows: Floats, table: Floats, quantity: int, kind: int, world: int) -> None:
    """Take a calibrated quantity from the row of the joint draws that belongs to a world: its number, modulo."""
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
    """Write into `world` the `rows` with everything unknown settled, and with each fact one number.

    `kinds`, `spreads` and `purposes` have one number a quantity: when it is drawn, its scatter p90/median, and
    the purpose of its stream. `stream` is seed, world, replication.
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
