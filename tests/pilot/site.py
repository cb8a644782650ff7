"""A service in a process of its own, over a task that needs no training, for tests."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from simbudget.pilot.service.client import SiteClient
from simbudget.pilot.service.messages import Submission
from simbudget.pilot.service.settings import ServiceSettings
from simbudget.pilot.service.starting import RunningService, start_service, write_settings

TOKENS = {0: "token of agent nought", 1: "token of agent one"}
DESCRIPTION = """
name: tiny
what: print a metric
run: [python, train.py]
metric: '^metric: (.*)'
direction: maximise
"""


def settings(folder: Path, **changed: Any) -> ServiceSettings:
    """Return the settings of a service over a described task, in a folder of the test."""
    (folder / "tiny.yaml").write_text(DESCRIPTION)
    own = {
        "task": "tiny.yaml",
        "task_folder": folder,
        "secret": 1,
        "database": folder / "site.db",
        "tokens": TOKENS,
    }
    return ServiceSettings(**{**own, **changed})


@asynccontextmanager
async def serving(chosen: ServiceSettings) -> AsyncIterator[RunningService]:
    """Run a service for a while."""
    file = chosen.database.with_suffix(".json")
    write_settings(chosen, file)
    service = await start_service(file)
    try:
        yield service
    finally:
        await service.stop()


def client(service: RunningService, agent: int = 0) -> SiteClient:
    """Return an agent's client."""
    return SiteClient(service.url, agent, TOKENS[agent], patience_s=300)


async def submission(
    site: SiteClient, metric: float = 0.5, source: str = "print('metric: 0.5')"
) -> Submission:
    """Return a submission whose code is stored."""
    return Submission(method="program", seed=0, code=await site.store(source), answer={"metric": metric})


def everything(database: Path) -> Mapping[str, list[Any]]:
    """Return every row of the service's database, by table."""
    connection = sqlite3.connect(database)
    tables = [name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")]
    rows = {name: connection.execute(f"select * from {name}").fetchall() for name in tables}
    connection.close()
    return rows


def run(story: Any) -> Any:
    """Run a coroutine to its end."""
    return asyncio.run(story)
