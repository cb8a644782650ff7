"""The resource usage of a run in progress, and the limit that it has exceeded.

The kernel's limits apply to each process; here all processes of a run are summed up, several times a second.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import psutil

from simbudget.pilot.sandbox.limits import OPEN_FILES, Killed, Limits


@dataclass
class Usage:
    """The resource usage of a run, as observed so far."""

    cpu_s: float = 0.0
    memory_bytes: int = 0
    """In the last sample."""
    peak_memory_bytes: int = 0


def passed_limit(
    pid: int, directory: Path, limits: Limits, seen: Usage, counted_by_kernel: bool
) -> Killed | None:
    """Return the limit that a run has exceeded, or None; updates `seen`.

    Where a control group counts memory, the limit is left to the kernel: the sum over processes includes pages of
    program files, which the kernel reclaims when it needs them.

    Args:
        pid: the run's first process.
        directory: the sandbox's directory.
        limits: the run's limits.
        seen: its usage as observed so far.
        counted_by_kernel: whether a control group counts its memory.
    """
    processes = _tree(pid)
    seen.cpu_s = max(seen.cpu_s, sum(_cpu_s(one) for one in processes))
    held_bytes = _held_bytes(processes)
    if not counted_by_kernel:
        held_bytes += _records_bytes(processes, limits)
    memory_bytes = held_bytes + sum(_status_bytes(one.pid) for one in processes)
    if memory_bytes > limits.memory_bytes:
        # Shared pages were counted once per process, so count them in proportion, which is slower.
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
"""Processes of the sandbox itself: two of bubblewrap, and the launcher."""


def _tree(pid: int) -> list[psutil.Process]:
    """Return a process and all its descendants."""
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.Error:
        return []


def tree_pids(pid: int) -> list[int]:
    """Return the ids of a process and all its descendants."""
    return [one.pid for one in _tree(pid)]


def _cpu_s(process: psutil.Process) -> float:
    """Return a process's processor time, including children that have ended."""
    try:
        times = process.cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system + times.children_user + times.children_system)


def _status_bytes(pid: int) -> int:
    """Return a process's memory: resident, swapped out, and page tables.

    Page tables count because reading untouched memory maps the kernel's shared zero page, and only the tables grow.
    """
    kilobytes = 0
    try:
        with open(f"/proc/{pid}/status", "rb") as file:  # noqa: PTH123  many of them, often
            for line in file:
                if line.startswith((b"VmRSS:", b"VmSwap:", b"VmPTE:", b"HugetlbPages:")):
                    kilobytes += int(line.split()[1])
    except (OSError, ValueError):
        return 0
    return kilobytes * 1024


def _held_bytes(processes: list[psutil.Process]) -> int:
    """Return memory outside any process's resident set: in anonymous files, pipes, sockets and small file systems.

    Each is counted once; pipes and sockets count with their capacity, since the kernel does not report their content.
    """
    files: dict[tuple[int, int], int] = {}
    channels: dict[str, int] = {}
    own = _own(processes)
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
                elif what.startswith(("/dev/pt", "/dev/tty")):
                    channels[f"{process.pid} {name}"] = _TERMINAL_BYTES
        except PermissionError:
            if process not in own and _status_bytes(process.pid):  # it hides, and may hold anything
                channels[f"hidden {process.pid}"] = OPEN_FILES * _SOCKET_BYTES
        except OSError:  # the process has ended
            continue
    return sum(files.values()) + sum(channels.values()) + _small_file_systems_bytes(processes)


def _own(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Return the sandbox's own processes, which are the oldest: bubblewrap's two, and the launcher."""
    try:
        return processes[: _OWN_PROCESSES if processes and processes[0].name() == "bwrap" else 1]
    except psutil.Error:
        return processes[:_OWN_PROCESSES]


def _records_bytes(processes: list[psutil.Process], limits: Limits) -> int:
    """Return what the kernel's records of processes' memory may take, beyond what a few processes may take unnoticed.

    A process can divide its memory into many small pieces, without touching any. They could be counted by reading
    `/proc/PID/maps`, but not in time: a process that is dividing its memory holds the lock that this needs.
    """
    unnoticed = int(_UNNOTICED * limits.memory_bytes / _RECORDS_BYTES)
    return max(0, len(processes) - _OWN_PROCESSES - unnoticed) * _RECORDS_BYTES


_RECORDS_BYTES = 12 * 1024 * 1024
"""The kernel's default of 65,530 pieces of memory at most, at some 190 bytes each."""
_UNNOTICED = 0.15
"""Share of the limit on memory for records of memory that are not counted."""
_TERMINAL_BYTES = 128 * 1024
"""What a terminal holds that nobody reads."""
_PIPE_BYTES = 64 * 1024
"""The default capacity of a pipe, which the sandbox's filter does not allow to be changed."""
_SOCKET_BYTES = 416 * 1024
"""The capacity of a Unix socket: `net.core.wmem_default`, doubled by the kernel for its own overhead."""
_POLL_BYTES = 64 * 1024
"""A list of 256 file descriptors to wait for, at some 250 bytes each."""
_INODE_BYTES = 2048
"""An empty file on a file system in memory: its inode, and a name of up to 255 bytes."""


def _small_file_systems_bytes(processes: list[psutil.Process]) -> int:
    """Return what the sandbox's own file systems in memory hold, including deleted and empty files."""
    shared = os.stat("/tmp").st_dev  # noqa: PTH116
    for process in reversed(processes):  # the youngest is certainly inside the sandbox
        root = f"/proc/{process.pid}/root"
        try:
            if os.stat(f"{root}/tmp").st_dev == shared:  # noqa: PTH116
                continue  # a process that sees the machine's file system
            held = 0
            for name in ("tmp", "dev/shm"):
                seen = os.statvfs(f"{root}/{name}")
                held += (seen.f_blocks - seen.f_bfree) * seen.f_frsize
                held += (seen.f_files - seen.f_ffree) * _INODE_BYTES
        except OSError:  # the process has ended
            continue
        return held
    return 0


def _own_share_bytes(process: psutil.Process) -> int:
    """Return a process's memory, with shared pages divided among the processes that share them."""
    try:
        shared = int(process.memory_info().rss) - int(process.memory_full_info().pss)
    except psutil.Error:
        shared = 0
    return _status_bytes(process.pid) - shared


def over_disk(directory: Path, limits: Limits) -> bool:
    """Return whether a directory exceeds its limits on size or depth; stops counting as soon as it does."""
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
        except OSError:  # the folder was removed, or a run removed its own permissions
            continue
    return False
