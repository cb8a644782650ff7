"""Runs a program behind the proxy: starts both, sets the program's environment, and ends with it."""

import asyncio
import os
import signal
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from simbudget import interrupts
from simbudget.errors import Problem, UserError, why
from simbudget.guard.proxy import Proxy

_GRACE_S: Final = 5.0
"""How long the proxy waits for answers that are still being read when the program has ended."""


def run_behind(proxy: Proxy, command: Sequence[str]) -> int:
    """Run a program behind a proxy, and return its exit status (above 128: the signal that ended it).

    Raises:
        UserError: the program cannot be started.
    """
    return asyncio.run(_run_behind(proxy, command))


async def _run_behind(proxy: Proxy, command: Sequence[str]) -> int:
    import uvicorn  # noqa: PLC0415  of the extra `guard`

    listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
    config = uvicorn.Config(
        proxy.app(),
        log_level="critical",
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=round(_GRACE_S),
    )

    class Server(uvicorn.Server):
        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            """Leave signals to the program."""
            yield

    server = Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        while not server.started and not serving.done():
            await asyncio.sleep(0.01)
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        return await _run(command, {**os.environ, **proxy.environment(url)})
    finally:
        server.should_exit = True
        await serving


async def _run(command: Sequence[str], environment: dict[str, str]) -> int:
    try:
        program = await asyncio.create_subprocess_exec(*command, env=environment)
    except OSError as error:
        raise UserError(Problem(f"{command[0]} cannot be started: {why(error)}")) from None
    loop = asyncio.get_running_loop()
    for which in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # A terminal sends Ctrl-C to both processes. The program decides how to react, and the proxy ends with it.
        loop.add_signal_handler(which, _pass_on, program, which)
    status = await program.wait()
    return 128 - status if status < 0 else status


def _pass_on(program: asyncio.subprocess.Process, which: signal.Signals) -> None:
    if which is not signal.SIGINT or not os.isatty(0):
        interrupts.send(program.pid, which)
