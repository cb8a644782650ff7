"""A control group for a run, if this process may create one: the kernel then counts all memory, of whatever kind.

With version 2 it is created beside or below this process's group, if the memory controller has been delegated there
(as by `systemd-run --user --scope -p Delegate=memory`); with version 1, below it. Otherwise there is none, and
`usage.py` adds up the memory of a run's processes.
"""

import contextlib
import itertools
import os
import time
from functools import cache
from pathlib import Path
from typing import Final

_ROOT: Final = Path("/sys/fs/cgroup")
_NAME: Final = "simbudget-"
_PATIENCE_S: Final = 2.0
"""How long to wait until the kernel notices that a group's last process has gone."""
_numbers = itertools.count()


class MemoryGroup:
    """A control group with a memory limit, for the processes of one run."""

    def __init__(self, folder: Path, version: int) -> None:
        self._folder, self._version = folder, version

    def entering(self, command: tuple[str, ...]) -> tuple[str, ...]:
        """Return a command that enters the group before it does anything else, so that no process escapes."""
        return ("/bin/sh", "-c", 'echo $$ > "$0" && exec "$@"', str(self._folder / "cgroup.procs"), *command)

    @property
    def peak_bytes(self) -> int:
        """Return the peak memory so far."""
        name = "memory.peak" if self._version == 2 else "memory.max_usage_in_bytes"
        text = _read(self._folder / name)
        return int(text) if text.strip().isdigit() else 0

    @property
    def has_run_out(self) -> bool:
        """Return whether the kernel has killed one of its processes for exceeding the limit."""
        text = _read(self._folder / ("memory.events" if self._version == 2 else "memory.oom_control"))
        return any(line.startswith("oom_kill ") and line.split()[1] != "0" for line in text.splitlines())

    def remove(self) -> None:
        """Remove the group, whose processes have been killed."""
        give_up = time.monotonic() + _PATIENCE_S
        while True:
            try:
                self._folder.rmdir()
            except FileNotFoundError:
                return
            except OSError:
                if time.monotonic() > give_up:
                    return  # the next process that creates a group tries again
                time.sleep(0.005)
            else:
                return


def memory_group(limit_bytes: int) -> MemoryGroup | None:
    """Create a group with a limit; return None where that is impossible."""
    place = _place()
    if place is None:
        return None
    return _made(*place, limit_bytes)


def _made(parent: Path, version: int, limit_bytes: int) -> MemoryGroup | None:
    folder = parent / f"{_NAME}{os.getpid()}-{next(_numbers)}"
    try:
        folder.mkdir()
        if version == 2:
            (folder / "memory.max").write_text(str(limit_bytes))
            (folder / "memory.oom.group").write_text("1")
            with contextlib.suppress(OSError):  # a kernel without swap does not have this file
                (folder / "memory.swap.max").write_text("0")
        else:
            (folder / "memory.limit_in_bytes").write_text(str(limit_bytes))
            with contextlib.suppress(OSError):
                (folder / "memory.memsw.limit_in_bytes").write_text(str(limit_bytes))
    except OSError:
        with contextlib.suppress(OSError):
            folder.rmdir()
        return None
    return MemoryGroup(folder, version)


@cache
def _place() -> tuple[Path, int] | None:
    """Return the parent group and the version with which groups can be created, found out by creating one."""
    for parent, version in _candidates():
        _tidy(parent)
        group = _made(parent, version, 64 * 1024 * 1024)  # any limit will do
        if group is not None:
            group.remove()
            return parent, version
    return None


def _candidates() -> list[tuple[Path, int]]:
    own: dict[str, str] = {}
    for line in _read(Path("/proc/self/cgroup")).splitlines():
        _, controllers, path = line.split(":", 2)
        own[controllers] = path.lstrip("/")
    found = []
    if "" in own:  # version 2
        for mounted in (_ROOT, _ROOT / "unified"):
            group = mounted / own[""]
            found += [
                (one, 2)
                for one in (group, group.parent)
                if "memory" in _read(one / "cgroup.subtree_control").split()
            ]
    for controllers, path in own.items():
        if "memory" in controllers.split(","):
            found.append((_ROOT / "memory" / path, 1))
    return found


def _tidy(parent: Path) -> None:
    """Remove groups left by processes that were killed; the kernel refuses to remove those in use."""
    with contextlib.suppress(OSError):
        for folder in parent.glob(f"{_NAME}*"):
            with contextlib.suppress(OSError):
                folder.rmdir()


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
