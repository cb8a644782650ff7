"""The fleet in cimba: Python processes compiled onto a C engine of coroutines (its interface of version 0.9)."""

from collections.abc import Callable
from typing import Any

import cimba as cb
from cimba import inputs

from benchmarks.peers.fleet import (
    CALL_S,
    CALLS_PER_MIN_PER_AGENT,
    EXPERIMENT_S,
    SCORING_S,
    TOOL_S,
    TURNS,
    Fleet,
)


def model(fleet: Fleet) -> Any:
    """Return the model of a fleet; the number of its agents is part of the class."""
    rate = CALLS_PER_MIN_PER_AGENT * fleet.agents / 60.0
    most = CALLS_PER_MIN_PER_AGENT * fleet.agents

    class CimbaFleet(cb.Model):
        call_s: cb.Input[float] = inputs.dist.uniform(low=CALL_S[0], high=CALL_S[1])
        tool_s: cb.Input[float] = inputs.dist.uniform(low=TOOL_S[0], high=TOOL_S[1])
        experiment_s: cb.Input[float] = inputs.dist.uniform(low=EXPERIMENT_S[0], high=EXPERIMENT_S[1])
        scoring_s: cb.Input[float] = inputs.dist.uniform(low=SCORING_S[0], high=SCORING_S[1])
        line: cb.Resource
        gpus: cb.Resource
        scorers: cb.Resource
        tokens: float
        filled_s: float
        made: float
        calls: cb.Output[float]

        def __init__(self) -> None:
            self.line = cb.Resource(capacity=1)
            self.gpus = cb.Resource(capacity=fleet.gpus)
            self.scorers = cb.Resource(capacity=fleet.scorers)
            self.tokens = most
            self.filled_s = 0.0
            self.made = 0.0

        @cb.process(copies=fleet.agents)
        def agent(self) -> None:
            while True:
                for _ in range(TURNS):
                    self.line.acquire()
                    self.tokens = min(most, self.tokens + (cb.now() - self.filled_s) * rate)
                    self.filled_s = cb.now()
                    if self.tokens < 1.0:
                        cb.hold((1.0 - self.tokens) / rate)
                        self.tokens = 1.0
                        self.filled_s = cb.now()
                    self.tokens -= 1.0
                    self.line.release()
                    self.made += 1.0
                    cb.hold(self.call_s.next())
                    cb.hold(self.tool_s.next())
                self.gpus.acquire()
                cb.hold(self.experiment_s.next())
                self.gpus.release()
                self.scorers.acquire()
                cb.hold(self.scoring_s.next())
                self.scorers.release()

        @cb.on_end
        def count(self) -> None:
            self.calls = self.made

    return CimbaFleet()


def prepare(fleet: Fleet, workers: int) -> Callable[[int], float]:
    """Return what simulates replications of a fleet, compiled once, and counts their model calls."""
    which, window = model(fleet), cb.Window(warmup=0, duration=fleet.hours * 3600.0)

    def simulate(replications: int) -> float:
        results = cb.Experiment(which, replications=replications, window=window, seed=1).run(workers=workers)
        return float(results[which].calls.values.sum())

    return simulate
