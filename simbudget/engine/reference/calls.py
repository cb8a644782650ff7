"""A caller's line to its models: the context that it sends, the calls that it makes, and what they cost."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from simbudget.engine.laws.accounts import TOKENS
from simbudget.engine.laws.calls import (
    CLASSES,
    COMPACT,
    NEVER,
    NO_CACHE,
    RESTART,
    all_tokens,
    back_off_ns,
    cached_tokens,
    call_cost_usd,
    call_duration_ns,
    draw_attempt,
    draw_carried,
    draw_compacted,
    draw_first_prompt,
    draw_returns_ns,
    draw_shared_prefix,
    draw_turn,
    finds_cache,
    is_full,
    limited_input_tokens,
    opened_result,
    part_of_limit,
    shared_speed,
    split_tokens,
    tokens_at_start,
)
from simbudget.engine.laws.draws import Floats, Integers
from simbudget.engine.laws.provider import call_starts_ns
from simbudget.engine.program import NONE, ContextRow, GroupRow, Lasts, StepRow
from simbudget.engine.reference.accounts import Usage
from simbudget.engine.reference.provider import Client, Subscription, Turn
from simbudget.engine.reference.records import OpenEntry
from simbudget.engine.reference.scheduling import Happens, Phase
from simbudget.ledger.entry import COMPONENTS
from simbudget.ledger.frame import TOKEN_COLUMNS

if TYPE_CHECKING:
    from simbudget.engine.reference.site import Site


@dataclass
class Context:
    """A growing context, changed only by its own agent."""

    row: ContextRow
    cache_life_ns: int
    """For how long the cache holds what was sent, or `NO_CACHE`."""
    number: int = -1
    """Which of its caller's contexts it is, from 0; -1: none has been opened yet."""
    session: int = -1
    """Which of its agent's contexts it is, from 0, those of its sub-agents included."""
    tokens: int = 0
    first_prompt_tokens: int = 0
    shared_prefix_tokens: int = 0
    """How many of its first tokens it has in common with others of its group and model."""
    sent_tokens: int = 0
    """What the last call sent, all of which the cache holds while it lives."""
    began_ns: int = NEVER
    """When the last call began."""
    turns: int = 0
    results: int = 0
    """How many turns' tool results have joined it since it began, or was compacted."""
    opened_with_tokens: int = 0

    @property
    def is_used(self) -> bool:
        """Return whether a call has been made, or anything has joined the first prompt."""
        return self.turns > 0 or self.tokens != self.opened_with_tokens

    def empty(self, tokens: int, results: int) -> None:
        """Reduce the context to `tokens` that the cache does not hold; tool results count from `results` on.

        Args:
            tokens: the tokens that are left.
            results: turns' tool results that count as joined.
        """
        self.tokens, self.results = tokens, results
        self.sent_tokens, self.began_ns = 0, NEVER

    def cells(self) -> Integers:
        """Return the context as the laws take it: tokens, tokens sent, last call's start, the cache's life."""
        return np.array([self.tokens, self.sent_tokens, self.began_ns, self.cache_life_ns], dtype=np.int64)


class Caller(ABC):
    """Somebody who calls models and works with tools: an agent, or one of its sub-agents."""

    site: Site
    number: int
    """The agent's, or that of the agent whose sub-agent it is."""
    place: int = 0
    """Which of its agent's sub-agents it is; what happens at one instant goes in this order."""
    stream: Integers
    """The four numbers that key its draws."""
    line: Line
    usage: Usage
    """What the agent has used, its sub-agents included."""
    sessions: Iterator[int]
    """Numbers for the contexts of the agent and its sub-agents."""
    component: int = TOKENS
    """What its calls are paid under."""

    @abstractmethod
    def does(self, activity: str) -> None:
        """Switch the caller's activity.

        Args:
            activity: one of `ACTIVITIES`.
        """

    @abstractmethod
    def entry(self, kind: str, **columns: object) -> OpenEntry:
        """Return the context manager that records what happens within it as one entry.

        Args:
            kind: the kind of entry, see `ledger.entry`.
            **columns: further columns of `Entry`, by name.
        """

    @abstractmethod
    def look(self) -> None:
        """Look at the budget and the agent's limits before something is started; BudgetReachedError at one of them."""

    def spends(self, activity: str, kind: str, duration_ns: int, **columns: object) -> Happens:
        """Spend a given time on an activity.

        Args:
            activity: one of `ACTIVITIES`.
            kind: the kind of entry, see `ledger.entry`.
            duration_ns: the time, in nanoseconds.
            **columns: further columns of `Entry`, by name.
        """
        self.does(activity)
        with self.entry(kind, **columns):
            yield self.site.clock.after(duration_ns, Phase.END, self.number, self.place)


@dataclass(frozen=True)
class Terms:
    """On which terms turns are made: whom they call, what they are made of, how contexts begin and end."""

    client: Client
    turn: Turn
    context: ContextRow

    @staticmethod
    def of(site: Site, group: GroupRow, step: StepRow | None = None) -> Terms:
        """Return the terms of a group, or of a step of its cycle, which has the group's where it has no own.

        Args:
            site: what the run shares.
            group: the group's row.
            step: the step's row; None: the group's own terms.
        """
        own = (NONE, NONE, NONE) if step is None else (step.client, step.turn, step.context)
        of_group = group.client, group.turn, group.context
        client, turn, context = (
            its_own if its_own != NONE else groups for its_own, groups in zip(own, of_group, strict=True)
        )
        return Terms(site.clients[client], site.turns[turn], site.program.contexts[context])


class Line:
    """The line of one caller to its models."""

    def __init__(self, caller: Caller, group_number: int, terms: Terms) -> None:
        self._caller, self._site = caller, caller.site
        self._group_number = group_number
        self.terms = terms
        """Those on which calls are made at present."""
        self._turns = self._attempts = self._compactions = self._contexts = 0
        self.context = Context(terms.context, terms.client.row.cache_life_ns)
        self._kept: dict[StepRow, Context] = {}
        """Contexts of steps that last longer than these."""
        self.began_ns = 0
        """When the last call began."""

    # Contexts.

    def open_context(self) -> None:
        """Begin a new context with nothing but the first prompt."""
        self.context = self._new_context(0)

    def take_up(self, group: GroupRow) -> None:
        """Let the context with which an agent starts be under way already, if its group's contexts are.

        Args:
            group: the group's row.
        """
        started = tokens_at_start(self._site.rows, group.start_context_tokens)
        if started:
            context = self.context
            context.tokens = context.opened_with_tokens = started
            context.sent_tokens = min(started, group.start_cached_tokens)
            context.began_ns = self._site.clock.now
            context.results = group.start_context_turns

    def _new_context(self, more_tokens: int) -> Context:
        rows, table, row = self._site.rows, self._site.program.table, self.terms.context
        prompt = draw_first_prompt(rows, table, row.first_prompt, self._caller.stream, self._contexts)
        prefix = draw_shared_prefix(rows, table, row.shared_prefix, self._caller.stream, self._contexts)
        self._contexts += 1
        return Context(
            row=row,
            cache_life_ns=self.terms.client.row.cache_life_ns,
            number=self._contexts - 1,
            session=next(self._caller.sessions),
            tokens=prompt + more_tokens,
            first_prompt_tokens=prompt,
            shared_prefix_tokens=prefix,
            opened_with_tokens=prompt + more_tokens,
        )

    @contextmanager
    def on(self, step: StepRow, terms: Terms) -> Iterator[None]:
        """Make the calls within on a step's own terms; its own context is used in place of the caller's.

        Args:
            step: the step's row.
            terms: the step's terms.
        """
        terms_before, context_before = self.terms, self.context
        self.terms = terms
        try:
            if step.context != NONE:
                kept = self._kept.get(step)
                self.context = self._new_context(0) if kept is None else kept
            yield
        finally:
            if step.context != NONE and terms.context.lasts == Lasts.LIFE:
                self._kept[step] = self.context
            if step.context != NONE:
                self.context = context_before
            self.terms = terms_before

    def forget(self) -> None:
        """Lose the lasting contexts of steps, at a crash."""
        self._kept.clear()

    def _make_room(self) -> Happens:
        """Do with a full context what is to be done with it."""
        row, context = self.terms.context, self.context
        self._site.tally.full_contexts += 1 - row.limit_is_written
        if row.when_full == COMPACT:
            yield from self._compact()
            return
        with self._caller.entry("restart" if row.when_full == RESTART else "drop"):
            pass
        if row.when_full == RESTART:
            self._restart()
        else:
            tokens = part_of_limit(self._site.rows, row.left_part, row.limit_tokens)
            context.empty(tokens, context.results)

    def _compact(self) -> Happens:
        site, quantity = self._site, self.terms.context.compacted
        summary = draw_compacted(
            site.rows, site.program.table, quantity, self._caller.stream, self._compactions
        )
        self._compactions += 1
        yield from self._request("compaction", summary)
        self.context.empty(self.context.first_prompt_tokens + summary, 0)

    def _restart(self) -> None:
        site = self._site
        carried = draw_carried(
            site.rows, site.program.table, self.terms.context.carried, self._caller.stream, self._contexts
        )
        self.context = self._new_context(carried)

    # Turns and calls.

    def turn(self) -> Happens:
        """Make one call, work with tools on its answer, and add their results to the context.

        Raises:
            BudgetReachedError: the budget does not allow the call.
        """
        caller, site = self._caller, self._site
        output, thinking, tool_result, tool_ns = draw_turn(
            site.rows,
            site.program.table,
            self.terms.turn.parts,
            caller.stream,
            self._turns,
            self.context.number,
        )
        self._turns += 1
        yield from self.call("call", output, thinking)
        if tool_ns:
            yield from caller.spends("tool", "tool", tool_ns)
        self._takes_in(tool_result)

    def _takes_in(self, tool_result: int) -> None:
        turn, context = self.terms.turn.row, self.context
        context.tokens += opened_result(
            self._site.rows, turn.opening_times, turn.opening_turns, tool_result, context.results
        )
        context.results += 1

    def call(self, kind: str, output_tokens: int, thinking_tokens: int = 0) -> Happens:
        """Make one call, after making room if the context is full; its output joins the context.

        Args:
            kind: the kind of entry, see `ledger.entry`.
            output_tokens: output tokens, without thinking.
            thinking_tokens: output tokens that are thinking.

        Raises:
            BudgetReachedError: the budget does not allow the call, which has not begun.
        """
        row = self.terms.context
        if is_full(self._site.rows, row.limit_tokens, self.context.tokens):
            yield from self._make_room()
        yield from self._request(kind, output_tokens + thinking_tokens)
        self.context.tokens += output_tokens + row.keeps_thinking * thinking_tokens

    def call_alone(self, kind: str, input_tokens: int, output_tokens: int) -> Happens:
        """Make one call that has nothing to do with any other: all that it sends is uncached input.

        Args:
            kind: the kind of entry, see `ledger.entry`.
            input_tokens: what it sends.
            output_tokens: output tokens.

        Raises:
            BudgetReachedError: the budget does not allow the call, which has not begun.
        """
        self.context = Context(
            self.terms.context, self.terms.client.row.cache_life_ns, session=-1, tokens=input_tokens
        )
        yield from self._request(kind, output_tokens)

    def _request(self, kind: str, output_tokens: int) -> Happens:
        """Send the context, again and again if attempts fail, until the answer is there."""
        caller, clock = self._caller, self._site.clock
        asked_ns, failures = clock.now, 0
        while True:
            # At one instant agents ask in the order of their numbers, whatever order SimPy woke them in.
            yield from clock.asks(caller.number, caller.place)
            # Before the wait and after it: time may pass, and others may spend, in between.
            caller.look()
            caller.does("waiting_api")
            yield from self._wait(output_tokens)
            caller.look()
            first_ns, speed, fails, giving_up_ns = self._draw_attempt()
            if not fails:
                break
            yield from self._fail(kind, first_ns, output_tokens)
            failures += 1
            if failures <= self._site.program.settings.retries:
                pause_ns = back_off_ns(failures)
            else:
                # The client gives up; whatever drives the agent tries again after a while, with all its retries.
                pause_ns, failures = giving_up_ns, 0
            yield clock.after(pause_ns, Phase.END, caller.number, caller.place)
        with self._in_flight() as calls:
            duration_ns = self._duration_ns(first_ns, output_tokens, speed, calls)
            yield from self._answer(kind, output_tokens, duration_ns, clock.now - asked_ns)

    def _wait(self, output_tokens: int) -> Happens:
        """Wait until the provider's limits and the subscription let the call through, both at the same instant."""
        limiter, plan = self.terms.client.limiter, self._plan
        place = None if plan is None else plan.next_place()
        while True:
            if limiter is not None:
                yield from limiter.wait(self._caller, partial(self._starts_ns, output_tokens))
            # Both have to let it through at the same instant: a wait for one may have used up the other.
            if plan is None or place is None or plan.pays or plan.allows():
                return
            yield from plan.wait(self._caller, place)

    def _starts_ns(self, output_tokens: int, buckets: Floats) -> tuple[int, int]:
        """Return when the buckets can pay for the call, and which of them is the last to."""
        context = self.context
        return call_starts_ns(
            buckets,
            context.cells(),
            context.shared_prefix_tokens,
            self._prefix_began_ns,
            output_tokens,
            self._site.clock.now,
        )

    @property
    def _plan(self) -> Subscription | None:
        """Return the subscription that the calls at present are part of."""
        return self._site.plan if self.terms.client.row.is_planned else None

    @property
    def _prefix_key(self) -> tuple[int, int]:
        return self._group_number, self.terms.client.row.model

    @property
    def _prefix_began_ns(self) -> int:
        """Return when the last call began of all that share the prefix of the context at hand."""
        return self._site.prefixes.get(self._prefix_key, NEVER)

    def _draw_attempt(self) -> tuple[int, float, bool, int]:
        site = self._site
        self._attempts += 1
        return draw_attempt(
            site.rows,
            site.program.table,
            self.terms.client.attempt,
            self._caller.stream,
            self._attempts - 1,
        )

    def _tokens(self, output_tokens: int) -> Integers:
        """Return what the attempt at hand uses, by class; an attempt misses the cache or finds it."""
        context, misses = self.context, self.terms.context.cache_misses
        cached = cached_tokens(
            context.cells(), context.shared_prefix_tokens, self._prefix_began_ns, self._site.clock.now
        )
        if not finds_cache(self._site.rows, misses, self._caller.stream, self._attempts - 1):
            cached = 0
        tokens = np.zeros(CLASSES, dtype=np.int64)
        split_tokens(tokens, context.tokens, cached, context.cache_life_ns, output_tokens)
        return tokens

    def _fail(self, kind: str, first_token_ns: int, output_tokens: int) -> Happens:
        """Wait for an attempt that will turn out to have failed: it bills nothing and leaves the cache alone."""
        caller, client = self._caller, self.terms.client
        self._take(limited_input_tokens(self._tokens(output_tokens)), output_tokens)
        entry = caller.entry(kind, model=client.model, service=client.service, outcome="failed")
        with entry:
            yield self._site.clock.after(first_token_ns, Phase.END, caller.number, caller.place)

    def _take(self, input_tokens: int, output_tokens: int) -> None:
        if self.terms.client.limiter is not None:
            self.terms.client.limiter.take(input_tokens, output_tokens)

    @contextmanager
    def _in_flight(self) -> Iterator[int]:
        """Count the call as under way, and say how many are, if its model is served on the fleet's own GPUs."""
        calls, served = self._site.calls_in_flight, self.terms.client.row.served
        if served == NONE:
            yield 0
            return
        calls[served] += 1
        try:
            yield calls[served]
        finally:
            calls[served] -= 1

    def _duration_ns(self, first_ns: int, output_tokens: int, speed: float, calls: int) -> int:
        """Return the duration of a call, which depends on the calls to the same served model in flight."""
        site, row = self._site, self.terms.client.row
        if row.returns_in != NONE:
            return draw_returns_ns(
                site.rows, site.program.table, row.returns_in, self._caller.stream, self._attempts - 1
            )
        if row.served != NONE:
            served = site.program.served[row.served]
            speed = shared_speed(site.rows, served.throughput, served.replicas, served.at_most, calls)
        return call_duration_ns(first_ns, output_tokens, speed)

    def _answer(self, kind: str, output_tokens: int, duration_ns: int, queued_ns: int) -> Happens:
        """Pay for a call, and wait for its answer."""
        caller, site, context, client = self._caller, self._site, self.context, self.terms.client
        tokens = self._tokens(output_tokens)
        self._take(limited_input_tokens(tokens), output_tokens)
        cost_usd = call_cost_usd(client.prices, tokens)
        if self._plan is not None:  # it measures use before discounts
            cost_usd = self._plan.charge(cost_usd)
        cost_usd *= site.charged[caller.component]
        site.accounts.pay(caller.component, cost_usd)
        caller.usage.call(cost_usd, all_tokens(tokens), kind == "call")
        site.tally.model_calls += 1
        site.tally.tokens += tokens
        self.began_ns = context.began_ns = site.clock.now
        # A shared prefix lives as long as anybody of the group sends it.
        if context.cache_life_ns != NO_CACHE:
            site.prefixes[self._prefix_key] = site.clock.now
        # All that was sent is in the cache now, whether it was read from there or written to it.
        context.sent_tokens = context.tokens
        context.turns += 1
        caller.does("model")
        entry = caller.entry(
            kind,
            queued_ns=queued_ns,
            model=client.model,
            service=client.service,
            **dict(zip(TOKEN_COLUMNS, tokens.tolist(), strict=True)),
            component=COMPONENTS[caller.component],
            cost_usd=cost_usd,
        )
        with entry, site.accounts.unbilled(cost_usd):
            yield site.clock.after(duration_ns, Phase.END, caller.number, caller.place)
