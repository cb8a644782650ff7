"""A document as nodes with positions, from YAML, however hostile, or from code.

Every scalar stays the text that was written, since YAML's own interpretation (`on` as a truth value, `9:00` as a
number in base 60) would be wrong here. Sizes are limited before anything is built, so that no file takes long. Values
given in Python become the same nodes (`node_of`), so that files and code are read, checked and refused in the same
way; `write_yaml` writes values as YAML again.
"""

import datetime
import numbers
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from simbudget.bundled import where_scenarios_are
from simbudget.errors import Place, Problem, UserError

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml is faster, and copes with any depth

_MOST_BYTES: Final = 1_000_000
"""A hundred times the largest scenario written by hand."""
_MOST_CHARACTERS: Final = 20_000_000
"""For text passed in code, which may contain a calibration. The number of values is limited as well."""
_MOST_NODES: Final = 10_000
_DEEPEST: Final = 40
"""Scenarios nest about eight levels deep."""
_NULLS: Final = ("", "null", "Null", "NULL", "~")
_NEEDS_QUOTES: Final = re.compile(r"""[,\[\]{}#:'"&*!|>%@`]""")
_ONE_LINE: Final = 100
"""A mapping or list of at most this many characters is written on one line."""
_WIDTH: Final = 110
"""Width at which longer ones are wrapped: that of the bundled scenarios."""
_COMMENT_COLUMN: Final = 60
"""Column in which comments start, unless the value is longer."""
_SPLIT_NUMBER: Final = re.compile(r"\d{3}(?!\d)[^:]*")
_ENDS_IN_NUMBER: Final = re.compile(r".*(?:^|[\s$])\$?\d{1,3}(?:,\d{3})*")


@dataclass(frozen=True)
class Text:
    """A scalar as written; `is_null` for an empty one, `null` or `~`."""

    text: str
    place: Place
    is_null: bool = False


@dataclass(frozen=True)
class Items:
    """A list."""

    items: tuple["Node", ...]
    place: Place


@dataclass(frozen=True)
class Fields:
    """A mapping: keys with their places and values, in order."""

    values: dict[str, "Node"]
    key_places: dict[str, Place]
    place: Place


@dataclass(frozen=True)
class Given:
    """A value given in Python that has no textual form, such as a distribution."""

    value: Any
    place: Place


Node = Text | Items | Fields | Given

KeyPath = tuple[str | int, ...]
"""Keys and positions that lead to a value."""

_LONGEST_CLAUSE: Final = 800
"""Characters of a message or a remedy. Names and keys that a file makes up can be of any length."""


def clipped(clause: str) -> str:
    """Return a clause, without its middle if it is very long: the words are at the ends."""
    half = _LONGEST_CLAUSE // 2
    return clause if len(clause) <= _LONGEST_CLAUSE else f"{clause[:half]} ... {clause[-half:]}"


def node_of(value: Any, path: str) -> Node:
    """Convert a value given in Python to a node whose place is its path, such as `stop.after`.

    Keys of a mapping or a block whose value is None count as not written.

    Args:
        value: a plain value, a block, a quantity or a distribution.
        path: its path, for messages.
    """
    place = Place(path)
    as_written = getattr(value, "as_written", None)
    if callable(as_written):  # a block
        value = as_written()
    text = _text_of(value)
    if text is not None:
        return Text(text, place)
    if value is None:
        return Text("", place, is_null=True)
    if isinstance(value, Mapping):
        written = {str(key).removesuffix("_"): each for key, each in value.items() if each is not None}
        nodes = {key: node_of(each, f"{path}.{key}" if path else key) for key, each in written.items()}
        return Fields(nodes, {key: node.place for key, node in nodes.items()}, place)
    if isinstance(value, list | tuple):
        return Items(tuple(node_of(each, f"{path}[{index}]") for index, each in enumerate(value)), place)
    return Given(value, place)


def _text_of(value: Any) -> str | None:
    """Return a single value as a scenario writes it; None for anything else."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, numbers.Real):
        return str(int(value)) if isinstance(value, numbers.Integral) else repr(float(value))
    if isinstance(value, datetime.timedelta):
        return f"{value.total_seconds()!r} s"
    if isinstance(value, datetime.datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    is_text = isinstance(value, str | Path | datetime.date) or getattr(value, "is_setting", False)
    return str(value) if is_text else None


def plain(node: Node) -> Any:
    """Return a node as text, or lists and dicts of text."""
    if isinstance(node, Items):
        return [plain(item) for item in node.items]
    if isinstance(node, Fields):
        return {key: plain(value) for key, value in node.values.items()}
    return node.text if isinstance(node, Text) else node.value


def read_file(path: Path) -> str:
    """Read the text of a scenario file.

    Raises:
        UserError: the file cannot be read, is too large, or is not UTF-8.
    """
    place = Place(str(path))
    try:
        if path.exists() and not path.is_file():
            what = "a folder" if path.is_dir() else "not a regular file"
            raise UserError(Problem(f"this is {what}", place, "give the path of a scenario file"))
        if path.is_file() and path.stat().st_size > _MOST_BYTES:
            raise UserError(
                Problem(
                    f"the file has {path.stat().st_size:,} bytes; a scenario has at most {_MOST_BYTES:,}",
                    place,
                    "is it the right file?",
                )
            )
        with path.open("rb") as file:
            return file.read(_MOST_BYTES + 1).decode("utf-8-sig")
    except FileNotFoundError:
        raise UserError(Problem("there is no such file", place, where_scenarios_are(path))) from None
    except UnicodeDecodeError:
        raise UserError(Problem("the file is not text in UTF-8", place, "is it a YAML file?")) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(Problem(f"the file cannot be read: {reason.lower()}", place)) from None


def parse_document(text: str, name: str) -> tuple[Fields, list[Problem]]:
    """Parse a YAML text into a mapping, and the mistakes that do not prevent reading on.

    Args:
        text: YAML.
        name: file name to use in messages.

    Raises:
        UserError: the text is not YAML, not a single mapping, or too large or deep for a scenario.
    """
    if len(text) > _MOST_CHARACTERS:
        raise UserError(Problem(f"the text has more than {_MOST_CHARACTERS:,} characters", Place(name)))
    try:
        _require_moderate(text, name)
        document = yaml.compose(text, _Loader)
    except (yaml.YAMLError, UnicodeError) as error:
        raise UserError(_not_yaml(error, name)) from None
    builder = _Builder(name)
    node = builder.build(document, 0) if document is not None else None
    if isinstance(node, Fields):
        return node, builder.problems
    found = "nothing" if node is None else "a list" if isinstance(node, Items) else "a single value"
    remedy = "a scenario is keys with values, `fleet:` and `cycle:` at least; `simbudget init DIR` writes one"
    raise UserError(Problem(f"there is {found} in it", Place(name), remedy))


def parse_value(text: str, name: str) -> Node:
    """Parse a trusted YAML text with a single value, such as a default.

    Args:
        text: YAML.
        name: name to use in messages.
    """
    node = yaml.compose(text, _Loader)
    assert node is not None
    return _Builder(name).build(node, 0)


def flow_text(node: Node, within: bool = False) -> str:
    """Return a node as one line of YAML, which `parse_value` reads back to the same node.

    Args:
        node: the node.
        within: whether it stands within brackets, where commas have to be quoted.
    """
    if isinstance(node, Items):
        return "[" + ", ".join(flow_text(item, True) for item in node.items) + "]"
    if isinstance(node, Fields):
        inner = (f"{key}: {flow_text(value, True)}" for key, value in node.values.items())
        return "{" + ", ".join(inner) + "}"
    text = node.text if isinstance(node, Text) else repr(node.value)
    return "'" + text.replace("'", "''") + "'" if within and _NEEDS_QUOTES.search(text) else text


def write_yaml(value: Any, comments: Mapping[KeyPath, str] | None = None) -> str:
    """Write text, or lists and dicts of text, as YAML, with small mappings on one line each.

    Args:
        value: what is written.
        comments: comments by the path of the value that each follows; a mapping with comments within takes a line for
            each of its keys.
    """
    comments = comments or {}
    blocks = {path[:depth] for path in comments for depth in range(len(path))}
    node = _yaml_node(value, (), blocks)
    text = str(yaml.serialize(node, Dumper=_Dumper, width=_WIDTH, allow_unicode=True))
    return _commented(text, comments) if comments else text


def _commented(text: str, comments: Mapping[KeyPath, str]) -> str:
    """Return a YAML text with comments at the ends of lines, those of one line together."""
    # Comments are placed by reading the text back, since PyYAML cannot write any.
    root: Any = yaml.compose(text, _Loader)
    by_line: dict[int, list[str]] = {}
    for path, comment in comments.items():
        by_line.setdefault(_line_of(root, path), []).append(comment)
    lines = text.splitlines()
    for number, said in by_line.items():
        lines[number] = f"{lines[number]:<{_COMMENT_COLUMN}}  # {'; '.join(said)}"
    return "\n".join(lines) + "\n"


def _line_of(root: Any, path: KeyPath) -> int:
    """Return the line on which a value ends or, if it takes several of its own, the line of its key."""
    key, value = None, root
    try:
        for step in path:
            if isinstance(step, int):
                key, value = None, value.value[step]
            else:
                key, value = next((key, each) for key, each in value.value if key.value == step)
    except (StopIteration, IndexError, AttributeError, ValueError, TypeError):
        where = ".".join(str(step) for step in path)
        remedy = "give the path of a value that is not left to its default"
        raise UserError(
            Problem(f"comment on {where}: the scenario does not write it", remedy=remedy)
        ) from None
    is_block = isinstance(value, yaml.CollectionNode) and not value.flow_style
    mark = key.start_mark if is_block and key is not None else value.end_mark
    return int(mark.line)


class _Dumper(yaml.Dumper):
    """A dumper that treats every scalar as text, so that `9` needs no quotes."""

    # Without resolvers, text that looks like a number or a date is not quoted; reading treats all scalars as text too.
    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  as in PyYAML

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _yaml_node(value: Any, path: KeyPath, blocks: Collection[KeyPath]) -> yaml.Node:
    """Return a value as a node; `blocks` are the paths of mappings and lists that take several lines."""
    depth, is_small = len(path), path not in blocks and _is_small(value)
    if isinstance(value, dict):
        pairs = [
            (_yaml_node(key, (*path, key), ()), _yaml_node(each, (*path, key), blocks))
            for key, each in value.items()
        ]
        return yaml.MappingNode("tag:yaml.org,2002:map", pairs, flow_style=depth > 0 and is_small)
    if isinstance(value, list):
        items = [_yaml_node(each, (*path, number), blocks) for number, each in enumerate(value)]
        on_one_line = is_small and (depth > 1 or not any(isinstance(each, dict) for each in value))
        return yaml.SequenceNode("tag:yaml.org,2002:seq", items, flow_style=on_one_line)
    needs_quotes = value in _NULLS or value == "<<" or not value.isprintable()
    return yaml.ScalarNode("tag:yaml.org,2002:str", value, style='"' if needs_quotes else None)


def _is_small(value: Any) -> bool:
    """Return whether a value fits on one line."""
    return len(str(value)) < _ONE_LINE


def _require_moderate(text: str, name: str) -> None:
    """Raise UserError if a document is too deep or has too many nodes, without building any of them."""
    # Events come one by one: a bomb of aliases or brackets is refused before any of its nodes exists.
    depth = 0
    for count, event in enumerate(yaml.parse(text, _Loader)):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _DEEPEST or count > 2 * _MOST_NODES:
            mark: Any = event.start_mark
            what = f"nests deeper than {_DEEPEST} levels" if depth > _DEEPEST else "has too many values"
            place = Place(name, mark.line + 1, mark.column + 1)
            raise UserError(Problem(f"the file {what}", place, "that is no scenario"))


def _is_plain(node: Any) -> bool:
    """Return whether a scalar is unquoted; libyaml represents this by an empty style, PyYAML by None."""
    return not node.style


def _not_yaml(error: Exception, name: str) -> Problem:
    mark = getattr(error, "problem_mark", None)
    place = Place(name, mark.line + 1, mark.column + 1) if mark else Place(name)
    reason = getattr(error, "problem", None) or str(error).splitlines()[0]
    remedy = None
    if "tab character" in reason or "cannot start any token" in reason:
        remedy = "indent with spaces instead of tabs, and put text with special characters in quotes"
    elif "single document" in str(error):
        remedy = "a file contains one scenario; remove `---` and what follows it"
    elif mark:
        remedy = "check the indentation, and put text with `:` or `#` in quotes"
    return Problem(f"this is not YAML: {reason}", place, remedy)


@dataclass
class _Builder:
    """Converts YAML nodes to ours, collecting problems."""

    file: str
    problems: list[Problem] = field(default_factory=list)
    built: int = 0

    def build(self, node: yaml.Node, depth: int) -> Node:
        place = self._place(node)
        self.built += 1
        if self.built > _MOST_NODES or depth > _DEEPEST:
            remedy = "aliases (`*name`) may repeat a few values, not multiply them"
            raise UserError(Problem("the file's aliases make it too large", place, remedy))
        if isinstance(node, yaml.SequenceNode):
            return Items(tuple(self.build(item, depth + 1) for item in node.value), place)
        if isinstance(node, yaml.MappingNode):
            return self._fields(node, depth)
        is_null = _is_plain(node) and node.value in _NULLS
        return Text(node.value, place, is_null)

    def _fields(self, node: yaml.MappingNode, depth: int) -> Fields:
        fields = Fields({}, {}, self._place(node))
        merged: dict[str, Node] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._note("a key has to be a single word", key)
            elif key.value == "<<" and _is_plain(key):
                for base in self._merged(value, depth):
                    merged = {**base.values, **merged}
            elif node.flow_style and self._is_split(key, value, fields):
                continue
            elif key.value in fields.values:
                first = fields.key_places[key.value].line
                self._note(f"the key `{key.value}` is repeated (first on line {first})", key, "keep one")
            else:
                fields.values[key.value] = self.build(value, depth + 1)
                fields.key_places[key.value] = self._place(key)
        for name, value in merged.items():
            if name not in fields.values:
                fields.values[name] = value
                fields.key_places[name] = value.place
        return fields

    def _merged(self, value: yaml.Node, depth: int) -> Iterator[Fields]:
        built = self.build(value, depth + 1)
        for base in built.items if isinstance(built, Items) else (built,):
            if isinstance(base, Fields):
                yield base
            else:
                self._note("`<<` takes a mapping", value)

    def _is_split(self, key: yaml.Node, value: yaml.Node, before: Fields) -> bool:
        """Note and repair a number like `$20,000` in `{...}`, where YAML ends the value at the comma."""
        last = list(before.values.values())[-1:]
        is_rest = _SPLIT_NUMBER.fullmatch(key.value) and value.value == "" and _is_plain(key)
        if not (is_rest and last and isinstance(last[0], Text) and _ENDS_IN_NUMBER.fullmatch(last[0].text)):
            return False
        start, written = last[0].text.replace(",", ""), f"{last[0].text},{key.value}"
        remedy = f"write `{start}{key.value}`, or put it in quotes: `'{written}'`"
        place = last[0].place
        before.values[next(reversed(before.values))] = Text(written, place)
        split = "inside {...} YAML splits"
        if self.problems and self.problems[-1].place == place and split in self.problems[-1].message:
            self.problems.pop()  # `$1,250,000` is one number with two commas
        self.problems.append(Problem(clipped(f"{split} `{written}` at its comma"), place, clipped(remedy)))
        return True

    def _note(self, message: str, node: yaml.Node, remedy: str | None = None) -> None:
        self.problems.append(Problem(clipped(message), self._place(node), remedy))

    def _place(self, node: yaml.Node) -> Place:
        return Place(self.file, node.start_mark.line + 1, node.start_mark.column + 1)
