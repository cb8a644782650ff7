"""What tells work from copies of it, for every format, by what is in a log and not by the order of files.

Agents copy. A session that is resumed or forked begins with another's history, under the same ids or new ones, and a
sub-agent may begin with its parent's. All of it happened once. So there are three means:

- `is_first_telling`: was a thing with this content (moments, counts, costs) read before, in whatever session?
- `replayed_until`: how much of another session's history does one begin with, also when the other's log is not there?
- `Format.follows`: sessions that continue others are read after them, in the order in which they began.
"""

import math
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from simbudget.ledger.readers.gathering import Gathering
from simbudget.ledger.readers.values import is_known

_FIRST_ANSWER_S: Final = 1.0
"""No call over a network with an agent's prompt is answered sooner, from sending it to its end."""
_FASTEST_TOKENS_PER_S: Final = 250.0
"""No model that writes such logs puts out more tokens a second; a replay writes thousands."""


def is_first_telling(gathering: Gathering, source: str, moments: Iterable[float], *content: object) -> bool:
    """Return whether a thing was not read before, in this session or another, and remember it.

    Args:
        gathering: what was gathered so far.
        source: the format.
        moments: when it happened, in seconds since 1970. Where it is not known, the entry counts as new.
        content: what else tells it from others of the same moment: counts, cost, model.
    """
    known = [repr(moment) for moment in moments if is_known(moment)]
    return not known or gathering.is_new(("telling", source, *known, *map(str, content)))


class Noted(NamedTuple):
    """A note of what a session has used so far, as it stands in its log."""

    line: int
    at_s: float
    """When it was written down, in seconds since 1970."""
    totals: tuple[int, ...]
    """What had been used by then."""
    output: int
    """What the last call put out."""
    is_foreign: bool = False
    """Whether the note itself says that another session used it."""


def replayed_until(
    noted: Iterable[Noted], began_s: float, is_the_others: Callable[[tuple[int, ...]], bool] | None
) -> int:
    """Return the last line of the history with which a session that continues another begins; 0: it has none.

    Where the other's log was read, its totals tell. Where it is not there, time does: history has times from before the
    session began, or is written down in one go, so its calls would have been answered sooner than any model answers.

    Args:
        noted: the session's notes, in the order of its log; read no further than needed.
        began_s: when the session's log begins, in seconds since 1970.
        is_the_others: whether totals stand in the other session's log; None: it was not read.
    """
    last_line, before_s = 0, began_s
    for note in noted:
        if note.is_foreign:
            is_copied = True
        elif is_the_others is not None:
            is_copied = is_the_others(note.totals)
        else:
            needed_s = _FIRST_ANSWER_S + note.output / _FASTEST_TOKENS_PER_S
            passed_s = note.at_s - before_s
            is_copied = not math.isnan(passed_s) and passed_s < needed_s
        if not is_copied:
            break
        last_line, before_s = note.line, max(before_s, note.at_s)
    return last_line
