"""What an agent has used so far, and the limits that end it, or an attempt of its at a task."""

import numpy as np

from simbudget.engine.laws.draws import Floats
from simbudget.engine.laws.limits import (
    ACCOUNT,
    SPENT_USD,
    USES,
    begin_to_cost,
    cease_to_cost,
    count_call,
    is_at_limit,
    mark,
    settle_limits,
    spent_by_now,
)
from simbudget.engine.reference.accounts import BudgetReachedError
from simbudget.engine.reference.clock import Clock


class AttemptOverError(BudgetReachedError):
    """What ends an attempt at a task that finds one of its limits reached."""


class Usage:
    """What one agent has used since its start: money, tokens and turns."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.account: Floats = np.zeros(ACCOUNT)
        """See `laws.limits`."""

    @property
    def spent_usd(self) -> float:
        """Return what the agent has spent by now, what accrues included."""
        return spent_by_now(self.account, self._clock.now)

    def pay(self, cost_usd: float) -> None:
        """Note money spent."""
        self.account[SPENT_USD] += cost_usd

    def call(self, cost_usd: float, tokens: int, is_turn: bool) -> None:
        """Note a call that begins, with its tokens of all classes; a turn's call counts the turn."""
        count_call(self.account, cost_usd, tokens, is_turn)

    def begin_to_cost(self, usd_per_hour: float) -> None:
        """Let something cost money by the hour from now on."""
        begin_to_cost(self.account, usd_per_hour, self._clock.now)

    def cease_to_cost(self, usd_per_hour: float, started_ns: int, cost_usd: float) -> None:
        """Stop a charge by the hour that began at `started_ns`, and book its total, `cost_usd`."""
        cease_to_cost(self.account, usd_per_hour, started_ns, cost_usd)


class Limits:
    """What may be used from now on."""

    def __init__(
        self, usage: Usage, rows: Floats, quantities: tuple[int, int, int, int], since_ns: int
    ) -> None:
        self._usage, self._since_ns = usage, since_ns
        self._limits, self._marks = np.zeros(USES), np.zeros(USES)
        settle_limits(rows, *quantities, self._limits)
        mark(usage.account, since_ns, self._marks)

    @property
    def spent_usd(self) -> float:
        """Return what has been spent since the limits hold."""
        return self._usage.spent_usd - float(self._marks[SPENT_USD])

    def are_reached(self, now_ns: int) -> bool:
        """Return whether what has been used is at or past one of them."""
        return is_at_limit(self._usage.account, self._marks, self._limits, now_ns, now_ns - self._since_ns)
