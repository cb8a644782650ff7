"""The processes of a pilot: each is started with one file of settings, and ends with the runner.

The runner holds the other end of each process's standard input, so that a runner that is killed leaves none behind.
"""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from pathlib import Path
from typing import Final

from simbudget import interrupts
from simbudget.errors import Problem, UserError

_PATIENCE_S: Final = 120.0
"""Time for a process to become ready: importing scikit-learn on a busy machine takes tens of seconds."""
_SAID: Final = 2_000
"""Characters of a log shown in a message."""
_TRIES: Final = 5
"""Attempts to start a process that is killed meanwhile, for example for lack of memory."""


class Child:
    """One process of a pilot, which may be restarted."""

    def __init__(self, module: str, settings: Path, log: Path) -> None:
        self._module, self._settings, self._log = module, settings, log
        self.process: Process | None = None
        self.starts = 0
        self._is_ready = False

    async def start(self) -> str:
        """Start the process, wait until it is ready, and return what it then prints: an address, or an agent's name.

        A process that is killed before it is ready is restarted, a few times.

        Raises:
            UserError: it does not start; the message quotes its log.
        """
        for _ in range(_TRIES):
            said = await self._start()
            if said is not None:
                return said
            assert self.process is not None
            if (self.process.returncode or 0) >= 0:
                break
        raise UserError(Problem(f"{self._module} did not start: {self.said()}"))

    async def _start(self) -> str | None:
        """Make one attempt to start the process; return what it prints when ready, or None if it never is."""
        self.starts += 1
        self._is_ready = False
        with self._log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", self._module, str(self._settings)),
                stdin=PIPE,
                stdout=PIPE,
                stderr=log,
                start_new_session=True,  # Ctrl-C then reaches only the runner, which ends the others in order
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
        assert self.process.stdout is not None
        line = b""
        with suppress(TimeoutError):
            line = await asyncio.wait_for(self.process.stdout.readline(), _PATIENCE_S)
        words = line.decode().split()
        if len(words) != 2 or words[0] != "ready":
            await self.stop(1.0)
            return None
        self._is_ready = True
        return words[1]

    async def tell(self, line: str) -> None:
        """Write a line to its standard input; no effect if it has ended."""
        if self.process is not None and self.process.stdin is not None:
            with suppress(ConnectionError):
                self.process.stdin.write(f"{line}\n".encode())
                await self.process.stdin.drain()

    @property
    def has_ended(self) -> bool:
        """Return whether it was started and has ended."""
        return self.process is not None and self.process.returncode is not None

    @property
    def ended_well(self) -> bool:
        """Return whether it ended with status 0."""
        return self.process is not None and self.process.returncode == 0

    def said(self) -> str:
        """Return the end of its log."""
        with suppress(OSError):
            return self._log.read_text("utf-8", errors="replace")[-_SAID:].strip()
        return ""

    def ask_to_end(self) -> None:
        """Send it SIGTERM, which announces the end of the run."""
        if self.process is not None and self.process.returncode is None:
            interrupts.send(self.process.pid, signal.SIGTERM)

    async def stop(self, grace_s: float) -> None:
        """Close its standard input, and kill it if it has not ended after a grace period, or is not ready yet."""
        process = self.process
        if process is None or process.returncode is not None:
            return
        if process.stdin is not None:
            process.stdin.close()
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), grace_s if self._is_ready else 0.0)
        if process.returncode is None:
            interrupts.send(process.pid, signal.SIGKILL)
            await process.wait()
