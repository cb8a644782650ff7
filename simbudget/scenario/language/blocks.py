"""Blocks: frozen values whose fields are the keys of the language.

A block's annotations say what each key expects (`Annotated[int, whole(1, 9)]`, see `expectations`); reading, writing,
the JSON Schema and the reference page all follow from them. A block is made in code as in a file:
`Think(turns="20 to 60")`. Keys that are not written have their default, and a mistake is a UserError naming the key.
"""

import dataclasses
import keyword
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Final, Protocol, Self, TypeVar, get_type_hints, runtime_checkable

from simbudget.scenario.language.document import Fields, Node, node_of
from simbudget.scenario.language.quantities import Quantity
from simbudget.scenario.language.reading import Reading, describe, is_absent


@runtime_checkable
class Expectation(Protocol):
    """The interface of what a key expects."""

    @property
    def required(self) -> bool:
        """Return whether the key has to be written."""

    def read(self, reading: Reading, node: Node | None, name: str) -> Any:
        """Read a node, or the default for None; mistakes are noted in `reading`, never raised.

        Args:
            reading: collects mistakes and the origin of values.
            node: the node; None if the key is not written.
            name: path of the value, such as `stop.after`.
        """

    def write(self, value: Any) -> Any:
        """Return a value as text, or lists and dicts of text, that reads back to an equal one."""


class FrozenDict(dict[str, Any]):
    """An immutable mapping, which is part of a frozen value."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(tuple(self.items()))

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise dataclasses.FrozenInstanceError("scenarios are immutable; use `replace`")

    __setitem__ = __delitem__ = clear = pop = popitem = setdefault = update = __ior__ = _refuse

    def __reduce__(self) -> Any:
        return type(self), (dict(self),)


class Block:
    """A frozen block of a scenario; its fields are the keys of the language.

    Keys that are Python keywords have a trailing underscore in code: `if_`.
    """

    fields: ClassVar[Mapping[str, str]] = {}
    """Names of fields, by key, that differ from their key."""

    def __init__(self, **written: Any) -> None:
        """Make a block from values as a file would have them.

        Raises:
            UserError: a value is invalid.
        """
        name = type(self).__name__.lower()
        reading = Reading(Path())
        block = type(self).read(reading, node_of(written, name), name, None)
        reading.require_right()
        # Blocks made in code are read like those of a file, so that both have the same defaults and messages. The
        # dataclass is frozen, hence the dictionary.
        self.__dict__.update(block.__dict__)

    @classmethod
    def of_values(cls, values: Mapping[str, Any], written: frozenset[str]) -> Self:
        """Return a block from values that have been read; `written` are the keys that do not have their default."""
        block = cls.__new__(cls)  # `__init__` would read the values again
        block.__dict__.update(values, written=written)
        return block

    @classmethod
    def read(cls, reading: Reading, node: Node | None, name: str, base: Self | None) -> Self:
        """Read a block from a node; missing keys are taken from `base`, or have their default.

        Args:
            reading: collects mistakes and the origin of values.
            node: the node; None if the key is not written.
            name: path of the value, such as `stop.after`.
            base: values of keys that are not written; by default their defaults.
        """
        fields = _fields(reading, node, name, keys_of(cls))
        written = frozenset(fields.values if fields else ()).intersection(keys_of(cls))
        if fields is None and node is not None and not is_absent(node):
            reading = Reading(reading.folder)  # keys missing because of this mistake are not further mistakes
        known = cls.depending(reading, fields, name)
        return cls.of_values(read_keys(reading, cls, fields, name, base, known), written)

    @classmethod
    def depending(cls, reading: Reading, fields: Fields | None, name: str) -> dict[str, Any]:
        """Return the values of keys whose default depends on other keys.

        Args:
            reading: collects mistakes and the origin of values.
            fields: the keys that are written; None for none.
            name: path of the value, such as `stop.after`.
        """
        return {}

    def document(self) -> dict[str, Any]:
        """Return the values of the written keys."""
        values = {
            key: getattr(self, attribute(type(self), key))
            for key in keys_of(type(self))
            if key in self.written
        }
        return {key: value for key, value in values.items() if value is not None}

    def as_written(self) -> dict[str, Any]:
        """Return the same in the form that it has within another block or a list."""
        return self.document()

    def write(self) -> Any:
        """Return the written part of the block as dicts, lists and text."""
        keys = keys_of(type(self))
        return {key: keys[key].write(value) for key, value in self.document().items()}

    def replace(self, **changes: Any) -> Self:
        """Return the block with some values replaced; a mapping for an inner block replaces only the keys it names.

        Raises:
            UserError: a value is invalid, or there is no such key.
        """
        return type(self)(**changed(self.document(), changes))

    __replace__ = replace

    def with_values(self, **values: Any) -> Self:
        """Return the block with values that have already been read and checked; otherwise use `replace`."""
        return type(self).of_values(self.filled(**values).__dict__, self.written | values.keys())

    def filled(self, **values: Any) -> Self:
        """Return the block with unwritten values filled in: defaults that depend on several blocks."""
        block = type(self).of_values({**self.__dict__, **values}, self.written)
        block.__dict__.pop("_hash", None)
        return block

    def over(self, base: Self) -> Self:
        """Return the block with the values of `base` where it writes none itself."""
        own = {attribute(type(self), key) for key in self.written}
        values = {name: value for name, value in self.__dict__.items() if name in own}
        return type(self).of_values({**base.__dict__, **values}, base.written | self.written).filled()

    def parts(self) -> Iterator[Any]:
        """Yield the values of its fields."""
        return (getattr(self, attribute(type(self), key)) for key in keys_of(type(self)))

    def quantities(self) -> list[Quantity]:
        """Return every distinct quantity in it, in the order of its fields."""
        return list({quantity.name: quantity for quantity in _quantities(self)}.values())

    def with_quantities(self, change: Callable[[Quantity], Quantity]) -> Self:
        """Return the block with every quantity in it changed, also those that nobody wrote."""
        fields = (attribute(type(self), key) for key in keys_of(type(self)))
        return self.filled(**{name: _with_quantities(getattr(self, name), change) for name in fields})

    written: frozenset[str]

    def __setattr__(self, name: str, value: Any) -> None:
        raise dataclasses.FrozenInstanceError(f"cannot assign to {name!r}; use `replace`")

    def __delattr__(self, name: str) -> None:
        raise dataclasses.FrozenInstanceError(f"cannot delete {name!r}")

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def __eq__(self, other: object) -> bool:
        """Return whether both have the same values, regardless of which are written and which are defaults."""
        if type(self) is not type(other):
            return NotImplemented
        assert isinstance(other, Block)
        return all(mine == others for mine, others in zip(self.parts(), other.parts(), strict=True))

    def __hash__(self) -> int:
        if "_hash" not in self.__dict__:
            self.__dict__["_hash"] = hash((type(self), *self.parts()))
        return int(self.__dict__["_hash"])

    def __repr__(self) -> str:
        """Return the code that makes the block."""
        written = (f"{_in_code(key)}={_shown(value)}" for key, value in self.document().items())
        return f"{type(self).__name__}({', '.join(written)})"


B = TypeVar("B", bound=Block)


def _shown(value: Any) -> str:
    if isinstance(value, Quantity):
        return repr(value.text)
    if isinstance(value, tuple):
        return f"[{', '.join(map(_shown, value))}]"
    return repr(str(value)) if getattr(value, "is_setting", False) else repr(value)


def _quantities(value: Any) -> Iterator[Quantity]:
    if isinstance(value, Quantity):
        yield value
    elif isinstance(value, Block | tuple | dict):
        inner = value.parts() if isinstance(value, Block) else value
        for part in inner.values() if isinstance(inner, dict) else inner:
            yield from _quantities(part)


def _with_quantities(value: Any, change: Callable[[Quantity], Quantity]) -> Any:
    if isinstance(value, Quantity):
        return change(value)
    if isinstance(value, Block):
        return value.with_quantities(change)
    if isinstance(value, tuple) and type(value) is tuple:
        return tuple(_with_quantities(part, change) for part in value)
    if isinstance(value, FrozenDict):
        return FrozenDict({key: _with_quantities(part, change) for key, part in value.items()})
    return value


def changed(document: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Merge changes into a block's written values; a mapping changes only the keys it names, None removes a key.

    Args:
        document: the written values, by key.
        changes: new values, by key.
    """
    result = dict(document)
    for name, value in changes.items():
        key, before = name.removesuffix("_"), document.get(name.removesuffix("_"))
        if isinstance(value, Mapping) and isinstance(before, Block | FrozenDict):
            result[key] = changed(before.document() if isinstance(before, Block) else before, value)
        else:
            result[key] = value
    return result


def attribute(model: type["Block"], key: str) -> str:
    """Return the name of the field that holds a key's value."""
    return model.fields.get(key, _in_code(key))


def _in_code(key: str) -> str:
    """Return a key as a parameter name, with an underscore after a Python keyword."""
    return f"{key}_" if keyword.iskeyword(key) else key


_KEYS: Final[dict[type[Block], dict[str, Expectation]]] = {}
"""Keys of each block, which are the same for the life of the process; evaluating annotations is slow."""


def _own_first(model: type[Block]) -> dict[str, Any]:
    """Return the annotations of a class and its bases, nearest first; `get_type_hints` returns them last."""
    hints = get_type_hints(model, include_extras=True)
    return {name: hints[name] for above in model.__mro__ for name in getattr(above, "__annotations__", {})}


def keys_of(model: type[Block]) -> dict[str, Expectation]:
    """Return the keys of a block with their expectations: its own in order, then those of the block it extends."""
    if model not in _KEYS:
        key_of_field = {field: key for key, field in model.fields.items()}
        _KEYS[model] = {
            key_of_field.get(name, name.removesuffix("_")): expectation
            for name, hint in _own_first(model).items()
            for expectation in getattr(hint, "__metadata__", ())
            if isinstance(expectation, Expectation)
        }
    return _KEYS[model]


def _fields(reading: Reading, node: Node | None, name: str, keys: Mapping[str, Expectation]) -> Fields | None:
    """Return a block's node as keys with values; for anything else note a problem and return None."""
    reading.seen(name, node)
    if node is None or is_absent(node):
        return None
    what = f"`{name.rpartition('.')[2] or 'a scenario'}`"
    if isinstance(node, Fields):
        reading.unknown_keys(node, keys, what)
        return node
    allowed = ", ".join(f"`{key}`" for key in keys) or "none, `{}`"
    reading.problem(f"{what}: found {describe(node)}", node.place, f"write keys: {allowed}")
    return None


def read_keys(
    reading: Reading,
    model: type[Block],
    node: Fields | None,
    name: str,
    base: Block | None = None,
    known: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Read the values of a block's fields; `known` are those that have been read already.

    Args:
        reading: collects mistakes and the origin of values.
        model: the block.
        node: the mapping; None if it is not written.
        name: path of the value, such as `stop.after`.
        base: values of keys that are not written.
        known: values that have been read already, by field.
    """
    known = known or {}
    values: dict[str, Any] = {}
    for key, expectation in keys_of(model).items():
        field = attribute(model, key)
        if field in known:
            values[field] = known[field]
            continue
        child = node.values.get(key) if node is not None else None
        if child is None and base is not None:
            values[field] = getattr(base, field)
            continue
        path = f"{name}.{key}" if name else key
        if child is None and expectation.required:
            place = node.place if node is not None else reading.place_of(path)
            reading.problem(f"`{name}` needs `{key}`", place, advice(expectation, key))
        # Even after a mistake: the expectation returns a stand-in, so that one reading finds all mistakes of a file.
        values[field] = expectation.read(reading, child, path)
    return values


def advice(expectation: Expectation, key: str) -> str:
    """Return what to write for a key."""
    given = getattr(expectation, "advice", None)
    return str(given()) if given else f"write `{key}: ...`"
