"""The provider of models as callers see it: clients with their prices, rate limits, and the subscription."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from simpy.events import Event

from simbudget.engine.laws.draws import Floats, Integers
from simbudget.engine.laws.provider import BUCKETS, SPANS, allowed_from_ns, take, use
from simbudget.engine.program import NONE, ClientRow, PlanRow, Program, TurnRow
from simbudget.engine.reference.scheduling import Clock, Happens, Phase, Pool, holding
from simbudget.pricing.charge import SERVICES

if TYPE_CHECKING:
    from simbudget.engine.reference.calls import Caller


@dataclass(frozen=True)
class Client:
    """One way to call a model."""

    model: str
    service: str
    row: ClientRow
    attempt: Integers
    """The quantities of an attempt, see `laws.calls.draw_attempt`."""
    prices: Floats
    """See `laws.calls.call_cost_usd`."""
    limiter: Limiter | None
    """The limits that hold for its calls; None: there are none."""


@dataclass(frozen=True)
class Turn:
    """What one turn is made of."""

    row: TurnRow
    parts: Integers
    """The quantities of a turn, see `laws.calls.draw_turn`."""


def clients_of(program: Program, rows: Floats, limiters: Sequence[Limiter]) -> tuple[Client, ...]:
    """Return the clients of a program in a world, whose `rows` are given.

    Args:
        program: the program.
        rows: [quantities, 8] the rows of the world.
        limiters: the limits of each line.
    """
    return tuple(_client(program, row, rows, limiters) for row in program.clients)


def turns_of(program: Program) -> tuple[Turn, ...]:
    """Return the turns of a program.

    Args:
        program: the program.
    """
    return tuple(Turn(row, np.array(row.parts)) for row in program.turns)


def _client(program: Program, row: ClientRow, rows: Floats, limiters: Sequence[Limiter]) -> Client:
    above, *quantities = row.price_row
    factor = 1.0 if row.price_factor == NONE else float(rows[row.price_factor, 1])
    usd_per_mtok = (factor * float(rows[quantity, 1]) for quantity in quantities)
    return Client(
        model=program.models[row.model],
        service=SERVICES[row.service],
        row=row,
        attempt=np.array(row.attempt),
        prices=np.array([float(above), *usd_per_mtok]),
        limiter=None if row.line == NONE else limiters[row.line],
    )


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
        """Wait until a call may start; after the wait a caller takes what the call uses, or leaves, at once.

        Args:
            caller: who calls.
            starts: when the call could start, given the buckets.
        """
        if not self._limited:
            return
        asked_ns = self._clock.now
        try:
            yield from self._wait_in_line(caller, starts)
        finally:
            self.queued_ns[self._last] += self._clock.now - asked_ns

    def take(self, input_tokens: int, output_tokens: int) -> None:
        """Take what a call that starts now uses; cache reads are not among its input tokens.

        Args:
            input_tokens: input tokens that count against the limit.
            output_tokens: output tokens, including thinking.
        """
        self.used[0] += 1
        self.used[1] += input_tokens
        self.used[2] += output_tokens
        if self._limited:
            take(self._buckets, input_tokens, output_tokens, self._clock.now)

    def _wait_in_line(self, caller: Caller, starts: Starts) -> Happens:
        line, clock = self._line, self._clock
        # Who may start at once does not join the line.
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


@dataclass
class _Waiting:
    """A call that waits."""

    place: int
    bell: Event
    """Rung when it has become the first in line."""


class Subscription:
    """The subscription of the whole fleet."""

    def __init__(self, clock: Clock, plan: PlanRow, rows: Floats) -> None:
        self.pays = bool(plan.pays)
        """Whether a call at the limit is paid at list prices; otherwise it waits."""
        self.month_usd = plan.seats * float(rows[plan.price, 1])
        self.queued_ns = 0
        """For how long calls have waited for it."""
        self._clock = clock
        self._lengths_ns: Integers = np.array(plan.lengths_ns, dtype=np.int64)
        self._allows_usd: Floats = np.array(
            [0.0 if quantity == NONE else plan.seats * rows[quantity, 1] for quantity in plan.allows]
        )
        self._ends_ns: Integers = np.zeros(SPANS, dtype=np.int64)
        self._used_usd: Floats = np.zeros(SPANS)
        self._line: list[_Waiting] = []
        """Those who wait, in the order in which they asked; only the first looks at the clock."""
        self._places = 0

    def next_place(self) -> int:
        """Return the place in line of a call that asks now."""
        self._places += 1
        return self._places

    def allows(self) -> bool:
        """Return whether a call may begin now, as part of the subscription."""
        return self._allowed_from_ns() <= self._clock.now

    def charge(self, cost_usd: float) -> float:
        """Count a call that begins now, given its cost at list prices; return what is paid for it.

        Args:
            cost_usd: its cost at list prices, in US dollars.
        """
        if not self.allows():
            return cost_usd
        use(self._lengths_ns, self._ends_ns, self._used_usd, cost_usd, self._clock.now)
        return 0.0

    def wait(self, caller: Caller, place: int) -> Happens:
        """Wait in line until a call may begin.

        Args:
            caller: who calls.
            place: its place in line, see `next_place`.
        """
        waiting, asked_ns = _Waiting(place, Event(self._clock)), self._clock.now
        self._line.append(waiting)
        self._line.sort(
            key=lambda one: one.place
        )  # one that the rate limits held up may have asked before others here
        try:
            while True:
                if self._line[0] is not waiting:
                    waiting.bell = Event(self._clock)
                    yield waiting.bell
                elif (from_ns := self._allowed_from_ns()) > self._clock.now:
                    yield self._clock.after(from_ns - self._clock.now, Phase.ASK, caller.number, caller.place)
                else:
                    return
        finally:
            # On every way out: it was let through, or interrupted.
            self.queued_ns += self._clock.now - asked_ns
            self._line.remove(waiting)
            self._ring()

    def _ring(self) -> None:
        """Tell the first in line that it is, unless it knows and waits for the clock."""
        if self._line and not self._line[0].bell.triggered and self._line[0].bell.callbacks:
            self._line[0].bell.succeed()

    def _allowed_from_ns(self) -> int:
        return allowed_from_ns(
            self._lengths_ns, self._ends_ns, self._used_usd, self._allows_usd, self._clock.now
        )
