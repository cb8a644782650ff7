"""An agent's settings: one JSON file, written by the runner and read only by the agent's process."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict


class AgentSettings(BaseModel):
    """The settings of an agent's process."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    agent: int
    """Its number, from 0."""
    agents: int
    group: int
    """Index of its group in the scenario's fleet."""
    member: int
    """Its number within its group."""
    direction: str
    """Where it starts to search; empty for no preference."""
    folder: Path
    """Its folder: sandbox, notebook, progress."""
    public: Path
    """The task's public files, shared by all agents."""
    ledger: Path
    cap_usd: float
    scenario: Path
    task: str
    task_folder: Path | None
    time_scale: float
    starts_at_s: float = 0.0
    """The agent's start, in seconds of the run."""
    ends_at_s: float
    """End of the run, in seconds of the run."""
    seed: int
    luck: int
    live: bool
    base_url: str | None
    """URL of the model server; None for the SDK's default."""
    api_key: str | None
    """None to take it from the environment."""
    site_url: str
    site_token: str
    slots_port: int
    experiment_timeout_s: float
    """Timeout in real time."""
    gpu_usd_per_hour: float = 0.0
    """Price of a slot, if the scenario bills GPUs by use."""
    scorer_usd: float = 0.0
    """Price of a scorer call in the scenario."""

    @property
    def source(self) -> str:
        """Return the name of this source of entries in the ledger."""
        return "pilot live" if self.live else "pilot"
