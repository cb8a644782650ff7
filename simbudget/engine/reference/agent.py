"""An agent: its life from start to end, as the story of its cycles and of what they are made of."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from typing import Any, Final

import numpy as np
from simpy.events import Event, Process
from simpy.exceptions import Interrupt

from simbudget.engine.laws.accounts import SCORER
from simbudget.engine.laws.calls import draw_post, draw_returned
from simbudget.engine.laws.draws import Integers, nanoseconds
from simbudget.engine.laws.hours import closes_ns, is_open, opens_ns
from simbudget.engine.laws.notebook import NOBODY
from simbudget.engine.laws.work import (
    DAY_NS,
    draw_crash,
    draw_scoring_ns,
    draw_turns,
    draw_work_ns,
    is_done,
)
from simbudget.engine.program import IDLE_CYCLES, NONE, Condition, Lasts, Step, StepRow
from simbudget.engine.reference.accounts import (
    AttemptOverError,
    BudgetReachedError,
    Limits,
    RunningCosts,
    Usage,
)
from simbudget.engine.reference.calls import Caller, Line, Terms
from simbudget.engine.reference.delegates import delegate
from simbudget.engine.reference.experiments import experiment
from simbudget.engine.reference.judging import Judge
from simbudget.engine.reference.own_steps import own_step
from simbudget.engine.reference.records import OpenEntry, Timesheet
from simbudget.engine.reference.scheduling import Happens, Phase, holding
from simbudget.engine.reference.site import Attempt, Site
from simbudget.errors import UserError
from simbudget.ledger.entry import ACTIVITIES

CRASH: Final = "crash"
HORIZON: Final = "horizon"

_NUMBER_OF_ACTIVITY: Final = {activity: number for number, activity in enumerate(ACTIVITIES)}


class Agent(Caller):
    """One agent, or one of the people: what it is, where it stands, and what it does next."""

    def __init__(self, site: Site, number: int) -> None:
        program = site.program
        self.site = site
        self.number = number
        self.group_number = int(program.agent_groups[number])
        self.group = program.groups[self.group_number]
        key = site.key
        self.stream = np.array(
            [key.seed, key.world, key.replication, program.agent_keys[number]], dtype=np.int64
        )
        self.timesheet = Timesheet(site.clock, len(program.pools))
        self.sessions = count()
        self.line = Line(self, self.group_number, Terms.of(site, self.group))
        self.usage = Usage(site.clock)
        self._limits: Limits | None = None
        self._attempt: Attempt | None = None
        self._running_costs = RunningCosts(site, number, self.group_number, self.usage)
        self._needs_context = True
        self.cycle = -1
        """The cycle that the agent is in, from 0, broken off ones included."""
        self.completed_cycles = 0
        self.stretches = self.polls = self.delegations = 0
        """How often it has been on spot GPUs, polled and delegated: the indices of those draws."""
        self._posts = self._crashes = 0
        self.ended_well = 0
        """How many jobs have ended well since the last score."""
        self.has_succeeded: bool | None = None
        """Whether a job of the cycle's last experiment ended well; None before there was one."""
        self._has_improved: bool | None = None
        """Whether the cycle's last score beat all that the agent knew of; None before there was one."""
        self._known_at_start = NOBODY
        """The best submission that the agent knew of when its cycle began."""
        self._submissions_ns: list[int] = []
        self._judge = None if program.settings.judge == NONE else Judge(self)
        self._steps = program.steps[self.group.first_step : self.group.first_step + self.group.steps]
        self._terms = {step: Terms.of(site, self.group, step) for step in self._steps}
        self._draws = {step: np.array(step.work) for step in self._steps}
        self.process: Process = site.clock.process(self._life())

    # From start to end.

    def _life(self) -> Happens:
        clock, group = self.site.clock, self.group
        start_ns = group.first_start_ns + (self.number - group.first_agent) * group.start_every_ns
        # It never lives: no entries, no costs, no time.
        if start_ns >= self.site.program.settings.horizon_ns:
            return
        try:
            yield clock.after(start_ns, Phase.ASK, self.number)
        # The run was stopped before the agent's start.
        except Interrupt:
            return
        self.timesheet.start()
        self._running_costs.begin()
        self._set_limits()
        with suppress(BudgetReachedError, Interrupt):  # an interrupt that gets here is the horizon
            yield from self._cycles()
        self._end_attempt(is_whole=False)
        self.timesheet.end()
        self._running_costs.end()

    def _cycles(self) -> Happens:
        """Go through cycle after cycle; an interrupt leaves this at the horizon."""
        self._await_crash()
        idle = 0
        while self.completed_cycles < self.site.program.settings.most_cycles:
            began_ns = self.site.clock.now
            try:
                if self.site.tasks.are_given and not (yield from self._takes_task()):
                    return
                is_whole = yield from self._cycle()
            # Only the attempt is over: the agent goes on with its next task.
            except AttemptOverError:
                is_whole = False
            except Interrupt as interrupt:
                if interrupt.cause is HORIZON:
                    raise
                self._end_attempt(is_whole=False)
                yield from self._restart()
                continue
            self._end_attempt(is_whole)
            self.completed_cycles += 1
            self.site.tally.cycles += 1
            idle = idle + 1 if self.site.clock.now == began_ns else 0
            if idle == IDLE_CYCLES:
                raise UserError(self.site.program.never_ends(self.group_number))

    def _open_context(self) -> None:
        """Begin the cycle's context, if it has one of its own; the agent's first one may be under way already."""
        line = self.line
        if not self._needs_context and line.terms.context.lasts != Lasts.CYCLE:
            return
        is_first = line.context.session < 0
        line.open_context()
        if is_first:
            line.take_up(self.group)
        self._needs_context = False

    def _cycle(self) -> Generator[Event, Any, bool]:
        """Go through the steps of a cycle; return whether the last one was reached."""
        self.cycle += 1
        self._open_context()
        self.has_succeeded = self._has_improved = None
        if any(step.each for step in self._steps):
            self._known_at_start = self.site.board.best_known(self.number)
        for step in self._steps:
            if not self._is_done(step):
                continue
            yield from self._in_office_hours()
            if step.kind == Step.THINK:
                yield from self._think(step)
            elif step.kind == Step.WORK:
                yield from self._work(step)
            elif step.kind == Step.EXPERIMENT:
                yield from experiment(self, step, self._draws[step])
                if step.ends_cycle and not self.has_succeeded:
                    return False
            elif step.kind == Step.SCORE:
                yield from self._score(step)
            elif step.kind == Step.DELEGATE:
                yield from delegate(self, step, self._draws[step])
            elif step.kind == Step.PYTHON:
                yield from own_step(self, self.site.program.own_steps[step.work.size])
            else:
                yield from self._share()
        return True

    def _is_done(self, step: StepRow) -> bool:
        """Return whether a step of this cycle is done, or left out."""
        if step.condition == Condition.PART:
            return is_done(self.site.rows, step.part, self.stream, step.work.purpose, self.cycle)
        said = {
            Condition.SUCCEEDED: self.has_succeeded is True,
            Condition.FAILED: self.has_succeeded is False,
            Condition.IMPROVED: self._has_improved is True,
        }
        return said.get(Condition(step.condition), True)

    # Tasks, and what they and the agent may use.

    def _takes_task(self) -> Generator[Event, Any, bool]:
        """Take the next task, waiting for one that may become free; return whether there is one."""
        tasks = self.site.tasks
        yield from self.site.clock.asks(self.number)
        while True:
            self.look()
            self._attempt = tasks.take(self.usage)
            if self._attempt is not None:
                return True
            if not tasks.may_become_free:
                return False
            self.does("waiting_other")
            with self.entry("wait"):
                yield from tasks.wait(self.number)

    def _end_attempt(self, is_whole: bool) -> None:
        """End the attempt at the task that the agent is at, if it is at one."""
        if self._attempt is not None:
            self.site.tasks.end(self._attempt, is_whole)
            self._attempt = None

    def _set_limits(self) -> None:
        """Let the agent's own limits hold from now on, and its end come in its time."""
        group, site = self.group, self.site
        if group.is_limited:
            uses = group.stop._replace(after=NONE)
            self._limits = Limits(self.usage, site.rows, uses, site.clock.now)
        if group.stop.after != NONE:
            after_ns = nanoseconds(site.fact(group.stop.after))
            end = site.clock.after(after_ns, Phase.HORIZON, self.number)
            assert end.callbacks is not None
            end.callbacks.append(lambda _: self.cut())

    def cut(self) -> None:
        """End the agent's life as the horizon does."""
        if self.process.is_alive:
            self.process.interrupt(HORIZON)

    def look(self) -> None:
        """Look at the budget and at what limits the agent, before something is started.

        Raises:
            BudgetReachedError: the budget is reached, or the agent has used what it may.
            AttemptOverError: the attempt at a task has used what it may.
        """
        site, now_ns = self.site, self.site.clock.now
        site.accounts.look()
        if self._limits is not None and self._limits.are_reached(now_ns):
            raise BudgetReachedError
        if self._attempt is not None and self._attempt.limits.are_reached(now_ns):
            raise AttemptOverError

    # Crashes.

    def _await_crash(self) -> None:
        """Let the next crash come in its time."""
        if self.group.crashes.every == NONE:
            return
        quantities = np.array(self.group.crashes)
        site = self.site
        # Up time and down time are one draw, so that neither depends on what happens in between.
        up_ns, self._restart_ns = draw_crash(
            site.rows, site.program.table, quantities, self.stream, self._crashes
        )
        self._crashes += 1
        crash = site.clock.after(up_ns, Phase.CRASH, self.number)
        assert crash.callbacks is not None
        crash.callbacks.append(self._crash)

    def _crash(self, _: Event) -> None:
        if self.process.is_alive:
            self.process.interrupt(CRASH)

    def _restart(self) -> Happens:
        """Be down for a while, and come back without a context."""
        self._running_costs.pause()
        with self.entry("down"):
            self.does("down")
            yield self.site.clock.after(self._restart_ns, Phase.END, self.number)
        self._running_costs.resume()
        self._needs_context = True
        self.ended_well = 0
        self.line.forget()
        self._await_crash()

    # The steps of a cycle.

    def _think(self, step: StepRow) -> Happens:
        site, line, table = self.site, self.line, self.site.program.table
        is_own = step.context != NONE
        if not is_own and line.terms.context.lasts == Lasts.THINK and line.context.is_used:
            line.open_context()
        turns = draw_turns(site.rows, table, self._draws[step], self.stream, self.cycle)
        with line.on(step, self._terms[step]):
            for _ in range(turns):
                yield from line.turn()
        line.context.tokens += draw_returned(
            site.rows, table, step.returns, self.stream, step.work.purpose, self.cycle
        )

    def _work(self, step: StepRow) -> Happens:
        """Work for a time, in office hours only."""
        site, clock = self.site, self.site.clock
        left_ns = draw_work_ns(site.rows, site.program.table, self._draws[step], self.stream, self.cycle)
        self.look()
        while left_ns > 0:
            yield from self._in_office_hours()
            week_ns = self._week_ns()
            until_closing_ns = closes_ns(self._hours, week_ns) - week_ns
            now_ns = clock.now
            yield from self.spends("tool", "tool", min(left_ns, until_closing_ns))
            left_ns -= clock.now - now_ns

    def _score(self, step: StepRow) -> Happens:
        """Send submissions to the scorer, one after the other: one, or one for each job that ended well."""
        for _ in range(self.ended_well if step.each else 1):
            yield from self._submit(self._known_at_start if step.each else None)

    def _submit(self, parent: int | None) -> Happens:
        """Send a submission to the scorer, and wait for its score; the idea builds on `parent`, if that is said."""
        site, clock = self.site, self.site.clock
        yield from self._wait_until_allowed()
        yield from clock.asks(self.number)
        self.look()
        # Counted when it is made, not when it is scored: quota and cool-down run from here.
        asked_ns, submission = clock.now, len(self._submissions_ns)
        self._submissions_ns.append(asked_ns)
        self.ended_well = 0
        self.does("waiting_scorer")
        with holding(site.scorer) as turn:
            with self.queues("score"):
                # The budget may have been reached while the agent stood in line.
                yield turn
                self.look()
            price_usd = site.fact(site.program.settings.score_price) * site.charged[SCORER]
            site.accounts.pay(SCORER, price_usd)
            self.usage.pay(price_usd)
            site.tally.scorer_calls += 1
            settings, table = site.program.settings, site.program.table
            duration_ns = draw_scoring_ns(site.rows, table, settings.scoring_time, self.stream, submission)
            started_ns = clock.now
            paid = {"component": "scorer", "cost_usd": price_usd} if price_usd else {}
            try:
                self.does("scoring")
                with self.entry("score", queued_ns=started_ns - asked_ns, **paid) as entry:
                    if self._judge is not None:
                        yield from self._judge.judges(submission)
                        self.does("scoring")
                    yield clock.after(duration_ns, Phase.END, self.number)
                    score, self._has_improved = site.board.submit(self.number, submission, asked_ns, parent)
                    entry.columns["score"] = score
            finally:
                site.tally.scorer_ns += clock.now - started_ns

    def _wait_until_allowed(self) -> Happens:
        """Wait for the end of the cool-down, and for a day whose quota is not used up."""
        settings, now_ns, made_ns = self.site.program.settings, self.site.clock.now, self._submissions_ns
        allowed_ns = now_ns
        if made_ns:
            allowed_ns = max(now_ns, made_ns[-1] + settings.cool_down_ns)
        day = allowed_ns // DAY_NS
        if settings.quota and sum(at // DAY_NS == day for at in made_ns[-settings.quota :]) >= settings.quota:
            allowed_ns = (day + 1) * DAY_NS
        if allowed_ns > now_ns:
            yield from self.spends("waiting_other", "wait", allowed_ns - now_ns)

    def _share(self) -> Happens:
        """Read what others have posted, and post."""
        site = self.site
        yield from site.clock.asks(self.number)
        self.look()
        settings, table = site.program.settings, site.program.table
        post_tokens = draw_post(site.rows, table, settings.post_tokens, self.stream, self._posts)
        self._posts += 1
        # Posts are read before the call that writes one, and are part of what it sends.
        read_tokens, reported = site.forum.read(self.number)
        site.board.learn(self.number, reported)
        if not self.group.is_people:
            self.line.context.tokens += read_tokens
            yield from self.line.call("post", post_tokens)
        site.forum.post(self.number, post_tokens, site.board.report(self.number))

    # Office hours.

    @property
    def _hours(self) -> Integers:
        hours: Integers = self.site.program.hours[self.group_number]
        return hours

    def _week_ns(self) -> int:
        return self.site.program.settings.begins_ns + self.site.clock.now

    def _in_office_hours(self) -> Happens:
        """Wait until the office is open; agents are always in theirs."""
        if self.group.is_people and not is_open(self._hours, self._week_ns()):
            opens = opens_ns(self._hours, self._week_ns())
            yield from self.spends("waiting_other", "wait", opens - self._week_ns())

    # What every step uses.

    def does(self, activity: str) -> None:
        """Switch the agent's activity.

        Args:
            activity: one of `ACTIVITIES`.
        """
        self.timesheet.does(_NUMBER_OF_ACTIVITY[activity])

    def waits_for_experiment(self, activity: str | None, pool: int) -> None:
        """Switch the activity of the experiment that the agent waits for; None: it has ended.

        Args:
            activity: `waiting_gpu` or `experiment`; None: it has ended.
            pool: the number of the pool.
        """
        self.timesheet.waits_for_experiment(None if activity is None else _NUMBER_OF_ACTIVITY[activity], pool)

    def entry(self, kind: str, **columns: object) -> OpenEntry:
        """Return the context manager that records what happens within it as one entry.

        Args:
            kind: the kind of entry, see `ledger.entry`.
            **columns: further columns of `Entry`, by name.
        """
        line = self.line
        place = {"cycle": self.cycle, "session": line.context.session, "turn": line.context.turns - 1}
        return self.site.record.entry(self.number, kind, {**place, **self.task, **columns})

    @property
    def task(self) -> dict[str, int]:
        """Return the columns of entries that say at which task the agent is; none if it is at none."""
        attempt = self._attempt
        return {} if attempt is None else {"task_number": attempt.task, "attempt": attempt.number}

    @contextmanager
    def queues(self, kind: str, **columns: object) -> Iterator[None]:
        """Record what is waited for within, if it is never served.

        Args:
            kind: the kind of entry, see `ledger.entry`.
            **columns: further columns of `Entry`, by name.
        """
        asked_ns = self.site.clock.now
        try:
            yield
        except (Interrupt, BudgetReachedError):
            waited_ns = self.site.clock.now - asked_ns
            with self.entry(kind, queued_ns=waited_ns, outcome="unserved", **columns):
                raise
