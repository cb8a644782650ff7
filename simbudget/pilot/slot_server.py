"""Gives slots of a pool to agents in other processes: a slot is held for as long as a connection is open.

A slot is thus released whatever happens to its holder. A client sends `N` and a line break, receives `go` and a line
break once it holds N slots, and releases them by closing the connection. First come, first served.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from simbudget.pilot.sandbox.slots import SlotPool


class SlotServer:
    """Gives out the slots of a pool on loopback."""

    def __init__(self, pool: SlotPool) -> None:
        self.pool = pool
        self.port = 0
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Start giving out slots."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        """Accept no further clients."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client until it disconnects."""
        waiting: asyncio.Task[None] | None = None
        try:
            line = await reader.readline()
            if not line.strip().isdigit():
                return
            waiting = asyncio.create_task(self._hold(int(line), writer))
            await reader.read()  # returns when the client disconnects
        except ConnectionError:
            pass
        finally:
            if waiting is not None:
                waiting.cancel()
            writer.close()

    async def _hold(self, slots: int, writer: asyncio.StreamWriter) -> None:
        async with self.pool.hold(min(slots, self.pool.slots)):
            writer.write(b"go\n")
            await writer.drain()
            await asyncio.Event().wait()


class SlotsGoneError(Exception):
    """The slot server has gone, which means that the run is over."""


@asynccontextmanager
async def hold_slots(port: int, slots: int) -> AsyncIterator[float]:
    """Hold slots of the server on a loopback port; yields the waiting time, in seconds of real time.

    Raises:
        SlotsGoneError: the server is gone.
    """
    asked = time.monotonic()
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError as error:
        raise SlotsGoneError from error
    try:
        writer.write(f"{slots}\n".encode())
        if await reader.readline() != b"go\n":
            raise SlotsGoneError
        yield time.monotonic() - asked
    finally:
        writer.close()
