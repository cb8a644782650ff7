"""An agent's state on disk: its notebook of ideas and notes, and how far it has read the forum.

It survives the agent's contexts and its process.
"""

import json
from pathlib import Path
from typing import Any, Final

_REMEMBERED: Final = 40
"""Lines of the notebook that a new context begins with."""


class Notebook:
    """One agent's notebook: a line of JSON for each idea with an outcome, and for each note."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "notebook.jsonl"
        self._progress_path = folder / "progress.json"

    def write(self, line: dict[str, Any]) -> None:
        """Add a line."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")

    def best_score(self) -> float | None:
        """Return the best score that the agent knows of, its own or another's; None if there is none."""
        scores = [line.get("score") for line in self.lines(at_most=None) if isinstance(line, dict)]
        return max((score for score in scores if isinstance(score, int | float)), default=None)

    def lines(self, at_most: int | None = _REMEMBERED) -> list[dict[str, Any]]:
        """Return the latest lines, oldest first, without any that a crash cut off; with None, return all."""
        if not self._path.exists():
            return []
        found = []
        for line in self._path.read_text("utf-8").splitlines()[-(at_most or 0) :]:
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
        return found

    @property
    def posts_seen(self) -> int:
        """Return the number of the last forum post that the agent has read."""
        try:
            return int(json.loads(self._progress_path.read_text("utf-8"))["posts_seen"])
        except (OSError, ValueError, KeyError):
            return 0

    @posts_seen.setter
    def posts_seen(self, number: int) -> None:
        fresh = self._progress_path.with_suffix(
            ".new"
        )  # replaced in one step, so that a crash leaves either version
        fresh.write_text(json.dumps({"posts_seen": number}), "utf-8")
        fresh.replace(self._progress_path)
