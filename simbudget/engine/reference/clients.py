"""Clients and turns as a run needs them: with the prices of its world, in the form in which the laws take them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simbudget.engine.laws.draws import Floats, Integers
from simbudget.engine.program import NONE, ClientRow, Program, TurnRow
from simbudget.engine.reference.limiter import Limiter
from simbudget.pricing.charge import SERVICES


@dataclass(frozen=True)
class Client:
    """One way to call a model."""

    model: str
    service: str
    row: ClientRow
    cells: Integers
    """The quantities of an attempt, see `laws.calls.draw_attempt`."""
    prices: Floats
    """See `laws.calls.call_cost_usd`."""
    limiter: Limiter | None
    """The limits that hold for its calls; None: there are none."""


@dataclass(frozen=True)
class Turn:
    """What one turn is made of."""

    row: TurnRow
    cells: Integers
    """The quantities of a turn, see `laws.calls.draw_turn`."""


def clients_of(program: Program, rows: Floats, limiters: Sequence[Limiter]) -> tuple[Client, ...]:
    """Return the clients of a program in a world, whose `rows` are given."""
    return tuple(_client(program, row, rows, limiters) for row in program.clients)


def turns_of(program: Program) -> tuple[Turn, ...]:
    """Return the turns of a program."""
    return tuple(
        Turn(row, np.array([row.output, row.thinking, row.tool_result, row.tool_time]))
        for row in program.turns
    )


def _client(program: Program, row: ClientRow, rows: Floats, limiters: Sequence[Limiter]) -> Client:
    above, *quantities = row.prices
    factor = 1.0 if row.price_factor == NONE else float(rows[row.price_factor, 1])
    usd_per_mtok = (factor * float(rows[quantity, 1]) for quantity in quantities)
    return Client(
        model=program.models[row.model],
        service=SERVICES[row.service],
        row=row,
        cells=np.array([row.first_token, row.output_speed, row.error_rate, row.gives_up_for]),
        prices=np.array([float(above), *usd_per_mtok]),
        limiter=None if row.line == NONE else limiters[row.line],
    )
