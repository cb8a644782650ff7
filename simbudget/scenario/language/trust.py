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
    if allowed().leaves_folder:
        return False
    try:  # `realpath` raises no error for links that lead in a circle, which nobody can read, and `resolve` does
        return not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))
    except ValueError:  # of a path that cannot be
        return False


def comes_from_a_fork(environment: Mapping[str, str]) -> bool:
    """Return whether this is a CI job for a pull request that strangers may have written.

    A pull request of unknown origin counts as a stranger's.
    """
    event_name = environment.get("GITHUB_EVENT_NAME", "")
    event = _read(environment.get("GITHUB_EVENT_PATH")) if event_name else {}
    # A comment on a pull request, or a job that followed one, starts jobs with the repository's own rights.
    is_of_a_request = event_name.startswith("pull_request") or "pull_request" in _within(event, "issue")
    if is_of_a_request or event_name == "workflow_run":
        head = _within(_within(_within(event, "pull_request"), "head"), "repo")
        came_from = (head or _within(_within(event, "workflow_run"), "head_repository")).get("full_name")
        return came_from is None or came_from != environment.get("GITHUB_REPOSITORY")
    if environment.get("SYSTEM_PULLREQUEST_ISFORK", "").lower() == "true":  # Azure Pipelines
        return True
    if environment.get("CIRCLE_PR_REPONAME") or environment.get(
        "CHANGE_FORK"
    ):  # CircleCI, Jenkins: only if a fork
        return True
    source = environment.get("CI_MERGE_REQUEST_SOURCE_PROJECT_ID")  # GitLab
    return source is not None and source != environment.get("CI_PROJECT_ID")


def _within(event: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = event.get(name)
    return found if isinstance(found, Mapping) else {}


def _read(path: str | None) -> dict[str, Any]:
    try:
        event = json.loads(Path(path or "").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return event if isinstance(event, dict) else {}
