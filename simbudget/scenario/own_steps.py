"""Steps that a user wrote in Python: finding and checking them without running them."""

import ast
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from simbudget.scenario.language.document import Node, Text
from simbudget.scenario.language.reading import Reading, describe, is_absent, nearest
from simbudget.scenario.language.trust import allowed, allowing, is_outside

_MOST_BYTES = 1_000_000  # no file written by hand is larger
_NOWHERE = Path("nowhere.py")


@dataclass(frozen=True)
class OwnFile:
    """The expectation of a Python file's path, relative to the scenario's folder."""

    required: ClassVar[bool] = False  # `read` reports that it is missing

    def write(self, value: Path) -> str:
        """Return the path."""
        return str(value)

    def read(self, reading: Reading, node: Node | None, name: str) -> Path:
        """Return the path, or a placeholder for an invalid one."""
        reading.seen(name, node)
        place = None if node is None else node.place
        if is_absent(node) or not isinstance(node, Text):
            found = "nothing" if is_absent(node) or node is None else describe(node)
            place = place or reading.places.get(name.rpartition(".")[0])
            reading.problem(
                f"`file`: found {found}", place, "write the path of a Python file, `file: steps.py`"
            )
            return _NOWHERE
        path = reading.folder / node.text
        if not allowed().runs_python:
            message = f"`file`: {node.text[:80]} is code, and `python` steps do not run here"
            reading.problem(message, place, f"read it first, then {allowing('runs_python')}")
            return _NOWHERE
        if is_outside(path, reading.folder):
            message = f"`file`: {node.text[:80]} is outside the scenario's folder"
            reading.problem(message, place, f"move it there, or {allowing('leaves_folder')}")
            return _NOWHERE
        problem = _problem_of(path)
        if problem:
            reading.problem(f"`file`: {problem}", place, "write the path of a Python file, `file: steps.py`")
            return _NOWHERE
        reading.note(name, node.text, "setting", node)
        return path


def _problem_of(path: Path) -> str | None:
    try:
        if not path.is_file():
            return f"there is no file {path.name[:80]}"
        if path.stat().st_size > _MOST_BYTES:
            return f"{path.name[:80]} has more than {_MOST_BYTES:,} bytes"
        ast.parse(path.read_text(encoding="utf-8"))
    except SyntaxError as error:
        return f"{path.name[:80]}:{error.lineno}: {error.msg}"
    except (OSError, ValueError) as error:
        return (
            f"{path.name[:80]} cannot be read: {getattr(error, 'strerror', None) or 'it is not text'}".lower()
        )
    return None


def problem_of_function(path: Path, function: str) -> str | None:
    """Return what is wrong with the name of a function in a file, or None.

    Args:
        path: the Python file.
        function: the name of the function.
    """
    if path == _NOWHERE:
        return None
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = [part.name for part in tree.body if isinstance(part, ast.FunctionDef)]
    if function in names:
        return None
    return f"{path.name[:80]} has no function `{function[:40]}`; {nearest(function, names)}"
