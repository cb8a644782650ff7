"""The clock of a run: seconds since it began, at its own pace, standing still while nothing runs.

A pilot on the local model server can go faster than the wall's clock: with a time scale of 60, a minute on the
wall is an hour of the run. All times of the ledger, of the model's latency, of rate limits, caches and cool-downs
are the run's; so a pilot's ledger reads as if the fleet had run at its true pace, its experiments, which really
run, as if the machine were so many times slower.
"""

import time
from dataclasses import dataclass


@dataclass(frozen=True)
class RunClock:
    """One stretch of a run: when it began on the wall, at which moment of the run, and the pace since."""

    began_unix_s: float
    at_s: float = 0.0
    time_scale: float = 1.0

    def now_s(self) -> float:
        """Return how many seconds of the run have passed."""
        return self.at_s + (time.time() - self.began_unix_s) * self.time_scale

    def wall_s(self, duration_s: float) -> float:
        """Return how long so many seconds of the run take on the wall."""
        return duration_s / self.time_scale

    def wall_until_s(self, moment_s: float) -> float:
        """Return how long it is on the wall until a moment of the run; 0 if it has passed."""
        return max(0.0, self.wall_s(moment_s - self.now_s()))
