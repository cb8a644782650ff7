"""An agent's line to its model: the context that it sends, the calls that it makes, and what they cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simbudget.engine.laws.calls import (
    back_off_ns,
    cache_lives,
    call_cost_usd,
    call_duration_ns,
    draw_attempt,
    draw_compacted,
    draw_first_prompt,
    draw_turn,
    finds_cache,
    is_full,
    opened_result,
    token_classes,
    tokens_under_way,
)
from simbudget.engine.reference.clock import Happens, Phase
from simbudget.engine.reference.context import Context
from simbudget.engine.reference.site import TOKENS

if TYPE_CHECKING:
    from simbudget.engine.reference.agent import Agent


class Line:
    """The line of one agent to its model."""

    def __init__(self, agent: Agent) -> None:
        group, site = agent.group, agent.site
        self._agent, self._site, self._group = agent, site, group
        self._turn = site.turns[group.turn]
        self._turns = self._attempts = self._compactions = 0
        self.contexts = 0
        """How many contexts have been opened."""
        self.context = Context(site.clients[group.client], site.program.contexts[group.context], -1)
        self.began_ns = 0
        """When the last call began."""

    def open_context(self) -> None:
        """Begin a new context with nothing but the first prompt; an agent's first one may be under way already."""
        rows, table, group, old = self._site.rows, self._site.program.table, self._group, self.context
        prompt = draw_first_prompt(rows, table, old.row.first_prompt, self._agent.stream, self.contexts)
        self.context = context = Context(old.client, old.row, self.contexts, prompt, prompt)
        started = tokens_under_way(rows, group.start_context_tokens)
        if self.contexts == 0 and started:
            context.tokens = started
            context.sent_tokens = min(started, group.start_cached_tokens)
            context.began_ns = self._site.clock.now
            context.results = group.start_context_turns
        context.opened_with_tokens = context.tokens
        self.contexts += 1

    def turn(self) -> Happens:
        """Make one call, work with tools on what it said, and take their results into the context."""
        agent, site = self._agent, self._site
        output, thinking, tool_result, tool_ns = draw_turn(
            site.rows, site.program.table, self._turn.cells, agent.stream, self._turns, self.context.number
        )
        self._turns += 1
        yield from self.call("call", output, thinking)
        if tool_ns:
            yield from agent.spends("tool", "tool", tool_ns)
        self._takes_in(tool_result)

    def _takes_in(self, tool_result: int) -> None:
        turn, context = self._turn.row, self.context
        context.tokens += opened_result(
            self._site.rows, turn.opening_times, turn.opening_turns, tool_result, context.results
        )
        context.results += 1

    def call(self, kind: str, output_tokens: int, thinking_tokens: int = 0) -> Happens:
        """Make one call, after a compaction if the context is full; its output joins the context.

        Raises:
            BudgetReachedError: the budget does not allow the call, which has not begun.
        """
        if is_full(self._site.rows, self.context.row.limit_tokens, self.context.tokens):
            yield from self._compact()
        yield from self._request(kind, output_tokens + thinking_tokens)
        self.context.tokens += output_tokens

    def _compact(self) -> Happens:
        site, quantity = self._site, self.context.row.compacted
        summary = draw_compacted(
            site.rows, site.program.table, quantity, self._agent.stream, self._compactions
        )
        self._compactions += 1
        yield from self._request("compaction", summary)
        self.context.compact(summary)

    def _request(self, kind: str, output_tokens: int) -> Happens:
        """Send the context, again and again if attempts fail, until the answer is there."""
        agent, clock = self._agent, self._site.clock
        asked_ns, failures = clock.now, 0
        while True:
            yield from clock.asks(agent.number)
            self._site.accounts.look()
            agent.does("waiting_api")
            yield from self._site.limiter.wait(agent.number, self.context, output_tokens)
            self._site.accounts.look()
            first_ns, speed, fails, giving_up_ns = self._draw_attempt()
            if not fails:
                break
            yield from self._fail(kind, first_ns, output_tokens)
            failures += 1
            if failures <= self._site.program.settings.retries:
                yield clock.after(back_off_ns(failures), Phase.END, agent.number)
            else:
                yield clock.after(giving_up_ns, Phase.END, agent.number)
                failures = 0
        duration_ns = call_duration_ns(first_ns, output_tokens, speed)
        yield from self._answer(kind, output_tokens, duration_ns, clock.now - asked_ns)

    def _draw_attempt(self) -> tuple[int, float, bool, int]:
        site = self._site
        self._attempts += 1
        return draw_attempt(
            site.rows,
            site.program.table,
            self.context.client.cells,
            self._agent.stream,
            self._attempts - 1,
        )

    def _classes(self) -> tuple[int, int, int]:
        """Return what the attempt at hand sends, by token class; an attempt misses the cache or finds it."""
        context, misses = self.context, self.context.row.cache_misses
        lives = cache_lives(context.began_ns, self._site.clock.now, context.cache_life_ns)
        lives = lives and finds_cache(self._site.rows, misses, self._agent.stream, self._attempts - 1)
        return token_classes(context.tokens, context.sent_tokens, lives, context.cache_life_ns)

    def _fail(self, kind: str, first_token_ns: int, output_tokens: int) -> Happens:
        """Wait for an attempt that will turn out to have failed: it bills nothing and leaves the cache alone."""
        uncached, write, _ = self._classes()
        self._site.limiter.take(uncached + write, output_tokens)
        entry = self._agent.entry(kind, model=self.context.client.model, outcome="failed")
        with entry:
            yield self._site.clock.after(first_token_ns, Phase.END, self._agent.number)

    def _answer(self, kind: str, output_tokens: int, duration_ns: int, queued_ns: int) -> Happens:
        """Pay for a call, and wait for its answer."""
        agent, site, context = self._agent, self._site, self.context
        uncached, write, read = self._classes()
        site.limiter.take(uncached + write, output_tokens)
        cost_usd = call_cost_usd(context.client.prices, uncached, write, read, output_tokens)
        site.accounts.pay(TOKENS, cost_usd)
        self._count(uncached, write, read, output_tokens)
        self.began_ns = context.began_ns = site.clock.now
        context.sent_tokens = context.tokens
        context.turns += 1
        agent.does("model")
        entry = agent.entry(
            kind,
            queued_ns=queued_ns,
            model=context.client.model,
            uncached_input_tokens=uncached,
            cache_write_tokens=write,
            cache_read_tokens=read,
            output_tokens=output_tokens,
            component="tokens",
            cost_usd=cost_usd,
        )
        with entry:
            yield site.clock.after(duration_ns, Phase.END, agent.number)

    def _count(self, *tokens: int) -> None:
        tally = self._site.tally
        tally.model_calls += 1
        for token_class, amount in enumerate(tokens):
            tally.tokens[token_class] += amount
