"""The provider's rate limits: one line of calls in front of three token buckets, for all models that share it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from simbudget.engine.laws.buckets import BUCKETS, take
from simbudget.engine.laws.draws import Floats
from simbudget.engine.reference.clock import Clock, Happens, Phase
from simbudget.engine.reference.pool import Pool, holding

if TYPE_CHECKING:
    from simbudget.engine.reference.calls import Caller

Starts = Callable[[Floats], tuple[int, int]]
"""Given the buckets, when a call can start, and which bucket is the last that can pay for it."""


class Limiter:
    """Lets calls through in the order in which they ask, each when every bucket can pay for it."""

    def __init__(self, clock: Clock, limits_per_min: Floats) -> None:
        self.used = [0, 0, 0]
        """Requests, input tokens and output tokens let through."""
        self.queued_ns = [0.0] * BUCKETS
        """For how long calls have waited, by the bucket that held up the line."""
        self._clock = clock
        self._limited = bool(limits_per_min.any())
        self._buckets = np.column_stack([limits_per_min, limits_per_min, np.zeros(BUCKETS)])
        self._line = Pool(clock, 1)
        self._last = 0

    @property
    def used_minutes(self) -> list[float]:
        """Return how many minutes' worth of each limit have been let through; 0 for no limit."""
        limits = self._buckets[:, 0].tolist()
        return [used / limit if limit else 0.0 for used, limit in zip(self.used, limits, strict=True)]

    def wait(self, caller: Caller, starts: Starts) -> Happens:
        """Wait until a call may start; after the wait a caller takes what the call uses, or leaves, at once."""
        if not self._limited:
            return
        asked_ns = self._clock.now
        try:
            yield from self._wait_in_line(caller, starts)
        finally:
            self.queued_ns[self._last] += self._clock.now - asked_ns

    def take(self, input_tokens: int, output_tokens: int) -> None:
        """Take what a call that starts now uses; cache reads are not among its input tokens."""
        self.used[0] += 1
        self.used[1] += input_tokens
        self.used[2] += output_tokens
        if self._limited:
            take(self._buckets, input_tokens, output_tokens, self._clock.now)

    def _wait_in_line(self, caller: Caller, starts: Starts) -> Happens:
        line, clock = self._line, self._clock
        if line.is_idle and self._starts_ns(starts) <= clock.now:
            return
        with holding(line) as turn:
            yield turn
            starts_ns = self._starts_ns(starts)
            if starts_ns > clock.now:
                yield clock.after(starts_ns - clock.now, Phase.ASK, caller.number, caller.place)

    def _starts_ns(self, starts: Starts) -> int:
        starts_ns, last = starts(self._buckets)
        if starts_ns > self._clock.now:
            self._last = last
        return starts_ns
