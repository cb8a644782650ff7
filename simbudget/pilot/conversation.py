"""The words that the agents' harness and the local researcher both know: headers, endings, records.

A model reads them as text; the researcher program, which stands in for a model without a key, finds its way in
a conversation by them. A *record* is one line of JSON about an idea: its method, hyperparameters, and what came
of it; the harness writes them into results, notes and findings.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

SUMMARISE: Final = "Summarise your work so far"
"""How the request for a compaction begins."""

_STATUS: Final = re.compile(r"\[cycle (\d+), step (\d+) (\w+), turn (\d+)\]")
_ENDING: Final = re.compile(r"ends? (?:it|this step) by calling `(\w+)`")


@dataclass(frozen=True)
class Status:
    """Where an agent stands: its cycle and step, counted from 0, the step's kind, and its turn in the step."""

    cycle: int
    step: int
    kind: str
    turn: int

    def __str__(self) -> str:
        """Return it as the line that ends each of the harness's messages."""
        return f"[cycle {self.cycle}, step {self.step} {self.kind}, turn {self.turn}]"


def find_status(text: str) -> Status | None:
    """Return the last status that a text states; None if it states none."""
    found = _STATUS.findall(text)
    if not found:
        return None
    cycle, step, kind, turn = found[-1]
    return Status(int(cycle), int(step), kind, int(turn))


def ending(tool: str) -> str:
    """Return the words that say which tool ends a step."""
    return f"End this step by calling `{tool}`."


def find_ending(text: str) -> str | None:
    """Return the tool that ends the last step that a text speaks of; None if it names none."""
    found = _ENDING.findall(text.replace("End this", "end this"))
    return found[-1] if found else None


def record_line(record: dict[str, Any]) -> str:
    """Return a record as its line."""
    return json.dumps(record, ensure_ascii=False, sort_keys=True)


def find_records(texts: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Yield the records that texts contain, in their order."""
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
