"""What a key of a block expects, other than a quantity; and the reading of a whole block, key by key.

A block's model says in its annotations what each key expects (`Annotated[int, Whole(...)]`): anything with a
method `read(reading, node, name)` that returns a value, notes problems, and never raises for a user's mistake.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, runtime_checkable

from pydantic import BaseModel, ConfigDict

from simbudget.scenario.amounts import Amount
from simbudget.scenario.document import Fields, Node, Text
from simbudget.scenario.reading import Reading, describe, is_absent, nearest
from simbudget.units import Dimension, written_amount


class Block(BaseModel):
    """A frozen block of a scenario; its fields are the keys of the language."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


B = TypeVar("B", bound=Block)


@runtime_checkable
class Expectation(Protocol):
    """What a key expects."""

    def read(self, reading: Reading, node: Node | None, name: str) -> Any:
        """Return the value for a node, or for None the default."""


@dataclass(frozen=True)
class Parsed:
    """A single value that `parse` makes of its text; a ValueError's text is the message."""

    parse: Callable[[str], Any]
    default: str | None = None
    stand_in: Any = None

    def read(self, reading: Reading, node: Node | None, name: str) -> Any:
        """Return the value, or a stand-in for one that is wrong."""
        reading.seen(name, node)
        if is_absent(node):
            if self.default is None:
                return self.stand_in
            reading.note(name, self.default, "setting", None)
            return self.parse(self.default)
        assert node is not None
        try:
            if not isinstance(node, Text):
                raise ValueError(f"found {describe(node)}; a single value is expected")
            value = self.parse(node.text)
        except ValueError as error:
            reading.problem(f"`{name.rpartition('.')[2]}`: {error}", node.place)
            return self.parse(self.default) if self.default is not None else self.stand_in
        reading.note(name, node.text, "setting", node)
        return value


def whole(low: int, high: int, default: str | None = None, stand_in: int | None = None) -> Parsed:
    """Return what expects a whole number between two."""
    amount = Amount(Dimension.NUMBER)

    def parse(text: str) -> int:
        draws = amount.parse(text)
        value = draws.distribution.mean()
        if draws.kind.value != "exact" or value != math.floor(value) or not low <= value <= high:
            raise ValueError(f"`{text[:40]}` is not allowed; write a whole number from {low:,} to {high:,}")
        return int(value)

    return Parsed(parse, default, stand_in)


def number(dimension: Dimension, low: float, high: float) -> Parsed:
    """Return what expects an exact amount between two, or nothing."""
    amount = Amount(dimension, exact=True)

    def parse(text: str) -> float:
        value = amount.parse(text).distribution.mean()
        if not low <= value <= high:
            allowed = f"{written_amount(low, dimension)} to {written_amount(high, dimension)}"
            raise ValueError(f"`{text[:40]}` makes no sense here; {allowed} is allowed")
        return value

    return Parsed(parse)


def choice(*options: str, default: str | None = None, stand_in: str | None = None) -> Parsed:
    """Return what expects one of a few words."""

    def parse(text: str) -> str:
        word = " ".join(text.lower().replace("-", " ").split())
        if word not in options:
            raise ValueError(f"`{text[:40]}` is not known; {nearest(word, options)}")
        return word

    return Parsed(parse, default, stand_in)


def words(default: str | None = None, longest: int = 200) -> Parsed:
    """Return what expects a name."""

    def parse(text: str) -> str:
        if not text.strip() or len(text) > longest or not text.isprintable():
            raise ValueError(f"a name of 1 to {longest} printable characters is allowed")
        return text.strip()

    return Parsed(parse, default)


@dataclass(frozen=True)
class Nested:
    """A block within a block."""

    model: type[Block]
    optional: bool = False
    as_text: str | None = None
    """The key that may also be written as text: `every 20 h` for `{every: 20 h}`."""

    def read(self, reading: Reading, node: Node | None, name: str) -> Block | None:
        """Return the block, with defaults for what is not written; None for an optional one that is absent."""
        if self.optional and is_absent(node):
            reading.seen(name, node)
            return None
        if self.as_text and isinstance(node, Text) and node.text.startswith(f"{self.as_text} "):
            value = Text(node.text.removeprefix(self.as_text).strip(), node.place)
            node = Fields({self.as_text: value}, {self.as_text: node.place}, node.place)
        return read_block(reading, self.model, node, name)


def read_block(reading: Reading, model: type[B], node: Node | None, name: str, base: B | None = None) -> B:
    """Return a block; what is not written is as in `base`, or has its default."""
    reading.seen(name, node)
    what = f"`{name.rpartition('.')[2] or 'a scenario'}`"
    if node is not None and not isinstance(node, Fields):
        if not is_absent(node):
            keys = ", ".join(f"`{key}`" for key in _keys(model)) or "none, `{}`"
            reading.problem(f"{what}: found {describe(node)}", node.place, f"write keys: {keys}")
            return model(**read_fields(Reading(reading.folder), model, None, name, base))
        node = None
    if node is not None:
        reading.unknown_keys(node, _keys(model), what)
    return model(**read_fields(reading, model, node, name, base))


def _keys(model: type[Block]) -> list[str]:
    """Return the keys of a block: the fields that say what they expect."""
    return [
        key
        for key, field in model.model_fields.items()
        if any(isinstance(part, Expectation) for part in field.metadata)
    ]


def read_fields(
    reading: Reading, model: type[B], node: Fields | None, name: str, base: B | None = None
) -> dict[str, Any]:
    """Return the values of those keys of a block whose annotation says what they expect."""
    values: dict[str, Any] = {}
    for key, field in model.model_fields.items():
        child = node.values.get(key) if node is not None else None
        if child is None and base is not None:
            values[key] = getattr(base, key)
            continue
        for expectation in field.metadata:
            if isinstance(expectation, Expectation):
                path = f"{name}.{key}" if name else key
                require_written(reading, expectation, child, node, path)
                values[key] = expectation.read(reading, child, path)
    return values


def require_written(
    reading: Reading, expectation: Expectation, child: Node | None, block: Fields | None, path: str
) -> None:
    """Note a quantity that has no default and is not written."""
    if not isinstance(expectation, Amount) or expectation.default is not None or expectation.optional:
        return
    if child is None:
        place = block.place if block is not None else reading.place_of(path)
        block_name, _, key = path.rpartition(".")
        reading.problem(f"`{block_name}` needs `{key}`", place, expectation.advice())
