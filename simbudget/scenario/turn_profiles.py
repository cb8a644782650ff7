"""Turn profiles: what a turn of real agents is, measured, for users who have no logs: `like: claude-code`.

A profile is a posterior of each quantity of `turn`, as draws, which ship with the package; `make profiles` fits them.
The typical value is as uncertain as projects differ, so that it is honest for a project that nobody has seen.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from simbudget.distributions.posteriors import Posterior, score_grid
from simbudget.scenario.calibration_file import CalibratedQuantity, Evidence

FILE: Final = "turn_profiles.json"
TURN_PROFILES: Final = ("claude-code", "codex", "opencode", "autoresearch", "managed-agents")
"""The names of the profiles that ship; the page and the schema list them without reading the draws."""
_STEP: Final = 8
"""Of a shape every eighth of its points ships; between them it is straight."""


@dataclass(frozen=True)
class TurnProfile:
    """What a turn of one kind of agent is."""

    name: str
    about: str
    """The kind of work."""
    source: str
    """Where the logs were published."""
    licence: str
    dates: str
    projects: int
    sessions: int
    quantities: Mapping[str, CalibratedQuantity]
    """By key of `turn`, such as `tool_time` and `opening.times`."""

    def words(self, key: str) -> str:
        """Return where one of its quantities comes from, as `check` shows it."""
        evidence = self.quantities[key].evidence
        parts = (
            f"n={evidence.observations:,} from {evidence.runs:,} session{'s' * (evidence.runs != 1)} of "
            f"{self.projects} project{'s' * (self.projects != 1)}",
            self.about,
            self.source,
            self.dates,
        )
        return f"like {self.name} ({', '.join(part for part in parts if part)})"


@lru_cache(maxsize=1)
def turn_profiles() -> Mapping[str, TurnProfile]:
    """Return the profiles that ship, by name."""
    content = json.loads(files("simbudget.scenario").joinpath(FILE).read_text(encoding="utf-8"))
    return MappingProxyType({name: _read(name, about) for name, about in content.items()})


def _read(name: str, about: dict[str, Any]) -> TurnProfile:
    quantities = {key: _quantity(name, key, of) for key, of in about["quantities"].items()}
    return TurnProfile(name=name, **{**about, "quantities": MappingProxyType(quantities)})


def _quantity(name: str, key: str, of: Mapping[str, Any]) -> CalibratedQuantity:
    draws = np.array(of["draws"], dtype=np.float64)
    if draws.ndim == 1:
        posterior = Posterior.of_fact(draws)
    else:
        grid = score_grid()
        shape = None if of["shape"] is None else np.interp(grid, grid[::_STEP], of["shape"])
        posterior = Posterior(draws, shape)
    evidence = Evidence(of["observations"], of["sessions"], f"profile {name}", of["date"])
    return CalibratedQuantity(key, of["written"], of["family"], posterior, evidence)


def written_profile(profile: TurnProfile, draws: int) -> dict[str, Any]:
    """Return a profile as it ships.

    Args:
        profile: what was fitted.
        draws: how many of its draws ship, with three decimals.
    """
    return {
        "about": profile.about,
        "source": profile.source,
        "licence": profile.licence,
        "dates": profile.dates,
        "projects": profile.projects,
        "sessions": profile.sessions,
        "quantities": {key: _thin(quantity, draws) for key, quantity in profile.quantities.items()},
    }


def _thin(quantity: CalibratedQuantity, draws: int) -> dict[str, Any]:
    posterior = quantity.posterior
    kept = posterior.draws[:: max(1, len(posterior.draws) // draws)][:draws]
    numbers = kept[:, 0] if posterior.is_fact else kept
    shape = None if posterior.shape is None else np.round(posterior.shape[::_STEP], 3).tolist()
    return {
        "written": quantity.written,
        "family": quantity.family,
        "observations": quantity.evidence.observations,
        "sessions": quantity.evidence.runs,
        "date": quantity.evidence.date,
        "draws": np.round(numbers, 3).tolist(),
        "shape": shape,
    }
