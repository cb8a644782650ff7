"""The defaults of `research` and `gates`: predictions for a new setting from published evidence, or assumptions.

A default based on evidence is the predictive p10 to p90 of its group (`random_effects`), with two digits. Shares kept
at a gate are beta distributions with the predictive mean and p10, as their predictive distribution is skewed. A test
recomputes them. Where no rate has been published, the basis is *assumed*.
"""

from dataclasses import dataclass
from typing import Final

from simbudget.errors import Problem, UserError

ASSUMED: Final = "assumed"


@dataclass(frozen=True)
class Default:
    """The default of a key."""

    text: str
    """As a scenario would write it."""
    unit: str
    """What one trial of the probability or share is."""
    group: str | None = None
    """The group of claims that it is based on; None if it is assumed."""
    settings: int = 0
    """Number of published settings in that group."""
    why: str = ""
    """The reason, where the default is not the predictive interval itself."""

    @property
    def basis(self) -> str:
        """Return in a few words what it is based on."""
        return ASSUMED if self.group is None else f"{self.settings} published settings"


RESEARCH: Final = {
    "explores": Default("20% to 50%", "per submission", why="no log labels new methods against refinements"),
    "follows": Default("30% to 80%", "per new method", why="no published count"),
    "ideas": Default("3 to 30", "methods of one direction", why="one study of generated ideas found about 5"),
    "first_quality": Default("0.0 to 0.45", "per new method", why="it depends on the benchmark"),
    "refines": Default(
        "4.4% to 44%", "per refinement", "kept", 19, why="changes kept: those that led, noise included"
    ),
    "gain": Default("0.05 to 0.35", "per improvement", why="no campaign with a bounded score is published"),
    "transfers": Default("1.1% to 21%", "per method", "transfers", 6),
    "real_share": Default(
        "5% to 60%", "per gain", why="no transfer was measured before and after refinement"
    ),
    "hacks": Default("0.22% to 23%", "per submission", "hacks", 14, why="some of the rates are per run"),
    "hack_score": Default("0.9 to 1.0", "per hack", why="it depends on the scorer"),
    "caught": Default("70% to 99%", "per hacked submission", why="review by people; models catch 42 to 87 %"),
    "blames": Default(
        "1.3% to 32%", "per honest submission", "blames", 4, why="cut at 32 %, the one rate of people"
    ),
}
"""Defaults by key of `research`."""

KEEPS: Final = {
    "same task": Default("{distribution: beta, mean: 79%, p10: 68%}", "per method", "keeps_same", 4),
    "larger scale": Default(
        "20% to 90%", "per method", why="published is only how many finalists hold: 4 to 58 %"
    ),
    "other domain": Default("{distribution: beta, mean: 71%, p10: 19%}", "per method", "keeps_domain", 2),
    "production": Default("{distribution: beta, mean: 12%, p10: 0.67%}", "per method", "keeps_production", 1),
}
"""Defaults of a gate's `keeps`, by its `reach`."""


def list_defaults() -> dict[str, Default]:
    """Return every default by its name in a scenario, such as `research.transfers`."""
    return {f"research.{key}": default for key, default in RESEARCH.items()} | {
        f"gates keeps, {reach}": default for reach, default in KEEPS.items()
    }


def default_of(key: str) -> dict[str, Default]:
    """Return the defaults whose name contains the word `key`.

    Raises:
        UserError: there is none.
    """
    found = {
        name: default
        for name, default in list_defaults().items()
        if key.removeprefix("research.") in name.split(".")[-1].replace(",", "").split()
    }
    if not found:
        known = ", ".join([*RESEARCH, "keeps"])
        raise UserError(Problem(f"there is no evidence on {key!r}", remedy=f"write one of {known}"))
    return found
