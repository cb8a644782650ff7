"""A log format: what it is called, how it is recognised, and how it is read."""

from collections.abc import Callable
from dataclasses import dataclass

from simbudget.ledger.readers.files import LogFile
from simbudget.ledger.readers.gathering import Gathering


@dataclass(frozen=True)
class Format:
    """One log format. It is recognised by what a file holds, never by the file's name."""

    name: str
    """As it stands in `entries.source`."""
    title: str
    """As a person would call it."""
    recognises: Callable[[LogFile], bool]
    read: Callable[[LogFile, Gathering], None]
    follows: Callable[[LogFile], float | None] = lambda _: None
    """When a log began (seconds since 1970, NaN if it does not say) that is read after all others, since it continues
    what they tell or only sums it up; None: it stands for itself."""
    is_printed: bool = False
    """Whether a tool prints it, so that a file which several tools' output went to may have lines of others too."""
