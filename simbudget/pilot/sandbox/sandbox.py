"""A sandbox: one agent's directory, and the runs in it.

    sandbox = Sandbox(directory, Limits())
    sandbox.write(task.public_files())
    completed = await sandbox.run(("python", "run.py"), timeout_s=60)
    answer = sandbox.read("answer.json")

`isolation()` says what this machine can do: `bubblewrap`, or `limits only`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from simbudget.pilot.sandbox.limits import Completed, Limits


class Sandbox:
    """One agent's sandbox; runs follow one another or overlap as the caller likes, limits are for each run."""

    def __init__(self, directory: Path, limits: Limits = Limits()) -> None:  # noqa: B008  frozen
        self.directory = directory
        self.limits = limits

    def write(self, files: Mapping[str, bytes]) -> None:
        """Put files into the directory, by relative path."""
        raise NotImplementedError

    def read(self, path: str, at_most_bytes: int = 16 * 1024 * 1024) -> bytes | None:
        """Return a file that a run left; None if there is none, it is larger, or it is no plain file."""
        raise NotImplementedError

    async def run(
        self, command: Sequence[str], timeout_s: float, environment: Mapping[str, str] | None = None
    ) -> Completed:
        """Run a command in the directory, within the limits; cancelling it kills it and all that it started."""
        raise NotImplementedError
