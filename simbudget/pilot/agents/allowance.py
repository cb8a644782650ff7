"""The limits of an agent and of its attempts at tasks, looked at before each call, job and submission.

What has been used is read from the ledger, so that limits hold across restarts of the agent's process.
"""

from dataclasses import dataclass
from typing import Final

from simbudget.guard import BudgetGuard
from simbudget.ledger.store import ALL_TOKENS, OPEN
from simbudget.pilot.agents.diary import Diary
from simbudget.pilot.agents.settings import AgentSettings
from simbudget.pilot.draws import Draws
from simbudget.scenario.language.quantities import Quantity
from simbudget.scenario.scenario import AgentStop, Attempt, Group
from simbudget.units import HOUR_S

_ROUNDING_USD: Final = 1e-9
"""Sums of floats may differ in their last bits; a billionth of a dollar is below any price."""
_USED: Final = f"""
SELECT total(CASE WHEN outcome != '{OPEN}' AND component IN ('tokens', 'gpu', 'scorer') THEN cost_usd END),
    total(CASE WHEN outcome = '{OPEN}' AND kind = 'experiment' THEN coalesce(gpus, 0) * (? - started_s) END),
    total({ALL_TOKENS}),
    count(CASE WHEN kind = 'call' AND outcome IN ('ok', 'cut') THEN 1 END),
    total(CASE WHEN kind = 'down' THEN duration_s END)
FROM entries WHERE run = ? AND agent = ?
"""


class StoppedError(Exception):
    """An agent has to stop; the text says why."""


class CycleOverError(Exception):
    """A cycle ends before its last step; the text says why."""


@dataclass(frozen=True)
class Used:
    """What an agent has used since its start."""

    spent_usd: float
    tokens: int
    turns: int


class Allowance:
    """What an agent may use in all, and in its current attempt at a task."""

    def __init__(self, settings: AgentSettings, group: Group, guard: BudgetGuard, diary: Diary) -> None:
        self._settings, self._group, self._guard, self._diary = settings, group, guard, diary
        self._draws = Draws(settings.seed, settings.luck)
        self._sandbox_usd_per_hour = self._draws.value(group.sandbox.price)
        self._attempt: Attempt | None = None
        self._attempt_began_s = 0.0
        self._before_attempt = Used(0.0, 0, 0)

    @property
    def ends_at_s(self) -> float | None:
        """Return when `stop.after` of its group ends the agent, in seconds of the run."""
        after = self._group.stop.after if self._group.stop is not None else None
        return None if after is None else self._settings.starts_at_s + self._draws.value(after)

    def begin_attempt(self, limits: Attempt | None) -> None:
        """Let the limits of an attempt at a task hold from now on, until `end_attempt`."""
        self._attempt, self._attempt_began_s = limits, self._diary.clock.now_s()
        if limits is not None:
            self._before_attempt = self.used()

    def end_attempt(self) -> None:
        """Let no limits of an attempt hold."""
        self._attempt = None

    def look(self) -> None:
        """Check all limits.

        Raises:
            StoppedError: the agent has used what it may use.
            CycleOverError: the attempt has.
        """
        stop, limits = self._group.stop, self._attempt
        if stop is None and limits is None:
            return
        used = self.used()
        if stop is not None and (reached := self._reached(stop, used, Used(0.0, 0, 0))):
            raise StoppedError(f"its limit of {reached}")
        if limits is None:
            return
        lasts_s = self._diary.clock.now_s() - self._attempt_began_s
        if limits.time is not None and lasts_s >= self._draws.value(limits.time):
            raise CycleOverError("the attempt has reached its limit of time")
        if reached := self._reached(limits, used, self._before_attempt):
            raise CycleOverError(f"the attempt has reached its limit of {reached}")

    def _reached(self, limits: AgentStop | Attempt, used: Used, before: Used) -> str:
        """Return the name of a limit that is reached by the use since `before`; empty if none is."""
        since = {
            "spend": used.spent_usd - before.spent_usd + _ROUNDING_USD,
            "tokens": used.tokens - before.tokens,
            "turns": used.turns - before.turns,
        }
        for name, value in since.items():
            limit: Quantity | None = getattr(limits, name)
            if limit is not None and value >= self._draws.value(limit):
                return name
        return ""

    def used(self) -> Used:
        """Return what the agent has used: calls, jobs as they accrue, submissions, and its sandbox."""
        now_s = self._diary.clock.now_s()
        settled_usd, open_gpu_s, tokens, turns, down_s = self._guard.store.query(
            _USED, (now_s, self._guard.run, self._settings.agent)
        )[0]
        accrued_usd = open_gpu_s / HOUR_S * self._settings.gpu_usd_per_hour
        lived_s = max(0.0, now_s - self._settings.starts_at_s - down_s)
        sandbox_usd = lived_s / HOUR_S * self._sandbox_usd_per_hour
        return Used(settled_usd + accrued_usd + sandbox_usd, int(tokens), turns)
