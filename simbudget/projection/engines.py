"""Engines that simulate the replications of a block.

All engines accept the same arrays and return the same bits; they differ in speed, and in whether they let other threads
run at the same time. A new engine is a new row of `ENGINES`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from simbudget.arrays import Integers
from simbudget.compilation import has_code
from simbudget.engine import compiled, reference
from simbudget.engine.outcome import Outcome, Sums
from simbudget.engine.program import Program
from simbudget.errors import Problem, UserError

SimulateMany = Callable[[Program, int, Integers, Integers], Sums]
"""Program, seed, [runs] worlds, [runs] replications."""


@dataclass(frozen=True)
class Engine:
    """One way to simulate."""

    name: str
    simulate: Callable[[Program, int, int, int], Outcome]
    """Program, seed, world, replication; with a ledger."""
    simulate_many: SimulateMany
    runs_in_threads: bool
    """Whether other threads can run at the same time; otherwise each worker is a process."""
    is_compiled: Callable[[], bool]
    """Returns whether its machine code is on disk."""


ENGINES: Final = {
    engine.name: engine
    for engine in (
        Engine("compiled", compiled.simulate, compiled.simulate_many, True, compiled.is_compiled),
        Engine("reference", reference.simulate, reference.simulate_many, False, has_code),
    )
}
"""Every engine by its name; the first is the default."""

DEFAULT_ENGINE: Final = next(iter(ENGINES))

SIMULATES_ALL: Final = "reference"
"""The engine that also simulates what is not compiled, such as steps that a user wrote in Python."""


def engine_for(program: Program, wanted: str = DEFAULT_ENGINE) -> Engine:
    """Return the requested engine, or the one that simulates everything if the program needs it.

    Args:
        program: what is simulated.
        wanted: name of the engine.
    """
    return engine_named(SIMULATES_ALL if program.not_compiled else wanted)


def engine_named(name: str) -> Engine:
    """Return an engine by its name.

    Args:
        name: name of the engine.

    Raises:
        UserError: there is no such engine.
    """
    if name not in ENGINES:
        problem = Problem(f"engine {name!r} does not exist", remedy=f"write one of {', '.join(ENGINES)}")
        raise UserError(problem)
    return ENGINES[name]
