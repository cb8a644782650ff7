"""The timesheet of an agent: when it lived, and what it did with its time."""

from typing import Final

from simbudget.engine.reference.clock import Clock
from simbudget.ledger.entry import ACTIVITIES

_WAITING_GPU: Final = ACTIVITIES.index("waiting_gpu")


class Timesheet:
    """At every moment of its life an agent does exactly one thing; this adds up for how long, in nanoseconds.

    Who waits for an experiment does what the experiment does, be it in the queue or running, whatever polls
    are made meanwhile.
    """

    def __init__(self, clock: Clock, pools: int) -> None:
        self.spent_ns = [0] * len(ACTIVITIES)
        self.waited_ns_by_pool = [0] * pools
        """For how long the agent has waited for GPUs, by pool."""
        self.started_ns: int | None = None
        self.ended_ns: int | None = None
        self._clock = clock
        self._since_ns = 0
        self._own: int | None = None
        self._of_experiment: int | None = None
        self._pool = 0

    def start(self) -> None:
        """Begin the agent's life."""
        self.started_ns = self._since_ns = self._clock.now

    def does(self, activity: int) -> None:
        """Note what the agent does from now on."""
        self._add_up()
        self._own = activity

    def waits_for_experiment(self, activity: int | None, pool: int) -> None:
        """Note what the experiment on a pool does, for which the agent waits from now on; None: it has ended."""
        self._add_up()
        self._of_experiment, self._pool = activity, pool

    def end(self) -> None:
        """End the agent's life."""
        self._add_up()
        self.ended_ns = self._clock.now

    @property
    def life_ns(self) -> int:
        """Return how long the agent lived, downtime included."""
        if self.started_ns is None or self.ended_ns is None:
            return 0
        return self.ended_ns - self.started_ns

    def _add_up(self) -> None:
        activity = self._own if self._of_experiment is None else self._of_experiment
        now_ns = self._clock.now
        if activity is not None:
            self.spent_ns[activity] += now_ns - self._since_ns
            if activity == _WAITING_GPU:
                self.waited_ns_by_pool[self._pool] += now_ns - self._since_ns
        self._since_ns = now_ns
