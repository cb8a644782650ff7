"""Locks held for the lifetime of a process, so that no two processes do the same work."""

import fcntl
import os
import time
from pathlib import Path
from typing import IO, Final

from simbudget.errors import Problem, UserError

_PAUSE_S: Final = 0.05
"""Time between attempts: too short to notice, too long to load the processor."""


def hold_lock(path: Path, patience_s: float) -> IO[bytes]:
    """Acquire a lock, which is held until the returned file is closed or the process ends.

    Args:
        path: the lock file; created if it does not exist.
        patience_s: how long to wait for another process to release it.

    Raises:
        UserError: another process held it for all of `patience_s`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.open("ab")
    os.fchmod(lock.fileno(), 0o600)
    give_up_at = time.monotonic() + patience_s
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > give_up_at:
                lock.close()
                raise UserError(
                    Problem(f"another process holds {path}", remedy="end the pilot that runs there first")
                ) from None
            time.sleep(_PAUSE_S)
        else:
            return lock
