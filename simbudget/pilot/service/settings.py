"""The settings of a service: one JSON file, which only the runner and the service may read.

The process is started as `python -m simbudget.pilot.service SETTINGS.json`, and prints one line,
`ready http://127.0.0.1:PORT`, once it answers. Restarted with the same file, it continues with the same database.
"""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class ServiceSettings(BaseModel):
    """The settings of a service."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    task: str
    """A task's name, as accepted by `load_task`."""
    secret: int
    """The task's secret."""
    database: Path
    tokens: dict[int, str]
    """Each agent's token by its number."""
    task_folder: Path | None = None
    """Folder that a task's path is relative to."""
    port: int = 0
    """0 for any free port; a restarted service gets its old one."""
    servers: int = Field(default=1, ge=1)
    """Number of submissions scored in parallel; others queue, first come first served."""
    scoring_s: float = Field(default=0.0, ge=0)
    """Minimum duration of scoring."""
    cool_down_s: float = Field(default=0.0, ge=0)
    """Minimum time between an agent's submissions."""
    quota: int | None = Field(default=None, ge=0)
    """Submissions per agent and period."""
    quota_period_s: float = Field(default=86_400.0, gt=0)
    """Periods count from the service's first start."""
    digits: int = Field(default=3, ge=0, le=15)
    """Decimals to which scores are rounded."""
    lock_patience_s: float = Field(default=10.0, ge=0)
    """How long to wait for a predecessor on the same database to end."""
    max_body_bytes: int = Field(default=2_000_000, gt=0)
