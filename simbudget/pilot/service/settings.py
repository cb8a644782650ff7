"""How a service is set up: one JSON file, which only the runner and the service may read.

The process is started as `python -m simbudget.pilot.service SETTINGS.json`, and prints one line,
`ready http://127.0.0.1:PORT`, when it answers. Started again with the same file it goes on with the same database.
"""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class ServiceSettings(BaseModel):
    """What a service needs to know."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    task: str
    """A task's name, as `load_task` takes it."""
    secret: int
    """The task's secret."""
    database: Path
    tokens: dict[int, str]
    """Each agent's token, by its number."""
    task_folder: Path | None = None
    """What a task's path is relative to."""
    port: int = 0
    """0: any free one; give the old one to a service that is started again."""
    servers: int = Field(default=1, ge=1)
    """How many submissions are scored at once; more wait, first come first served."""
    scoring_s: float = Field(default=0.0, ge=0)
    """The least time that scoring takes."""
    cool_down_s: float = Field(default=0.0, ge=0)
    """The least time between an agent's submissions."""
    quota: int | None = Field(default=None, ge=0)
    """How many submissions an agent has in a period."""
    quota_period_s: float = Field(default=86_400.0, gt=0)
    """Periods are counted from the service's first start."""
    digits: int = Field(default=3, ge=0, le=15)
    """Scores are rounded to so many."""
    lock_patience_s: float = Field(default=10.0, ge=0)
    """How long to wait for a predecessor on the same database to end."""
    max_body_bytes: int = Field(default=2_000_000, gt=0)
