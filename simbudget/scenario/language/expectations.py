"""What keys expect: single parsed values, blocks within blocks, lists, and common kinds of values.

An expectation reads a node and writes the value back; `blocks.Expectation` is its interface.
"""

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from simbudget.scenario.language.amounts import Amount
from simbudget.scenario.language.blocks import (
    Block,
    Expectation,
    FrozenDict,
    attribute,
    keys_of,
)
from simbudget.scenario.language.calendar import parse_office_hours
from simbudget.scenario.language.document import Fields, Items, Node, Text
from simbudget.scenario.language.reading import Reading, describe, is_absent, nearest
from simbudget.units import Dimension, written_amount

TEN_YEARS_S: Final = 10 * 365 * 86_400.0
"""The longest duration allowed: longer ones are typing errors, and 64-bit nanoseconds hold thirty times as much."""
MOST_TOKENS: Final = 1e9
"""A thousand times the largest context of current models."""
MOST_AGENTS: Final = 100_000
MOST_USD: Final = 1e12
"""Bounds that no plan reaches, so that typing errors are reported."""


@dataclass(frozen=True)
class Parsed:
    """A single value that `parse` makes from its text; the message of a ValueError is shown to the user."""

    parse: Callable[[str], Any]
    default: str | None = None
    stand_in: Any = None
    schema: Mapping[str, Any] = dataclasses.field(default_factory=lambda: {"type": "string"}, compare=False)
    """Its JSON Schema."""
    form: str = "text"
    """What to write, in words."""
    required: bool = False
    written: Callable[[Any], str] = str
    """Converts a value to text."""

    def advice(self) -> str:
        """Return what to write."""
        return f"write {self.form}"

    def read(self, reading: Reading, node: Node | None, name: str) -> Any:
        """Return the value, or a placeholder for an invalid one."""
        reading.seen(name, node)
        if node is not None and is_absent(node) and self.required:
            reading.problem(f"`{name}` has no value", node.place, self.advice())
            return self.stand_in
        if node is None or is_absent(node):
            if self.default is None:
                return self.stand_in
            reading.note(name, self.default, "setting", None)
            return self.parse(self.default)
        try:
            if not isinstance(node, Text):
                raise ValueError(f"found {describe(node)}; a single value is expected")
            value = self.parse(node.text)
        except ValueError as error:
            reading.problem(f"`{name.rpartition('.')[2]}`: {error}", node.place)
            return self.parse(self.default) if self.default is not None else self.stand_in
        reading.note(name, node.text, "setting", node)
        return value

    def write(self, value: Any) -> Any:
        """Return the text of a value."""
        return self.written(value)


@dataclass(frozen=True)
class Nested:
    """A block within a block."""

    model: type[Block]
    optional: bool = False
    as_text: str | None = None
    """A key whose value alone may stand for the block: `every 20 h` for `{every: 20 h}`."""

    required: ClassVar[bool] = False

    def read(self, reading: Reading, node: Node | None, name: str) -> Block | None:
        """Return the block, with defaults for missing keys; None for an optional block that is absent."""
        if self.optional and is_absent(node):
            reading.seen(name, node)
            return None
        if self.as_text and isinstance(node, Text) and node.text.startswith(f"{self.as_text} "):
            value = Text(node.text.removeprefix(self.as_text).strip(), node.place)
            node = Fields({self.as_text: value}, {self.as_text: node.place}, node.place)
        return self.model.read(reading, node, name, None)

    def write(self, value: Any) -> Any:
        """Return the written part of the block."""
        return value.write()


@dataclass(frozen=True)
class Named:
    """Blocks by name."""

    model: type[Block]

    required: ClassVar[bool] = False

    def read(self, reading: Reading, node: Node | None, name: str) -> FrozenDict:
        """Return the blocks by name."""
        nodes = mapping_of(reading, node, name)
        return FrozenDict({k: self.model.read(reading, v, f"{name}[{k}]", None) for k, v in nodes.items()})

    def write(self, value: Any) -> Any:
        """Return the written part of each block."""
        return {name: block.write() for name, block in value.items()}


@dataclass(frozen=True)
class Listed:
    """A list whose items another expectation reads: blocks or single values."""

    each: Expectation

    required: ClassVar[bool] = False

    def read(self, reading: Reading, node: Node | None, name: str) -> tuple[Any, ...]:
        """Return the values."""
        nodes = list_of(reading, node, name)
        return tuple(self.each.read(reading, item, f"{name}[{index}]") for index, item in enumerate(nodes))

    def write(self, value: Any) -> Any:
        """Return the list."""
        return [self.each.write(item) for item in value]


def mapping_of(reading: Reading, node: Node | None, name: str) -> dict[str, Node]:
    """Return a mapping's values by key; for anything else note a problem and return an empty mapping."""
    reading.seen(name, node)
    if node is None or is_absent(node):
        return {}
    if isinstance(node, Fields):
        return node.values
    reading.problem(f"`{name}`: found {describe(node)}", node.place, "write keys with values")
    return {}


def list_of(reading: Reading, node: Node | None, name: str) -> tuple[Node, ...]:
    """Return a list's items; for anything else note a problem and return no items."""
    reading.seen(name, node)
    if node is None or is_absent(node):
        return ()
    if isinstance(node, Items):
        return node.items
    reading.problem(
        f"`{name}`: found {describe(node)}", node.place, "write a list: lines that begin with `- `"
    )
    return ()


# Expectations of common kinds: whole numbers, words, durations, token counts, facts, shares, office hours.


def whole(
    low: int, high: int, default: str | None = None, stand_in: int | None = None, required: bool = False
) -> Parsed:
    """Return the expectation of a whole number between two bounds.

    Args:
        low: lowest value that is allowed.
        high: highest value that is allowed.
        default: as a scenario would write it; None for no value.
        stand_in: value to go on with after a mistake.
        required: whether the key has to be written.
    """
    amount = Amount(Dimension.NUMBER)

    def parse(text: str) -> int:
        draws = amount.parse(text)
        value = draws.distribution.mean()
        if draws.kind.value != "exact" or value != math.floor(value) or not low <= value <= high:
            raise ValueError(f"`{text[:40]}` is not allowed; write a whole number from {low:,} to {high:,}")
        return int(value)

    schema = {
        "anyOf": [
            {"type": "integer", "minimum": low, "maximum": high},
            {"type": "string", "pattern": r"^\s*\d[\d,_]*(\.\d+)?[kMB]?\s*$"},
        ]
    }
    form = f"a whole number from {low:,} to {high:,}"
    return Parsed(parse, default, stand_in, schema, form, required)


def number(dimension: Dimension, low: float, high: float, percent: bool = False) -> Parsed:
    """Return the expectation of an exact amount between two bounds, or nothing.

    Args:
        dimension: what is measured, which determines the units.
        low: lowest value that is allowed, in base units.
        high: highest value that is allowed, in base units.
        percent: whether it may be written as a percentage.
    """
    amount = Amount(dimension, exact=True, low=low, high=high, percent=percent)

    def parse(text: str) -> float:
        value = amount.parse(text).distribution.mean()
        if not low <= value <= high:
            allowed = f"{written_amount(low, dimension)} to {written_amount(high, dimension)}"
            raise ValueError(f"`{text[:40]}` is out of bounds; {allowed} is allowed")
        return value

    return Parsed(
        parse, schema={"amount": amount}, form=dimension.value, written=lambda v: written_amount(v, dimension)
    )


def choice(*options: str, default: str | None = None, stand_in: str | None = None) -> Parsed:
    """Return the expectation of one of a few words."""

    def parse(text: str) -> str:
        word = " ".join(text.lower().replace("-", " ").split())
        if word not in options:
            raise ValueError(f"`{text[:40]}` is not known; {nearest(word, options)}")
        return word

    form = ", ".join(f"`{option}`" for option in options)
    return Parsed(parse, default, stand_in, {"enum": list(options)}, form)


def yes_or_no(default: str) -> Parsed:
    """Return the expectation of `yes` or `no`."""

    def parse(text: str) -> bool:
        word = text.strip().lower()
        if word not in ("yes", "true", "on", "no", "false", "off"):
            raise ValueError(f"`{text[:40]}` is not known; write `yes` or `no`")
        return word in ("yes", "true", "on")

    schema = {"enum": [True, False, "yes", "no"]}
    return Parsed(
        parse, default, None, schema, "`yes` or `no`", written=lambda value: "yes" if value else "no"
    )


def words(default: str | None = None, longest: int = 200) -> Parsed:
    """Return the expectation of a name."""

    def parse(text: str) -> str:
        if not text.strip() or len(text) > longest or not text.isprintable():
            raise ValueError(f"a name of 1 to {longest} printable characters is allowed")
        return text.strip()

    return Parsed(parse, default, schema={"type": ["string", "number", "boolean"]}, form="a name")


class ModelName(Parsed):
    """The name of a model that what the block describes calls; such models need speeds and prices."""


def model_name() -> ModelName:
    """Return the expectation of the name of a model that is called."""
    return ModelName(**vars(words()))


def models_called(block: Block, path: str) -> Iterator[tuple[str, str]]:
    """Yield the models that a block and the blocks in it name, each with the path of its key.

    Args:
        block: what may call models.
        path: its path in the scenario.
    """
    for key, expectation in keys_of(type(block)).items():
        value = getattr(block, attribute(type(block), key))
        if isinstance(expectation, ModelName) and value:
            yield f"{path}.{key}", value
        elif isinstance(value, Block):
            yield from models_called(value, f"{path}.{key}")


def tokens(default: str | None = None, exact: bool = False, optional: bool = False) -> Amount:
    """Return the expectation of a number of tokens."""
    return Amount(Dimension.NUMBER, default, exact=exact, high=MOST_TOKENS, optional=optional)


def time(default: str | None = None, exact: bool = False, low: float = 0.0, optional: bool = False) -> Amount:
    """Return the expectation of a duration of at most ten years.

    Args:
        default: as a scenario would write it.
        exact: whether only an exact duration is allowed.
        low: shortest duration, in seconds.
        optional: whether the key may be absent.
    """
    return Amount(Dimension.DURATION, default, exact=exact, low=low, high=TEN_YEARS_S, optional=optional)


def fact(
    dimension: Dimension,
    default: str | None = None,
    low: float = 0.0,
    percent: bool = False,
    basis: str | None = None,
) -> Amount:
    """Return the expectation of a fact: a bare range is one unknown value.

    Args:
        dimension: what is measured, which determines the units.
        default: as a scenario would write it; None if the key may be absent.
        low: lowest value that is allowed, in base units.
        percent: whether it may be written as a percentage.
        basis: what the default is based on, as shown by `check`.
    """
    high = {Dimension.DURATION: TEN_YEARS_S, Dimension.FRACTION: 1.0}.get(dimension, 1e9)
    return Amount(dimension, default, is_fact=True, low=low, high=high, percent=percent, basis=basis)


def share(default: str | None = None, basis: str | None = None) -> Amount:
    """Return the expectation of a share between 0 and 1."""
    return Amount(Dimension.FRACTION, default, high=1.0, basis=basis)


HOURS: Final = Parsed(
    parse_office_hours,
    "always",
    schema={"type": "string", "pattern": r"^\s*([Aa]lways|[A-Za-z][A-Za-z,\- ]* +[\d:]+ *- *[\d:]+)\s*$"},
    form="office hours: `always`, `Mon-Fri 9-17`",
)
