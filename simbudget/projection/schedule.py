"""The schedule of a projection: its replications, their worlds, and the engine that simulates them.

A *replication* is one simulated run. A *world* is one draw of everything unknown: prices, rates and habits that have
one true value that is not known. Replications in the same world differ only by chance.

Replications are numbered from 0. A number determines the world and the replication within it, independently of the
total number of replications and of the worker. The beginning of a longer projection is therefore a shorter one.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from simbudget.arrays import Integers
from simbudget.engine.laws.draws import UNKNOWN_KINDS
from simbudget.engine.program import Program
from simbudget.errors import Problem, UserError
from simbudget.projection.engines import DEFAULT_ENGINE, engine_for, engine_named

DEFAULT_REPLICATIONS: Final = 100
"""Enough for a median within a few per cent, and takes a second or two."""

MOST_FOR_PRECISION: Final = 10_000
"""Maximum number of replications if only a precision is requested: as many as are kept as rows."""

WORLD_EACH: Final = 1 << 62
"""More worlds than replications, so that each replication has its own."""

_TO_TELL_LUCK: Final = 2
"""Replications per world where results are counted: two runs in a world separate chance from unknowns."""

_SEEDS: Final = 1 << 63
"""Upper bound of seeds, which are half of a counter-based generator's 128-bit key, stored as a signed number."""


@dataclass(frozen=True)
class Options:
    """The options of a projection."""

    seed: int = 1
    replications: int | None = None
    """Maximum number; by default `DEFAULT_REPLICATIONS`. If nothing is random, one is simulated."""
    worlds: int | None = None
    """Number of worlds; by default one per replication (per two if results are counted), and one if nothing is
    unknown."""
    workers: int | None = None
    """Number of threads or processes; by default one per core. The result does not depend on it."""
    precision: float | None = None
    """Stop once the Monte-Carlo error of every figure of spend is below this fraction of the figure."""
    engine: str = DEFAULT_ENGINE
    on: str | None = None
    """A Dask cluster to run on instead of this machine's cores: `local:4`, or a scheduler such as `tcp://host:8786`."""

    def require_sense(self) -> None:
        """Raise a UserError that lists all invalid options."""
        engine_named(self.engine)
        counts = {"replications": self.replications, "worlds": self.worlds, "workers": self.workers}
        problems = [
            Problem(f"{name} is {count}", remedy="it has to be a whole number of at least 1")
            for name, count in counts.items()
            if count is not None and count < 1
        ]
        if self.precision is not None and not 0.0 < self.precision < 1.0:
            problems.append(
                Problem(f"precision is {self.precision:g}", remedy="it has to be a part such as 2%, or 0.02")
            )
        if not 0 <= self.seed < _SEEDS:
            problems.append(
                Problem(f"seed is {self.seed}", remedy="it has to be a whole number from 0 to 2^63 - 1")
            )
        if self.on is not None and self.workers is not None:
            problems.append(
                Problem(
                    "on and workers are both given", remedy="a cluster has its own workers: leave one out"
                )
            )
        if problems:
            raise UserError(*problems)


@dataclass(frozen=True)
class Schedule:
    """The replications of a projection."""

    program: Program
    seed: int
    replications: int
    worlds: int = WORLD_EACH
    """Number of worlds; replications take turns in them."""
    engine: str = "reference"
    in_a_row: int = 1
    """Number of consecutive replications in the same world."""

    @staticmethod
    def of(program: Program, options: Options) -> "Schedule":
        """Return the schedule of a program's projection with these options.

        Args:
            program: what is simulated.
            options: numbers of replications and worlds, seed and engine.
        """
        default = DEFAULT_REPLICATIONS if options.precision is None else MOST_FOR_PRECISION
        replications = options.replications or default
        engine = engine_for(program, options.engine).name
        if program.is_deterministic():
            return Schedule(program, options.seed, 1, 1, engine)
        has_unknown = bool(np.isin(program.kinds, UNKNOWN_KINDS).any())
        worlds = options.worlds or (WORLD_EACH if has_unknown else 1)
        counts_results = program.research.is_on and len(program.gates) > 0
        in_a_row = _TO_TELL_LUCK if counts_results and has_unknown and options.worlds is None else 1
        return Schedule(program, options.seed, replications, worlds, engine, in_a_row)

    def keys_of(self, numbers: range) -> tuple[Integers, Integers]:
        """Return the [numbers] world of each replication, and its [numbers] index within that world.

        Args:
            numbers: consecutive numbers of replications.
        """
        all_numbers = np.arange(numbers.start, numbers.stop, dtype=np.int64)
        turns, within = all_numbers // self.in_a_row, all_numbers % self.in_a_row
        return turns % self.worlds, turns // self.worlds * self.in_a_row + within
