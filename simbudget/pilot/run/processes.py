"""The processes of a pilot: started with one file of settings, ended when the runner is.

Each holds the end of a pipe as its standard input, so that a runner that is killed leaves none behind.
"""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from pathlib import Path
from typing import Final

from simbudget.errors import Problem, UserError

_PATIENCE_S: Final = 120.0
_SAID: Final = 2_000
_TRIES: Final = 5


class Child:
    """One process of a pilot, which may be started again."""

    def __init__(self, module: str, settings: Path, log: Path) -> None:
        self._module, self._settings, self._log = module, settings, log
        self.process: Process | None = None
        self.starts = 0

    async def start(self) -> str:
        """Start it, wait until it is ready, and return what it says then: a server's address, an agent's name.

        One that is killed before it is ready is started again, a few times.

        Raises:
            UserError: it does not start; says what it wrote.
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
        """Start it once; returns what it says when it is ready, None if it never is."""
        self.starts += 1
        with self._log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", self._module, str(self._settings)),
                stdin=PIPE,
                stdout=PIPE,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the runner, which ends the others in their order
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
        return words[1]

    async def tell(self, line: str) -> None:
        """Write a line to its standard input; nothing happens if it has ended."""
        if self.process is not None and self.process.stdin is not None:
            with suppress(ConnectionError):
                self.process.stdin.write(f"{line}\n".encode())
                await self.process.stdin.drain()

    @property
    def has_ended(self) -> bool:
        """Return whether it was started and is not running any more."""
        return self.process is not None and self.process.returncode is not None

    @property
    def ended_well(self) -> bool:
        """Return whether it has ended by itself."""
        return self.process is not None and self.process.returncode == 0

    def said(self) -> str:
        """Return the end of what it wrote to its log."""
        with suppress(OSError):
            return self._log.read_text("utf-8", errors="replace")[-_SAID:].strip()
        return ""

    def ask_to_end(self) -> None:
        """Tell it that the run is over."""
        if self.process is not None and self.process.returncode is None:
            with suppress(ProcessLookupError):
                self.process.send_signal(signal.SIGTERM)

    async def stop(self, grace_s: float) -> None:
        """Let it come to its end, and end it if it does not."""
        process = self.process
        if process is None or process.returncode is not None:
            return
        if process.stdin is not None:
            process.stdin.close()
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), grace_s)
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
