"""Starts the service as a process, and waits until it answers."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from dataclasses import dataclass
from pathlib import Path

from simbudget.pilot.service.settings import ServiceSettings


class ServiceFailedError(Exception):
    """The service did not start; the message quotes its log."""


@dataclass(frozen=True)
class RunningService:
    """A running service. It ends with `stop`, or when its parent process is gone."""

    process: Process
    url: str

    @property
    def port(self) -> int:
        """Return the port, which a restarted service should be given in its settings."""
        return int(self.url.rpartition(":")[2])

    async def stop(self) -> None:
        """Shut the service down cleanly."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        await self.process.wait()


def write_settings(settings: ServiceSettings, path: Path) -> None:
    """Write settings to a file that only its owner can read."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(settings.model_dump_json(indent=2))


async def start_service(settings_file: Path, patience_s: float = 60.0) -> RunningService:
    """Start the service, and return once it answers.

    Raises:
        ServiceFailedError: it does not start.
    """
    log = settings_file.with_suffix(".log").open("ab")
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "simbudget.pilot.service", str(settings_file),
            stdin=PIPE, stdout=PIPE, stderr=log,
        )  # fmt: skip
    finally:
        log.close()
    assert process.stdout is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), patience_s)
    except TimeoutError:
        process.kill()
        line = b""
    words = line.decode().split()
    if len(words) != 2 or words[0] != "ready":
        await process.wait()
        said = settings_file.with_suffix(".log").read_text("utf-8")[-2000:].strip()
        raise ServiceFailedError(said or f"the service did not answer within {patience_s:g} s")
    return RunningService(process, words[1])
