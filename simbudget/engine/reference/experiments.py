"""Experiments: jobs on GPUs, with their queue, failures, pre-emptions and bill, and the polls made meanwhile."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from simpy.events import Event
from simpy.exceptions import Interrupt

from simbudget.engine.laws.calls import draw_poll
from simbudget.engine.laws.draws import Integers
from simbudget.engine.laws.work import (
    MOST_ATTEMPTS,
    draw_attempt_at_experiment,
    draw_experiment,
    draw_preemption_ns,
    saved_ns,
)
from simbudget.engine.program import NONE, Billing, StepRow
from simbudget.engine.reference.accounts import BudgetReachedError
from simbudget.engine.reference.clock import Happens, Phase
from simbudget.engine.reference.pool import holding
from simbudget.engine.reference.site import GPU

if TYPE_CHECKING:
    from simbudget.engine.reference.agent import Agent


def experiment(agent: Agent, step: StepRow, cells: Integers) -> Happens:
    """Ask for GPUs, run a job on them, and go on when it has ended, with a result or after the last attempt.

    Raises:
        BudgetReachedError: the budget does not allow the job.
    """
    site = agent.site
    yield from site.clock.asks(agent.number)
    site.accounts.look()
    job = _Job(agent, cells)
    if step.poll_every == NONE:
        yield from job.run()
    else:
        yield from _poll_beside(agent, step, job)


class _Job:
    """One experiment: the same work in every attempt."""

    def __init__(self, agent: Agent, cells: Integers) -> None:
        self._agent, self._site, self._cells = agent, agent.site, cells
        self._settings = agent.site.program.settings
        rows, table = agent.site.rows, agent.site.program.table
        self._work_ns, gpus = draw_experiment(rows, table, cells, agent.stream, agent.cycle)
        self._gpus = min(gpus, self._settings.gpus)
        self._is_metered = self._settings.billing in (Billing.ON_DEMAND, Billing.SPOT)

    def run(self) -> Happens:
        """Try until the job gives a result, a few times at most."""
        agent, site = self._agent, self._site
        try:
            for attempt in range(MOST_ATTEMPTS):
                if attempt:
                    yield from site.clock.asks(agent.number)
                index = 4 * agent.cycle + attempt
                work_ns, fails = draw_attempt_at_experiment(
                    site.rows, self._cells, agent.stream, index, self._work_ns
                )
                yield from self._attempt(work_ns, "failed" if fails else "ok")
                if not fails:
                    site.tally.experiments += 1
                    return
        finally:
            agent.waits_for_experiment(None)

    def as_process(self) -> Generator[Event, Any, bool]:
        """Run the job beside its agent, and return whether the budget allowed it."""
        try:
            yield from self.run()
        except BudgetReachedError:
            return False
        except Interrupt:  # by its agent, which has crashed or come to its end
            return True
        return True

    def _attempt(self, work_ns: int, outcome: str) -> Happens:
        """Do so much work on GPUs, going back to the last checkpoint and to the queue when pre-empted."""
        agent, clock = self._agent, self._site.clock
        done_ns, preempted = 0, True
        while preempted:
            agent.waits_for_experiment("waiting_gpu")
            asked_ns = clock.now
            with holding(self._site.gpus, self._gpus) as grant:
                with agent.queues("experiment", gpus=self._gpus):
                    yield grant
                    self._site.accounts.look()
                agent.waits_for_experiment("experiment")
                stay_ns, preempted = self._stay(work_ns - done_ns)
                with self._bill(clock.now - asked_ns, "preempted" if preempted else outcome):
                    yield clock.after(stay_ns, Phase.END, agent.number)
            if preempted:
                done_ns = saved_ns(done_ns + stay_ns, self._settings.checkpoint_every_ns)
                yield from clock.asks(agent.number)

    def _stay(self, left_ns: int) -> tuple[int, bool]:
        """Return how long the job stays on its GPUs, and whether it is pre-empted before its work is done."""
        if self._settings.preempted_every == NONE:
            return left_ns, False
        agent = self._agent
        agent.stretches += 1
        stay_ns = draw_preemption_ns(
            self._site.rows, self._settings.preempted_every, agent.stream, agent.stretches - 1, self._gpus
        )
        return min(stay_ns, left_ns), stay_ns < left_ns

    @contextmanager
    def _bill(self, queued_ns: int, outcome: str) -> Iterator[None]:
        """Count, bill and record the time within, whatever ends it."""
        site, started_ns = self._site, self._site.clock.now
        if self._is_metered:
            site.gpu_meter.start(started_ns, self._gpus)
        entry = self._agent.entry("experiment", queued_ns=queued_ns, gpus=self._gpus, outcome=outcome)
        with entry:
            try:
                yield
            finally:
                site.tally.gpu_ns += float(self._gpus) * float(site.clock.now - started_ns)
                if self._is_metered:
                    cost_usd = site.gpu_meter.stop(started_ns, site.clock.now, self._gpus)
                    site.accounts.pay_for_time(GPU, cost_usd, started_ns, site.clock.now)
                    entry.columns |= {"component": "gpu", "cost_usd": cost_usd}


def _poll_beside(agent: Agent, step: StepRow, job: _Job) -> Happens:
    """Run a job, and make a short call every so often until it has ended."""
    clock = agent.site.clock
    quantities = np.array([step.poll_every, step.poll_output, step.poll_result])
    asked_ns = clock.now
    running = clock.process(job.as_process())
    try:
        while not running.triggered:
            every_ns, output_tokens, result_tokens = _draw_poll(agent, quantities)
            due = clock.after(max(0, asked_ns + every_ns - clock.now), Phase.ASK, agent.number)
            yield running | due
            if running.triggered:
                break
            try:
                yield from agent.line.call("poll", output_tokens)
            except BudgetReachedError:  # the job is being paid for, and goes on
                break
            agent.line.context.tokens += result_tokens
            asked_ns = agent.line.began_ns
        allowed = yield running
    except Interrupt as interrupt:
        if running.is_alive:
            running.interrupt(interrupt.cause)
        raise
    if not allowed:
        raise BudgetReachedError


def _draw_poll(agent: Agent, quantities: Integers) -> tuple[int, int, int]:
    agent.polls += 1
    site = agent.site
    return draw_poll(site.rows, site.program.table, quantities, agent.stream, agent.polls - 1)
