"""Programs that attack a sandbox, and where they can be tried on this machine."""

import asyncio
import os
import tempfile
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from simbudget.errors import UserError
from simbudget.pilot.sandbox.isolation import Isolation, isolation, own_user
from simbudget.pilot.sandbox.limits import MIB, Completed, Limits
from simbudget.pilot.sandbox.sandbox import Sandbox

SMALL = Limits(memory_bytes=200 * MIB, cpu_s=20, processes=20, disk_bytes=20 * MIB, files=200)

needs_bubblewrap = pytest.mark.skipif(
    isolation() != "bubblewrap", reason="bubblewrap does not work on this machine: apt-get install bubblewrap"
)


def _limits_bind() -> bool:
    """Return whether this user's programs can be limited without bubblewrap: never try a fork bomb otherwise."""
    try:
        own_user(Path(tempfile.gettempdir()), "limits only")
    except UserError:
        return False
    return True


needs_limits = pytest.mark.skipif(
    not _limits_bind(), reason="run by root, with a Python that only root can get to"
)
kinds = pytest.mark.parametrize(
    "kind",
    [pytest.param("bubblewrap", marks=needs_bubblewrap), pytest.param("limits only", marks=needs_limits)],
)

FUSE = """
import os
def running():
    return len([one for one in os.listdir("/proc") if one.isdigit()])
BEFORE = running()
def fuse():
    if running() > BEFORE + 600:
        open("escaped", "w").close()
        os._exit(1)
"""
"""What every test that forks on calls first: should a limit not hold, the test fails, and the machine stands."""


def sandbox(folder: Path, kind: Isolation, limits: Limits = SMALL) -> Sandbox:
    """Return a sandbox; root's runs without bubblewrap are another user's, who has to get to pytest's folder."""
    if os.geteuid() == 0 and kind == "limits only":
        for one in folder.parents[:3]:
            one.chmod(one.stat().st_mode | 0o011)
    return Sandbox(folder, limits, kind)


def attack(box: Sandbox, program: str, timeout_s: float = 120, *arguments: str) -> Completed:
    """Run a Python program in a sandbox."""
    box.write({"attack.py": textwrap.dedent(program).encode(), "fuse.py": FUSE.encode()})
    return asyncio.run(box.run(("python", "attack.py", *arguments), timeout_s))


def alive(mark: str) -> list[int]:
    """Return the processes that carry a mark in their command line."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        if mark in " ".join(process.info["cmdline"] or []) and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process.pid)
    return [one for one in found if one != os.getpid()]


def gone(mark: str, patience_s: float = 60) -> bool:
    """Return whether all processes with a mark are gone, after a moment."""
    give_up = time.monotonic() + patience_s
    while alive(mark):
        if time.monotonic() > give_up:
            return False
        time.sleep(0.02)
    return True
