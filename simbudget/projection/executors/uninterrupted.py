"""A preload of Dask's local workers: an interrupt at the terminal reaches them too, and is for the parent to answer."""

import signal


def dask_setup(_: object) -> None:
    """Ignore interrupts; Dask calls this in each worker process when it starts."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
