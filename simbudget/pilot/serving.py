"""Serving an application on loopback for as long as the one that started the process lives."""

import asyncio
import socket
import sys
from typing import Any


async def serve(app: Any, port: int = 0) -> None:
    """Serve an ASGI application on 127.0.0.1, and print `ready http://127.0.0.1:PORT` when it answers.

    It ends when standard input does: whoever started the process holds the other end of it, so that a runner
    that is killed leaves no server behind.
    """
    import uvicorn  # noqa: PLC0415  of the extra `pilot`

    listening = socket.create_server(("127.0.0.1", port), backlog=1024)
    config = uvicorn.Config(
        app, log_level="error", access_log=False, lifespan="off", timeout_graceful_shutdown=2
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    while not server.started and not serving.done():
        await asyncio.sleep(0.01)
    print(f"ready http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
    await parent_gone()
    server.should_exit = True
    await serving


async def parent_gone() -> None:
    """Return when standard input has ended."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()
