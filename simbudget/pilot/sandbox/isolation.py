"""Isolates a run from the rest of the machine, by a command line that precedes the run's own.

Where bubblewrap works, a run sees its own directory as `/sandbox`, the system's programs and Python (read only), a
small `/tmp`, no network, and only its own processes. Elsewhere it is an ordinary process with resource limits, which
can change only its own directory if the kernel has Landlock; the report says so. Started by root, every sandbox has
its own user id, without which a limit on processes has no effect, since the kernel exempts root even inside
namespaces. For other users, a user namespace serves the same purpose.
"""

import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import zlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final, Literal

import psutil

from simbudget.errors import Problem, UserError
from simbudget.pilot.sandbox.limits import MIB, OPEN_FILES, Limits
from simbudget.pilot.sandbox.system_calls import filter_for

Isolation = Literal["bubblewrap", "limits only"]

INSIDE: Final = Path("/sandbox")
_LAUNCHER: Final = Path(__file__).with_name("launcher.py")
_LAUNCHER_INSIDE: Final = Path("/launcher.py")
_SYSTEM: Final = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_ETC: Final = ("/etc/ld.so.cache", "/etc/alternatives")
_FIRST_USER: Final = 1_900_000_000
"""First user id of sandboxes: below 2**31, and outside the ranges that distributions and containers assign."""
_USERS: Final = 100_000_000
_SHARED_MEMORY_BYTES: Final = 16 * MIB
_TMP_BYTES: Final = 64 * MIB
_PENDING_SIGNALS: Final = 1024
"""Also limits timers, each of which takes some hundred bytes of kernel memory."""
_COUNTS_BY_NAMESPACE: Final = (5, 14)
"""The version from which Linux counts RLIMIT_NPROC by user namespace."""
_OWN_TASKS: Final = 2  # bubblewrap's first process and the launcher


@cache
def isolation() -> Isolation:
    """Return the isolation that works on this machine, found out by trying it."""
    bubblewrap = shutil.which("bwrap")
    if bubblewrap is None:
        return "limits only"
    words = [
        bubblewrap,
        *_namespaces(),
        *_file_system(Path("/tmp")),
        "--",
        sys.executable,
        "-I",
        "-S",
        "-c",
        "",
    ]
    tried = subprocess.run(words, capture_output=True, check=False, stdin=subprocess.DEVNULL)
    return "bubblewrap" if tried.returncode == 0 else "limits only"


def isolation_in_words(kind: Isolation | None = None) -> str:
    """Describe in a sentence what is isolated and what is not."""
    if (kind or isolation()) == "bubblewrap":
        return f"Sandboxes use bubblewrap: own directory only, no network, resource limits{_filtered()}."
    own_user = "with user ids of their own" if os.geteuid() == 0 else "as the user who runs the pilot"
    return (
        f"bubblewrap does not work here: agents' programs run {own_user}, with limits on memory, processor time, "
        f"processes and disk{_filtered()}, but see every file that this user can read, including labels that "
        "ship with scikit-learn. Install bubblewrap before you rely on scores."
    )


def _filtered() -> str:
    """Describe the filter of system calls, if there is one for this machine."""
    if filter_for() is None:
        return " (no system call filter is available for this processor)"
    return ", a system call filter"


def own_user(directory: Path, kind: Isolation) -> int | None:
    """Return the user id of a sandbox's runs if root starts them, otherwise None for the current user.

    Without bubblewrap, this needs a Python and a directory that another user can access.

    Raises:
        UserError: they are not accessible; root's own programs could fork without end, and take down the machine.
    """
    if os.geteuid() != 0:
        return None
    closed = [one for one in (directory, Path(sys.executable)) if not _open_to_all(one)]
    if kind != "bubblewrap" and closed:
        raise UserError(
            Problem(
                f"without bubblewrap, root cannot limit agents' programs, since {closed[0]} is accessible to root only",
                remedy="install bubblewrap (apt-get install bubblewrap), or run the pilot as another user",
            )
        )
    # The same directory always has the same user, which owns its files.
    return _FIRST_USER + zlib.crc32(str(directory.resolve()).encode()) % _USERS


def wrapped(
    command: Sequence[str],
    directory: Path,
    limits: Limits,
    kind: Isolation,
    told_to: int,
    is_counted: bool = False,
) -> tuple[str, ...]:
    """Return the command line that runs a command in a sandbox.

    Args:
        command: the command; `python` stands for the Python that runs the pilot.
        directory: the sandbox's directory.
        limits: its resource limits.
        kind: its isolation.
        told_to: file descriptor to which the launcher finally writes the run's processor time in seconds.
        is_counted: whether a control group counts its memory; if not, a run that sees the machine's file systems in
            memory may not write to them.
    """
    program = sys.executable if command[0] == "python" else command[0]
    inside = kind == "bubblewrap"
    order = {
        "limits": _limits(limits, _others(directory, kind)),
        "user": own_user(directory, kind),
        "guard": not inside,
        "tell": told_to,
        "directory": str(INSIDE if inside else directory),
        "writes": None if inside else [str(directory), "/dev/null", *(("/dev/shm",) if is_counted else ())],
        "filter": filter_for(),
    }
    launcher = _LAUNCHER_INSIDE if inside else _LAUNCHER
    words = (sys.executable, "-I", "-S", str(launcher), json.dumps(order), program, *command[1:])
    if not inside:
        return words
    return (shutil.which("bwrap") or "bwrap", *_namespaces(), *_file_system(directory), "--", *words)


def environment(directory: Path, kind: Isolation) -> dict[str, str]:
    """Return the environment of a run: only the path to programs is inherited, and libraries use one thread each."""
    inside = INSIDE if kind == "bubblewrap" else directory
    own = Path(sys.executable).parent
    temporary = {} if kind == "bubblewrap" else {"TMPDIR": str(directory)}  # it may write nowhere else
    threads = dict.fromkeys(
        ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
    )
    return {
        "PATH": f"{own}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(inside),
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        **threads,
        **temporary,
    }


def _limits(limits: Limits, others: int) -> dict[str, int]:
    """Return the kernel's limits; those on memory, time and files are per process, and the sandbox sums them up."""
    return {
        "RLIMIT_AS": limits.memory_bytes + 1024 * MIB,  # libraries map far more than they touch
        "RLIMIT_DATA": limits.memory_bytes,
        "RLIMIT_CPU": max(1, round(limits.cpu_s + 0.5)),
        "RLIMIT_FSIZE": limits.disk_bytes,
        "RLIMIT_NPROC": limits.processes + others,
        "RLIMIT_NOFILE": OPEN_FILES,
        "RLIMIT_CORE": 0,
        "RLIMIT_MSGQUEUE": 0,
        "RLIMIT_SIGPENDING": _PENDING_SIGNALS,
    }


def _others(directory: Path, kind: Isolation) -> int:
    """Return the number of tasks that the kernel already counts for the user of a run.

    A sandbox's own user has none. In a fresh user namespace only the sandbox's own tasks count, since Linux 5.14
    counts by namespace; before, all tasks of the user do.
    """
    if own_user(directory, kind) is not None:
        return 0
    kernel = tuple(int(part) for part in platform.release().split("-")[0].split(".")[:2])
    if kind == "bubblewrap" and kernel >= _COUNTS_BY_NAMESPACE:
        return _OWN_TASKS
    return sum(
        one.info["num_threads"] or 0 for one in psutil.process_iter(["uids", "num_threads"]) if _is_ours(one)
    )


def _is_ours(process: psutil.Process) -> bool:
    """Return whether a process belongs to the current user."""
    uids = process.info["uids"]
    return uids is not None and uids.real == os.getuid()


def _namespaces() -> list[str]:
    """Return bubblewrap's options for what a run does not share with the machine."""
    apart = ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
    if os.geteuid() == 0:  # needed to change the user; the launcher then drops these capabilities
        capabilities = ["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    else:
        capabilities = ["--unshare-user"]
    return [*apart, *capabilities, "--die-with-parent", "--new-session", "--chdir", "/"]


def _file_system(directory: Path) -> list[str]:
    """Return bubblewrap's options for the run's view of the file system."""
    words: list[str] = []
    for path in map(Path, _SYSTEM):
        if path.is_symlink():
            words += ["--symlink", str(path.readlink()), str(path)]
        elif path.exists():
            words += ["--ro-bind", str(path), str(path)]
    words += [part for path in _ETC for part in ("--ro-bind-try", path, path)]
    words += [
        "--perms",
        "1777",
        "--size",
        str(_TMP_BYTES),
        "--tmpfs",
        "/tmp",
    ]  # before Python's folders, which may lie in it
    for path in _python_folders():
        above = reversed(
            path.parents[:-1]
        )  # otherwise bubblewrap creates them accessible to their owner only
        words += [part for one in above for part in ("--perms", "0755", "--dir", str(one))]
        words += ["--ro-bind", str(path), str(path)]
    words += [part for path in hidden_folders() for part in ("--tmpfs", str(path), "--remount-ro", str(path))]
    words += ["--proc", "/proc", "--dev", "/dev"]
    words += [
        "--perms",
        "1777",
        "--size",
        str(_SHARED_MEMORY_BYTES),
        "--tmpfs",
        "/dev/shm",
        # A shared mapping of /dev/zero would be memory that belongs to no process; a terminal holds what nobody reads.
        *("--dev-bind", "/dev/null", "/dev/zero"),
        *("--tmpfs", "/dev/pts", "--remount-ro", "/dev/pts"),
        "--remount-ro",
        "/dev",
    ]
    words += ["--ro-bind", str(_LAUNCHER), str(_LAUNCHER_INSIDE)]
    return [*words, "--bind", str(directory), str(INSIDE), "--remount-ro", "/"]


def _open_to_all(path: Path) -> bool:
    """Return whether other users can reach a path, regardless of its own permissions."""
    return all(folder.stat().st_mode & 0o001 for one in (path, path.resolve()) for folder in one.parents)


@cache
def _python_folders() -> tuple[Path, ...]:
    """Return the folders of this Python outside the system's."""
    folders = {Path(one) for one in (sys.prefix, sys.base_prefix)} | {
        Path(one).resolve() for one in (sys.prefix, sys.base_prefix)
    }
    return tuple(sorted(one for one in folders if not one.is_relative_to("/usr")))


@cache
def hidden_folders() -> tuple[Path, ...]:
    """Return folders inside Python's that a run must not see: data sets with labels, and simbudget itself."""
    found = [
        folder / within
        for package, within in (("sklearn", "datasets/data"), ("simbudget", "."))
        if (spec := importlib.util.find_spec(package)) and spec.submodule_search_locations
        for folder in map(Path, spec.submodule_search_locations)
    ]
    found.append(Path(sysconfig.get_path("purelib")) / "simbudget")  # bundled files of an editable install
    return tuple(one.resolve() for one in found if one.is_dir() and any(map(one.is_relative_to, _seen())))


def _seen() -> tuple[Path, ...]:
    """Return the folders that a run sees in full."""
    return (Path("/usr"), *_python_folders())
