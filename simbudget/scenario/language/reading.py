"""State collected while a document is read into a scenario, and the reading of simple values."""

import datetime
import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from simbudget.errors import Place, Problem, UserError
from simbudget.scenario.calibration_file import CalibratedQuantity, Calibration
from simbudget.scenario.language.document import Fields, Given, Items, Node, Text, clipped

DEFAULT = "default"
CODE = "code"
"""The source of values given in Python."""

MOST_PROBLEMS: Final = 100
"""Maximum number of mistakes listed; nobody reads more, and it bounds the time spent on a hopeless file."""


@dataclass(frozen=True)
class Provenance:
    """The origin of one value of a scenario: a row of the table printed by `check`."""

    name: str
    """The value's path in the scenario, such as `gpus.price`."""
    text: str
    """As written by the user or as the default."""
    kind: str
    """`exact`, `varies`, `unknown`, `both`, or `setting` for values that are not quantities."""
    source: str
    """`file:line`, `code`, `default` (with what it rests on), or the list or page that it was taken from."""

    @property
    def is_default(self) -> bool:
        """Return whether the value is a default."""
        return self.source.startswith(DEFAULT)


@dataclass
class Reading:
    """What has been found so far: problems, and the origin of each value."""

    folder: Path
    problems: list[Problem] = field(default_factory=list)
    provenance: list[Provenance] = field(default_factory=list)
    places: dict[str, Place] = field(default_factory=dict)
    """The place of each value or block by name."""
    calibration: Calibration | None = None
    """What was learnt from logs; see `calibration_file`."""

    def require_right(self) -> None:
        """Raise UserError with all mistakes in order, if there are any."""
        if self.problems:
            raise UserError(*in_order(self.problems))

    @property
    def nowhere(self) -> Place:
        """Return the place of values that are not written."""
        return Place("")

    def problem(self, message: str, place: Place | None, remedy: str | None = None) -> None:
        """Note a mistake; raises UserError as soon as there are too many to list.

        Args:
            message: what was found.
            place: where; None if it has no place.
            remedy: what to write instead.
        """
        self.problems.append(Problem(clipped(message), place, None if remedy is None else clipped(remedy)))
        if len(self.problems) >= MOST_PROBLEMS:
            end = Problem(f"there may be more than these {MOST_PROBLEMS} mistakes; reading stopped here")
            raise UserError(*in_order(self.problems), end)

    def problem_of(self, name: str, message: str, remedy: str) -> None:
        """Note a mistake at a value's place, unless another was found there already."""
        place = self.place_of(name)
        # A check across keys often fails only because one of them was not understood; that one is reported.
        if all(problem.place != place for problem in self.problems):
            self.problem(message, place, remedy)

    def note(self, name: str, text: str, kind: str, node: Node | None, source: str | None = None) -> None:
        """Note the origin of a value: its node, a default, or what `source` says.

        Args:
            name: path of the value, such as `stop.after`.
            text: the value as text.
            kind: `exact`, `varies`, `unknown`, `both` or `setting`.
            node: the node that sets it; None for a default.
            source: its origin, where it is neither.
        """
        if source is None:
            source = DEFAULT if node is None else CODE
            if node is not None and node.place.line is not None:
                source = f"{Path(node.place.file).name}:{node.place.line}"
        self.provenance.append(Provenance(name, text, kind, source))

    def calibrated(self, name: str, text: str, node: Node | None) -> CalibratedQuantity | None:
        """Return what was learnt of a value; None if nothing, or if the value was changed by hand since."""
        learnt = self.calibration.quantities.get(name) if self.calibration else None
        # The text that `calibrate` wrote is the sign that nobody has changed the value since.
        return learnt if learnt is not None and (node is None or text == learnt.written) else None

    def seen(self, name: str, node: Node | None) -> None:
        """Note the place of a value."""
        if node is not None:
            self.places[name] = node.place

    def place_of(self, name: str) -> Place | None:
        """Return the place of a value, or of the nearest enclosing block that has one."""
        while name and name not in self.places:
            name = name.rpartition(".")[0]
        return self.places.get(name)

    def unknown_keys(self, node: Fields, allowed: Iterable[str], what: str) -> None:
        """Note every unknown key of a mapping, with the nearest allowed one."""
        names = list(allowed)
        for key, place in node.key_places.items():
            if key not in names:
                self.problem(f"{what} has no key `{key[:60]}`", place, nearest(key[:60], names))


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """Sort problems by place, without duplicates and each on one line, as quoted text may contain line breaks."""
    on_one_line = (
        replace(problem, message=_one_line(problem.message), remedy=_one_line(problem.remedy or "") or None)
        for problem in problems
    )
    return sorted(
        dict.fromkeys(on_one_line),
        key=lambda problem: (problem.place.line or 0, problem.place.column or 0) if problem.place else (0, 0),
    )


def _one_line(text: str) -> str:
    return "".join(sign if sign.isprintable() else " " for sign in text)


def nearest(word: str, allowed: Iterable[str]) -> str:
    """Return advice that names the nearest allowed word, or all of them.

    Args:
        word: what was written.
        allowed: the words that are allowed.
    """
    names = list(allowed)
    if not names:
        return "nothing can be set here; write `{}`"
    by_lower = {name.lower(): name for name in names}
    close = difflib.get_close_matches(word.lower(), by_lower, 1, 0.6)
    listed = ", ".join(f"`{name}`" for name in names)
    if close:
        return f"did you mean `{by_lower[close[0]]}`? Allowed: {listed}"
    return f"allowed: {listed}"


def describe(node: Node) -> str:
    """Return a node as described in messages."""
    if isinstance(node, Items):
        return "a list"
    if isinstance(node, Fields):
        return "a mapping"
    if isinstance(node, Given):
        return f"a value of type {type(node.value).__name__}"
    text = node.text if len(node.text) <= 40 else f"{node.text[:37]}..."
    return "nothing" if node.is_null else f"`{text}`"


def is_absent(node: Node | None) -> bool:
    """Return whether nothing was written, or `null`."""
    return node is None or (isinstance(node, Text) and node.is_null)


def read_date(text: str) -> datetime.date:
    """Parse a date such as `2026-03-01`.

    Raises:
        ValueError: the text is not a date, or is outside 2020 to 2100.
    """
    try:
        date = datetime.date.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"`{text[:40]}` is not a date; write for example `2026-03-01`") from None
    if not 2020 <= date.year <= 2100:
        raise ValueError(f"`{text[:40]}` is out of bounds; a date from 2020 to 2100 is allowed")
    return date
