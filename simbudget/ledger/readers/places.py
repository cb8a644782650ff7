"""The places where tools keep their logs, searched when no log is named."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PLACES: Final = (
    ("Claude Code", "CLAUDE_CONFIG_DIR", ".claude", "projects"),
    ("Claude Code", None, ".config/claude", "projects"),
    ("Codex CLI", "CODEX_HOME", ".codex", "sessions"),
    ("Codex CLI", "CODEX_HOME", ".codex", "archived_sessions"),
    ("OpenCode", None, ".local/share/opencode", "opencode.db"),
    ("OpenCode", None, ".local/share/opencode", "storage"),
    ("Pi", None, ".pi/agent", "sessions"),
    ("Gemini CLI", None, ".gemini", "tmp"),
    ("Qwen Code", None, ".qwen", "projects"),
    ("Qwen Code", None, ".qwen", "tmp"),
    ("Copilot CLI", None, ".copilot", "session-state"),
    ("Cline", None, ".cline/data", "tasks"),
    ("Cline", None, ".cline/data", "sessions"),
    ("Cline", None, ".config/Code/User/globalStorage/saoudrizwan.claude-dev", "tasks"),
    ("Roo Code", None, ".config/Code/User/globalStorage/rooveterinaryinc.roo-cline", "tasks"),
)
"""The tool, the variable that moves its folder, the folder in the home, and the logs' place within it."""


@dataclass(frozen=True)
class Place:
    """A folder, or file, in which a tool keeps its logs."""

    tool: str
    path: Path
    files: int
    """How many files there are; 0 also where there is no such folder."""


def usual_places(home: Path | None = None, environment: Mapping[str, str] = os.environ) -> list[Place]:
    """Return the folders in which tools usually keep their logs, whether or not there are any."""
    return [
        Place(tool, path, int(path.is_file()) or sum(1 for file in path.rglob("*") if file.is_file()))
        for tool, path in _paths(home or Path.home(), environment)
    ]


def _paths(home: Path, environment: Mapping[str, str]) -> Iterator[tuple[str, Path]]:
    for tool, variable, folder, within in _PLACES:
        moved = environment.get(variable, "") if variable else ""
        for base in moved.split(",") if moved else [str(home / folder)]:
            yield tool, Path(base) / within
