"""Ctrl-C ends a command within two seconds, whatever it is in the middle of.

Python tells only the main thread of an interrupt, and only between two of its instructions: not while compiled code
runs a replication of minutes, nor while an interpreter that has been told to exit waits for threads that do. So a
thread of our own watches: it asks what runs to stop (`while_running`), and, if the process is then still there and has
nothing to show, ends it.

Results so far are kept: a command that catches KeyboardInterrupt and goes on to show what it has says so with
`showing`, and is left alone to do it; a second Ctrl-C ends that, too.
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
"""A shell's status for a program that an interrupt ended."""
_PATIENCE_S: Final = 1.0
"""How long what runs has to stop by itself: half of two seconds, since a busy machine may need the rest to end."""
_ASK_EVERY_S: Final = 0.02

_stoppers: dict[int, Callable[[], None]] = {}
_numbers = iter(range(1 << 62))
_lock = threading.Lock()
_came = threading.Event()
_shows = threading.Event()


def came() -> bool:
    """Return whether there was an interrupt."""
    return _came.is_set()


@contextmanager
def while_running(stop: Callable[[], None]) -> Iterator[None]:
    """Have `stop` called, again and again, when there is an interrupt while the block runs; from another thread."""
    with _lock:
        number = next(_numbers)
        _stoppers[number] = stop
    try:
        yield
    finally:
        with _lock:
            del _stoppers[number]


def showing() -> None:
    """Say that what was done before an interrupt is about to be shown, which may take a moment."""
    _shows.set()


def watch() -> None:
    """Watch for interrupts from now on; called once, by the command line, in the main thread."""
    reads, writes = socket.socketpair()
    writes.setblocking(False)
    signal.set_wakeup_fd(writes.fileno(), warn_on_full_buffer=False)
    _kept.append(writes)
    threading.Thread(target=_watch, args=(reads,), name="interrupts", daemon=True).start()


_kept: list[socket.socket] = []


def _watch(reads: socket.socket) -> None:
    while True:
        try:
            numbers = reads.recv(16)
        except OSError:
            return
        if signal.SIGINT not in numbers:
            continue
        if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
            continue  # a command that ends itself in good order, such as the pilot
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


def leave() -> None:
    """End the process at once, with the processes that work for it, saying that it was interrupted."""
    end(STATUS, "interrupted\n")


def end(status: int, said: str = "") -> None:
    """End the process at once: neither threads nor handlers of the interpreter's end are waited for."""
    if "multiprocessing" in sys.modules:
        import multiprocessing  # noqa: PLC0415  it has been imported

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
