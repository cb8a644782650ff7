"""The settings of a model server: one JSON file, written by the runner."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from simbudget.pilot.clock import RunClock


class ModelServerSettings(BaseModel):
    """The settings of a model server."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scenario: Path
    """The scenario: speeds of models, rate limits, errors, lengths of turns, and `research`."""
    journal: Path
    """The database of billed requests, which a restarted server continues."""
    seed: int = 1
    luck: int = 0
    began_unix_s: float
    at_s: float = 0.0
    time_scale: float = Field(default=1.0, gt=0)
    users: dict[str, int] = Field(default_factory=dict)
    """Index of each user's group in the scenario's fleet; unknown users belong to the first."""
    keys: dict[str, str] = Field(default_factory=dict)
    """User of each API key; if empty, any key is accepted."""
    hacks: dict[str, str] = Field(default_factory=dict)
    """Source code by name of the ways to cheat that the researcher knows."""
    hack_rate: float | None = None
    """Rate of cheating; None for that of the scenario's `research`."""
    port: int = 0

    @property
    def clock(self) -> RunClock:
        """Return the run's clock."""
        return RunClock(self.began_unix_s, self.at_s, self.time_scale)
