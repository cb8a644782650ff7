"""An interrupt at the terminal reaches workers too, and is for the parent to answer.

Workers never see one: this module is a preload of Dask's local workers. While workers are being started the parent
answers none either, since half a cluster cannot be ended in good order; it does so right afterwards.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from types import FrameType


def dask_setup(_: object) -> None:
    """Ignore interrupts; Dask calls this in each worker process when it starts."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def held_back() -> Iterator[None]:
    """Answer an interrupt when the block ends; processes that are started in it inherit that none reaches them."""
    if threading.current_thread() is not threading.main_thread():  # only the main thread is interrupted
        yield
        return
    came: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        came.append(number)

    resource_tracker.ensure_running()  # it lets interrupts through again when it is started
    before = signal.signal(signal.SIGINT, note)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
        signal.signal(signal.SIGINT, before)
    if came:
        raise KeyboardInterrupt
