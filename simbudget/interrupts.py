"""Ctrl-C ends any command within two seconds, whatever it is doing.

Python delivers an interrupt only to the main thread and only between two bytecode instructions. That is too late
while compiled code runs a replication for minutes, and while an exiting interpreter waits for its threads. So a
separate thread watches for interrupts: it first asks running work to stop (`while_running`), and then, if the process
is still alive and has nothing to show, ends the process.

A command that catches KeyboardInterrupt to show its partial result calls `showing` first, and is then left to finish;
a second Ctrl-C ends it, too.
"""

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

STATUS: Final = 130
"""The exit status that shells report for a program ended by SIGINT: 128 + 2."""
_PATIENCE_S: Final = 1.0
"""Grace period for running work to stop: half of the two seconds, as a busy machine may need the other half to exit."""
_ASK_EVERY_S: Final = 0.02
"""Short beside the grace period, and long enough to cost no noticeable processor time."""

_stoppers: dict[int, Callable[[], None]] = {}
_numbers = iter(range(1 << 62))
_lock = threading.Lock()
_came = threading.Event()
_shows = threading.Event()


def came() -> bool:
    """Return whether an interrupt has arrived."""
    return _came.is_set()


@contextmanager
def while_running(stop: Callable[[], None]) -> Iterator[None]:
    """While the block runs, have an interrupt call `stop` repeatedly, from another thread."""
    with _lock:
        number = next(_numbers)
        _stoppers[number] = stop
    try:
        yield
    finally:
        with _lock:
            del _stoppers[number]


def showing() -> None:
    """Announce that a partial result is about to be shown, which may take a moment."""
    _shows.set()


def watch() -> None:
    """Start watching for interrupts; called once, by the command line, in the main thread."""
    reads, writes = socket.socketpair()
    writes.setblocking(False)
    signal.set_wakeup_fd(writes.fileno(), warn_on_full_buffer=False)
    _kept.append(writes)
    threading.Thread(target=_watch, args=(reads,), name="interrupts", daemon=True).start()


_kept: list[socket.socket] = []  # the wake-up socket has to stay open as long as the process lives


def _watch(reads: socket.socket) -> None:
    while True:
        try:
            numbers = reads.recv(16)
        except OSError:
            return
        if signal.SIGINT not in numbers:
            continue
        if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
            continue  # a command with its own handler, such as the pilot, shuts down by its own rules
        if _came.is_set():
            leave()
        _came.set()
        threading.Thread(target=_stop_all, name="stopping", daemon=True).start()


def _stop_all() -> None:
    give_up = time.monotonic() + _PATIENCE_S
    while time.monotonic() < give_up:
        with _lock:
            stoppers = list(_stoppers.values())
        for stop in stoppers:
            stop()
        time.sleep(_ASK_EVERY_S)
    if not _shows.is_set():
        leave()


def send(pid: int, which: signal.Signals) -> None:
    """Send a signal to a child process of asyncio, which may have ended.

    The process's own methods first look whether it has ended, and if so take its exit status from asyncio, which then
    reports a status of 255.
    """
    with suppress(ProcessLookupError):
        os.kill(pid, which)


def leave() -> None:
    """End the process and its child processes immediately, reporting that it was interrupted."""
    end(STATUS, "interrupted\n")


def end(status: int, said: str = "") -> None:
    """End the process immediately, without waiting for threads or exit handlers."""
    if "multiprocessing" in sys.modules:
        import multiprocessing  # noqa: PLC0415  already imported, so this costs nothing

        with suppress(Exception):
            for process in multiprocessing.active_children():
                process.kill()
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
    if said:
        with suppress(OSError):
            os.write(2, said.encode())
    os._exit(status)
