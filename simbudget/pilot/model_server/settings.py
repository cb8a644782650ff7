"""How a model server is set up: one JSON file, which the runner writes."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from simbudget.pilot.clock import RunClock


class ModelServerSettings(BaseModel):
    """What a model server needs to know."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scenario: Path
    """Its models' speeds, its rate limits and errors, its turns, and how its research goes."""
    journal: Path
    """The provider's books; a server that is started again goes on with them."""
    seed: int = 1
    luck: int = 0
    began_unix_s: float
    at_s: float = 0.0
    time_scale: float = Field(default=1.0, gt=0)
    users: dict[str, int] = Field(default_factory=dict)
    """Which group of the scenario's fleet each user belongs to, by its place; others count as of the first."""
    keys: dict[str, str] = Field(default_factory=dict)
    """Which user each API key belongs to; without any, every key is taken."""
    hacks: dict[str, str] = Field(default_factory=dict)
    """The ways to cheat that the researcher knows: source by name."""
    hack_rate: float | None = None
    """How often it cheats; None: as the scenario's `research` says."""
    port: int = 0

    @property
    def clock(self) -> RunClock:
        """Return the run's clock."""
        return RunClock(self.began_unix_s, self.at_s, self.time_scale)
