"""Alternatives: the named scenarios of a decision, projected with common random numbers.

With the same seed and the same numbers of worlds and replications, all alternatives share worlds and random streams:
streams are keyed by an agent's group and its number in the group, or by the name of an unknown (`engine.streams`). The
difference between two alternatives therefore varies far less than either.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from simbudget.deciding.changes import Change, Source
from simbudget.engine.lowering import lower
from simbudget.engine.program import Program
from simbudget.errors import Problem, UserError
from simbudget.projection.projection import Projection
from simbudget.projection.run import project
from simbudget.projection.schedule import Options
from simbudget.scenario.scenario import Scenario

DEFAULT_REPLICATIONS: Final = 400
"""Seconds of work for a fleet of ten; where they do not suffice, the result says how many would."""

FEW_TWICE: Final = 1.25
"""Replications per world where unknowns matter most: a fifth of the replications are the second ones of their world,
which separate chance from unknowns. Fifty of these estimate the variance due to chance to within a fifth."""

ANY_RESULT: Final = "any_transferable"
"""A column that is 1 where a replication has at least one transferable result."""


@dataclass(frozen=True)
class Alternative:
    """One alternative of a decision."""

    name: str
    scenario: Scenario
    changes: tuple[Change, ...] = ()
    notes: tuple[str, ...] = ()


def alternatives(
    sources: Sequence[Source], choices: Sequence[Sequence[Change]], names: Sequence[str] = ()
) -> list[Alternative]:
    """Return every scenario with every combination of choices; a single changed one is compared with its original.

    Args:
        sources: the scenarios.
        choices: for each key that is varied, the changes to choose from.
        names: names of the scenarios; by default those of their files.

    Raises:
        UserError: a change is wrong, or there is nothing to decide between.
    """
    combinations = list(product(*choices))
    if len(sources) == 1 and len(combinations) == 1 and choices:
        combinations = [(), *combinations]
    if len(sources) * len(combinations) < 2:
        remedy = "give a second scenario, or changes such as agents=4,9"
        raise UserError(Problem("there is nothing to compare with", remedy=remedy))
    names = _distinct(
        list(names) or [Path(source.path).stem for source in sources], [source.path for source in sources]
    )
    made = []
    for source, name in zip(sources, names, strict=True):
        for changes in combinations:
            loaded = source.load(*changes)
            label = " ".join(map(str, changes)) or ("as it stands" if len(sources) == 1 else "")
            full = label if len(sources) == 1 else f"{name} {label}".strip()
            made.append(Alternative(full, loaded.scenario, changes, loaded.notes))
    return made


def as_it_stands(source: Source) -> Alternative:
    """Return the scenario of a source, unchanged; UserError if something in it is wrong."""
    loaded = source.load()
    return Alternative("as it stands", loaded.scenario, (), loaded.notes)


def with_each(source: Source, choices: Sequence[Sequence[Change]]) -> list[Alternative]:
    """Return the scenario with every combination of choices; none without any.

    Args:
        source: the scenario.
        choices: for each key that is varied, the changes to choose from.

    Raises:
        UserError: a change is wrong.
    """
    made = []
    for changes in product(*choices) if choices else ():
        loaded = source.load(*changes)
        made.append(Alternative(" ".join(map(str, changes)), loaded.scenario, changes, loaded.notes))
    return made


def _distinct(names: list[str], paths: list[str]) -> list[str]:
    """Return the scenarios' names if they are distinct, otherwise the paths; a file given twice gets numbered names."""
    if len(set(names)) == len(names):
        return names
    if len(set(paths)) == len(paths):
        return paths
    return [f"{name} ({number})" for number, name in enumerate(names, 1)]


@dataclass(frozen=True)
class Sample:
    """The numbers of replications and worlds, the same for every alternative."""

    replications: int = DEFAULT_REPLICATIONS
    seed: int = 1
    workers: int | None = None
    on: str | None = None
    """A Dask cluster instead of this machine's cores; see `projection.schedule.Options`."""
    in_each_world: float | None = None
    """Replications per world, on average; replications take turns in the worlds. Default: two if results are counted,
    to separate chance from unknown quantities."""

    def __str__(self) -> str:
        """Return the command line's options for the same sample."""
        return f"--replications {self.replications} --seed {self.seed}"

    def options(self, programs: Iterable[Program]) -> Options:
        """Return the options under which these programs run in the same worlds."""
        counts_results = any(program.research.is_on and len(program.gates) for program in programs)
        # The same numbers for every alternative: replication n has to be in the same world in all of them.
        in_each = min(self.in_each_world or (2 if counts_results else 1), self.replications)
        worlds = max(1, int(self.replications / in_each))
        return Options(self.seed, int(worlds * in_each), worlds, self.workers, on=self.on)


Progress = Callable[[int, int], None]


def project_together(
    scenarios: Sequence[Scenario], sample: Sample | None = None, progress: Progress | None = None
) -> list[Projection]:
    """Return the projections of scenarios, with common random numbers.

    Args:
        scenarios: the scenarios, each of which gets a projection, in this order.
        sample: numbers of replications and worlds; by default those of `Sample`.
        progress: called with the replications done and those to do, of all scenarios together.

    Raises:
        UserError: an option makes no sense, or a scenario cannot be simulated.
        KeyboardInterrupt: interrupted; what is compared has to rest on equally many replications.
    """
    options = (sample or Sample()).options([lower(scenario) for scenario in scenarios])
    each = options.replications or 1

    def shown(number: int) -> Progress:
        """Return the progress callback for one of the projections."""
        if progress is None:
            return lambda done, total: None
        return lambda done, total: progress(number * each + done * each // total, len(scenarios) * each)

    projections = []
    for number, scenario in enumerate(scenarios):
        projections.append(project(scenario, options, shown(number)))
        if projections[-1].interrupted:
            raise KeyboardInterrupt
    return projections


def paired_rows(replications: Sequence[pd.DataFrame]) -> list[pd.DataFrame]:
    """Return scenarios' replications aligned by row: the same world and random numbers in the same row.

    A scenario without randomness has a single replication, whose row is repeated. The frames have the additional column
    `ANY_RESULT`, which is NaN if results are not counted.
    """
    rows = max(map(len, replications))
    fullest = max(replications, key=len)
    frames = []
    for each in replications:
        frame = each
        if len(frame) == 1 < rows:
            frame = frame.loc[np.zeros(rows, dtype=int)].reset_index(drop=True)
            frame["world"] = fullest["world"].to_numpy()
        assert len(frame) == rows
        frames.append(frame.assign(**{ANY_RESULT: _any(frame["transferable_true"])}))
    return frames


def _any(results: "pd.Series[float]") -> "pd.Series[float]":
    return (results > 0).astype(float).where(results.notna())
