"""The vocabulary that the agents' harness and the local researcher share: headers, endings, records.

A model reads it as text. The researcher program, which replaces the model when there is no API key, uses it to find
its way in a conversation. A *record* is one line of JSON about an idea: its method, its hyperparameters and its
outcome. The harness writes records into results, notes and findings.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

SUMMARISE: Final = "Summarise your work so far"
"""The beginning of a request for a compaction."""

_STATUS: Final = re.compile(r"\[cycle (\d+), step (\d+) (\w+), turn (\d+)\]")
_ENDING: Final = re.compile(r"ends? (?:it|this step) by calling `(\w+)`")


@dataclass(frozen=True)
class Status:
    """An agent's position: its cycle and step, counted from 0, the step's kind, and the turn within the step."""

    cycle: int
    step: int
    kind: str
    turn: int

    def __str__(self) -> str:
        """Return the line that ends each message of the harness."""
        return f"[cycle {self.cycle}, step {self.step} {self.kind}, turn {self.turn}]"


def find_status(text: str) -> Status | None:
    """Return the last status stated in a text, or None."""
    found = _STATUS.findall(text)
    if not found:
        return None
    cycle, step, kind, turn = found[-1]
    return Status(int(cycle), int(step), kind, int(turn))


def ending(tool: str) -> str:
    """Return the sentence that names the tool which ends a step."""
    return f"End this step by calling `{tool}`."


def find_ending(text: str) -> str | None:
    """Return the tool that ends the last step mentioned in a text, or None."""
    found = _ENDING.findall(text.replace("End this", "end this"))
    return found[-1] if found else None


def record_line(record: dict[str, Any]) -> str:
    """Return a record as one line of JSON."""
    return json.dumps(record, ensure_ascii=False, sort_keys=True)


def find_records(texts: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Yield the records contained in texts, in order."""
    for text in texts:
        for line in text.splitlines():
            begins = line.find("{")
            if begins == -1 or not line.endswith("}"):
                continue
            try:
                found = json.loads(line[begins:])
            except ValueError:
                continue
            if isinstance(found, dict):
                yield found
