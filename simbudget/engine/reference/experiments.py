"""Experiments: jobs on GPUs, side by side, with their queue, failures, pre-emptions and bill, and polls meanwhile."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from simpy.events import Event, Process
from simpy.exceptions import Interrupt

from simbudget.engine.laws.accounts import GPU
from simbudget.engine.laws.calls import draw_poll
from simbudget.engine.laws.draws import Integers
from simbudget.engine.laws.work import (
    draw_at_once,
    draw_attempt_at_experiment,
    draw_experiment,
    draw_preemption_ns,
    job_lanes,
    saved_ns,
)
from simbudget.engine.program import NONE, StepRow
from simbudget.engine.reference.accounts import AttemptOverError, BudgetReachedError
from simbudget.engine.reference.scheduling import Happens, Phase, holding

if TYPE_CHECKING:
    from simbudget.engine.reference.agent import Agent

CANCELLED: Final = "cancelled"
"""Why a job is interrupted for which its agent waits no longer."""


def experiment(agent: Agent, step: StepRow, work: Integers) -> Happens:
    """Run a step's jobs on GPUs, and go on when they have ended, or as many as the step waits for have ended well.

    Args:
        agent: the agent.
        step: the step's row.
        work: what the laws of work look up for the step.

    Raises:
        BudgetReachedError: the budget does not allow the step, or one of its jobs.
    """
    site = agent.site
    yield from site.clock.asks(agent.number)
    agent.look()
    wave = Wave(agent, step, work)
    try:
        if step.polls.every != NONE:
            yield from _poll_beside(agent, step, wave)
        elif len(wave.jobs) > 1:
            wave.start()
            yield wave.over
        else:
            yield from wave.jobs[0].run()
    except Interrupt as interrupt:
        wave.cancel(interrupt.cause)
        raise
    finally:
        agent.ended_well += wave.ended_well
    agent.has_succeeded = wave.ended_well > 0
    if wave.refused is not None:
        raise wave.refused


class Wave:
    """The jobs of one step, side by side, and what of them their agent waits for."""

    def __init__(self, agent: Agent, step: StepRow, work: Integers) -> None:
        site = agent.site
        self.step, self.work = step, work
        self.over = Event(site.clock)
        """What the agent waits for: that all have ended, or as many well as the step waits for."""
        self.ended_well = 0
        self.refused: BudgetReachedError | None = None
        """What did not allow a job: that which ends the agent comes before that which ends its attempt at a task."""
        self._agent = agent
        count = 1
        if step.at_once != NONE:
            count = draw_at_once(
                site.rows, site.program.table, step.at_once, agent.stream, step.work.purpose, agent.cycle
            )
        self.jobs = [_Job(agent, self, number) for number in range(count)]
        self._processes: list[Process] = []
        self._activities: list[str | None] = [None] * count
        self._left = count

    def start(self) -> None:
        """Let every job ask for its GPUs, in their order."""
        self._processes = [self._agent.site.clock.process(job.as_process()) for job in self.jobs]

    def cancel(self, cause: object) -> None:
        """Break off the jobs that have not ended.

        Args:
            cause: why: what the agent was interrupted by.
        """
        for process in self._processes:
            if process.is_alive:
                process.interrupt(cause)

    def ends(self, number: int, is_well: bool, refused: BudgetReachedError | None = None) -> None:
        """Note the end of a job; when the agent need not wait any longer, the others are cancelled.

        Args:
            number: the number of the job among those of its step.
            is_well: whether it gave a result.
            refused: what did not allow it, if it was refused.
        """
        self._left -= 1
        self.ended_well += is_well
        if refused is not None and (self.refused is None or isinstance(self.refused, AttemptOverError)):
            self.refused = refused
        if self.over.triggered:
            return
        if self._left == 0 or (is_well and self.ended_well == self.step.wait_for):
            if self._processes:  # else the only job is the agent's own doing
                self.over.succeed()
            for process, job in zip(self._processes, self.jobs, strict=False):
                if process.is_alive and job.number != number:
                    process.interrupt(CANCELLED)

    def does(self, number: int, activity: str | None) -> None:
        """Note what a job does: the agent's experiment runs if one of them does.

        Args:
            number: the number of the job among those of its step.
            activity: `waiting_gpu` or `experiment`; None: it has ended.
        """
        self._activities[number] = activity
        shown = next((each for each in ("experiment", "waiting_gpu") if each in self._activities), None)
        self._agent.waits_for_experiment(shown, self.step.pool)


class _Job:
    """One experiment: the same work in every attempt."""

    def __init__(self, agent: Agent, wave: Wave, number: int) -> None:
        self.number = number
        """Its place among the jobs of its step."""
        self._agent, self._site, self._wave = agent, agent.site, wave
        self._pool_number = wave.step.pool
        self._pool = agent.site.program.pools[self._pool_number]
        self._columns: dict[str, object] = {"name": agent.site.program.entry_pools[self._pool_number]}
        self._columns |= agent.task
        """What its entries say of it, also when the agent has been interrupted and is at no task any more."""
        rows, table = agent.site.rows, agent.site.program.table
        self._work_ns, gpus = draw_experiment(rows, table, wave.work, self._lanes(0))
        # A job that wants more GPUs than there are takes all: it would wait for ever.
        self._gpus = min(gpus, self._pool.free_gpus)
        self._columns |= {"gpus": self._gpus}

    def run(self) -> Happens:
        """Try until the job gives a result, a few times at most; and note in the wave how it ended.

        Raises:
            BudgetReachedError: the budget does not allow it.
        """
        tally, is_well = self._site.tally, False
        try:
            for attempt in range(self._wave.step.attempts):
                if attempt:
                    yield from self._asks()
                is_well = yield from self._try(attempt)
                if is_well:
                    tally.experiments += 1
                    break
            tally.jobs += 1
            self._wave.does(self.number, None)
            self._wave.ends(self.number, is_well)
        except (BudgetReachedError, Interrupt) as error:
            tally.cancelled_jobs += 1
            self._wave.does(self.number, None)
            self._wave.ends(self.number, False, error if isinstance(error, BudgetReachedError) else None)
            raise

    def as_process(self) -> Happens:
        """Run the job beside its agent."""
        with suppress(BudgetReachedError, Interrupt):  # by its agent, or since others have ended
            yield from self.run()

    def _asks(self) -> Happens:
        return self._site.clock.asks(self._agent.number, self.number)

    def _lanes(self, attempt: int) -> tuple[float, float, float, float]:
        agent, wave = self._agent, self._wave
        return job_lanes(agent.stream, wave.step.work.purpose, agent.cycle, self.number, attempt)

    def _try(self, attempt: int) -> Generator[Event, Any, bool]:
        """Do the job's work, or what of it is done until it fails; return whether it was done."""
        work_ns, fails = draw_attempt_at_experiment(
            self._site.rows, self._wave.work, self._lanes(attempt), self._work_ns
        )
        yield from self._attempt(work_ns, "failed" if fails else "ok")
        return not fails

    def _attempt(self, work_ns: int, outcome: str) -> Happens:
        """Do an amount of work on GPUs, going back to the last checkpoint and to the queue when pre-empted."""
        agent, clock = self._agent, self._site.clock
        done_ns, preempted = 0, True
        while preempted:
            self._wave.does(self.number, "waiting_gpu")
            asked_ns = clock.now
            with holding(self._site.pools[self._pool_number], self._gpus) as grant:
                with agent.queues("experiment", **self._columns):
                    yield grant
                    agent.look()
                self._wave.does(self.number, "experiment")
                # Drawn when the job gets its GPUs, so that the order of draws is that of starts.
                stay_ns, preempted = self._stay(work_ns - done_ns)
                with self._bill(clock.now - asked_ns, "preempted" if preempted else outcome):
                    yield clock.after(stay_ns, Phase.END, agent.number, self.number)
            if preempted:
                done_ns = saved_ns(done_ns + stay_ns, self._pool.checkpoint_every_ns)
                yield from self._asks()

    def _stay(self, left_ns: int) -> tuple[int, bool]:
        """Return how long the job stays on its GPUs, and whether it is pre-empted before its work is done."""
        if self._pool.preempted_every == NONE:
            return left_ns, False
        agent = self._agent
        agent.stretches += 1
        stay_ns = draw_preemption_ns(
            self._site.rows, self._pool.preempted_every, agent.stream, agent.stretches - 1, self._gpus
        )
        return min(stay_ns, left_ns), stay_ns < left_ns

    @contextmanager
    def _bill(self, queued_ns: int, outcome: str) -> Iterator[None]:
        """Count, bill and record the time within, whatever ends it."""
        site, started_ns = self._site, self._site.clock.now
        meter = site.gpu_meters[self._pool_number]
        if self._pool.bills_use:
            meter.start(started_ns, self._gpus)
            self._agent.usage.begin_to_cost(self._gpus * meter.usd_per_hour)
        entry = self._agent.entry("experiment", queued_ns=queued_ns, outcome=outcome, **self._columns)
        with entry:
            try:
                yield
            finally:
                site.tally.gpu_ns[self._pool_number] += float(self._gpus) * float(site.clock.now - started_ns)
                if self._pool.bills_use:
                    cost_usd = meter.stop(started_ns, site.clock.now, self._gpus)
                    site.accounts.pay_for_time(GPU, cost_usd, started_ns, site.clock.now)
                    usd_per_hour = self._gpus * meter.usd_per_hour
                    self._agent.usage.cease_to_cost(usd_per_hour, started_ns, cost_usd)
                    entry.columns |= {"component": "gpu", "cost_usd": cost_usd}


def _poll_beside(agent: Agent, step: StepRow, wave: Wave) -> Happens:
    """Run a wave of jobs, and make a short call every so often until the agent need not wait any longer."""
    clock = agent.site.clock
    quantities = np.array(step.polls)
    asked_ns = clock.now
    wave.start()
    while not wave.over.triggered:
        every_ns, output_tokens, result_tokens = _draw_poll(agent, quantities)
        due = clock.after(max(0, asked_ns + every_ns - clock.now), Phase.ASK, agent.number)
        yield wave.over | due
        if wave.over.triggered:
            break
        try:
            yield from agent.line.call("poll", output_tokens)
        except BudgetReachedError:  # the jobs are being paid for, and go on
            break
        agent.line.context.tokens += result_tokens
        asked_ns = agent.line.began_ns
    yield wave.over


def _draw_poll(agent: Agent, quantities: Integers) -> tuple[int, int, int]:
    agent.polls += 1
    site = agent.site
    return draw_poll(site.rows, site.program.table, quantities, agent.stream, agent.polls - 1)
