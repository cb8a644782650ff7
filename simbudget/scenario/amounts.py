"""Reading a quantity: an exact number, a range, a distribution spelt out, or its two uncertainties."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from simbudget.distributions import families
from simbudget.distributions.families import Distribution
from simbudget.errors import Place
from simbudget.scenario.columns import read_column
from simbudget.scenario.document import Fields, Items, Node, Text, parse_value
from simbudget.scenario.quantities import Kind, Quantity
from simbudget.scenario.reading import DEFAULT, Reading, describe, is_absent, nearest
from simbudget.units import EXAMPLES, Dimension, parse_amount, parse_range, parse_spread, written_amount

_PARAMETERS: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "lognormal": (("p10", "p90"), ()),
    "normal": (("p10", "p90"), ()),
    "uniform": (("low", "high"), ()),
    "triangular": (("low", "mode", "high"), ()),
    "beta": (("mean",), ("p10", "weight")),
    "gamma": (("mean", "cv"), ()),
    "discrete": (("values", "weights"), ()),
    "empirical": (("file", "column"), ()),
}
"""Each family's required and optional parameters."""

_PURE_NUMBERS: Final = frozenset({"weight", "weights", "cv"})
_BARE_IS_FINE: Final = frozenset(
    {Dimension.NUMBER, Dimension.FRACTION, Dimension.MONEY, Dimension.USD_PER_MTOK, Dimension.TOKENS_PER_S}
)
"""Where a number without a unit can only mean one thing."""
_PRICES: Final = frozenset(
    {Dimension.USD_PER_HOUR, Dimension.USD_PER_MTOK, Dimension.USD_PER_CALL, Dimension.USD_PER_TRY}
)


_NOWHERE: Final = Place("default")


class _WrongError(Exception):
    """What was found is no quantity; says why and what to write."""

    def __init__(self, message: str, node: Node, remedy: str | None = None) -> None:
        super().__init__(message)
        self.node, self.remedy = node, remedy


@dataclass(frozen=True)
class Draws:
    """What was written: when it is drawn, from what, and with which scatter around an unknown typical value."""

    kind: Kind
    distribution: Distribution
    spread: float | None = None


@dataclass(frozen=True)
class Amount:
    """What a key expects: a quantity of this dimension, between two numbers in base units."""

    dimension: Dimension
    default: str | None = None
    """As a scenario would write it. None: required, or absent if `optional`."""
    is_fact: bool = False
    """A bare range is one unknown value, not one that varies."""
    exact: bool = False
    low: float = 0.0
    high: float = math.inf
    optional: bool = False
    basis: str | None = None
    """What the default rests on, such as published settings; None where it is a matter of course."""

    def read(self, reading: Reading, node: Node | None, name: str) -> Quantity | None:
        """Return the quantity, or a stand-in for one that is wrong; None for an optional one that is absent."""
        reading.seen(name, node)
        if is_absent(node):
            if node is not None:
                reading.problem(f"`{name}` has no value", node.place, self.advice())
            return self._default(reading, name)
        assert node is not None
        try:
            draws = self._draws(reading, node)
            self._require_bounds(draws, node)
        except _WrongError as wrong:
            key = name.rpartition(".")[2]
            reading.problem(f"`{key}`: {wrong}", wrong.node.place, wrong.remedy or self.advice())
            return self._stand_in(name)
        return self._quantity(reading, name, draws, _written(node), node)

    def parse(self, text: str) -> Draws:
        """Return what a single text stands for; ValueError, with a message, if it is wrong here."""
        try:
            return self._of_text(Text(text, _NOWHERE))
        except _WrongError as wrong:
            raise ValueError(f"{wrong}; {wrong.remedy or self.advice()}") from None

    def advice(self) -> str:
        """Return what to write."""
        return f"write {self.dimension.value} such as {EXAMPLES[self.dimension]}"

    def _default(self, reading: Reading, name: str) -> Quantity | None:
        if self.default is None:
            return None if self.optional else self._stand_in(name)
        draws = self._draws(reading, parse_value(self.default, "default"))
        return self._quantity(reading, name, draws, self.default, None)

    def _quantity(self, reading: Reading, name: str, draws: Draws, text: str, node: Node | None) -> Quantity:
        """Return what was written, or what a calibration learnt of it; note where it came from."""
        learnt = reading.calibrated(name, text, node)
        if learnt is None or self.exact:
            source = str(learnt.evidence) if learnt and node else None
            if node is None and self.basis is not None:
                source = f"{DEFAULT}: {self.basis}"
            reading.note(name, text, draws.kind.value, node, source)
            return Quantity(name, draws.kind, draws.distribution, draws.spread, self.low, self.high, text)
        if node is None:  # the default is not what it stands for now
            text = learnt.written
            draws = self._draws(reading, parse_value(text, "calibration"))
        kind = Kind.UNKNOWN if learnt.posterior.is_fact else Kind.BOTH
        reading.note(name, text, kind.value, node, str(learnt.evidence))
        bounds = (self.low, self.high)
        return Quantity(name, kind, draws.distribution, draws.spread, *bounds, text, learnt.posterior)

    def _stand_in(self, name: str) -> Quantity:
        value = max(self.low, 1.0)
        return Quantity(name, Kind.EXACT, families.constant(value), None, self.low, self.high, "")

    def _draws(self, reading: Reading, node: Node) -> Draws:
        if isinstance(node, Text):
            return self._of_text(node)
        if isinstance(node, Items):
            raise _WrongError(f"found {describe(node)}", node)
        if self.exact:
            raise _WrongError("it has to be one exact number here", node)
        if "distribution" in node.values:
            return self._spelt_out(reading, node)
        if "typical" in node.values:
            return self._typical(reading, node)
        for key, kind in (("varies", Kind.VARIES), ("unknown", Kind.UNKNOWN)):
            if key in node.values:
                self._require_keys(node, (key,))
                inner = self._draws(reading, node.values[key])
                if inner.kind is Kind.BOTH or "typical" in _keys(node.values[key]):
                    raise _WrongError(f"`{key}` does not go around `typical`", node)
                return inner if inner.kind is Kind.EXACT else Draws(kind, inner.distribution)
        known = ("distribution", "typical", "varies", "unknown")
        first = next(iter(node.values), None)
        advice = self.advice() if first is None else nearest(first, known)
        raise _WrongError(f"found {describe(node)} without `distribution`, `typical`, ...", node, advice)

    def _of_text(self, node: Text) -> Draws:
        try:
            ends = parse_range(node.text)
            if ends is None:
                return Draws(Kind.EXACT, families.constant(self._number(node.text, node)))
            low, high = (self._converted(end.value, end.dimension, node) for end in ends)
            if low == high:
                return Draws(Kind.EXACT, families.constant(low))
        except ValueError as error:
            message, _, remedy = str(error).partition("; ")
            raise _WrongError(message, node, remedy or None) from None
        if self.exact:
            remedy = f"write one of its ends, such as `{node.text.split(' to ')[-1].strip()}`"
            raise _WrongError(f"`{node.text}` is a range; it has to be one exact number here", node, remedy)
        family = families.lognormal if low > 0 else families.normal
        return Draws(self._bare_kind, family(low, high))

    @property
    def _bare_kind(self) -> Kind:
        return Kind.UNKNOWN if self.is_fact else Kind.VARIES

    def _number(self, text: str, node: Node) -> float:
        amount = parse_amount(text)
        return self._converted(amount.value, amount.dimension, node)

    def _converted(self, value: float, dimension: Dimension, node: Node) -> float:
        """Return a value in this dimension's base unit; raise if it is of another dimension."""
        if dimension == self.dimension:
            return value
        alike = {Dimension.NUMBER, Dimension.FRACTION}
        if dimension in alike and self.dimension in alike:
            return value
        if dimension is Dimension.NUMBER and (self.dimension in _BARE_IS_FINE or value == 0):
            return value
        if dimension is Dimension.MONEY and value == 0 and self.dimension in _PRICES:
            return value
        found = "a number without a unit" if dimension is Dimension.NUMBER else dimension.value
        raise _WrongError(f"{describe(node)} is {found}, not {self.dimension.value}", node)

    def _typical(self, reading: Reading, node: Fields) -> Draws:
        """Return `{typical: 30 to 45, varies: 2x}`: an unknown median, and draws around it."""
        self._require_keys(node, ("typical", "varies"))
        typical = self._draws(reading, node.values["typical"])
        if typical.kind is Kind.BOTH:
            raise _WrongError("`typical` is written twice", node)
        if "varies" not in node.values:
            return Draws(Kind.UNKNOWN, typical.distribution) if typical.kind is not Kind.EXACT else typical
        spread = self._spread(node.values["varies"])
        if typical.kind is not Kind.EXACT:
            return Draws(Kind.BOTH, typical.distribution, spread)
        median = typical.distribution.mean()
        if median <= 0 or spread == 1.0:
            return typical
        return Draws(Kind.VARIES, families.lognormal_median(median, spread))

    def _spread(self, node: Node) -> float:
        try:
            return parse_spread(_text(node))
        except ValueError as error:
            message, _, remedy = str(error).partition("; ")
            raise _WrongError(message, node, remedy or None) from None

    def _spelt_out(self, reading: Reading, node: Fields) -> Draws:
        """Return `{distribution: lognormal, p10: 20, p90: 60}`."""
        family = _text(node.values["distribution"])
        if family not in _PARAMETERS:
            where = node.values["distribution"]
            raise _WrongError(
                f"there is no distribution `{family[:40]}`", where, nearest(family, _PARAMETERS)
            )
        required, optional = _PARAMETERS[family]
        self._require_keys(node, ("distribution", *required, *optional))
        for parameter in required:
            if parameter not in node.values:
                raise _WrongError(f"{family} needs `{parameter}`", node, f"write {', '.join(required)}")
        given = {key: value for key, value in node.values.items() if key != "distribution"}
        try:
            distribution = self._distribution(reading, family, given)
        except ValueError as error:
            raise _WrongError(str(error), node, "correct its parameters") from None
        except (ArithmeticError, IndexError):
            message = f"{family}: parameters as extreme as these cannot be drawn from"
            raise _WrongError(message, node, "write less extreme ones") from None
        return Draws(self._bare_kind, distribution)

    def _distribution(self, reading: Reading, family: str, given: dict[str, Node]) -> Distribution:
        if family == "empirical":
            return families.empirical(self._column(reading, given["file"], given["column"]))
        make: Callable[..., Distribution] = getattr(families, family)
        return make(**{key: self._parameter(key, value) for key, value in given.items()})

    def _parameter(self, key: str, node: Node) -> Any:
        if key in ("values", "weights"):
            if not isinstance(node, Items):
                raise _WrongError(f"`{key}` is no list", node, f"write `{key}: [..., ...]`")
            return [self._single(key, item) for item in node.items]
        return self._single(key, node)

    def _single(self, key: str, node: Node) -> float:
        """Return one number of a distribution's parameter."""
        try:
            if key in _PURE_NUMBERS:
                return parse_amount(_text(node)).value
            return self._number(_text(node), node)
        except ValueError as error:
            raise _WrongError(f"`{key}`: {error}", node) from None

    def _column(self, reading: Reading, file: Node, column: Node) -> list[float]:
        """Return the numbers of a column of a CSV file, in base units; its path begins at the scenario's folder."""
        try:
            return read_column(reading.folder / _text(file), _text(column))
        except ValueError as error:
            message, _, remedy = str(error).partition("; ")
            raise _WrongError(message, file, remedy) from None

    def _require_keys(self, node: Fields, allowed: tuple[str, ...]) -> None:
        for key in node.values:
            if key not in allowed:
                raise _WrongError(f"there is no `{key}` beside `{allowed[0]}`", node, nearest(key, allowed))

    def _require_bounds(self, draws: Draws, node: Node) -> None:
        """Raise unless what was written lies between the lowest and the highest value that make sense."""
        try:
            ends = [draws.distribution.quantile(p) for p in (0.1, 0.9)]
        except (ArithmeticError, ValueError, IndexError):
            raise _WrongError(
                f"{_written(node)} is too extreme", node, "write less extreme parameters"
            ) from None
        rounding = 1e-9 * max(abs(end) for end in ends)
        if all(self.low - rounding <= end <= self.high + rounding for end in ends):
            return
        low, high = (written_amount(end, self.dimension) for end in (self.low, min(self.high, 1e300)))
        allowed = f"{low} to {high}" if self.high < math.inf else f"{low} or more"
        raise _WrongError(f"`{_written(node)}` makes no sense here", node, f"{allowed} is allowed")


def _text(node: Node) -> str:
    if not isinstance(node, Text):
        raise _WrongError(f"found {describe(node)}", node)
    return node.text


def _keys(node: Node) -> tuple[str, ...]:
    return tuple(node.values) if isinstance(node, Fields) else ()


def _written(node: Node) -> str:
    """Return a quantity as it was written, on one line."""
    if isinstance(node, Text):
        return node.text
    if isinstance(node, Items):
        items = [_written(item) for item in node.items[:4]]
        return f"[{', '.join(items)}{', ...' if len(node.items) > 4 else ''}]"
    return "{" + ", ".join(f"{key}: {_written(value)}" for key, value in node.values.items()) + "}"
