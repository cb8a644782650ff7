"""`python -m simbudget.pilot.service SETTINGS.json`: runs the service as a separate process.

It prints one line, `ready http://127.0.0.1:PORT`, and serves until it is told to stop or its standard input is
closed, so that it does not outlive a runner that was killed. Only one process serves a database at a time.
"""

import asyncio
import fcntl
import os
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO

import uvicorn
from fastapi import FastAPI
from pydantic import ValidationError

from simbudget.errors import Problem, UserError
from simbudget.pilot.service.app import make_app
from simbudget.pilot.service.settings import ServiceSettings
from simbudget.pilot.service.store import OF_THE_TASK, Store
from simbudget.pilot.tasks.loading import load_task

_WRONG_INPUT = 2


def main(arguments: list[str]) -> int:
    """Serve, and return the exit status."""
    os.umask(0o077)  # agents' answers and unrounded scores are for the owner only
    try:
        if len(arguments) != 1:
            raise UserError(Problem("the service takes one argument", remedy="give the path of its settings"))
        settings = _settings(Path(arguments[0]))
        task = load_task(settings.task, settings.secret, settings.task_folder)
        scorer = task.scorer()
        with (
            _only_one(settings.database.with_suffix(".lock"), settings.lock_patience_s),
            _listening(settings.port) as listening,
        ):
            store = Store(settings.database)
            for source in task.known_sources():
                store.add_code(OF_THE_TASK, source)
            asyncio.run(_serve(make_app(settings, store, scorer), listening))
            store.close()
    except UserError as error:
        print(*(f"error: {problem}" for problem in error.problems), sep="\n", file=sys.stderr)
        return _WRONG_INPUT
    return 0


def _settings(path: Path) -> ServiceSettings:
    """Read the settings.

    Raises:
        UserError: the file cannot be read, or is invalid.
    """
    try:
        return ServiceSettings.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UserError(Problem(f"{path}: {error.strerror}")) from error
    except ValidationError as error:
        raise UserError(
            *(Problem(f"{path}: {one['loc']}: {one['msg']}") for one in error.errors())
        ) from error


def _only_one(path: Path, patience_s: float) -> IO[bytes]:
    """Lock a database, waiting for a predecessor that is about to end.

    Raises:
        UserError: another service holds the lock.
    """
    lock = path.open("ab")
    os.fchmod(lock.fileno(), 0o600)
    give_up = time.monotonic() + patience_s
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > give_up:
                raise UserError(Problem(f"another service holds {path}", remedy="stop it first")) from None
            time.sleep(0.05)
        else:
            return lock


def _listening(port: int) -> socket.socket:
    """Return a socket that listens on loopback.

    Raises:
        UserError: the port is not available.
    """
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port))
    except OSError as error:
        raise UserError(
            Problem(f"port {port}: {error.strerror}", remedy="write 0 for any free port")
        ) from error
    listening.listen(128)
    return listening


async def _serve(app: FastAPI, listening: socket.socket) -> None:
    """Serve until told to stop, or until standard input is closed."""
    port = listening.getsockname()[1]

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        print(f"ready http://127.0.0.1:{port}", flush=True)
        yield

    app.router.lifespan_context = life
    server = uvicorn.Server(
        uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=5)
    )

    def read_on() -> None:
        if not os.read(sys.stdin.fileno(), 4096):
            loop.remove_reader(sys.stdin.fileno())
            server.should_exit = True

    loop = asyncio.get_running_loop()
    loop.add_reader(sys.stdin.fileno(), read_on)
    await server.serve(sockets=[listening])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
