"""Amounts: how a quantity is read, from a file or from code, and written.

An `Amount` says what a key expects. It reads an exact number, a range, a spelt-out distribution, or a typical value
with its scatter; from code also one of `distributions.families` or a frozen distribution of `scipy.stats`.
"""

import csv
import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from simbudget.distributions import families
from simbudget.distributions.families import Distribution
from simbudget.errors import Place
from simbudget.scenario.language.document import (
    Fields,
    Given,
    Items,
    Node,
    Text,
    flow_text,
    node_of,
    parse_value,
    plain,
)
from simbudget.scenario.language.quantities import Kind, Quantity
from simbudget.scenario.language.reading import DEFAULT, Reading, describe, is_absent, nearest
from simbudget.scenario.language.trust import allowing, is_outside
from simbudget.units import Dimension, examples, parse_amount, parse_range, parse_spread, written_amount


def _parameters(make: Callable[..., Distribution]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the required and the optional parameters of a family."""
    given = inspect.signature(make).parameters.values()
    required = tuple(each.name for each in given if each.default is each.empty)
    return required, tuple(each.name for each in given if each.default is not each.empty)


PARAMETERS: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    **{name: _parameters(make) for name, make in families.FAMILIES.items()},
    "empirical": ((), ("file", "column", "values")),
}
"""Required and optional parameters of each family."""

_PURE_NUMBERS: Final = frozenset({"weight", "weights", "cv"})
_BARE_IS_FINE: Final = frozenset(
    {Dimension.NUMBER, Dimension.FRACTION, Dimension.MONEY, Dimension.USD_PER_MTOK, Dimension.TOKENS_PER_S}
)
"""Dimensions in which a number without a unit is unambiguous."""
_PRICES: Final = frozenset(
    {
        Dimension.USD_PER_HOUR,
        Dimension.USD_PER_MTOK,
        Dimension.USD_PER_CALL,
        Dimension.USD_PER_TRY,
        Dimension.USD_PER_MONTH,
    }
)


_NOWHERE: Final = Place("default")


class _WrongError(Exception):
    """A node is not a quantity; carries the reason and what to write."""

    def __init__(self, message: str, node: Node, remedy: str | None = None) -> None:
        super().__init__(message)
        self.node, self.remedy = node, remedy


@dataclass(frozen=True)
class Drawn:
    """A parsed quantity: its kind, its distribution, and its scatter around an unknown typical value."""

    kind: Kind
    distribution: Distribution
    spread: float | None = None


@dataclass(frozen=True)
class Amount:
    """The expectation of a quantity: its dimension, its default and its bounds in base units."""

    dimension: Dimension
    default: str | None = None
    """As a scenario would write it. None if the key is required, or absent if `optional`."""
    is_fact: bool = False
    """Whether a bare range is one unknown value rather than one that varies."""
    exact: bool = False
    low: float = 0.0
    high: float = math.inf
    optional: bool = False
    percent: bool = False
    """Whether a number may be written as a percentage, as scores and factors may; shares always may, counts never."""
    basis: str | None = None
    """What the default rests on, such as published settings; None if it is self-evident."""

    @property
    def required(self) -> bool:
        """Return whether the key has to be written."""
        return self.default is None and not self.optional

    def read(self, reading: Reading, node: Node | None, name: str) -> Quantity | None:
        """Return the quantity, or a placeholder for an invalid one; None for an optional one that is absent."""
        reading.seen(name, node)
        if is_absent(node):
            if node is not None:
                reading.problem(f"`{name}` has no value", node.place, self.advice())
            return self._default(reading, name)
        assert node is not None
        text = flow_text(node)
        try:
            if isinstance(node, Given):
                draws, text = self._given(node)
            else:
                draws = self._draws(reading, node)
            self._require_bounds(draws, node, text)
        except _WrongError as wrong:
            key = name.rpartition(".")[2]
            reading.problem(f"`{key}`: {wrong}", wrong.node.place, wrong.remedy or self.advice())
            return self._stand_in(name)
        if isinstance(node, Given) and isinstance(node.value, Quantity) and not self.exact:
            reading.note(name, text, node.value.kind.value, node)
            kind, posterior = node.value.kind, node.value.posterior
            bounds = (self.low, self.high)
            return Quantity(name, kind, draws.distribution, draws.spread, *bounds, text, posterior)
        return self._quantity(reading, name, draws, text, node)

    def write(self, quantity: Quantity) -> Any:
        """Return a quantity as text or a mapping of text that reads back to an equal one without any file."""
        return write_quantity(quantity)

    def parse(self, text: str) -> Drawn:
        """Parse a single text.

        Raises:
            ValueError: the text is not allowed here; the message says why.
        """
        try:
            return self._of_text(Text(text, _NOWHERE))
        except _WrongError as wrong:
            raise ValueError(f"{wrong}; {wrong.remedy or self.advice()}") from None

    def advice(self) -> str:
        """Return what to write."""
        return f"write {self.dimension.value} such as {examples(self.dimension, self.exact)}"

    def _default(self, reading: Reading, name: str) -> Quantity | None:
        if self.default is None:
            return None if self.optional else self._stand_in(name)
        draws = self._draws(reading, parse_value(self.default, "default"))
        return self._quantity(reading, name, draws, self.default, None)

    def _quantity(self, reading: Reading, name: str, draws: Drawn, text: str, node: Node | None) -> Quantity:
        """Return what was written, or what a calibration learnt of it, and note its origin."""
        learnt = reading.calibrated(name, text, node)
        if learnt is None or self.exact:
            source = str(learnt.evidence) if learnt and node else None
            if node is None and self.basis is not None:
                source = f"{DEFAULT}: {self.basis}"
            reading.note(name, text, draws.kind.value, node, source)
            return Quantity(name, draws.kind, draws.distribution, draws.spread, self.low, self.high, text)
        if node is None:  # the calibrated text replaces that of the default
            text = learnt.written
            draws = self._draws(reading, parse_value(text, "calibration"))
        kind = Kind.UNKNOWN if learnt.posterior.is_fact else Kind.BOTH
        reading.note(name, text, kind.value, node, str(learnt.evidence))
        bounds = (self.low, self.high)
        return Quantity(name, kind, draws.distribution, draws.spread, *bounds, text, learnt.posterior)

    def _given(self, node: Given) -> tuple[Drawn, str]:
        """Parse a distribution or a quantity given in code, and return it with its text."""
        value = node.value
        if isinstance(value, Quantity):
            draws, text = Drawn(value.kind, value.distribution, value.spread), value.text
        else:
            distribution = value if isinstance(value, Distribution) else _of_scipy(value, node)
            text = flow_text(self._spelt(distribution))
            exact = distribution.family == "constant"
            draws = Drawn(Kind.EXACT if exact else self._bare_kind, distribution)
        if self.exact and draws.kind is not Kind.EXACT:
            raise _WrongError("one exact number is required here", node)
        return draws, text

    def _spelt(self, distribution: Distribution) -> Node:
        """Return a distribution as a scenario writes it."""
        parameters = distribution.parameters()
        if distribution.family == "constant":
            return Text(self._number_text(parameters["value"]), _NOWHERE)
        spelt: dict[str, Any] = {"distribution": distribution.family}
        for key, value in parameters.items():
            if key in _PURE_NUMBERS:
                spelt[key] = [repr(float(each)) for each in value] if key == "weights" else repr(float(value))
            elif key == "values":
                spelt[key] = (
                    _values_text(value)
                    if distribution.family == "empirical"
                    else [self._number_text(each) for each in value]
                )
            else:
                spelt[key] = self._number_text(value)
        return node_of(spelt, "")

    def _number_text(self, value: float) -> str:
        """Return a number in base units as text that reads back to the same number."""
        return written_amount(float(value), self.dimension).replace(",", "")

    def _stand_in(self, name: str) -> Quantity:
        value = max(self.low, 1.0)
        return Quantity(name, Kind.EXACT, families.constant(value), None, self.low, self.high, "")

    def _draws(self, reading: Reading, node: Node) -> Drawn:
        if isinstance(node, Text):
            return self._of_text(node)
        if isinstance(node, Given):
            return self._given(node)[0]
        if isinstance(node, Items):
            raise _WrongError(f"found {describe(node)}", node)
        if self.exact:
            raise _WrongError("one exact number is required here", node)
        if "distribution" in node.values:
            return self._spelt_out(reading, node)
        if "typical" in node.values:
            return self._typical(reading, node)
        for key, kind in (("varies", Kind.VARIES), ("unknown", Kind.UNKNOWN)):
            if key in node.values:
                self._require_keys(node, (key,))
                inner = self._draws(reading, node.values[key])
                if inner.kind is Kind.BOTH or "typical" in _keys(node.values[key]):
                    raise _WrongError(f"`{key}` cannot be combined with `typical`", node)
                return inner if inner.kind is Kind.EXACT else Drawn(kind, inner.distribution)
        known = ("distribution", "typical", "varies", "unknown")
        first = next(iter(node.values), None)
        advice = self.advice() if first is None else nearest(first, known)
        raise _WrongError(f"found {describe(node)} without `distribution`, `typical`, ...", node, advice)

    def _of_text(self, node: Text) -> Drawn:
        try:
            ends = parse_range(node.text)
            if ends is None:
                return Drawn(Kind.EXACT, families.constant(self._number(node.text, node)))
            low, high = (self._converted(end.value, end.dimension, node) for end in ends)
            if low == high:
                return Drawn(Kind.EXACT, families.constant(low))
        except ValueError as error:
            message, _, remedy = str(error).partition("; ")
            raise _WrongError(message, node, remedy or None) from None
        if self.exact:
            remedy = f"write one of its ends, such as `{node.text.split(' to ')[-1].strip()}`"
            raise _WrongError(f"`{node.text}` is a range; one exact number is required here", node, remedy)
        # Lognormal if the ends are positive, as costs and durations are; a normal distribution also takes 0 and below.
        family = families.lognormal if low > 0 else families.normal
        return Drawn(self._bare_kind, family(low, high))

    @property
    def _bare_kind(self) -> Kind:
        return Kind.UNKNOWN if self.is_fact else Kind.VARIES

    def _number(self, text: str, node: Node) -> float:
        amount = parse_amount(text)
        return self._converted(amount.value, amount.dimension, node)

    def _converted(self, value: float, dimension: Dimension, node: Node) -> float:
        """Convert a value to this dimension's base unit; raise if it has another dimension."""
        if dimension == self.dimension:
            return value
        if dimension is Dimension.FRACTION and self.dimension is Dimension.NUMBER and self.percent:
            return value
        if dimension is Dimension.NUMBER and (self.dimension in _BARE_IS_FINE or value == 0):
            return value
        if dimension is Dimension.MONEY and value == 0 and self.dimension in _PRICES:
            return value
        found = "a number without a unit" if dimension is Dimension.NUMBER else dimension.value
        raise _WrongError(f"{describe(node)} is {found}, not {self.dimension.value}", node)

    def _typical(self, reading: Reading, node: Fields) -> Drawn:
        """Parse `{typical: 30 to 45, varies: 2x}`: an unknown median with draws scattered around it."""
        self._require_keys(node, ("typical", "varies"))
        typical = self._draws(reading, node.values["typical"])
        if typical.kind is Kind.BOTH:
            raise _WrongError("`typical` is written twice", node)
        if "varies" not in node.values:
            return Drawn(Kind.UNKNOWN, typical.distribution) if typical.kind is not Kind.EXACT else typical
        spread = self._spread(node.values["varies"])
        if typical.kind is not Kind.EXACT:
            return Drawn(Kind.BOTH, typical.distribution, spread)
        median = typical.distribution.mean()
        if median <= 0 or spread == 1.0:
            return typical
        return Drawn(Kind.VARIES, families.lognormal_median(median, spread))

    def _spread(self, node: Node) -> float:
        try:
            return parse_spread(_text(node))
        except ValueError as error:
            message, _, remedy = str(error).partition("; ")
            raise _WrongError(message, node, remedy or None) from None

    def _spelt_out(self, reading: Reading, node: Fields) -> Drawn:
        """Parse `{distribution: lognormal, p10: 20, p90: 60}`."""
        family = _text(node.values["distribution"])
        if family not in PARAMETERS:
            where = node.values["distribution"]
            raise _WrongError(f"there is no distribution `{family[:40]}`", where, nearest(family, PARAMETERS))
        required, optional = PARAMETERS[family]
        self._require_keys(node, ("distribution", *required, *optional))
        for parameter in required:
            if parameter not in node.values:
                raise _WrongError(f"{family} needs `{parameter}`", node, f"write {', '.join(required)}")
        given = {key: value for key, value in node.values.items() if key != "distribution"}
        if family == "empirical" and set(given) not in ({"file", "column"}, {"values"}):
            remedy = "write `file` and `column`, or `values`"
            raise _WrongError("empirical needs a CSV file's column, or its values", node, remedy)
        try:
            distribution = self._distribution(reading, family, given)
        except ValueError as error:
            raise _WrongError(str(error), node, "correct its parameters") from None
        except (ArithmeticError, IndexError):
            message = f"{family}: parameters as extreme as these cannot be drawn from"
            raise _WrongError(message, node, "write less extreme ones") from None
        return Drawn(self._bare_kind, distribution)

    def _distribution(self, reading: Reading, family: str, given: dict[str, Node]) -> Distribution:
        if family == "empirical":
            if "values" in given:
                return families.empirical(_numbers(given["values"]))
            return families.empirical(self._column(reading, given["file"], given["column"]))
        make = families.FAMILIES[family]
        return make(**{key: self._parameter(key, value) for key, value in given.items()})

    def _parameter(self, key: str, node: Node) -> Any:
        if key in ("values", "weights"):
            if not isinstance(node, Items):
                raise _WrongError(f"`{key}` is not a list", node, f"write `{key}: [..., ...]`")
            return [self._single(key, item) for item in node.items]
        return self._single(key, node)

    def _single(self, key: str, node: Node) -> float:
        """Parse one number of a distribution's parameter."""
        try:
            if key in _PURE_NUMBERS:
                return parse_amount(_text(node)).value
            return self._number(_text(node), node)
        except ValueError as error:
            raise _WrongError(f"`{key}`: {error}", node) from None

    def _column(self, reading: Reading, file: Node, column: Node) -> list[float]:
        """Read a column of a CSV file in base units; the path is relative to the scenario's folder."""
        try:
            path = reading.folder / _text(file)
            if is_outside(path, reading.folder):
                raise ValueError(
                    f"{path.name} is outside the scenario's folder; move it there, or {allowing('leaves_folder')}"
                )
            return read_column(path, _text(column))
        except ValueError as error:
            message, _, remedy = str(error).partition("; ")
            raise _WrongError(message, file, remedy) from None

    def _require_keys(self, node: Fields, allowed: tuple[str, ...]) -> None:
        for key in node.values:
            if key not in allowed:
                raise _WrongError(f"there is no `{key}` beside `{allowed[0]}`", node, nearest(key, allowed))

    def _require_bounds(self, draws: Drawn, node: Node, text: str) -> None:
        """Raise unless the written values lie within the bounds of the key."""
        try:
            ends = [draws.distribution.quantile(p) for p in (0.1, 0.9)]
        except (ArithmeticError, ValueError, IndexError):
            raise _WrongError(
                f"{_short(text)} is too extreme", node, "write less extreme parameters"
            ) from None
        rounding = 1e-9 * max(abs(end) for end in ends)  # quantiles are exact only up to rounding errors
        if all(self.low - rounding <= end <= self.high + rounding for end in ends):
            return
        low, high = (written_amount(end, self.dimension) for end in (self.low, min(self.high, 1e300)))
        allowed = f"{low} to {high}" if self.high < math.inf else f"{low} or more"
        raise _WrongError(f"`{_short(text)}` is out of bounds", node, f"{allowed} is allowed")


def _text(node: Node) -> str:
    if not isinstance(node, Text):
        raise _WrongError(f"found {describe(node)}", node)
    return node.text


def _keys(node: Node) -> tuple[str, ...]:
    return tuple(node.values) if isinstance(node, Fields) else ()


def write_quantity(quantity: Quantity) -> Any:
    """Return a quantity as text or a mapping of text, with the values of a file that it refers to."""
    return plain(_with_values(parse_value(quantity.text, "written"), quantity.distribution))


def _short(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:197]}..."


def _with_values(node: Node, distribution: Distribution) -> Node:
    """Replace a reference to a file in a quantity's node by the values observed in it."""
    if not isinstance(node, Fields):
        return node
    if "file" in node.values:
        spelt = {"distribution": "empirical", "values": _values_text(distribution.parameters()["values"])}
        return node_of(spelt, "")
    values = {key: _with_values(value, distribution) for key, value in node.values.items()}
    return Fields(values, node.key_places, node.place)


def _values_text(values: Any) -> str:
    """Return numbers as a single text, as a list of 100,000 nodes would be too large for a scenario."""
    return " ".join(repr(float(value)) for value in values)


def _numbers(node: Node) -> list[float]:
    """Return the numbers of `values`, a list or one text separated by spaces, in base units."""
    texts = [_text(item) for item in node.items] if isinstance(node, Items) else _text(node).split()
    if not 0 < len(texts) <= MOST_VALUES:
        raise ValueError(f"empirical: {len(texts):,} values; 1 to {MOST_VALUES:,} are allowed")
    try:
        return [float(text) for text in texts]
    except ValueError as error:
        raise ValueError(f"empirical: values: {error}") from None


_TABLE: Final = 1000
"""Quantiles that represent a distribution outside the families; they determine its middle to three digits."""


def _of_scipy(value: Any, node: Node) -> Distribution:
    """Convert a frozen distribution of scipy.stats to one of the families, or to a table of quantiles."""
    name = getattr(getattr(value, "dist", None), "name", None)
    if name is None or not hasattr(value, "ppf"):
        what = type(value).__name__
        raise _WrongError(f"found a value of type {what}", node)
    p10, p90 = (float(value.ppf(p)) for p in (0.1, 0.9))
    if not (math.isfinite(p10) and math.isfinite(p90)):
        raise _WrongError(f"the distribution {name} has no finite p10 and p90", node)
    low, high = (float(end) for end in value.support())
    try:
        alike = _family_of(name, value, (p10, p90), (low, high))
        return alike or families.empirical([float(value.ppf((k + 0.5) / _TABLE)) for k in range(_TABLE)])
    except ValueError as error:
        raise _WrongError(str(error), node) from None


def _family_of(
    name: str, value: Any, middle: tuple[float, float], support: tuple[float, float]
) -> Distribution | None:
    """Return the family that matches a scipy.stats distribution with its location and scale, or None."""
    mean, from_zero = float(value.mean()), support[0] == 0.0
    if name == "norm":
        return families.normal(*middle)
    if name == "uniform":
        return families.uniform(*support)
    if name == "lognorm" and from_zero:
        return families.lognormal(*middle)
    if name in ("gamma", "expon") and from_zero:
        return families.gamma(mean, 1.0 if name == "expon" else float(value.std()) / mean)
    if name == "beta" and support == (0.0, 1.0):
        return families.beta(mean, weight=mean * (1.0 - mean) / float(value.var()) - 1.0)
    return None


MOST_VALUES: Final = 100_000
"""Maximum number of values of an empirical distribution: enough for any shape, and quick to read."""
_MOST_BYTES: Final = 20_000_000
"""Maximum size of a CSV file."""


def read_column(path: Path, column: str) -> list[float]:
    """Read a column of a CSV file, in the file's order and without empty cells.

    Raises:
        ValueError: the file is too large, or the column cannot be read as numbers; the remedy follows a semicolon.
    """
    try:
        if path.exists() and not path.is_file():
            raise ValueError(f"{path.name} is not a regular file; write a CSV file")
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError(f"{path.name} has more than {_MOST_BYTES:,} bytes; use a sample")
        with path.open(newline="", encoding="utf-8-sig") as lines:
            rows = csv.DictReader(lines)
            if column not in (rows.fieldnames or ()):
                # Column names are not listed: the file may be any that this user can read, and its first line secret.
                there = len(rows.fieldnames or ())
                raise ValueError(
                    f"{path.name} has no column `{column}`; write the name of one of its {there}"
                )
            texts = list(islice((row[column] for row in rows if row[column]), MOST_VALUES + 1))
    except (OSError, UnicodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ValueError(f"{path.name} cannot be read: {reason.lower()}; write a CSV file") from None
    if not 0 < len(texts) <= MOST_VALUES:
        found = "no value" if not texts else f"more than {MOST_VALUES:,} values"
        raise ValueError(f"column `{column}` of {path.name} has {found}; 1 to {MOST_VALUES:,} are allowed")
    return [_number(text, line, path.name) for line, text in enumerate(texts, 2)]


def _number(text: str, line: int, file: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"row {line} of {file} is not a number; write numbers in base units") from None
