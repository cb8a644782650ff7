"""The unknowns of a scenario, and their values in every world of a projection."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from simbudget.arrays import Flags, Floats, Integers
from simbudget.distributions.base import LOGNORMAL
from simbudget.engine.laws.draws import (
    DRAWN_EACH_TIME,
    ONE_A_REPLICATION,
    ONE_A_WORLD,
    TYPICAL_A_WORLD,
    TYPICAL_A_WORLD_ONE_A_REPLICATION,
    draw_world,
)
from simbudget.engine.lowering import lower
from simbudget.engine.lowering.evidence import weigh
from simbudget.engine.streams import WORLD_ITSELF, named_purpose, uniforms
from simbudget.scenario.scenario import Scenario

_DRAWN_BY_ITSELF: Final = (ONE_A_WORLD, TYPICAL_A_WORLD, TYPICAL_A_WORLD_ONE_A_REPLICATION)
"""Kinds of unknowns with their own uniform in each world; others come from joint draws."""


@dataclass(frozen=True)
class Unknowns:
    """The unknowns of a scenario by name, and their values in a number of worlds."""

    names: tuple[str, ...]
    """Paths in the scenario, such as `research.transfers`."""
    texts: tuple[str, ...]
    """As written in the scenario."""
    values: Floats
    """[worlds, unknowns] true or typical values, in base units."""
    uniforms: Floats
    """[worlds, unknowns] probabilities of a lower value, from 0 to 1."""


def unknowns_of(scenario: Scenario, seed: int, worlds: Integers) -> Unknowns:
    """Return the unknowns of a scenario in worlds of a projection.

    Args:
        scenario: the projected scenario.
        seed: that of the projection.
        worlds: [worlds] their numbers.
    """
    program = lower(scenario)
    streams = np.array([[seed, world] for world in worlds], dtype=np.int64).reshape(len(worlds), 2)
    of_purpose = {
        named_purpose(quantity.name): quantity for quantity in weigh(scenario).scenario.quantities()
    }
    is_unknown = (program.kinds != DRAWN_EACH_TIME) & (program.kinds != ONE_A_REPLICATION)
    numbers = [number for number in np.flatnonzero(is_unknown) if int(program.purposes[number]) in of_purpose]
    settled_late = program.kinds == TYPICAL_A_WORLD_ONE_A_REPLICATION
    kinds = np.where(settled_late, TYPICAL_A_WORLD, program.kinds)
    rows, values = np.empty_like(program.rows), np.empty((len(worlds), len(numbers)))
    for place, world in enumerate(worlds):
        stream = np.array([seed, world, 0], dtype=np.int64)
        draw_world(rows, program.rows, program.table, kinds, program.spreads, program.purposes, stream)
        values[place] = [
            math.exp(rows[number, 1]) if rows[number, 0] == LOGNORMAL else rows[number, 1]
            for number in numbers
        ]
    found = [of_purpose[int(program.purposes[number])] for number in numbers]
    moves = np.ptp(values, axis=0) > 0.0 if len(worlds) else np.zeros(len(numbers), dtype=bool)
    kept = _first_of_each([quantity.name for quantity in found], moves)
    standing = [
        _drawn(streams, int(program.purposes[numbers[place]]))
        if program.kinds[numbers[place]] in _DRAWN_BY_ITSELF
        else _ranks(values[:, place])
        for place in kept
    ]
    return Unknowns(
        tuple(found[place].name for place in kept),
        tuple(found[place].text for place in kept),
        values[:, kept],
        np.column_stack(standing) if standing else np.empty((len(worlds), 0)),
    )


def _drawn(streams: Integers, purpose: int) -> Floats:
    """Return the [worlds] uniforms from which a quantity was drawn."""
    return np.array([uniforms(seed, world, 0, WORLD_ITSELF, purpose, 0)[0] for seed, world in streams])


def _ranks(values: Floats) -> Floats:
    """Return the ranks of values from joint draws, evenly spaced between 0 and 1, both excluded."""
    from scipy.stats import rankdata  # noqa: PLC0415  slow to import

    return np.asarray((rankdata(values) - 0.5) / len(values), dtype=np.float64)


def _first_of_each(names: list[str], moves: Flags) -> list[int]:
    """Return the places of the varying unknowns, each name once, since one unknown may be looked up in two ways."""
    return list({name: place for place, name in reversed(list(enumerate(names))) if moves[place]}.values())[
        ::-1
    ]
