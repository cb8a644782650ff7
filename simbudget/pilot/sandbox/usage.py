"""What a run uses while it runs, and which limit it has passed.

The kernel's limits hold for each process; here the processes of a run are summed up, a few times a second.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import psutil

from simbudget.pilot.sandbox.limits import Killed, Limits


@dataclass
class Usage:
    """The most that a run has been seen to use."""

    cpu_s: float = 0.0
    peak_memory_bytes: int = 0


def passed_limit(pid: int, directory: Path, limits: Limits, seen: Usage) -> Killed | None:
    """Return the limit that a run has passed, if any; notes in `seen` what it uses."""
    processes = _tree(pid)
    seen.cpu_s = max(seen.cpu_s, sum(_cpu_s(one) for one in processes))
    anonymous_bytes = _anonymous_files_bytes(processes)
    memory_bytes = anonymous_bytes + sum(_resident_bytes(one) for one in processes)
    if (
        memory_bytes > limits.memory_bytes
    ):  # pages that processes share were counted more than once: look closer
        memory_bytes = anonymous_bytes + sum(_own_share_bytes(one) for one in processes)
    seen.peak_memory_bytes = max(seen.peak_memory_bytes, memory_bytes)
    if memory_bytes > limits.memory_bytes:
        return "memory"
    if seen.cpu_s > limits.cpu_s:
        return "cpu"
    if len(processes) > limits.processes + _OWN_PROCESSES:
        return "processes"
    return "disk" if over_disk(directory, limits) else None


_OWN_PROCESSES = 3
"""Of a sandbox itself: bubblewrap twice, and the launcher."""


def _tree(pid: int) -> list[psutil.Process]:
    """Return a process and all that descend from it."""
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.Error:
        return []


def tree_pids(pid: int) -> list[int]:
    """Return the numbers of a process and of all that descend from it."""
    return [one.pid for one in _tree(pid)]


def _cpu_s(process: psutil.Process) -> float:
    """Return a process's time so far, with that of its children that have ended."""
    try:
        times = process.cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system + times.children_user + times.children_system)


def _resident_bytes(process: psutil.Process) -> int:
    """Return a process's resident memory."""
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


def _anonymous_files_bytes(processes: list[psutil.Process]) -> int:
    """Return what is held in files that exist in memory only, each counted once; nobody's resident memory has them."""
    sizes: dict[tuple[int, int], int] = {}
    for process in processes:
        folder = f"/proc/{process.pid}/fd"
        try:
            for name in os.listdir(folder):  # noqa: PTH208  many of them, often
                path = f"{folder}/{name}"
                if os.readlink(path).startswith("/memfd:"):  # noqa: PTH115
                    found = os.stat(path)  # noqa: PTH116
                    sizes[found.st_dev, found.st_ino] = found.st_blocks * 512
        except OSError:  # it ended meanwhile, or is bubblewrap's own
            continue
    return sum(sizes.values())


def _own_share_bytes(process: psutil.Process) -> int:
    """Return a process's resident memory, shared pages divided among those who share them."""
    try:
        return int(process.memory_full_info().pss)
    except psutil.Error:
        return _resident_bytes(process)


def over_disk(directory: Path, limits: Limits) -> bool:
    """Return whether a directory holds more than its limits; stops counting as soon as it does."""
    files, taken, folders = 0, 0, [directory]
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    files += 1
                    taken += entry.stat(follow_symlinks=False).st_blocks * 512
                    if files > limits.files or taken > limits.disk_bytes:
                        return True
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(Path(entry.path))
        except OSError:  # it went away, or a run locked itself out
            continue
    return False
