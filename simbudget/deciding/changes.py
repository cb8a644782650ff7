"""Changes to a scenario, such as `agents=4` or `gates[1].price=$500`, made in its text, comments preserved.

A change replaces only the characters of one value, or adds one line for a key that is missing, so that a changed
scenario differs from the user's file in nothing else. (A library that parses and rewrites YAML would reformat all
other lines.) The loader validates and interprets the changed text.
"""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import yaml

from simbudget.errors import Problem, UserError
from simbudget.scenario.language.blocks import keys_of
from simbudget.scenario.language.document import read_file
from simbudget.scenario.language.reading import nearest
from simbudget.scenario.loading import LoadedScenario, loads_scenario
from simbudget.scenario.scenario import Scenario

SHORT_NAMES: Final = {
    "agents": "fleet[0].agents",
    "model": "fleet[0].model",
    "directions": "fleet[0].directions",
    "hours": "stop.after",
    "budget": "stop.budget",
    "gpus": "gpus.count",
    "billing": "gpus.billing",
    "servers": "scorer.servers",
    "reviewers": "review.people",
    "finalists": "research.finalists",
    "attempts": "tasks.attempts",
    "cache": "context.cache",
}
"""Short names of the paths that are changed most often."""

_BLOCKS: Final = frozenset(keys_of(Scenario)) - {"simbudget"}

_HOURS: Final = "hours"
_BY_NAME: Final = frozenset({"models", "prices"})
"""Blocks with one key per name, such as a model's; a change may add one."""

_PATH: Final = re.compile(r"[A-Za-z_][\w-]*(\[[^\]]+\])?(\.[A-Za-z_][\w-]*(\[[^\]]+\])?)*")
_PART: Final = re.compile(r"([A-Za-z_][\w-]*)|\[([^\]]+)\]")
_THOUSANDS: Final = re.compile(r",\d{3}(?!\d)")
"""A comma that is part of an amount of money, as in `$20,000`."""


@dataclass(frozen=True)
class Change:
    """A new value for one key of a scenario."""

    key: str
    """As the user wrote it."""
    value: str

    @property
    def path(self) -> str:
        """Return the path in the scenario that the key stands for."""
        return SHORT_NAMES.get(self.key, self.key)

    @property
    def written(self) -> str:
        """Return the value as it stands in the scenario: a bare number of hours with its unit."""
        is_number = re.fullmatch(r"\d+(\.\d+)?", self.value) is not None
        return f"{self.value} h" if self.key == _HOURS and is_number else self.value

    def __str__(self) -> str:
        """Return the change as it is written on the command line."""
        return f"{self.key}={self.value}"


def parse_changes(text: str) -> tuple[Change, ...]:
    """Return the alternative changes of `key=value[,value...]`.

    Args:
        text: a key and its values.

    Raises:
        UserError: it is not of that form.
    """
    key, sign, values = text.partition("=")
    key = key.strip()
    parts = [part.strip() for part in _split(values)]
    if not sign or not _PATH.fullmatch(key) or not all(parts):
        remedy = "write for example `agents=4,9`, `model=claude-sonnet-5` or `stop.after=3 days`"
        raise UserError(Problem(f"{text[:80]!r} is no change", remedy=remedy))
    return tuple(Change(key, part) for part in parts)


def _split(values: str) -> list[str]:
    """Return the values between commas, except those inside brackets and those of amounts of money."""
    is_money, depth, starts = values.strip().startswith("$"), 0, [0]
    for place, character in enumerate(values):
        depth += (character in "{[") - (character in "}]")
        if character == "," and depth == 0 and not (is_money and _THOUSANDS.match(values, place)):
            starts.append(place + 1)
    ends = [*(start - 1 for start in starts[1:]), len(values)]
    return [values[start:end] for start, end in zip(starts, ends, strict=True)]


@dataclass(frozen=True)
class Source:
    """A scenario's text and the settings to load it again after a change."""

    text: str
    path: str
    """Its name in messages."""
    folder: Path

    @classmethod
    def of(cls, path: str | Path) -> "Source":
        """Return the source in a file; UserError if it cannot be read."""
        return cls(read_file(Path(path)), str(path), Path(path).parent)

    def changed(self, *changes: Change) -> "Source":
        """Return the source with changes made; UserError if the text has no place for one."""
        text = self.text
        for change in changes:
            text = _change(text, change)
        return replace(self, text=text)

    def load(self, *changes: Change) -> LoadedScenario:
        """Return the scenario with changes made.

        Raises:
            UserError: something in it is wrong; every message says with which changes.
        """
        if not changes:
            return loads_scenario(self.text, self.path, self.folder)
        changed = self.changed(*changes)
        try:
            return loads_scenario(changed.text, self.path, self.folder)
        except UserError as error:
            with_changes = "with " + " ".join(map(str, changes))
            problems = (
                replace(problem, message=f"{with_changes}: {problem.message}") for problem in error.problems
            )
            raise UserError(*problems) from None


# Changing text: the nodes of a YAML document know where they begin and end.


def _change(text: str, change: Change) -> str:
    document = _compose(text)
    if not isinstance(document, yaml.MappingNode):
        raise UserError(Problem("there is no scenario to change", remedy="a scenario is keys with values"))
    parts = _parts(change.path)
    if parts[0] not in _BLOCKS:
        allowed = list(dict.fromkeys((*SHORT_NAMES, *sorted(_BLOCKS))))
        raise UserError(_problem(change, f"a scenario has no `{parts[0]}`", nearest(parts[0], allowed)))
    node: yaml.Node = document
    for number, part in enumerate(parts):
        child = _child(node, part, parts[number + 1] if number + 1 < len(parts) else "", change)
        if child is None:
            return _insert(text, node, parts[number:], change)
        node = child
    if isinstance(node, yaml.CollectionNode) and not node.flow_style:
        raise UserError(
            _problem(change, f"`{change.path}` is a block of its own", "change a value inside it")
        )
    # Only the characters of the one value are replaced, so that comments and layout stay as they are.
    start, end = node.start_mark.index, node.end_mark.index
    # A key without a value (`agents:`) has an empty node directly behind its colon.
    space = " " if start == end and not text[start - 1].isspace() else ""
    return text[:start] + space + _scalar(change.written) + text[end:]


def _parts(path: str) -> list[str]:
    """Return the parts of a path: keys, and what stands in brackets with the opening one before it."""
    parts: list[str] = []
    for key, index in _PART.findall(path):
        is_key = not index or (parts[-1] in _BY_NAME and not index.isdigit())
        parts.append((key or index) if is_key else f"[{index}")
    return parts


def _compose(text: str) -> Any:
    """Return the YAML nodes of a text; not with the C loader, which counts bytes instead of characters."""
    quick = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.compose(text, quick if text.isascii() else yaml.SafeLoader)


def _problem(change: Change, found: str, remedy: str) -> Problem:
    return Problem(f"{change}: {found}", remedy=remedy)


def _child(node: yaml.Node, part: str, following: str, change: Change) -> Any:
    """Return the child node for one part of a path; None if a mapping lacks the key."""
    if part.startswith("["):
        return _item(node, part[1:], change)
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == part), None)
    if isinstance(node, yaml.SequenceNode):
        steps = [_body(item) for item in node.value if _is_step(item, part)]
        if following.startswith("[") and steps:
            return yaml.SequenceNode(_STEPS, steps)
        if len(steps) == 1:
            return steps[0]
        if steps:
            remedy = f"write which: `{part}[0]` is the first"
            raise UserError(_problem(change, f"there are {len(steps)} steps `{part}`", remedy))
        names = [name for item in node.value if (name := _name(item))]
        remedy = f"write which of the list: `[0]` is the first{'; ' + nearest(part, names) if names else ''}"
        raise UserError(_problem(change, f"there is no `{part}` in this list", remedy))
    raise UserError(_problem(change, f"`{part}` is looked for in a single value", "leave it out"))


_STEPS: Final = "steps"


def _is_step(item: yaml.Node, kind: str) -> bool:
    return isinstance(item, yaml.MappingNode) and len(item.value) == 1 and item.value[0][0].value == kind


def _body(step: yaml.Node) -> Any:
    return step.value[0][1]


def _item(node: yaml.Node, index: str, change: Change) -> Any:
    if isinstance(node, yaml.MappingNode):
        by_key = next((value for key, value in node.value if key.value == index), None)
        return node if by_key is None and index == "0" else by_key
    items = node.value if isinstance(node, yaml.SequenceNode) else []
    if index.isdigit() and int(index) < len(items):
        return items[int(index)]
    named = [item for item in items if _name(item) == index]
    if named:
        return named[0]
    found = f"there is no item `{index}`"
    raise UserError(_problem(change, found, f"the list has {len(items)}, from `[0]` on"))


def _name(item: yaml.Node) -> str | None:
    if not isinstance(item, yaml.MappingNode):
        return None
    named = {key.value: value.value for key, value in item.value if isinstance(value, yaml.ScalarNode)}
    return named.get("group") or named.get("name")


def _insert(text: str, node: Any, parts: list[str], change: Change) -> str:
    """Return the text with a key added to a mapping: its first line, or before its closing brace."""
    if any(part.startswith("[") for part in parts):
        found = f"there is no `{change.path}` to change"
        raise UserError(_problem(change, found, "write the block in the file first"))
    value = _scalar(change.written)
    for part in reversed(parts[1:]):
        value = f"{{{part}: {value}}}"
    entry = f"{parts[0]}: {value}"
    if node.flow_style:
        end = node.end_mark.index - 1
        return text[:end].rstrip() + (", " if node.value else "") + entry + text[end:]
    # An empty mapping in block style is an empty document.
    if not node.value:
        return f"{text.rstrip()}\n{entry}\n"
    if node.start_mark.column == 0 and _is_whole(text, node):
        return f"{text.rstrip()}\n{entry}\n"
    beside = node.value[min(1, len(node.value) - 1)][0]  # before the second key: the first may follow a `- `
    start = beside.start_mark
    return f"{text[: start.index]}{entry}\n{' ' * start.column}{text[start.index :]}"


def _is_whole(text: str, node: yaml.Node) -> bool:
    """Return whether a mapping at the margin is the document itself."""
    return not text[node.end_mark.index :].strip()


def _scalar(value: str) -> str:
    """Return a value as YAML reads it back, in quotes where it has to be."""
    if value.startswith(("{", "[")):
        return value
    try:
        read = _compose(f"{{key: {value}}}")
        plain = len(read.value) == 1 and read.value[0][1].value == value
    except (yaml.YAMLError, AttributeError):
        plain = False
    return value if plain else "'" + value.replace("'", "''") + "'"
