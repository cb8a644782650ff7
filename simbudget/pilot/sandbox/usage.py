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
    memory_bytes: int = 0
    """At the last look."""
    peak_memory_bytes: int = 0


def passed_limit(
    pid: int, directory: Path, limits: Limits, seen: Usage, counted_by_kernel: bool
) -> Killed | None:
    """Return the limit that a run has passed, if any; notes in `seen` what it uses.

    Memory is left to the kernel where a control group counts it: the sum over processes includes pages of programs'
    files, which the kernel takes back when it needs them.
    """
    processes = _tree(pid)
    seen.cpu_s = max(seen.cpu_s, sum(_cpu_s(one) for one in processes))
    held_bytes = _held_bytes(processes)
    memory_bytes = held_bytes + sum(_status_bytes(one.pid) for one in processes)
    if memory_bytes > limits.memory_bytes:
        # Pages that processes share were counted more than once: look closer.
        memory_bytes = held_bytes + sum(_own_share_bytes(one) for one in processes)
    seen.memory_bytes = memory_bytes
    seen.peak_memory_bytes = max(seen.peak_memory_bytes, memory_bytes)
    if memory_bytes > limits.memory_bytes and not counted_by_kernel:
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


def _status_bytes(pid: int) -> int:
    """Return what a process holds: resident memory, what of it is swapped out, and the tables that map it.

    The tables count since reading untouched memory maps the kernel's one empty page, and only they grow.
    """
    kilobytes = 0
    try:
        with open(f"/proc/{pid}/status", "rb") as file:  # noqa: PTH123  many of them, often
            for line in file:
                if line.startswith((b"VmRSS:", b"VmSwap:", b"VmPTE:")):
                    kilobytes += int(line.split()[1])
    except (OSError, ValueError):
        return 0
    return kilobytes * 1024


def _held_bytes(processes: list[psutil.Process]) -> int:
    """Return what is held beyond anybody's resident memory: in anonymous files, pipes, sockets and small file systems.

    Each is counted once, pipes and sockets at the most that they can hold, since the kernel does not tell.
    """
    files: dict[tuple[int, int], int] = {}
    channels: dict[str, int] = {}
    for process in processes:
        folder = f"/proc/{process.pid}/fd"
        try:
            for name in os.listdir(folder):  # noqa: PTH208  many of them, often
                path = f"{folder}/{name}"
                what = os.readlink(path)  # noqa: PTH115
                if what.startswith("/memfd:"):
                    found = os.stat(path)  # noqa: PTH116
                    files[found.st_dev, found.st_ino] = found.st_blocks * 512
                elif what.startswith("pipe:"):
                    channels[what] = _PIPE_BYTES
                elif what.startswith("socket:"):
                    channels[what] = _SOCKET_BYTES
                elif what == "anon_inode:[eventpoll]":
                    channels[f"{process.pid} {name}"] = _POLL_BYTES
        except OSError:  # it ended meanwhile, or is bubblewrap's own
            continue
    return sum(files.values()) + sum(channels.values()) + _small_file_systems_bytes(processes)


_PIPE_BYTES = 64 * 1024
"""A pipe's size, which a sandbox's filter does not let anybody change."""
_SOCKET_BYTES = 416 * 1024
"""What a Unix socket can have sent: `net.core.wmem_default`, doubled by the kernel for what it keeps with it."""
_POLL_BYTES = 64 * 1024
"""A list of 256 descriptors to wait for, at some 250 bytes each."""
_INODE_BYTES = 2048
"""An empty file on a file system in memory: its inode, and a name of up to 255 bytes."""


def _small_file_systems_bytes(processes: list[psutil.Process]) -> int:
    """Return what a sandbox's own file systems in memory hold, deleted and empty files included."""
    shared = os.stat("/tmp").st_dev  # noqa: PTH116
    for process in reversed(processes):  # the youngest are surely inside
        root = f"/proc/{process.pid}/root"
        try:
            if os.stat(f"{root}/tmp").st_dev == shared:  # noqa: PTH116
                continue  # a process that sees the machine's
            held = 0
            for name in ("tmp", "dev/shm"):
                seen = os.statvfs(f"{root}/{name}")
                held += (seen.f_blocks - seen.f_bfree) * seen.f_frsize
                held += (seen.f_files - seen.f_ffree) * _INODE_BYTES
        except OSError:  # it ended meanwhile
            continue
        return held
    return 0


def _own_share_bytes(process: psutil.Process) -> int:
    """Return a process's memory, pages that it shares divided among those who share them."""
    try:
        shared = int(process.memory_info().rss) - int(process.memory_full_info().pss)
    except psutil.Error:
        shared = 0
    return _status_bytes(process.pid) - shared


def over_disk(directory: Path, limits: Limits) -> bool:
    """Return whether a directory holds more, or goes deeper, than its limits; stops counting as soon as it does."""
    files, taken, folders = 0, 0, [(str(directory), 0)]
    while folders:
        folder, depth = folders.pop()
        if depth > limits.depth:
            return True
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    files += 1
                    taken += entry.stat(follow_symlinks=False).st_blocks * 512
                    if files > limits.files or taken > limits.disk_bytes:
                        return True
                    if entry.is_dir(follow_symlinks=False):
                        folders.append((entry.path, depth + 1))
        except OSError:  # it went away, or a run locked itself out
            continue
    return False
