"""A sandbox: one agent's directory, and the runs in it.

    sandbox = Sandbox(directory, Limits())
    sandbox.write(task.public_files())
    completed = await sandbox.run(("python", "run.py"), timeout_s=60)
    answer = sandbox.read("answer.json")

`isolation.py` isolates a run, `launcher.py` sets the limits that the kernel enforces, and `usage.py` enforces those
that apply to all processes of a run together.
"""

import asyncio
import contextlib
import itertools
import os
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Final

from simbudget.pilot.sandbox.cgroups import MemoryGroup, memory_group
from simbudget.pilot.sandbox.isolation import Isolation, environment, isolation, own_user, wrapped
from simbudget.pilot.sandbox.limits import Completed, Killed, Limits
from simbudget.pilot.sandbox.usage import Usage, over_disk, passed_limit, tree_pids

_LOOK_EVERY_S: Final = 0.1
"""Time between two checks of the limits."""
_LOOK_AT_ONCE_S: Final = 0.01
"""The shortest time between two checks, when memory is nearly used up."""
_FILLED_PER_CORE_AND_S: Final = 2 * 1024**3
"""A core writes to fresh pages at 1 to 2 GiB per second, which bounds how fast the remaining memory can be used up."""
_KILLING_ROUNDS: Final = 200
"""Attempts to kill processes that may fork meanwhile."""
_PRIVATE: Final = 0o700


class Sandbox:
    """One agent's sandbox. Runs in the same directory share its files, so there is usually one at a time."""

    def __init__(
        self,
        directory: Path,
        limits: Limits = Limits(),  # noqa: B008
        kind: Isolation | None = None,
        counts_in_kernel: bool = True,
    ) -> None:
        """Create the directory.

        Args:
            directory: the agent's directory.
            limits: the limits of each run.
            kind: the isolation of a run; by default the best that this machine offers.
            counts_in_kernel: let a control group count memory, if one can be created.
        """
        self.counts_in_kernel = counts_in_kernel
        self.directory = directory.resolve()
        self.limits = limits
        self.kind = kind or isolation()
        self.directory.mkdir(parents=True, exist_ok=True)
        self.directory.chmod(_PRIVATE)
        self._give(self.directory)

    def write(self, files: Mapping[str, bytes]) -> None:
        """Write files into the directory, replacing whatever a run left in their place.

        Args:
            files: content by relative path.

        Raises:
            ValueError: a path leads out of the directory.
        """
        for name, content in files.items():
            parts = Path(name).parts
            if not parts or Path(name).is_absolute() or ".." in parts:
                raise ValueError(f"{name!r} leads out of the sandbox")
            folder = self.directory
            for part in parts[:-1]:
                folder = self._folder(folder / part)
            self._place(folder / parts[-1], content)

    def _folder(self, path: Path) -> Path:
        """Return a real folder at a path, where a run might have left a link to somewhere else."""
        if path.is_symlink() or (path.exists() and not path.is_dir()):
            path.unlink()
        path.mkdir(exist_ok=True)
        self._give(path)
        return path

    def _place(self, path: Path, content: bytes) -> None:
        """Write a new file at a path, replacing anything that is there."""
        if path.is_dir() and not path.is_symlink():
            remove_tree(path)
        descriptor, fresh = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        self._give(Path(fresh))
        Path(fresh).replace(path)

    def _give(self, path: Path) -> None:
        """Make the sandbox's user the owner of a path."""
        user = own_user(self.directory, self.kind)
        if user is not None:
            os.chown(path, user, user, follow_symlinks=False)

    def read(self, path: str, at_most_bytes: int = 16 * 1024 * 1024) -> bytes | None:
        """Return the content of a file that a run left; None if it is missing, too large, or not a regular file."""
        try:
            descriptor = _opened_within(self.directory, path)
        except OSError:
            return None
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return None
            content = file.read(at_most_bytes + 1)
        return content if len(content) <= at_most_bytes else None

    async def run(
        self, command: Sequence[str], timeout_s: float, more_environment: Mapping[str, str] | None = None
    ) -> Completed:
        """Run a command in the directory, within the limits.

        Cancelling it kills the command and everything it started.

        Args:
            command: the command; `python` stands for the Python that runs the pilot.
            timeout_s: real time after which the run is killed.
            more_environment: further environment variables.
        """
        if over_disk(self.directory, self.limits):
            return Completed(-signal.SIGKILL, "", "the sandbox's directory is full\n", 0.0, 0.0, 0, "disk")
        with (
            tempfile.TemporaryFile() as stdout,
            tempfile.TemporaryFile() as stderr,
            tempfile.TemporaryFile() as told,
        ):
            group = memory_group(self.limits.memory_bytes) if self.counts_in_kernel else None
            whole = wrapped(command, self.directory, self.limits, self.kind, told.fileno(), group is not None)
            if group is not None:
                whole = group.entering(whole)
            began = time.monotonic()
            process = subprocess.Popen(
                whole,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                env={**environment(self.directory, self.kind), **(more_environment or {})},
                start_new_session=True,
                pass_fds=(told.fileno(),),
            )
            seen = Usage()
            try:
                because = await self._ended(process, timeout_s, seen, group)
            finally:
                if group is not None:
                    seen.peak_memory_bytes = group.peak_bytes  # exact, unlike the sampled value
                    group.remove()
            wall_s = time.monotonic() - began
            seen.cpu_s = max(seen.cpu_s, _seconds(told))
            return Completed(
                returncode=process.returncode,
                stdout=_kept(stdout, self.limits.output_bytes),
                stderr=_kept(stderr, self.limits.output_bytes),
                wall_s=wall_s,
                cpu_s=seen.cpu_s,
                peak_memory_bytes=seen.peak_memory_bytes,
                killed_because=because,
            )

    async def _ended(
        self, process: "subprocess.Popen[bytes]", timeout_s: float, seen: Usage, group: MemoryGroup | None
    ) -> Killed | None:
        """Wait until a run has ended or exceeded a limit, and make sure that no process of it is left."""
        give_up = time.monotonic() + timeout_s
        because: Killed | None = None
        exited = _exit_of(process.pid)
        try:
            while because is None and not exited.done():
                left_s = give_up - time.monotonic()
                pause_s = _LOOK_EVERY_S if group is not None else self._safe_pause_s(seen)
                await asyncio.wait([exited], timeout=max(0.0, min(pause_s, left_s)))
                if not exited.done():
                    because = passed_limit(process.pid, self.directory, self.limits, seen, group is not None)
                    because = because or ("timeout" if left_s <= 0 else None)
                if group is not None and group.has_run_out:
                    because = "memory"
        finally:
            if not exited.done():
                _kill(process.pid)
            _collect(process, seen)
            exited.cancel()
        return because or _told_by(process.returncode, seen, self.limits)

    def _safe_pause_s(self, seen: Usage) -> float:
        """Return how long to wait until the next check, such that the memory limit is not far exceeded meanwhile."""
        left_bytes = max(0, self.limits.memory_bytes - seen.memory_bytes)
        filled_s = left_bytes / (_FILLED_PER_CORE_AND_S * (os.cpu_count() or 1))
        return min(_LOOK_EVERY_S, max(_LOOK_AT_ONCE_S, filled_s))


def remove_tree(path: Path) -> None:
    """Remove a folder with everything in it, however deeply nested.

    Nested folders are first moved to the top. A program that changes into each folder can nest them deeper than
    Python's stack or the kernel's maximum length of a path would allow to follow.
    """
    top = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        names = (f"removed-{number}" for number in itertools.count())
        while found := os.listdir(top):  # noqa: PTH208  relative to a descriptor
            for name in found:
                _take_apart(name, top, names)
    finally:
        os.close(top)
    path.rmdir()


def _take_apart(name: str, top: int, names: Iterator[str]) -> None:
    """Remove a file, or a folder whose own folders are moved to the top."""
    try:
        folder = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=top)
    except PermissionError:  # a folder whose permissions the run has removed
        os.chmod(name, _PRIVATE, dir_fd=top)
        folder = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=top)
    except OSError:  # a file, a link, a pipe
        os.unlink(name, dir_fd=top)
        return
    try:
        os.fchmod(folder, _PRIVATE)
        for below in os.listdir(folder):  # noqa: PTH208
            if stat.S_ISDIR(os.stat(below, dir_fd=folder, follow_symlinks=False).st_mode):
                _move_up(below, folder, top, names)
            else:
                os.unlink(below, dir_fd=folder)
    finally:
        os.close(folder)
    os.rmdir(name, dir_fd=top)


def _move_up(name: str, folder: int, top: int, names: Iterator[str]) -> None:
    """Move a folder to the top, under an unused name."""
    for free in names:
        try:
            os.stat(free, dir_fd=top, follow_symlinks=False)
        except FileNotFoundError:
            break
    os.chmod(name, _PRIVATE, dir_fd=folder)
    os.rename(name, free, src_dir_fd=folder, dst_dir_fd=top)


def _opened_within(directory: Path, path: str) -> int:
    """Return a descriptor of a file below a directory, opened without following links.

    Raises:
        OSError: there is no such file, or a link is in the way.
    """
    *folders, name = Path(path).parts
    here = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for folder in folders:
            if folder in {"..", "/"}:
                raise FileNotFoundError(path)
            below = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=here)
            os.close(here)
            here = below
        return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=here)
    finally:
        os.close(here)


def _exit_of(pid: int) -> "asyncio.Future[None]":
    """Return a future that completes when a child process ends; the child still has to be reaped."""
    loop = asyncio.get_running_loop()
    exited: asyncio.Future[None] = loop.create_future()
    descriptor = os.pidfd_open(pid)
    loop.add_reader(descriptor, _set, exited)

    def close(_: object) -> None:
        loop.remove_reader(descriptor)
        os.close(descriptor)

    exited.add_done_callback(close)
    return exited


def _set(future: "asyncio.Future[None]") -> None:
    """Complete a future unless it is already done."""
    if not future.done():
        future.set_result(None)


def _kill(pid: int) -> None:
    """Kill a run: stop and kill all its processes, so that none can fork another, then their common ancestor.

    With bubblewrap, the last step alone would do, since its processes end with their namespace.
    """
    for _ in range(_KILLING_ROUNDS):
        below = [one for one in tree_pids(pid) if one != pid]
        if not below:
            break
        for which in (signal.SIGSTOP, signal.SIGKILL):
            for one in below:
                _signal(one, which)
    _signal(pid, signal.SIGKILL)


def _signal(pid: int, which: signal.Signals) -> None:
    """Send a signal to a process that may have ended."""
    with contextlib.suppress(OSError):
        os.kill(pid, which)


def _collect(process: "subprocess.Popen[bytes]", seen: Usage) -> None:
    """Reap a child that has ended or is about to, and record its usage."""
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seen.cpu_s = max(seen.cpu_s, used.ru_utime + used.ru_stime)


def _told_by(returncode: int, seen: Usage, limits: Limits) -> Killed | None:
    """Return the limit for which the kernel itself ended a run, if any."""
    if returncode in {-signal.SIGXCPU, 128 + signal.SIGXCPU} or (
        returncode in {-signal.SIGKILL, 128 + signal.SIGKILL} and seen.cpu_s >= limits.cpu_s
    ):
        return "cpu"
    return "disk" if returncode in {-signal.SIGXFSZ, 128 + signal.SIGXFSZ} else None


def _seconds(told: IO[bytes]) -> float:
    """Return the processor time that the launcher reported, or 0 if it was killed first."""
    told.seek(0)
    return float(told.read() or 0.0)


def _kept(file: IO[bytes], most_bytes: int) -> str:
    """Return the output of a run, or its beginning and end if it is long."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    if size <= most_bytes:
        return file.read().decode("utf-8", "replace")
    beginning = file.read(most_bytes // 2).decode("utf-8", "replace")
    file.seek(size - most_bytes // 2)
    left_out = f"\n… {size - most_bytes // 2 * 2:,} bytes left out …\n"
    return beginning + left_out + file.read().decode("utf-8", "replace")
