"""Mistakes of a user: what is wrong, where, and what to write instead.

A user's mistake is a `UserError`. It carries one or more `Problem`s, each with its place and remedy, which the
command line prints before exiting with status 2. Any other exception that escapes is a bug in simbudget.
"""

import math
import os
import unicodedata
from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """A position in a user's file; lines and columns count from 1."""

    file: str
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        """Return `file:line:column`, without the parts that are unknown."""
        return ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)


@dataclass(frozen=True)
class Problem:
    """One mistake: what was found (`message`), where, and what to do instead (`remedy`), each a clause."""

    message: str
    place: Place | None = None
    remedy: str | None = None

    def __str__(self) -> str:
        """Return the problem on one line: place, message, remedy."""
        where = f"{self.place}: " if self.place else ""
        remedy = f"; {self.remedy}" if self.remedy else ""
        return f"{where}{self.message}{remedy}"


_interface = {"has_options": False}


def speak_of_options() -> None:
    """Let messages of this process name the command line's options instead of Python's arguments."""
    _interface["has_options"] = True


def argument(name: str, value: str = "", option: str = "") -> str:
    """Return how a user gives an argument: `model="NAME"` in Python, `--model NAME` on the command line.

    Args:
        name: the argument of the Python function.
        value: an example of its text; empty to name the argument alone.
        option: the option, where it is not the argument's name with hyphens.
    """
    if not _interface["has_options"]:
        return f'{name}="{value}"' if value else f"`{name}`"
    option = option or f"--{name.replace('_', '-')}"
    return f"{option} {value}" if value else option


def why(error: OSError) -> str:
    """Return the operating system's description of an error, since libraries phrase the same error differently."""
    return (os.strerror(error.errno) if error.errno else str(error)).lower()


def visible(text: str) -> str:
    r"""Escape characters that a terminal would act on or hide: controls and bidirectional marks as `\x1b`, `\u202e`.

    Use it for text from logs, forums, code and file names. Printed raw, such text could move the cursor, overwrite
    earlier lines, set the title, or reverse the reading direction. Line feeds and tabs are kept.
    """
    if text.isascii() and text.isprintable():  # fast path for nearly all text
        return text
    return "".join(_escaped(character) if _hides(character) else character for character in text)


_HIDING = frozenset({"Cc", "Cf", "Zl", "Zp", "Cs", "Co"})
"""Unicode categories of control and format characters (bidirectional and zero-width marks among them), Unicode's own
line and paragraph separators, surrogates, and private-use characters."""


def _hides(character: str) -> bool:
    return character not in "\n\t" and unicodedata.category(character) in _HIDING


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


class UserError(Exception):
    """A mistake in user input, such as a scenario, an option or a path. Carries every problem found."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems

    def __reduce__(self) -> tuple[type["UserError"], tuple[Problem, ...]]:
        """Return how to unpickle the error, so that one raised in a worker process keeps its problems."""
        return type(self), self.problems


def check_range(name: str, value: float | None, low: float, high: float = math.inf, option: str = "") -> None:
    """Check that an argument is a number within its bounds; None is not given, and fine.

    Args:
        name: the argument of the Python function.
        value: what was given for it.
        low: the least that is allowed.
        high: the most that is allowed.
        option: the option of the command line, where it is not the argument's name with hyphens.

    Raises:
        UserError: it is not a number, or outside of the bounds.
    """
    if value is None or (isinstance(value, int | float) and low <= value <= high):
        return
    bounds = f"of at least {low:g}" if math.isinf(high) else f"from {low:g} to {high:g}"
    raise UserError(
        Problem(f"{argument(name, option=option)} is {value!r}", remedy=f"give a number {bounds}")
    )
