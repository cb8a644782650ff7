"""How an agent is set up: one JSON file, which the runner writes and only the agent's process reads."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict


class AgentSettings(BaseModel):
    """What an agent's process needs to know."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    agent: int
    """Its number, from 0."""
    agents: int
    group: int
    """The place of its group in the scenario's fleet."""
    member: int
    """Its number in its group."""
    direction: str
    """Where it begins to look; empty: where it likes."""
    folder: Path
    """Its own: sandbox, notebook, progress."""
    public: Path
    """The task's public files, for all agents."""
    ledger: Path
    cap_usd: float
    scenario: Path
    task: str
    task_folder: Path | None
    time_scale: float
    ends_at_s: float
    """When the run ends, in seconds of the run."""
    seed: int
    luck: int
    live: bool
    base_url: str | None
    """The model server; None: where the SDK goes by itself."""
    api_key: str | None
    """None: what the environment has."""
    site_url: str
    site_token: str
    slots_port: int
    experiment_timeout_s: float
    """On the wall's clock."""
    gpu_usd_per_hour: float = 0.0
    """What a slot costs by the scenario, where it is paid for by use."""
    scorer_usd: float = 0.0
    """What a call of the scorer costs by the scenario."""

    @property
    def source(self) -> str:
        """Return how the ledger calls what comes of it."""
        return "pilot live" if self.live else "pilot"
