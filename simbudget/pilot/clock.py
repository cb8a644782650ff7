"""The clock of a run: seconds since it began, at its own pace, paused while the pilot is not running.

A pilot on the local model server can run faster than real time: with a time scale of 60, a minute of real time is an
hour of the run. All times in the ledger, and all latencies, rate limits, cache lifetimes and cool-downs, are in run
time. A pilot's ledger therefore reads as if the fleet had run in real time. Experiments really run, so they appear
slower by the time scale.
"""

import time
from dataclasses import dataclass


@dataclass(frozen=True)
class RunClock:
    """One uninterrupted stretch of a run: its start in real time and in run time, and its pace."""

    began_unix_s: float
    at_s: float = 0.0
    time_scale: float = 1.0

    def now_s(self) -> float:
        """Return the run time in seconds."""
        return self.at_s + (time.time() - self.began_unix_s) * self.time_scale

    def wall_s(self, duration_s: float) -> float:
        """Convert a duration from run time to real time, in seconds."""
        return duration_s / self.time_scale

    def wall_until_s(self, moment_s: float) -> float:
        """Return the real time in seconds until a moment of the run; 0 if it has passed."""
        return max(0.0, self.wall_s(moment_s - self.now_s()))
