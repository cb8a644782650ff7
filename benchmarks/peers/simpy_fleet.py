"""The fleet in SimPy, as its documentation would write it."""

from collections.abc import Generator
from random import Random
from typing import Any

import simpy

from benchmarks.peers.fleet import (
    CALL_S,
    CALLS_PER_MIN_PER_AGENT,
    EXPERIMENT_S,
    SCORING_S,
    TOOL_S,
    TURNS,
    Fleet,
)


class Bucket:
    """A token bucket: calls are let through in the order in which they ask."""

    def __init__(self, environment: simpy.Environment, per_min: float) -> None:
        self.environment, self.most, self.rate = environment, per_min, per_min / 60.0
        self.line, self.tokens, self.filled_s = simpy.Resource(environment), per_min, 0.0

    def take(self) -> Generator[simpy.Event, Any, None]:
        """Wait until the bucket lets a call through."""
        with self.line.request() as turn:
            yield turn
            self._fill()
            if self.tokens < 1.0:
                yield self.environment.timeout((1.0 - self.tokens) / self.rate)
                self._fill()
            self.tokens -= 1.0

    def _fill(self) -> None:
        now_s = self.environment.now
        self.tokens = min(self.most, self.tokens + (now_s - self.filled_s) * self.rate)
        self.filled_s = now_s


class Site:
    """What a fleet shares."""

    def __init__(self, fleet: Fleet, seed: int) -> None:
        self.environment, self.random, self.calls = simpy.Environment(), Random(seed), 0
        self.bucket = Bucket(self.environment, CALLS_PER_MIN_PER_AGENT * fleet.agents)
        self.gpus = simpy.Resource(self.environment, fleet.gpus)
        self.scorers = simpy.Resource(self.environment, fleet.scorers)

    def agent(self) -> Generator[simpy.Event, Any, None]:
        """Go through cycles until the end."""
        timeout, uniform = self.environment.timeout, self.random.uniform
        while True:
            for _ in range(TURNS):
                yield from self.bucket.take()
                self.calls += 1
                yield timeout(uniform(*CALL_S))
                yield timeout(uniform(*TOOL_S))
            with self.gpus.request() as gpu:
                yield gpu
                yield timeout(uniform(*EXPERIMENT_S))
            with self.scorers.request() as scorer:
                yield scorer
                yield timeout(uniform(*SCORING_S))


def simulate(fleet: Fleet, replications: int) -> float:
    """Return how many model calls the replications of a fleet made."""
    calls = 0
    for seed in range(replications):
        site = Site(fleet, seed)
        for _ in range(fleet.agents):
            site.environment.process(site.agent())
        site.environment.run(until=fleet.hours * 3600.0)
        calls += site.calls
    return calls
