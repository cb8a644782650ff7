"""What went wrong, where, and what to write instead.

A user's mistake is a `UserError`: it carries one or more `Problem`s, each with its place and its remedy, and
the command line prints them and exits with status 2. Anything else that escapes is a bug in simbudget.
"""

import os
import unicodedata
from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """Where in a user's file something stands; line and column count from 1."""

    file: str
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        """Return `file:line:column`, leaving out what is not known."""
        return ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)


@dataclass(frozen=True)
class Problem:
    """One mistake: what was found (`message`), where, and what to write instead (`remedy`), each a clause."""

    message: str
    place: Place | None = None
    remedy: str | None = None

    def __str__(self) -> str:
        """Return the problem as one line: place, message, remedy."""
        where = f"{self.place}: " if self.place else ""
        remedy = f"; {self.remedy}" if self.remedy else ""
        return f"{where}{self.message}{remedy}"


def why(error: OSError) -> str:
    """Return what the system says of an error, in its own words: libraries word the same ones in theirs."""
    return (os.strerror(error.errno) if error.errno else str(error)).lower()


def visible(text: str) -> str:
    r"""Return a text in which nothing hides: control characters, escapes and marks of direction as `\x1b`, `\u202e`.

    What comes from logs, forums, code and names is shown so. Written raw, a terminal would obey it: move the cursor,
    rewrite lines above, set titles, or show a line from right to left. Line feeds and tabs stay.
    """
    if text.isascii() and text.isprintable():  # nearly every text, at the speed of C
        return text
    return "".join(_escaped(character) if _hides(character) else character for character in text)


_HIDING = frozenset({"Cc", "Cf", "Zl", "Zp", "Cs", "Co"})
"""Control and format characters (the marks of direction, and what has no width), line separators of Unicode's own,
half surrogates, and characters without a common meaning."""


def _hides(character: str) -> bool:
    return character not in "\n\t" and unicodedata.category(character) in _HIDING


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


class UserError(Exception):
    """A mistake in what the user wrote: a scenario, an option, a path. Carries every problem found."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems

    def __reduce__(self) -> tuple[type["UserError"], tuple[Problem, ...]]:
        """Return how it is made again where it is sent to: a worker's mistakes come back with their places."""
        return type(self), self.problems
