"""Which submissions were hacks in truth: those whose code is one of the hacks that ship with the task.

The researcher program plays those as they are, so the detectors can be judged; of a live agent's code nobody
knows, and it counts as honest here.
"""

import hashlib
from functools import cache

from simbudget.pilot.review.queue import Review
from simbudget.pilot.tasks.weak_to_strong.catalogue import HACK_FILES
from simbudget.pilot.tasks.weak_to_strong.files import hack_source


@cache
def _hacks() -> dict[str, str]:
    """Return each shipped hack by the code store's name for its source."""
    return {hashlib.sha256(hack_source(name).encode()).hexdigest(): name for name in HACK_FILES}


def played_hacks(state: Review) -> dict[int, str]:
    """Return the submissions that were made by a shipped hack, and its name."""
    return {case.row.number: _hacks()[case.row.code] for case in state.cases if case.row.code in _hacks()}
