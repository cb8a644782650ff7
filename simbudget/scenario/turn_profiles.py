"""Turn profiles: turns measured on real agents, for users without logs: `like: claude-code`.

A profile contains posterior draws of each quantity of `turn`. Profiles ship with the package and are fitted by
`make profiles`. The typical value is as uncertain as projects differ, so that it is honest for an unseen project.
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
"""Names of the profiles, listed here so that page and schema need not read the draws."""
_STEP: Final = 8
"""Only every eighth point of a shape ships; it is interpolated linearly between them."""


@dataclass(frozen=True)
class TurnProfile:
    """Measured turns of one kind of agent."""

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
        """Return the origin of one of its quantities, as shown by `check`."""
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
    """Return the bundled profiles by name."""
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
    """Return a profile in the form in which it ships.

    Args:
        profile: the fitted profile.
        draws: number of posterior draws to keep, each with three decimals.
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
