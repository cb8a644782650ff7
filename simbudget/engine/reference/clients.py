"""Clients and turns as a run needs them: with the prices of its world, in the form in which the laws take them."""

from dataclasses import dataclass

import numpy as np

from simbudget.engine.laws.draws import Floats, Integers
from simbudget.engine.program import NONE, ClientRow, Program, TurnRow


@dataclass(frozen=True)
class Client:
    """One way to call a model."""

    model: str
    row: ClientRow
    cells: Integers
    """The quantities of an attempt, see `laws.calls.draw_attempt`."""
    prices: Floats
    """See `laws.calls.call_cost_usd`."""


@dataclass(frozen=True)
class Turn:
    """What one turn is made of."""

    row: TurnRow
    cells: Integers
    """The quantities of a turn, see `laws.calls.draw_turn`."""


def clients_of(program: Program, rows: Floats) -> tuple[Client, ...]:
    """Return the clients of a program in a world, whose `rows` are given."""
    return tuple(_client(program, row, rows) for row in program.clients)


def turns_of(program: Program) -> tuple[Turn, ...]:
    """Return the turns of a program."""
    return tuple(
        Turn(row, np.array([row.output, row.thinking, row.tool_result, row.tool_time]))
        for row in program.turns
    )


def _client(program: Program, row: ClientRow, rows: Floats) -> Client:
    above, *quantities = row.prices
    usd_per_mtok = (0.0 if quantity == NONE else float(rows[quantity, 1]) for quantity in quantities)
    return Client(
        program.models[row.model],
        row,
        np.array([row.first_token, row.output_speed, row.error_rate, row.gives_up_for]),
        np.array([float(above), *usd_per_mtok]),
    )
