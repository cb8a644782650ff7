"""Locks that a process holds as long as it lives, so that no two do one thing's work."""

import fcntl
import os
import time
from pathlib import Path
from typing import IO, Final

from simbudget.errors import Problem, UserError

_PAUSE_S: Final = 0.05


def hold_lock(path: Path, patience_s: float) -> IO[bytes]:
    """Return a lock's file, held until it is closed or the process ends.

    Raises:
        UserError: another process has held it for all of `patience_s`.
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
