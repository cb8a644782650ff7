"""Serves an application on loopback until the parent process ends."""

import asyncio
import socket
import sys
from typing import Any


async def serve(app: Any, port: int = 0) -> None:
    """Serve an ASGI application on 127.0.0.1, and print `ready http://127.0.0.1:PORT` once it answers.

    It stops at the end of standard input, whose other end the parent process holds, so that a runner that is killed
    leaves no server behind.
    """
    import uvicorn  # noqa: PLC0415  only in the extra `guard`

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
    """Wait for the end of standard input."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()
