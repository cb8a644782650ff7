"""Finding a task by its name: one that ships, one described in a YAML file, or a class of the user's own."""

from pathlib import Path

from simbudget.pilot.tasks.task import Task

SHIPPED = ("weak-to-strong", "command")


def load_task(name: str, secret: int, folder: Path | None = None) -> Task:
    """Return a task.

    `name` is `weak-to-strong`, the path of a YAML file that describes a command (relative to `folder`), or
    `module:Class` of a Task whose constructor takes the secret. `secret` decides all that agents must not be
    able to work out (which items are test items, what is generated); a pilot draws it once and keeps it.
    Raises UserError.
    """
    raise NotImplementedError
