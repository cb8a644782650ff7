"""The space of plans: dimensions and their values."""

import math
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from simbudget.deciding.changes import Change, parse_changes
from simbudget.errors import Problem, UserError

Floats = npt.NDArray[np.float64]
Point = tuple[int, ...]
"""Index of the level in each dimension."""

_LEVELS: Final = 41
"""Maximum number of values of a range; a search could not distinguish more."""

_LOGARITHMIC_FROM: Final = 8.0
"""From this ratio of high to low on, a range is divided in equal factors instead of equal steps."""

_END: Final = re.compile(r"(\$?)\s*([\d.,]+)\s*(.*)")


@dataclass(frozen=True)
class Dimension:
    """One dimension: ordered values, or unordered alternatives."""

    key: str
    values: tuple[str, ...]
    places: tuple[float, ...] | None
    """Position of each value from 0 to 1; None for unordered alternatives."""

    @property
    def columns(self) -> int:
        """Return the number of coordinates of a value."""
        return 1 if self.places is not None else len(self.values)

    def coordinates(self, level: int) -> list[float]:
        """Return the coordinates of a value, for a search based on distances."""
        if self.places is not None:
            return [self.places[level]]
        return [0.7 * float(level == other) for other in range(len(self.values))]  # all differ by about 1


def parse_dimension(text: str) -> Dimension:
    """Return the dimension of `key=low:high` or `key=value,value...`.

    Raises:
        UserError: it is not of that form.
    """
    changes = parse_changes(text, "vary")
    key, written = changes[0].key, [change.value for change in changes]
    if len(written) > 1:
        return _of_values(key, written)
    low, sign, high = written[0].partition(":")
    ends = _END.fullmatch(low.strip()), _END.fullmatch(high.strip())
    if not sign or ends[0] is None or ends[1] is None:
        remedy = "write a range such as `agents=1:32` or values such as `model=claude-opus-5,claude-sonnet-5`"
        raise UserError(Problem(f"vary {text[:80]!r} has nothing to vary between", remedy=remedy))
    before, after = ends[0][1] or ends[1][1], ends[1][3] or ends[0][3]
    first, last = (_number(end[2], text) for end in ends if end is not None)
    if ends[0][3] and ends[1][3] and ends[0][3] != ends[1][3]:
        raise UserError(
            Problem(f"vary {text[:80]!r} has two units", remedy="write both ends in the same unit")
        )
    if not first < last:
        raise UserError(
            Problem(f"vary {text[:80]!r} goes from high to low", remedy="write the lower end first")
        )
    steps = _steps(first, last)
    values = tuple(
        f"{before}{step:.10g}{' ' if after and not after.startswith('%') else ''}{after}" for step in steps
    )
    return Dimension(key, values, _places(steps))


def _number(text: str, whole: str) -> float:
    try:
        return float(text.replace(",", ""))
    except ValueError:
        raise UserError(Problem(f"vary {whole[:80]!r}: {text!r} is no number")) from None


def _of_values(key: str, written: list[str]) -> Dimension:
    """Return a dimension of values, ordered if all are numbers."""
    try:
        numbers = [float(value) for value in written]
    except ValueError:
        return Dimension(key, tuple(written), None)
    order = np.argsort(numbers)
    return Dimension(
        key, tuple(written[place] for place in order), _places([numbers[place] for place in order])
    )


def _steps(low: float, high: float) -> list[float]:
    """Return the values of a range: all integers between two integers if few, otherwise rounded steps."""
    if low.is_integer() and high.is_integer() and high - low < _LEVELS:
        return [float(value) for value in range(int(low), int(high) + 1)]
    spaced = np.geomspace if low > 0 and high / low >= _LOGARITHMIC_FROM else np.linspace
    are_whole = low.is_integer() and high.is_integer()
    rounded = (_rounded(float(value), are_whole) for value in spaced(low, high, _LEVELS))
    return [low, *(value for value in dict.fromkeys(rounded) if low < value < high), high]


def _rounded(value: float, is_whole: bool) -> float:
    """Return a value with two significant digits; an integer if both bounds are."""
    if value == 0.0:
        return 0.0
    digits = 1 - math.floor(math.log10(abs(value)))
    return float(round(value, min(digits, 0) if is_whole else digits))


def _places(values: list[float]) -> tuple[float, ...]:
    if values[0] > 0 and values[-1] / values[0] >= _LOGARITHMIC_FROM:
        values = [math.log(value) for value in values]
    span = values[-1] - values[0] or 1.0
    return tuple((value - values[0]) / span for value in values)


@dataclass(frozen=True)
class Space:
    """All plans that may be chosen."""

    dimensions: tuple[Dimension, ...]

    @property
    def size(self) -> int:
        """Return the number of plans."""
        return math.prod(len(dimension.values) for dimension in self.dimensions)

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Return the number of values of each dimension."""
        return tuple(len(dimension.values) for dimension in self.dimensions)

    def point(self, number: int) -> Point:
        """Return the plan with this number, from 0."""
        return tuple(int(level) for level in np.unravel_index(number, self.shape))

    def changes(self, point: Point) -> tuple[Change, ...]:
        """Return the changes that a plan makes to the scenario."""
        return tuple(
            Change(dimension.key, dimension.values[level])
            for dimension, level in zip(self.dimensions, point, strict=True)
        )

    def coordinates(self, points: list[Point]) -> Floats:
        """Return the [points, coordinates] of plans."""
        rows = [
            [
                place
                for dimension, level in zip(self.dimensions, point, strict=True)
                for place in dimension.coordinates(level)
            ]
            for point in points
        ]
        return np.array(rows, dtype=np.float64).reshape(len(points), -1)
