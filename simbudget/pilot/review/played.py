"""Which submissions are hacks in truth: those whose code is one of the hacks shipped with the task.

The researcher program submits them unchanged, which is how the detectors can be evaluated. For a live agent's code
the truth is unknown, and it counts as honest here.
"""

import hashlib
from functools import cache

from simbudget.pilot.review.queue import Review
from simbudget.pilot.tasks.weak_to_strong.catalogue import HACK_FILES
from simbudget.pilot.tasks.weak_to_strong.files import hack_source


@cache
def _hacks() -> dict[str, str]:
    """Return the name of each shipped hack by the hash of its source in the code store."""
    return {hashlib.sha256(hack_source(name).encode()).hexdigest(): name for name in HACK_FILES}


def played_hacks(state: Review) -> dict[int, str]:
    """Return the name of the hack behind each submission that was made by a shipped one."""
    return {case.row.number: _hacks()[case.row.code] for case in state.cases if case.row.code in _hacks()}
