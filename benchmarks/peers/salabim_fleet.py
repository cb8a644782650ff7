"""The fleet in salabim, with its monitors off."""

from collections.abc import Generator
from random import Random
from typing import Any

import salabim

from benchmarks.peers.fleet import (
    CALL_S,
    CALLS_PER_MIN_PER_AGENT,
    EXPERIMENT_S,
    SCORING_S,
    TOOL_S,
    TURNS,
    Fleet,
)


class Site:
    """What a fleet shares."""

    def __init__(self, fleet: Fleet, seed: int) -> None:
        self.environment, self.random, self.calls = salabim.Environment(yieldless=False), Random(seed), 0
        self.most = CALLS_PER_MIN_PER_AGENT * fleet.agents
        self.rate, self.tokens, self.filled_s = self.most / 60.0, self.most, 0.0
        self.line, self.gpus, self.scorers = (
            salabim.Resource(capacity=capacity, monitor=False, env=self.environment)
            for capacity in (1, fleet.gpus, fleet.scorers)
        )

    def wait_s(self) -> float:
        """Fill the token bucket, and return how long until it lets a call through."""
        now_s = self.environment.now()
        self.tokens = min(self.most, self.tokens + (now_s - self.filled_s) * self.rate)
        self.filled_s = now_s
        return max(0.0, (1.0 - self.tokens) / self.rate)


class Agent(salabim.Component):  # type: ignore[misc]
    """An agent."""

    def setup(self, site: Site) -> None:
        """Take the site."""
        self.site = site

    def process(self) -> Generator[Any, Any, None]:
        """Go through cycles until the end."""
        site, uniform = self.site, self.site.random.uniform
        while True:
            for _ in range(TURNS):
                yield self.request(site.line)
                if wait_s := site.wait_s():
                    yield self.hold(wait_s)
                    site.wait_s()
                site.tokens -= 1.0
                self.release(site.line)
                site.calls += 1
                yield self.hold(uniform(*CALL_S))
                yield self.hold(uniform(*TOOL_S))
            yield self.request(site.gpus)
            yield self.hold(uniform(*EXPERIMENT_S))
            self.release(site.gpus)
            yield self.request(site.scorers)
            yield self.hold(uniform(*SCORING_S))
            self.release(site.scorers)


def simulate(fleet: Fleet, replications: int) -> float:
    """Return how many model calls the replications of a fleet made."""
    calls = 0
    for seed in range(replications):
        site = Site(fleet, seed)
        for _ in range(fleet.agents):
            Agent(site=site, env=site.environment)
        site.environment.run(till=fleet.hours * 3600.0)
        calls += site.calls
    return calls
