"""Editing a scenario's text: single values change; everything else, including comments and layout, is preserved.

PyYAML gives the positions of values in the text, where new values are substituted. A missing key is added to its block
in the block's style.
"""

import json
import re
from collections.abc import Sequence
from typing import Final

import yaml

Path = Sequence[str | int]

_PLAIN: Final = re.compile(r"[A-Za-z_][\w.\-]*( [\w.\-()]+)*")
_NOTHING: Final = ("", "~", "null")
_NEW_BLOCK: Final = 2
"""Spaces of indentation of a new block."""


def with_value(text: str, path: Path, value: str) -> str:
    """Return a YAML text in which the value at `path`, keys and positions in lists, is `value`.

    Args:
        text: the YAML text.
        path: keys and positions that lead to the value; missing keys are added.
        value: its new text.

    Raises:
        KeyError: a list on the way has no such position, or a value on the way is neither mapping nor list.
    """
    root = yaml.compose(text, yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode):
        raise KeyError(path[0])
    node: yaml.Node = root
    for depth, step in enumerate(path):
        child = _child(node, step)
        if child is None:
            return _inserted(text, node, path[depth:], value, is_root=node is root)
        if isinstance(child, yaml.ScalarNode) and child.value in _NOTHING and depth + 1 < len(path):
            return _replaced(text, child, _nested(path[depth + 1 :], value))
        node = child
    return _replaced(text, node, value)


def without_calibration(text: str) -> str:
    """Return a scenario's text that names no calibration file."""
    return re.sub(r"(?m)^calibration:.*$", "", text)


def keys_at(text: str, path: Path) -> list[str]:
    """Return the keys of the mapping at `path`; none where there is no such mapping.

    Args:
        text: the YAML text.
        path: keys and positions that lead to the mapping.
    """
    node: yaml.Node | None = yaml.compose(text, yaml.SafeLoader)
    for step in path:
        if not isinstance(node, yaml.MappingNode | yaml.SequenceNode):
            return []
        node = _child(node, step)
    return [str(key.value) for key, _ in node.value] if isinstance(node, yaml.MappingNode) else []


def _child(node: yaml.Node, step: str | int) -> yaml.Node | None:
    """Return the node at a key or position; None for a missing key."""
    if isinstance(node, yaml.SequenceNode):
        if not isinstance(step, int) or step >= len(node.value):
            raise KeyError(step)
        child: yaml.Node = node.value[step]
        return child
    if not isinstance(node, yaml.MappingNode):
        raise KeyError(step)
    return next((value for key, value in node.value if key.value == str(step)), None)


def _replaced(text: str, node: yaml.Node, value: str) -> str:
    start, end = node.start_mark.index, node.end_mark.index
    written = text[start:end]
    stripped = written.rstrip()
    end = start + len(stripped)
    space = " " if start > 0 and text[start - 1] == ":" else ""
    return text[:start] + space + value + text[end:]


def _inserted(text: str, node: yaml.Node, path: Path, value: str, is_root: bool) -> str:
    """Return the text with the remaining keys of `path` added to a mapping."""
    if not isinstance(node, yaml.MappingNode):
        raise KeyError(path[0])
    if node.flow_style:
        inner = _nested(path[1:], value)
        end = node.end_mark.index - 1
        before = text[:end].rstrip()
        comma = "" if before.endswith(("{", ",")) else ", "
        return f"{before}{comma}{_key(path[0])}: {inner}" + text[end:]
    indent = 0 if is_root else node.start_mark.column
    lines = [
        f"{' ' * (indent + _NEW_BLOCK * depth)}{_key(key)}:{f' {value}' if depth == len(path) - 1 else ''}"
        for depth, key in enumerate(path)
    ]
    at = len(text) if is_root else _end_of_block(text, node)
    before = text[:at]
    if before and not before.endswith("\n"):
        before += "\n"
    return before + "\n".join(lines) + "\n" + text[at:]


def _nested(path: Path, value: str) -> str:
    """Return `{key: {key: value}}`."""
    for key in reversed(path):
        value = f"{{{_key(key)}: {value}}}"
    return value


def _key(key: str | int) -> str:
    """Return a key as YAML, in quotes where necessary."""
    return str(key) if _PLAIN.fullmatch(str(key)) else json.dumps(str(key))


def _end_of_block(text: str, node: yaml.MappingNode) -> int:
    """Return where the line after a block mapping's last value begins."""
    last = node.value[-1][1]
    end = last.start_mark.index + len(text[last.start_mark.index : last.end_mark.index].rstrip())
    line_end = text.find("\n", end)
    return len(text) if line_end < 0 else line_end + 1
