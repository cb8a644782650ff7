"""Evidence: what has been observed so far of what is unknown of `research`; `narrowing` says what follows."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from simbudget.scenario.document import Fields, Items, Node, Text
from simbudget.scenario.reading import Reading, describe, is_absent, nearest
from simbudget.scenario.research import Gate

PROBABILITIES: Final = ("explores", "refines", "transfers", "hacks", "caught", "blames")
"""The keys of `research` whose trials can be counted."""

REVIEW: Final = "review"
"""The key of how many of the reviewed submissions were blamed, hacks or not."""


@dataclass(frozen=True)
class Counts:
    """So many of so many trials."""

    hits: int
    trials: int

    def __str__(self) -> str:
        """Return the counts as they are written."""
        return f"{self.hits} of {self.trials}"


@dataclass(frozen=True)
class Evidence:
    """What has been observed: counts by key of `research`, by gate, and scores in their order."""

    counts: dict[str, Counts]
    gates: dict[str, Counts]
    scores: tuple[float, ...]


def gate_names(gates: Sequence[Gate]) -> list[str]:
    """Return what gates are called: `gate 2` where the second has no name."""
    return [gate.name or f"gate {number}" for number, gate in enumerate(gates, 1)]


def gates_meant(word: str, names: Sequence[str]) -> list[int]:
    """Return the places of the gates that a word may mean: those of this name, else those whose name begins so."""
    exactly = [place for place, name in enumerate(names) if name == word]
    return exactly or [place for place, name in enumerate(names) if name.startswith(word)]


def read_evidence(reading: Reading, node: Node | None, gates: tuple[Gate, ...]) -> Evidence | None:
    """Return the evidence of a scenario; None without one."""
    reading.seen("evidence", node)
    if node is None or is_absent(node):
        return None
    if not isinstance(node, Fields):
        reading.problem(f"`evidence`: found {describe(node)}", node.place, _ADVICE)
        return None
    reading.unknown_keys(node, ("gates", "scores", REVIEW, *PROBABILITIES), "`evidence`")
    counts = _read_counts(
        reading, {key: node.values[key] for key in (*PROBABILITIES, REVIEW) if key in node.values}
    )
    return Evidence(
        {key: found for key, found in counts.items() if found.trials},
        _read_gates(reading, node.values.get("gates"), gates),
        _read_scores(reading, node.values.get("scores")),
    )


_ADVICE: Final = "write such as `evidence: {gates: {held-out: 1 of 3}, caught: 4 of 4}`"


def _read_counts(reading: Reading, nodes: dict[str, Node]) -> dict[str, Counts]:
    counts = {}
    for key, node in nodes.items():
        reading.seen(f"evidence.{key}", node)
        text = node.text if isinstance(node, Text) else ""
        match = re.fullmatch(r"\s*(\d{1,9})\s+of\s+(\d{1,9})\s*", text)
        if match is None or int(match[1]) > int(match[2]):
            reading.problem(f"`{key}`: found {describe(node)}", node.place, "write such as `1 of 3`")
            continue
        counts[key] = Counts(int(match[1]), int(match[2]))
    return counts


def _read_gates(reading: Reading, node: Node | None, gates: tuple[Gate, ...]) -> dict[str, Counts]:
    """Return the counts by the gates' full names; the beginning of a name is enough if it is one gate's only."""
    if node is None or is_absent(node):
        return {}
    if not isinstance(node, Fields):
        reading.problem(f"`gates`: found {describe(node)}", node.place, _ADVICE)
        return {}
    names = gate_names(gates)
    found = {}
    for key, counts in _read_counts(reading, node.values).items():
        meant = gates_meant(key, names)
        if len(meant) == 1:
            found[names[meant[0]]] = counts
        else:
            reading.problem(f"no one gate is called `{key[:60]}`", node.key_places[key], nearest(key, names))
    return found


def _read_scores(reading: Reading, node: Node | None) -> tuple[float, ...]:
    if node is None or is_absent(node):
        return ()
    reading.seen("evidence.scores", node)
    items = node.items if isinstance(node, Items) else ()
    try:
        scores = tuple(float(item.text) if isinstance(item, Text) else float("nan") for item in items)
    except ValueError:
        scores = (float("nan"),)
    if not scores or not all(map(math.isfinite, scores)):
        reading.problem(
            "`scores` takes a list of numbers, in their order", node.place, "write `[0.21, 0.34]`"
        )
        return ()
    return scores
