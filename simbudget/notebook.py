"""Projections in a notebook or a script: load, project, look at frames and figures, compare.

    import simbudget
    projected = simbudget.load("scenario.yaml").project(replications=200)
    projected.summary["spend_usd"], projected.replications, projected.figure("spend_over_time")

These are the values of the layers below with names that are quick to type; nothing is computed here.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from simbudget.deciding.alternatives import Alternative, Sample
from simbudget.deciding.changes import Change, Source
from simbudget.deciding.compare import Comparison, compare
from simbudget.deciding.plan import BestPlan, plan
from simbudget.deciding.questions import ask
from simbudget.deciding.sensitivity import Sensitivity, sensitivity
from simbudget.errors import Problem, UserError
from simbudget.projection.projection import Projection
from simbudget.projection.run import Options, project
from simbudget.results import Picture
from simbudget.scenario.model import Scenario
from simbudget.scenario.reading import nearest

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Loaded:
    """A scenario that was loaded, and its text."""

    source: Source
    changes: tuple[Change, ...] = ()
    scenario: Scenario = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "scenario", self.source.load().scenario)

    def project(
        self,
        replications: int | None = None,
        *,
        seed: int = 1,
        worlds: int | None = None,
        workers: int | None = None,
    ) -> "Projected":
        """Return its projection; UserError if it cannot be simulated."""
        return Projected(self, project(self.scenario, Options(seed, replications, worlds, workers)))

    def with_(self, **values: Any) -> "Loaded":
        """Return the scenario with values written otherwise: `agents=4`, or `**{"stop.after": "3 days"}`.

        Raises:
            UserError: there is no such place, or the value is not allowed there.
        """
        changes = tuple(Change(key, str(value)) for key, value in values.items())
        self.source.load(*changes)  # says what is wrong, with which change
        return Loaded(self.source.changed(*changes), (*self.changes, *changes))

    def sensitivity(
        self, replications: int = 1000, *, seed: int = 1, worth_usd: float | None = None
    ) -> Sensitivity:
        """Return what moves its outcomes, see `deciding.sensitivity`."""
        return sensitivity([self.alternative()], Sample(replications, seed), worth_usd)

    def plan(self, vary: list[str], *, replications: int = 200, seed: int = 1, **question: Any) -> BestPlan:
        """Return the best plan, as `simbudget plan` does: `budget_usd`, `goal`, `least_cost_for`, `evaluations`."""
        return plan(self.source, ask(vary, **question), Sample(replications, seed))

    def alternative(self) -> Alternative:
        """Return it as something that can be decided between."""
        name = " ".join(map(str, self.changes)) or Path(self.source.path).stem
        return Alternative(name, self.scenario, self.changes)


@dataclass(frozen=True)
class Projected:
    """A projection, for looking at."""

    loaded: Loaded = field(repr=False)
    projection: Projection = field(repr=False)

    @property
    def summary(self) -> dict[str, Any]:
        """Return what `simbudget project --json` prints."""
        return self.projection.as_json()

    @property
    def replications(self) -> pd.DataFrame:
        """Return a row for each replication: its world, and what it came to."""
        return self.projection.replications

    def figure(self, name: str) -> "Figure":
        """Return a picture by its name, such as `spend_over_time`; UserError if there is none."""
        return self._drawn(name)[0]

    def figure_data(self, name: str) -> pd.DataFrame:
        """Return the data of a picture."""
        return self._drawn(name)[1]

    @property
    def figures(self) -> list[str]:
        """Return the names of the pictures."""
        return sorted(self._pictures())

    def ledger(self, replication: int = 0) -> pd.DataFrame:
        """Return everything that happened in one replication."""
        return self.projection.trace(replication).ledger

    def compare(self, *others: "Projected | Loaded") -> Comparison:
        """Return the comparison with others, projected in the same worlds with the same luck.

        Raises:
            UserError: a scenario cannot be simulated.
        """
        scenarios = [other.loaded if isinstance(other, Projected) else other for other in others]
        sample = Sample(self.projection.statistics.replications, self.projection.seed)
        return compare([self.loaded.alternative(), *(each.alternative() for each in scenarios)], sample)

    def _drawn(self, name: str) -> "tuple[Figure, pd.DataFrame]":
        pictures = self._pictures()
        if name not in pictures:
            raise UserError(Problem(f"there is no figure {name!r}", remedy=nearest(name, pictures)))
        return pictures[name](self.projection)

    def _pictures(self) -> "dict[str, Callable[[Projection], tuple[Figure, pd.DataFrame]]]":
        return {name: partial(_drawn, picture) for name, picture in self.projection.figures().items()}


def _drawn(picture: Picture, _: Projection) -> "tuple[Figure, pd.DataFrame]":
    return picture.drawn


def load(path: str | Path) -> Loaded:
    """Return the scenario in a file; UserError with everything that is wrong with it."""
    return Loaded(Source.of(path))


def loads(text: str, name: str = "scenario.yaml") -> Loaded:
    """Return the scenario in a text; UserError with everything that is wrong with it."""
    return Loaded(Source(text, name, Path()))
