"""Finds a task by name: one that ships with simbudget, one described in a YAML file, or a class of the user's."""

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from simbudget.errors import Problem, UserError
from simbudget.pilot.tasks.command import CommandDescription, CommandTask, GateDescription, KnobDescription
from simbudget.pilot.tasks.task import Task
from simbudget.scenario.language.document import Fields, Items, Node, Text, parse_document, read_file
from simbudget.scenario.language.reading import nearest

SHIPPED = ("weak-to-strong",)


def load_task(name: str, secret: int, folder: Path | None = None) -> Task:
    """Load a task.

    Args:
        name: `weak-to-strong`, the path of a YAML file that describes a command, or `module:Class` of a Task whose
            constructor takes the secret.
        secret: seed of everything that agents must not be able to work out, such as which items are test items or
            how data are generated; a pilot draws it once and keeps it.
        folder: folder that a path is relative to.

    Raises:
        UserError: there is no such task, or its description is invalid.
    """
    if name in SHIPPED:
        from simbudget.pilot.tasks.weak_to_strong.task import WeakToStrong  # noqa: PLC0415  scikit-learn is slow

        return WeakToStrong(secret)
    if name.endswith((".yaml", ".yml")):
        return load_command_task((folder or Path()) / name)
    if ":" in name:
        own: Task = _own_class(name)(secret)
        return own
    raise UserError(
        Problem(
            f"there is no task {name!r}",
            remedy="write weak-to-strong, FILE.yaml of a command, or module:Class",
        )
    )


def _own_class(name: str) -> type[Any]:
    """Return the class named by `module:Class`.

    Raises:
        UserError: it cannot be imported, or is not a Task.
    """
    module, _, attribute = name.partition(":")
    try:
        found = getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise UserError(
            Problem(f"task {name!r}: {error}", remedy="name a module that can be imported")
        ) from error
    if not (isinstance(found, type) and issubclass(found, Task)):
        raise UserError(
            Problem(f"task {name!r} is not a Task", remedy="subclass simbudget.pilot.tasks.task.Task")
        )
    return found


def load_command_task(path: Path) -> CommandTask:
    """Load the task that a YAML file describes.

    Raises:
        UserError: the description is invalid; lists every mistake with its place.
    """
    try:
        document, problems = parse_document(read_file(path), str(path))
    except UserError as error:
        raise UserError(*(replace(one, remedy=_of_tasks(one.remedy)) for one in error.problems)) from None
    if problems:
        raise UserError(*problems)
    try:
        description = CommandDescription.model_validate(_plain(document))
    except ValidationError as error:
        raise UserError(*(_problem(document, one) for one in error.errors())) from error
    outside = [name for name in _named_files(description) if not _is_inside(path.parent / name, path.parent)]
    if outside:
        raise UserError(*(Problem(f"{name!r} leads out of its folder", document.place) for name in outside))
    missing = [name for name in _named_files(description) if not (path.parent / name).exists()]
    if missing:
        raise UserError(*(Problem(f"there is no {name} beside it", document.place) for name in missing))
    return CommandTask(description, path.parent)


def _of_tasks(remedy: str | None) -> str | None:
    """Rephrase a remedy that is about scenarios for a file that describes a task."""
    if remedy is None or "simbudget init" not in remedy:
        return remedy
    if remedy.startswith("a scenario is"):
        return "a task is keys with values: name, what, run, metric and direction at least"
    return "give the YAML file that describes the task"


def _is_inside(path: Path, folder: Path) -> bool:
    """Return whether a path is inside a folder after following links."""
    return path.resolve().is_relative_to(folder.resolve())


def _named_files(description: CommandDescription) -> list[str]:
    """Return the names of all files in a description."""
    of_gates = [name for gate in description.gates for name in gate.files]
    return [*description.files, *of_gates, *([description.edits] if description.edits else [])]


def _plain(node: Node) -> Any:
    """Convert a node to plain values for pydantic."""
    if isinstance(node, Fields):
        return {key: _plain(value) for key, value in node.values.items()}
    if isinstance(node, Items):
        return [_plain(item) for item in node.items]
    return node.text if isinstance(node, Text) and not node.is_null else None


_KINDS: Final[dict[str | None, type[BaseModel]]] = {
    None: CommandDescription,
    "knobs": KnobDescription,
    "gates": GateDescription,
}
"""Models of a description's parts, by the key that they belong to."""


def _problem(document: Node, error: Any) -> Problem:
    """Convert one of pydantic's errors to a problem with its place in the file."""
    node, place = document, document.place
    for part in error["loc"]:
        if isinstance(node, Fields) and part in node.values:
            place, node = node.key_places[part], node.values[part]
        elif isinstance(node, Items) and isinstance(part, int):
            node = node.items[part]
            place = node.place
    *parents, last = error["loc"]
    if error["type"] == "extra_forbidden":
        kind = _KINDS[parents[0] if parents else None]
        return Problem(f"there is no `{last}` here", place, nearest(str(last), kind.model_fields))
    if error["type"] == "missing":
        return Problem(f"`{last}` is missing", place)
    where = ".".join(map(str, error["loc"]))
    return Problem(f"{where}: {error['msg'][:1].lower()}{error['msg'][1:]}", place)
