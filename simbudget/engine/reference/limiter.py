"""The provider's rate limits: one line of calls in front of three token buckets, for the whole fleet."""

import numpy as np

from simbudget.engine.laws.buckets import BUCKETS, call_starts_ns, take
from simbudget.engine.laws.draws import Floats
from simbudget.engine.reference.clock import Clock, Happens, Phase
from simbudget.engine.reference.context import Context
from simbudget.engine.reference.pool import Pool, holding


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

    def wait(self, agent: int, context: Context, output_tokens: int) -> Happens:
        """Wait until a call may start; whoever has waited takes what the call uses, or leaves, at once."""
        if not self._limited:
            return
        asked_ns = self._clock.now
        try:
            yield from self._wait_in_line(agent, context, output_tokens)
        finally:
            self.queued_ns[self._last] += self._clock.now - asked_ns

    def take(self, input_tokens: int, output_tokens: int) -> None:
        """Take what a call that starts now uses; cache reads are not among its input tokens."""
        self.used[0] += 1
        self.used[1] += input_tokens
        self.used[2] += output_tokens
        if self._limited:
            take(self._buckets, input_tokens, output_tokens, self._clock.now)

    def _wait_in_line(self, agent: int, context: Context, output_tokens: int) -> Happens:
        line, clock = self._line, self._clock
        if line.is_idle and self._starts_ns(context, output_tokens) <= clock.now:
            return
        with holding(line) as turn:
            yield turn
            starts_ns = self._starts_ns(context, output_tokens)
            if starts_ns > clock.now:
                yield clock.after(starts_ns - clock.now, Phase.ASK, agent)

    def _starts_ns(self, context: Context, output_tokens: int) -> int:
        starts_ns, last = call_starts_ns(self._buckets, context.cells(), output_tokens, self._clock.now)
        if starts_ns > self._clock.now:
            self._last = last
        return starts_ns
