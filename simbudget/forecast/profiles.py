"""Reference profiles: what runs of real agents came to, for who has no logs of their own yet.

A profile is a posterior of a kind of agent, as draws: by phase and model where that is known, with how projects
differ, so that the interval for a project nobody has seen is as wide as projects differ. `make profiles` fits them;
only draws and counts ship, no log.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final

import numpy as np

from simbudget.arrays import Floats
from simbudget.errors import Problem, UserError
from simbudget.forecast.hierarchy import Hierarchy

FILE: Final = "profiles.json"
PHASE: Final = "phase"
MODEL: Final = "model"
_FEW: Final = 5
"""With fewer runs a phase is as good as unknown."""


@dataclass(frozen=True)
class Profile:
    """What runs of one kind of agent came to."""

    name: str
    about: str
    """The kind of work, in a sentence."""
    source: str
    """Where the runs were published, and under which licence."""
    dates: str
    runs: int
    groups: int
    """Projects or repositories that they belong to."""
    phases: dict[str, int]
    """By phase: runs. Empty: the kind of agent has none."""
    models: dict[str, int]
    quantities: dict[str, Hierarchy]

    def forecast(self, runs: int, phases: Sequence[str], model: str | None, seed: int) -> dict[str, Floats]:
        """Return [draws] what so many runs, or ideas taken through these phases, come to in all, by quantity."""
        parts = [{PHASE: phase} for phase in phases] or [{}]
        if model is not None:
            parts = [part | {MODEL: model} for part in parts]
        found = {}
        for name, hierarchy in self.quantities.items():
            rng = np.random.default_rng([seed, runs])
            found[name] = hierarchy.draws_of_ideas(parts, runs, rng).sum(axis=1)
        return found

    def require(self, phases: Sequence[str]) -> None:
        """Raise UserError if no run of one of these phases is known."""
        unknown = [phase for phase in phases if phase not in self.phases]
        if unknown:
            remedy = f"there are {', '.join(self.phases)}" if self.phases else "its runs have no phases"
            raise UserError(Problem(f"{self.name} has no phase {unknown[0]!r}", remedy=remedy))

    @property
    def usual_phases(self) -> tuple[str, ...]:
        """Return the phases of which enough runs are known."""
        return tuple(phase for phase, count in self.phases.items() if count >= _FEW)

    def notes(self, phases: Sequence[str], model: str | None) -> list[str]:
        """Return what has to be said of a forecast for these phases and this model."""
        said = []
        unseen = [phase for phase in phases if self.phases.get(phase, 0) < _FEW]
        if unseen:
            said.append(
                f"{', '.join(unseen)}: fewer than {_FEW} runs are known, so it is taken for a phase like the others, "
                "as different from them as they are from one another"
            )
        if self.models and model is None:
            said.append(f"the model is taken to be one like those of the profile ({', '.join(self.models)})")
        elif model is not None and model not in self.models:
            said.append(
                f"{model} is not among the profile's models ({', '.join(self.models) or 'not recorded'})"
            )
        if "cost_usd" not in self.quantities:
            said.append("the runs record no cost")
        return said


@lru_cache(maxsize=1)
def profiles() -> dict[str, Profile]:
    """Return the profiles that ship, by name."""
    path = files("simbudget.forecast").joinpath(FILE)
    content = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return {name: _read(name, about) for name, about in content.items()}


def profile(name: str) -> Profile:
    """Return a profile by its name.

    Raises:
        UserError: there is none of that name.
    """
    known = profiles()
    if name not in known:
        near = get_close_matches(name, known, 1)
        remedy = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
        raise UserError(Problem(f"there is no profile {name!r}", remedy=remedy))
    return known[name]


def _read(name: str, about: dict[str, Any]) -> Profile:
    quantities = {
        quantity: Hierarchy(
            np.array(draws["level"]),
            {label: {v: np.array(d) for v, d in of.items()} for label, of in draws["effects"].items()},
            {label: np.array(d) for label, d in draws["spreads"].items()},
            np.array(draws["left_over"]),
            draws["runs"],
        )
        for quantity, draws in about.pop("quantities").items()
    }
    return Profile(name=name, quantities=quantities, **about)


def written(found: Profile, draws: int) -> dict[str, Any]:
    """Return a profile as it is shipped: this many draws, with three decimals."""

    def thin(values: Floats) -> list[float]:
        return [round(float(value), 3) for value in values[:: max(1, len(values) // draws)][:draws]]

    return {
        "about": found.about,
        "source": found.source,
        "dates": found.dates,
        "runs": found.runs,
        "groups": found.groups,
        "phases": found.phases,
        "models": found.models,
        "quantities": {
            name: {
                "level": thin(one.level),
                "effects": {
                    label: {v: thin(d) for v, d in values.items()} for label, values in one.effects.items()
                },
                "spreads": {label: thin(d) for label, d in one.spreads.items()},
                "left_over": thin(one.left_over),
                "runs": one.runs,
            }
            for name, one in found.quantities.items()
        },
    }
