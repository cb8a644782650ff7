"""What keeps a run apart from the rest of the machine: the command line that is put before its own.

Where bubblewrap works, a run sees its own directory as `/sandbox`, the system's programs and Python's (read only),
a small `/tmp`, no network and no process but its own. Elsewhere it is a plain process within limits, and the
report says so. Started by root, every sandbox has a user of its own, which is what makes a limit on processes
bind: the kernel exempts root from it, inside namespaces too. Started by anybody else, a user namespace does.
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
from simbudget.pilot.sandbox.limits import MIB, Limits
from simbudget.pilot.sandbox.system_calls import filter_for

Isolation = Literal["bubblewrap", "limits only"]

INSIDE: Final = Path("/sandbox")
_LAUNCHER: Final = Path(__file__).with_name("launcher.py")
_LAUNCHER_INSIDE: Final = Path("/launcher.py")
_SYSTEM: Final = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_ETC: Final = ("/etc/ld.so.cache", "/etc/alternatives")
_FIRST_USER: Final = 1_900_000_000
_USERS: Final = 100_000_000
_SHARED_MEMORY_BYTES: Final = 16 * MIB
_TMP_BYTES: Final = 64 * MIB
_OPEN_FILES: Final = 256
_PENDING_SIGNALS: Final = 1024
"""Timers count as such, and take some hundred bytes of the kernel's memory each."""
_COUNTS_BY_NAMESPACE: Final = (5, 14)
_OWN_TASKS: Final = 2  # bubblewrap's first process and the launcher


@cache
def isolation() -> Isolation:
    """Return what this machine can do; tried, not guessed."""
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
    """Return what is kept apart here and what is not, as a sentence for people."""
    if (kind or isolation()) == "bubblewrap":
        return f"Sandboxes are bubblewrap's: own directory only, no network, limits on what is used{_filtered()}."
    own_user = "as users of their own" if os.geteuid() == 0 else "as the user who runs the pilot"
    return (
        f"bubblewrap does not work here: agents' programs run {own_user}, within limits on memory, processor time, "
        f"processes and disk{_filtered()}, but with sight of every file that this user can read, labels that ship "
        "with scikit-learn included. Install bubblewrap before you rely on scores."
    )


def _filtered() -> str:
    """Return what a filter of system calls adds, if there is one for this machine."""
    if filter_for() is None:
        return " (no filter of system calls is known for this processor)"
    return ", a filter of system calls"


def own_user(directory: Path, kind: Isolation) -> int | None:
    """Return the user that a sandbox's runs have: its own if root starts them, else nobody's but ours (None).

    Without bubblewrap that takes a Python and a directory which another user can get to. Raises UserError where
    that is not so: root's own programs cannot be kept from forking without end, which takes the whole machine down.
    """
    if os.geteuid() != 0:
        return None
    closed = [one for one in (directory, Path(sys.executable)) if not _open_to_all(one)]
    if kind != "bubblewrap" and closed:
        raise UserError(
            Problem(
                f"without bubblewrap, root cannot limit what agents' programs use, since {closed[0]} is for root only",
                remedy="install bubblewrap (apt-get install bubblewrap), or run the pilot as another user",
            )
        )
    return _FIRST_USER + zlib.crc32(str(directory.resolve()).encode()) % _USERS


def wrapped(
    command: Sequence[str], directory: Path, limits: Limits, kind: Isolation, told_to: int
) -> tuple[str, ...]:
    """Return the command line that runs a command in a sandbox; `python` is this very Python.

    At its end the run writes to the descriptor `told_to` how many seconds of processor time it took.
    """
    program = sys.executable if command[0] == "python" else command[0]
    inside = kind == "bubblewrap"
    order = {
        "limits": _limits(limits, _others(directory, kind)),
        "user": own_user(directory, kind),
        "guard": not inside,
        "tell": told_to,
        "directory": str(INSIDE if inside else directory),
        "filter": filter_for(),
    }
    launcher = _LAUNCHER_INSIDE if inside else _LAUNCHER
    words = (sys.executable, "-I", "-S", str(launcher), json.dumps(order), program, *command[1:])
    if not inside:
        return words
    return (shutil.which("bwrap") or "bwrap", *_namespaces(), *_file_system(directory), "--", *words)


def environment(directory: Path, kind: Isolation) -> dict[str, str]:
    """Return the environment of a run: nothing of ours but where programs are; one thread for each library."""
    inside = INSIDE if kind == "bubblewrap" else directory
    own = Path(sys.executable).parent
    threads = dict.fromkeys(
        ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
    )
    return {
        "PATH": f"{own}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(inside),
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        **threads,
    }


def _limits(limits: Limits, others: int) -> dict[str, int]:
    """Return the kernel's limits; those on memory, time and files hold for each process, the sandbox sums them up."""
    return {
        "RLIMIT_AS": limits.memory_bytes + 1024 * MIB,  # libraries map more than they ever touch
        "RLIMIT_DATA": limits.memory_bytes,
        "RLIMIT_CPU": max(1, round(limits.cpu_s + 0.5)),
        "RLIMIT_FSIZE": limits.disk_bytes,
        "RLIMIT_NPROC": limits.processes + others,
        "RLIMIT_NOFILE": _OPEN_FILES,
        "RLIMIT_CORE": 0,
        "RLIMIT_MSGQUEUE": 0,
        "RLIMIT_SIGPENDING": _PENDING_SIGNALS,
    }


def _others(directory: Path, kind: Isolation) -> int:
    """Return how many tasks the kernel already counts for the user of a run.

    A user of its own has none; anybody has the sandbox's own in a fresh user namespace, since Linux 5.14 counts by
    namespace.
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
    """Return whether a process belongs to the user who asks."""
    uids = process.info["uids"]
    return uids is not None and uids.real == os.getuid()


def _namespaces() -> list[str]:
    """Return what a run does not share with the machine."""
    apart = ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
    if (
        os.geteuid() == 0
    ):  # the capabilities that becoming another user takes; the launcher gives them up with it
        capabilities = ["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    else:
        capabilities = ["--unshare-user"]
    return [*apart, *capabilities, "--die-with-parent", "--new-session", "--chdir", "/"]


def _file_system(directory: Path) -> list[str]:
    """Return what a run sees of the file system."""
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
    ]  # before a Python that lies in it
    for path in _python_folders():
        above = reversed(path.parents[:-1])  # bubblewrap would make them for their owner only
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
        # Mapped shared, /dev/zero would be memory that belongs to no process.
        *("--dev-bind", "/dev/null", "/dev/zero"),
        "--remount-ro",
        "/dev",
    ]
    words += ["--ro-bind", str(_LAUNCHER), str(_LAUNCHER_INSIDE)]
    return [*words, "--bind", str(directory), str(INSIDE), "--remount-ro", "/"]


def _open_to_all(path: Path) -> bool:
    """Return whether another user can get to a path, whatever the path itself allows."""
    return all(folder.stat().st_mode & 0o001 for one in (path, path.resolve()) for folder in one.parents)


@cache
def _python_folders() -> tuple[Path, ...]:
    """Return the folders of this Python that are not the system's."""
    folders = {Path(one) for one in (sys.prefix, sys.base_prefix)} | {
        Path(one).resolve() for one in (sys.prefix, sys.base_prefix)
    }
    return tuple(sorted(one for one in folders if not one.is_relative_to("/usr")))


@cache
def hidden_folders() -> tuple[Path, ...]:
    """Return folders within Python's that a run must not see: data sets that carry labels, and simbudget itself."""
    found = [
        folder / within
        for package, within in (("sklearn", "datasets/data"), ("simbudget", "."))
        if (spec := importlib.util.find_spec(package)) and spec.submodule_search_locations
        for folder in map(Path, spec.submodule_search_locations)
    ]
    found.append(
        Path(sysconfig.get_path("purelib")) / "simbudget"
    )  # bundled files, beside an editable install
    return tuple(one.resolve() for one in found if one.is_dir() and any(map(one.is_relative_to, _seen())))


def _seen() -> tuple[Path, ...]:
    """Return the folders that a run sees whole."""
    return (Path("/usr"), *_python_folders())
