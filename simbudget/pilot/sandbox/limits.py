"""The resource limits of a sandboxed run, and the result of a run."""

from dataclasses import dataclass
from typing import Literal

MIB = 1024 * 1024
OPEN_FILES = 256
"""Of each process: enough for scikit-learn with its libraries, and few enough to bound what pipes and sockets hold."""

Killed = Literal["timeout", "memory", "cpu", "processes", "disk", "cancelled"]
"""Why a run was stopped; None if it ended without being stopped."""


@dataclass(frozen=True)
class Limits:
    """Resource limits of one run, for all its processes together unless stated otherwise."""

    memory_bytes: int = 1024 * MIB
    cpu_s: float = 120.0
    processes: int = 64
    disk_bytes: int = 256 * MIB
    """Of the sandbox's directory, including what was there before."""
    files: int = 4096
    depth: int = 64
    """Of nested folders. A kernel path of 4,096 bytes allows two thousand, which few programs can handle."""
    output_bytes: int = 256 * 1024
    """Kept of stdout and of stderr each: the beginning and the end, with a note on what was left out."""


@dataclass(frozen=True)
class Completed:
    """The result of a run. `returncode` is negative for a signal, as in subprocess."""

    returncode: int
    stdout: str
    stderr: str
    wall_s: float
    cpu_s: float
    peak_memory_bytes: int
    """Of all processes together: counted by the kernel in a control group, otherwise sampled, in which case it is 0 for
    a run that ended before the first sample."""
    killed_because: Killed | None = None

    @property
    def ok(self) -> bool:
        """Return whether the run ended with status 0 and was not stopped."""
        return self.returncode == 0 and self.killed_because is None
