"""What a scenario may make this process do: run Python, and read files outside its folder.

A scenario is data, but its `python` steps are code with all the rights of the user who runs it. Both permissions are
settings of the process, set once by the command line (or by a program, with `trust`), because scenarios are loaded in
many places and none of them should have to remember.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from simbudget.errors import argument


@dataclass(frozen=True)
class Trust:
    """What scenarios are allowed to do."""

    runs_python: bool = True
    """Whether `python` steps run."""
    leaves_folder: bool = False
    """Whether a scenario may name files outside its folder."""


_allowed: Trust | None = None


def allowed() -> Trust:
    """Return what scenarios may do in this process; by default no Python in a pull request from a fork."""
    global _allowed  # noqa: PLW0603  a setting of the process
    if _allowed is None:
        _allowed = Trust(runs_python=not comes_from_a_fork(os.environ))
    return _allowed


def trust(*, runs_python: bool | None = None, leaves_folder: bool | None = None) -> None:
    """Change what scenarios may do in this process.

    Args:
        runs_python: whether `python` steps run; by default they do, except in a pull request from a fork.
        leaves_folder: whether a scenario may name files outside its folder; by default it may not.
    """
    global _allowed  # noqa: PLW0603
    wanted = {"runs_python": runs_python, "leaves_folder": leaves_folder}
    _allowed = replace(allowed(), **{name: value for name, value in wanted.items() if value is not None})


def allowing(permission: str) -> str:
    """Return how a user gives a permission, `runs_python` or `leaves_folder`, as a clause of a message."""
    option = {"runs_python": "--python", "leaves_folder": "--allow-outside"}[permission]
    return f"allow it with {argument(f'simbudget.trust({permission}=True)', option=option)}"


def is_outside(path: Path, folder: Path) -> bool:
    """Return whether a path leads out of a folder, following links, and that is not allowed.

    Args:
        path: the path, which need not exist.
        folder: the scenario's folder.
    """
    return not allowed().leaves_folder and not path.resolve().is_relative_to(folder.resolve())


def comes_from_a_fork(environment: Mapping[str, str]) -> bool:
    """Return whether this is a CI job for a pull request that strangers may have written.

    A pull request of unknown origin counts as a stranger's.
    """
    if environment.get("GITHUB_EVENT_NAME", "").startswith("pull_request"):
        event = _read(environment.get("GITHUB_EVENT_PATH"))
        head = event.get("pull_request", {}).get("head", {})
        came_from = (head.get("repo") or {}).get("full_name")
        return came_from is None or came_from != environment.get("GITHUB_REPOSITORY")
    source = environment.get("CI_MERGE_REQUEST_SOURCE_PROJECT_ID")
    return source is not None and source != environment.get("CI_PROJECT_ID")


def _read(path: str | None) -> dict[str, Any]:
    try:
        event = json.loads(Path(path or "").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return event if isinstance(event, dict) else {}
