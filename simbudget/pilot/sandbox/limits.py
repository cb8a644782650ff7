"""What a sandboxed run may use, and what is known of it when it has ended."""

from dataclasses import dataclass
from typing import Literal

MIB = 1024 * 1024

Killed = Literal["timeout", "memory", "cpu", "processes", "disk", "cancelled"]
"""Why a run was ended from outside; None for one that ended by itself."""


@dataclass(frozen=True)
class Limits:
    """What one run may use, all of its processes together unless said otherwise."""

    memory_bytes: int = 1024 * MIB
    cpu_s: float = 120.0
    processes: int = 64
    disk_bytes: int = 256 * MIB
    """Of the sandbox's directory, what was there before included."""
    files: int = 4096
    depth: int = 64
    """Of folders within folders; a kernel path of 4,096 bytes allows two thousand."""
    output_bytes: int = 256 * 1024
    """Of stdout and of stderr that is kept: the beginning and the end; the rest is left out, and says so."""


@dataclass(frozen=True)
class Completed:
    """How a run ended. `returncode` is negative for a signal, as subprocess has it."""

    returncode: int
    stdout: str
    stderr: str
    wall_s: float
    cpu_s: float
    peak_memory_bytes: int
    """Of all processes together: as the kernel counts it in a control group, else as seen at the looks that were taken;
    0 for a run that was over before the first."""
    killed_because: Killed | None = None

    @property
    def ok(self) -> bool:
        """Return whether the run ended by itself, with status 0."""
        return self.returncode == 0 and self.killed_because is None
