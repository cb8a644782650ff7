"""An agent's line to its model: the context that it sends, the calls that it makes; see `reference.calls`."""

from typing import Final

from simbudget.compilation import internal
from simbudget.engine.compiled.accounts import TOKENS, pay
from simbudget.engine.compiled.entries import (
    CALL,
    COMPACTION,
    CUT,
    FAILED,
    POST,
    add_agent_entry,
    add_call_entry,
)
from simbudget.engine.compiled.events import ASK, END, ITSELF, SLOTS, after, is_due
from simbudget.engine.compiled.limits import may_not_start
from simbudget.engine.compiled.points import (
    ANSWERED,
    AT_HEAD_OF_LINE,
    ATTEMPT_FAILED,
    BUDGET_REACHED,
    LEAVES_LINE,
    LET_THROUGH,
    POLL_ANSWERED,
    POST_ANSWERED,
    TRIES,
    TRIES_IN_TURN,
    TURN_ANSWERED,
    WAITS,
)
from simbudget.engine.compiled.pools import ask, is_idle, leave, place_before_provider
from simbudget.engine.compiled.state import Record, Site
from simbudget.engine.compiled.timesheet import MODEL, WAITING_API, does
from simbudget.engine.laws.buckets import call_starts_ns, take
from simbudget.engine.laws.calls import (
    NEVER,
    back_off_ns,
    cached_tokens,
    call_cost_usd,
    call_duration_ns,
    draw_attempt,
    draw_compacted,
    draw_first_prompt,
    finds_cache,
    is_full,
    token_classes,
    tokens_under_way,
)
from simbudget.engine.laws.limits import count_call

HELD: Final = 0
SENT: Final = 1
BEGAN: Final = 2
LIFE: Final = 3
"""The cells of a context: tokens, tokens that the last call sent, when it began, the cache's life in nanoseconds."""


@internal
def open_context(site: Site, run: Record, agent: Record) -> None:
    """Begin a new context with nothing but the first prompt; an agent's first one may be under way already."""
    group = site.groups[agent.group]
    row = site.contexts[agent.context_row]
    prompt = draw_first_prompt(site.rows, site.table, row.first_prompt, agent.stream, agent.contexts)
    agent.first_prompt_tokens = agent.opened_with_tokens = prompt
    agent.context_turns = 0
    _begin_context(agent, prompt)
    started = tokens_under_way(site.rows, group.start_context_tokens)
    if agent.contexts == 0 and started:
        agent.opened_with_tokens = agent.context[HELD] = started
        agent.context[SENT] = min(started, group.start_cached_tokens)
        agent.context[BEGAN] = run.now
        agent.context_results = group.start_context_turns
    agent.contexts += 1


@internal
def context_is_used(agent: Record) -> bool:
    """Return whether a call has been made, or anything has joined the first prompt."""
    return agent.context_turns > 0 or agent.context[HELD] != agent.opened_with_tokens


@internal
def _begin_context(agent: Record, tokens: int) -> None:
    agent.context[HELD] = tokens
    agent.context[SENT] = 0
    agent.context[BEGAN] = NEVER
    agent.context_results = 0


@internal
def wants_call(site: Site, agent: Record, kind: int, output_tokens: int, thinking_tokens: int) -> None:
    """Note the call that the agent makes next."""
    agent.call_kind = kind
    agent.call_output = output_tokens + thinking_tokens
    agent.call_joins = output_tokens + site.contexts[agent.context_row].keeps_thinking * thinking_tokens


@internal
def calls(site: Site, run: Record, agent: Record) -> int:
    """Make the call, or first a compaction if the context is full."""
    row = site.contexts[agent.context_row]
    if is_full(site.rows, row.limit_tokens, agent.context[HELD]):
        run.full_contexts += 1 - row.limit_is_written
        agent.request_kind = COMPACTION
        agent.request_output = draw_compacted(
            site.rows, site.table, row.compacted, agent.stream, agent.compactions
        )
        agent.compactions += 1
        return _requests(run, agent)
    return _requests_call(run, agent)


@internal
def _requests_call(run: Record, agent: Record) -> int:
    agent.request_kind = agent.call_kind
    agent.request_output = agent.call_output
    return _requests(run, agent)


@internal
def _requests(run: Record, agent: Record) -> int:
    agent.request_asked = run.now
    agent.failures = 0
    return TRIES


@internal
def tries(site: Site, run: Record, agent: Record) -> int:
    """Wait for the agent's turn at this instant."""
    if is_due(run, site):
        after(site, run, SLOTS * agent.number + ITSELF, 0, ASK, agent.number)
        agent.point = TRIES_IN_TURN
        return WAITS
    return TRIES_IN_TURN


@internal
def tries_in_turn(site: Site, run: Record, agent: Record) -> int:
    """Look at the budget, and ask to be let through."""
    if may_not_start(site, run, agent):
        return BUDGET_REACHED
    does(run, agent, WAITING_API)
    if not run.is_limited:
        return LET_THROUGH
    return _joins_line(site, run, agent)


@internal
def _joins_line(site: Site, run: Record, agent: Record) -> int:
    agent.line_asked = run.now
    if is_idle(site, run.line) and _call_starts(run, agent) <= run.now:
        return LET_THROUGH
    ask(site, run, place_before_provider(run, agent), run.line, 1)
    agent.point = AT_HEAD_OF_LINE
    return WAITS


@internal
def at_head_of_line(site: Site, run: Record, agent: Record) -> int:
    """Wait until every bucket can pay for the call."""
    starts = _call_starts(run, agent)
    if starts <= run.now:
        return LEAVES_LINE
    after(site, run, SLOTS * agent.number + ITSELF, starts - run.now, ASK, agent.number)
    agent.point = LEAVES_LINE
    return WAITS


@internal
def leaves_line(site: Site, run: Record, agent: Record) -> int:
    """Leave the head of the line, or wherever the agent stands in it."""
    leave(site, run, place_before_provider(run, agent), run.line)
    run.limit_queued_ns[run.held_up_by] += run.now - agent.line_asked
    return BUDGET_REACHED if may_not_start(site, run, agent) else LET_THROUGH


@internal
def _call_starts(run: Record, agent: Record) -> int:
    starts, last = call_starts_ns(run.buckets, agent.context, 0, NEVER, agent.request_output, run.now)
    if starts > run.now:
        run.held_up_by = last
    return starts


@internal
def let_through(site: Site, run: Record, agent: Record) -> int:
    """Begin the call, which may turn out to fail."""
    client = site.clients[agent.client]
    first_ns, speed, fails, giving_up_ns = draw_attempt(
        site.rows, site.table, client.call, agent.stream, agent.attempts
    )
    agent.attempts += 1
    context, life_ns = agent.context, agent.context[LIFE]
    cached = cached_tokens(context, 0, NEVER, run.now)
    misses = site.contexts[agent.context_row].cache_misses
    if not finds_cache(site.rows, misses, agent.stream, agent.attempts - 1):
        cached = 0
    uncached, write, read = token_classes(context[HELD], cached, life_ns)
    _take_from_limits(run, uncached + write, agent.request_output)
    agent.entry_began = run.now
    if fails:
        agent.giving_up_ns = giving_up_ns
        agent.point = ATTEMPT_FAILED
        after(site, run, SLOTS * agent.number + ITSELF, first_ns, END, agent.number)
        return WAITS
    _pay_call(site, run, agent, uncached, write, read)
    context[BEGAN] = agent.call_began = run.now
    context[SENT] = context[HELD]
    agent.context_turns += 1
    does(run, agent, MODEL)
    agent.point = ANSWERED
    duration_ns = call_duration_ns(first_ns, agent.request_output, speed)
    after(site, run, SLOTS * agent.number + ITSELF, duration_ns, END, agent.number)
    return WAITS


@internal
def _take_from_limits(run: Record, input_tokens: int, output_tokens: int) -> None:
    run.limit_used[0] += 1
    run.limit_used[1] += input_tokens
    run.limit_used[2] += output_tokens
    if run.is_limited:
        take(run.buckets, input_tokens, output_tokens, run.now)


@internal
def _pay_call(site: Site, run: Record, agent: Record, uncached: int, write: int, read: int) -> None:
    output = agent.request_output
    prices = site.clients[agent.client].prices
    cost_usd = call_cost_usd(prices, uncached, write, read, output) * run.charged[TOKENS]
    pay(run, TOKENS, cost_usd)
    if run.keeps_accounts:
        count_call(agent.account, cost_usd, uncached + write + read + output, agent.request_kind == CALL)
    if run.counts_when_billed:
        agent.unbilled_usd = cost_usd
        run.unbilled_usd += cost_usd
    run.model_calls += 1
    run.tokens[0] += uncached
    run.tokens[1] += write
    run.tokens[2] += read
    run.tokens[3] += output
    if run.records:
        agent.entry_queued_ns = run.now - agent.request_asked
        agent.entry_tokens[0] = uncached
        agent.entry_tokens[1] = write
        agent.entry_tokens[2] = read
        agent.entry_tokens[3] = output
        agent.entry_cost_usd = cost_usd


@internal
def attempt_failed(site: Site, run: Record, agent: Record) -> int:
    """Back off after an attempt that failed, or give up for a while."""
    record_failed_attempt(site, run, agent, FAILED)
    agent.failures += 1
    slot = SLOTS * agent.number + ITSELF
    if agent.failures <= run.retries:
        after(site, run, slot, back_off_ns(agent.failures), END, agent.number)
    else:
        after(site, run, slot, agent.giving_up_ns, END, agent.number)
        agent.failures = 0
    agent.point = TRIES
    return WAITS


@internal
def record_failed_attempt(site: Site, run: Record, agent: Record, outcome: int) -> None:
    """Record an attempt that bills nothing."""
    if run.records:
        number = add_agent_entry(site, run, agent, agent.request_kind, agent.entry_began, outcome)
        site.entries[number].model = site.clients[agent.client].model


@internal
def answered(site: Site, run: Record, agent: Record, outcome: int) -> int:
    """Take the answer: into the context, or as the sum of it."""
    is_billed(run, agent)
    if run.records:
        add_call_entry(site, run, agent, outcome)
    if agent.request_kind == COMPACTION:
        _begin_context(agent, agent.first_prompt_tokens + agent.request_output)
        return _requests_call(run, agent)
    agent.context[HELD] += agent.call_joins
    if agent.call_kind == CALL:
        return TURN_ANSWERED
    return POST_ANSWERED if agent.call_kind == POST else POLL_ANSWERED


@internal
def is_billed(run: Record, agent: Record) -> None:
    """Let the budget count a call that has ended."""
    if run.counts_when_billed:
        run.unbilled_usd -= agent.unbilled_usd


@internal
def break_off_call(site: Site, run: Record, agent: Record) -> None:
    """Leave the call wherever it stands, because the agent is interrupted."""
    if agent.point in (AT_HEAD_OF_LINE, LEAVES_LINE):
        leaves_line(site, run, agent)
    elif agent.point == ATTEMPT_FAILED:
        record_failed_attempt(site, run, agent, CUT)
    elif agent.point == ANSWERED:
        is_billed(run, agent)
        if run.records:
            add_call_entry(site, run, agent, CUT)
