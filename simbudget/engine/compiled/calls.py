"""A caller's line to its models: the context that it sends, and the calls that it makes; see `reference.calls`."""

from typing import Final

from simbudget.compilation import internal
from simbudget.engine.compiled import records, scheduling, states
from simbudget.engine.compiled.accounts import may_not_start, pay
from simbudget.engine.compiled.records import add_agent_entry, add_call_entry, notes, paid_under
from simbudget.engine.compiled.scheduling import (
    ask,
    at_once,
    is_due,
    is_idle,
    leave,
    own_slot,
    place_before_provider,
    wakes_after,
)
from simbudget.engine.compiled.tables import Record, Site
from simbudget.engine.laws.accounts import count_call
from simbudget.engine.laws.calls import (
    CLASSES,
    COMPACT,
    NEVER,
    NO_CACHE,
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
    finds_cache,
    is_full,
    limited_input_tokens,
    part_of_limit,
    shared_speed,
    split_tokens,
    tokens_at_start,
)
from simbudget.engine.laws.calls import RESTART as RESTARTS
from simbudget.engine.laws.provider import allowed_from_ns, call_starts_ns, take, use
from simbudget.engine.program import NONE, Lasts

_LIFE_LONG: Final = int(Lasts.LIFE)

HELD: Final = 0
SENT: Final = 1
BEGAN: Final = 2
LIFE: Final = 3
"""The cells of a context: tokens, tokens that the last call sent, when it began, the cache's life in nanoseconds."""


@internal
def open_context(site: Site, run: Record, agent: Record) -> None:
    """Begin a new context with nothing but the first prompt."""
    open_context_with(site, run, agent, 0)


@internal
def take_up_context(site: Site, run: Record, agent: Record) -> None:
    """Let the context with which an agent starts be under way already, if its group's contexts are."""
    group = site.groups[agent.group]
    started = tokens_at_start(site.rows, group.start_context_tokens)
    if started:
        agent.opened_with_tokens = agent.context[HELD] = started
        agent.context[SENT] = min(started, group.start_cached_tokens)
        agent.context[BEGAN] = run.now
        agent.context_results = group.start_context_turns


@internal
def open_context_with(site: Site, run: Record, agent: Record, more_tokens: int) -> None:
    """Begin a new context with the first prompt and further tokens.

    Args:
        site: the arrays of the run.
        run: the run's record.
        agent: the agent's record.
        more_tokens: tokens beside the first prompt.
    """
    row = site.contexts[agent.context_row]
    prompt = draw_first_prompt(site.rows, site.table, row.first_prompt, agent.stream, agent.contexts)
    agent.prefix_tokens = draw_shared_prefix(
        site.rows, site.table, row.shared_prefix, agent.stream, agent.contexts
    )
    agent.first_prompt_tokens = prompt
    agent.opened_with_tokens = prompt + more_tokens
    agent.context_turns = 0
    agent.context[LIFE] = site.clients[agent.client].cache_life_ns
    empty_context(agent, prompt + more_tokens, 0)
    agent.context_number = agent.contexts
    # Sub-agents' contexts are numbered among their agent's, in the order in which they are opened.
    owner = site.agents[agent.owner]
    agent.session = owner.sessions
    agent.contexts += 1
    owner.sessions += 1


@internal
def context_is_used(agent: Record) -> bool:
    """Return whether a call has been made, or anything has joined the first prompt."""
    return agent.context_turns > 0 or agent.context[HELD] != agent.opened_with_tokens


@internal
def empty_context(agent: Record, tokens: int, results: int) -> None:
    """Reduce a context to `tokens` that the cache does not hold; tool results count from `results` on.

    Args:
        agent: the agent's record.
        tokens: the tokens that are left.
        results: turns' tool results that count as joined.
    """
    agent.context[HELD] = tokens
    agent.context[SENT] = 0
    agent.context[BEGAN] = NEVER
    agent.context_results = results


# A step's own terms.


@internal
def begin_own_terms(site: Site, run: Record, agent: Record) -> None:
    """Make calls on the terms of the agent's step, in its own context if it has one, and keep the group's."""
    step = site.steps[agent.step]
    if step.client != NONE:
        agent.client = step.client
    if step.turn != NONE:
        agent.turn_row = step.turn
    if step.context == NONE:
        return
    # Place 0 of the kept contexts is the group's, the others are those of steps.
    _keep(site, agent, 0)
    agent.is_on_own_context = 1
    agent.context_row = step.context
    if site.kept[agent.number, step.kept].is_kept:
        _take_back(site, agent, step.kept)
    else:
        open_context(site, run, agent)


@internal
def end_own_terms(site: Site, agent: Record) -> None:
    """Make calls on the group's terms again, in its context."""
    group = site.groups[agent.group]
    if agent.is_on_own_context:
        # Other contexts of a step are opened anew each time it is done.
        if site.contexts[agent.context_row].lasts == _LIFE_LONG:
            _keep(site, agent, site.steps[agent.step].kept)
        _take_back(site, agent, 0)
        agent.is_on_own_context = 0
    agent.client = group.client
    agent.turn_row = group.turn
    agent.context_row = group.context


@internal
def calls_as(site: Site, agent: Record, client: int) -> None:
    """Switch to the calls of another client, with the life of its cache.

    Args:
        site: the arrays of the run.
        agent: the agent's record.
        client: the row of the client.
    """
    agent.own_client = agent.client
    agent.client = client
    agent.context[LIFE] = site.clients[client].cache_life_ns


@internal
def calls_as_itself(site: Site, agent: Record) -> None:
    """Switch back to the agent's own calls."""
    agent.client = agent.own_client
    agent.context[LIFE] = site.clients[agent.client].cache_life_ns


@internal
def put_context_aside(site: Site, agent: Record) -> None:
    """Keep an agent's context while its judge makes calls; in the last place of the kept ones."""
    _keep(site, agent, site.kept.shape[1] - 1)


@internal
def take_context_back(site: Site, agent: Record) -> None:
    """Go on with the context that was put aside."""
    _take_back(site, agent, site.kept.shape[1] - 1)


@internal
def forget_contexts(site: Site, agent: Record) -> None:
    """Lose the lasting contexts of steps, at a crash."""
    for place in range(site.kept.shape[1]):
        site.kept[agent.number, place].is_kept = 0


@internal
def _keep(site: Site, agent: Record, place: int) -> None:
    kept = site.kept[agent.number, place]
    kept.is_kept = 1
    _copy_context(agent, kept)


@internal
def _take_back(site: Site, agent: Record, place: int) -> None:
    _copy_context(site.kept[agent.number, place], agent)


@internal
def _copy_context(source: Record, target: Record) -> None:
    """Copy what an agent and a kept context have in common; see `tables.CONTEXT_AT_HAND`."""
    for cell in range(len(source.context)):
        target.context[cell] = source.context[cell]
    target.first_prompt_tokens = source.first_prompt_tokens
    target.opened_with_tokens = source.opened_with_tokens
    target.context_turns = source.context_turns
    target.context_results = source.context_results
    target.context_number = source.context_number
    target.prefix_tokens = source.prefix_tokens
    target.session = source.session


_NO_SESSION: Final = -1


@internal
def wants_call(site: Site, agent: Record, kind: int, output_tokens: int, thinking_tokens: int) -> None:
    """Note the call that the agent makes next.

    Args:
        site: the arrays of the run.
        agent: the agent's record.
        kind: one of `KINDS`, by its number.
        output_tokens: output tokens, without thinking.
        thinking_tokens: output tokens that are thinking; the context keeps them or drops them.
    """
    agent.call_kind = kind
    agent.call_output = output_tokens + thinking_tokens
    agent.call_joins = output_tokens + site.contexts[agent.context_row].keeps_thinking * thinking_tokens


@internal
def calls(site: Site, run: Record, agent: Record) -> int:
    """Make the call, after making room if the context is full."""
    row = site.contexts[agent.context_row]
    if is_full(site.rows, row.limit_tokens, agent.context[HELD]):
        return _makes_room(site, run, agent)
    return _requests_call(run, agent)


@internal
def _makes_room(site: Site, run: Record, agent: Record) -> int:
    """Do with a full context what is to be done with it: a compaction's call comes before the agent's."""
    row = site.contexts[agent.context_row]
    run.full_contexts += 1 - row.limit_is_written
    if row.when_full == COMPACT:
        agent.request_kind = records.COMPACTION
        agent.request_output = draw_compacted(
            site.rows, site.table, row.compacted, agent.stream, agent.compactions
        )
        agent.compactions += 1
        return _requests(run, agent)
    if run.records:
        add_agent_entry(
            site,
            run,
            agent,
            records.RESTART if row.when_full == RESTARTS else records.DROP,
            run.now,
            records.OK,
        )
    if row.when_full == RESTARTS:
        carried = draw_carried(site.rows, site.table, row.carried, agent.stream, agent.contexts)
        open_context_with(site, run, agent, carried)
    else:
        tokens = part_of_limit(site.rows, row.left_part, row.limit_tokens)
        empty_context(agent, tokens, agent.context_results)
    return _requests_call(run, agent)


@internal
def _requests_call(run: Record, agent: Record) -> int:
    agent.request_kind = agent.call_kind
    agent.request_output = agent.call_output
    return _requests(run, agent)


@internal
def calls_alone(
    site: Site, run: Record, caller: Record, kind: int, input_tokens: int, output_tokens: int
) -> int:
    """Make one call that has nothing to do with any other: all that it sends is uncached input.

    Args:
        site: the arrays of the run.
        run: the run's record.
        caller: the caller's record.
        kind: one of `KINDS`, by its number.
        input_tokens: what it sends.
        output_tokens: output tokens.
    """
    empty_context(caller, input_tokens, 0)
    caller.context[LIFE] = site.clients[caller.client].cache_life_ns
    caller.prefix_tokens = 0
    caller.session = _NO_SESSION
    caller.call_kind = caller.request_kind = kind
    caller.call_joins = 0
    caller.request_output = output_tokens
    return _requests(run, caller)


@internal
def _requests(run: Record, agent: Record) -> int:
    agent.request_asked = run.now
    agent.failures = 0
    return states.TRIES


@internal
def tries(site: Site, run: Record, agent: Record) -> int:
    """Wait for the agent's turn at this instant."""
    if is_due(run, site):
        wakes_after(site, run, agent, 0, scheduling.ASK)
        agent.state = states.TRIES_IN_TURN
        return states.WAITS
    return states.TRIES_IN_TURN


@internal
def tries_in_turn(site: Site, run: Record, agent: Record) -> int:
    """Look at the budget, and ask to be let through."""
    if may_not_start(site, run, agent):
        return states.BUDGET_REACHED
    notes(site, run, agent, records.WAITING_API)
    client = site.clients[agent.client]
    # The place in the subscription's line is that of asking, even if the rate limits come first.
    if client.is_planned:
        run.plan_places += 1
        agent.plan_place = run.plan_places
        return states.WAITS_FOR_LIMITS
    if client.line == NONE or not site.limits[client.line].is_limited:
        return states.LET_THROUGH
    return states.WAITS_FOR_LIMITS


@internal
def waits_for_limits(site: Site, run: Record, agent: Record) -> int:
    """Join the provider's line, unless the call can start at once."""
    client = site.clients[agent.client]
    if client.line == NONE or not site.limits[client.line].is_limited:
        return _looks_at_plan(site, run, agent)
    agent.line_asked = run.now
    # Who may start at once does not join the line: joining and leaving would be two events for nothing.
    if is_idle(site, run.line + client.line) and _call_starts(site, run, agent) <= run.now:
        return _looks_at_plan(site, run, agent)
    ask(site, run, place_before_provider(run, agent), run.line + client.line, 1)
    agent.state = states.AT_HEAD_OF_LINE
    return states.WAITS


@internal
def at_head_of_line(site: Site, run: Record, agent: Record) -> int:
    """Wait until every bucket can pay for the call."""
    # Buckets may have been emptied by calls of others while this one stood in line.
    starts = _call_starts(site, run, agent)
    if starts <= run.now:
        return states.LEAVES_LINE
    wakes_after(site, run, agent, starts - run.now, scheduling.ASK)
    agent.state = states.LEAVES_LINE
    return states.WAITS


@internal
def leaves_line(site: Site, run: Record, agent: Record) -> int:
    """Leave the head of the line, and look at the subscription."""
    _leave_line(site, run, agent)
    return _looks_at_plan(site, run, agent)


@internal
def _leave_line(site: Site, run: Record, agent: Record) -> None:
    """Leave the head of the line, or wherever the agent stands in it."""
    line = site.clients[agent.client].line
    limits = site.limits[line]
    leave(site, run, place_before_provider(run, agent), run.line + line)
    limits.queued_ns[limits.held_up_by] += run.now - agent.line_asked


@internal
def _looks_at_plan(site: Site, run: Record, agent: Record) -> int:
    """Look at the budget again where the subscription lets the call through; else join its line."""
    client = site.clients[agent.client]
    if client.is_planned and run.plan_pays == 0 and _plan_allows_from(run) > run.now:
        agent.plan_asked = run.now
        _join_plan_line(site, run, agent)
        return states.AT_PLAN
    # Time may have passed in both lines, so the budget is looked at again.
    return states.BUDGET_REACHED if may_not_start(site, run, agent) else states.LET_THROUGH


@internal
def at_plan(site: Site, run: Record, agent: Record) -> int:
    """Wait to be the first in the subscription's line, and then for its window or week to end."""
    agent.state = states.AT_PLAN
    # Only the first in line waits for the clock; the others get an event when they have become the first.
    if site.plan_line[0] != agent.number:
        agent.waits_for_bell = 1
        return states.WAITS
    allowed = _plan_allows_from(run)
    if allowed > run.now:
        wakes_after(site, run, agent, allowed - run.now, scheduling.ASK)
        return states.WAITS
    leave_plan_line(site, run, agent)
    return states.WAITS_FOR_LIMITS


@internal
def _plan_allows_from(run: Record) -> int:
    return allowed_from_ns(
        run.plan_lengths_ns, run.plan_ends, run.plan_used_usd, run.plan_allows_usd, run.now
    )


@internal
def _join_plan_line(site: Site, run: Record, agent: Record) -> None:
    """Stand before all who asked later, whom the rate limits may have let through earlier."""
    place = run.plan_waiting
    while place > 0 and site.agents[site.plan_line[place - 1]].plan_place > agent.plan_place:
        site.plan_line[place] = site.plan_line[place - 1]
        place -= 1
    site.plan_line[place] = agent.number
    run.plan_waiting += 1
    agent.waits_for_bell = 0


@internal
def leave_plan_line(site: Site, run: Record, agent: Record) -> None:
    """Leave the subscription's line, and let the first in it know that it is, unless it waits for the clock."""
    run.plan_queued_ns += run.now - agent.plan_asked
    place = 0
    while site.plan_line[place] != agent.number:
        place += 1
    run.plan_waiting -= 1
    for behind in range(place, run.plan_waiting):
        site.plan_line[behind] = site.plan_line[behind + 1]
    agent.waits_for_bell = 0
    if run.plan_waiting > 0:
        first = site.agents[site.plan_line[0]]
        if first.waits_for_bell:
            first.waits_for_bell = 0
            at_once(site, run, own_slot(first), scheduling.AT_ONCE)


@internal
def _call_starts(site: Site, run: Record, agent: Record) -> int:
    client = site.clients[agent.client]
    limits = site.limits[client.line]
    began = site.prefixes[agent.group, client.model]
    starts, last = call_starts_ns(
        limits.buckets, agent.context, agent.prefix_tokens, began, agent.request_output, run.now
    )
    if starts > run.now:
        limits.held_up_by = last
    return starts


@internal
def let_through(site: Site, run: Record, agent: Record) -> int:
    """Begin the call, which may turn out to fail."""
    client = site.clients[agent.client]
    first_ns, speed, fails, giving_up_ns = draw_attempt(
        site.rows, site.table, client.attempt, agent.stream, agent.attempts
    )
    agent.attempts += 1
    context, life_ns = agent.context, agent.context[LIFE]
    cached = cached_tokens(context, agent.prefix_tokens, site.prefixes[agent.group, client.model], run.now)
    misses = site.contexts[agent.context_row].cache_misses
    if not finds_cache(site.rows, misses, agent.stream, agent.attempts - 1):
        cached = 0
    split_tokens(agent.entry_tokens, context[HELD], cached, life_ns, agent.request_output)
    if client.line != NONE:
        input_tokens = limited_input_tokens(agent.entry_tokens)
        _take_from_limits(site, run, client.line, input_tokens, agent.request_output)
    agent.entry_began = run.now
    # A failed attempt has used the limits, but is not billed and leaves the cache as it was.
    if fails:
        agent.giving_up_ns = giving_up_ns
        agent.state = states.ATTEMPT_FAILED
        wakes_after(site, run, agent, first_ns, scheduling.END)
        return states.WAITS
    duration_ns = _duration_ns(site, agent, first_ns, speed)
    _pay_call(site, run, agent)
    context[BEGAN] = agent.call_began = run.now
    if life_ns != NO_CACHE:
        site.prefixes[agent.group, client.model] = run.now
    context[SENT] = context[HELD]
    agent.context_turns += 1
    notes(site, run, agent, records.SCORING if agent.is_judged else records.MODEL)
    agent.state = states.ANSWERED
    wakes_after(site, run, agent, duration_ns, scheduling.END)
    return states.WAITS


@internal
def _duration_ns(site: Site, agent: Record, first_ns: int, speed: float) -> int:
    """Return how long a call takes; one to a served model counts as under way from now on."""
    client = site.clients[agent.client]
    # A call in a batch comes back when the batch does, whatever the model's speed.
    if client.returns_in != NONE:
        return draw_returns_ns(site.rows, site.table, client.returns_in, agent.stream, agent.attempts - 1)
    if client.served != NONE:
        served = site.served[client.served]
        # This call shares the replicas with those under way, and counts itself.
        served.calls += 1
        speed = shared_speed(site.rows, served.throughput, served.replicas, served.at_most, served.calls)
    return call_duration_ns(first_ns, agent.request_output, speed)


@internal
def _is_over(site: Site, agent: Record) -> None:
    """Count a call to a served model as finished."""
    served = site.clients[agent.client].served
    if served != NONE:
        site.served[served].calls -= 1


@internal
def _take_from_limits(site: Site, run: Record, line: int, input_tokens: int, output_tokens: int) -> None:
    limits = site.limits[line]
    limits.used[0] += 1
    limits.used[1] += input_tokens
    limits.used[2] += output_tokens
    if limits.is_limited:
        take(limits.buckets, input_tokens, output_tokens, run.now)


@internal
def _pay_call(site: Site, run: Record, agent: Record) -> None:
    client = site.clients[agent.client]
    cost_usd = call_cost_usd(client.prices, agent.entry_tokens)
    # A subscription measures use at list prices, before discounts.
    if client.is_planned and _plan_allows_from(run) <= run.now:
        use(run.plan_lengths_ns, run.plan_ends, run.plan_used_usd, cost_usd, run.now)
        cost_usd = 0.0
    component = paid_under(agent.request_kind)
    cost_usd *= run.charged[component]
    pay(run, component, cost_usd)
    # A review is nobody's own use: only the run pays for it.
    if run.keeps_accounts and agent.number < run.first_reviewer:
        count_call(
            site.agents[agent.owner].account,
            cost_usd,
            all_tokens(agent.entry_tokens),
            agent.request_kind == records.CALL,
        )
    if run.counts_when_billed:
        agent.unbilled_usd = cost_usd
        run.unbilled_usd += cost_usd
    run.model_calls += 1
    for token_class in range(CLASSES):
        run.tokens[token_class] += agent.entry_tokens[token_class]
    if run.records:
        agent.entry_queued_ns = run.now - agent.request_asked
        agent.entry_cost_usd = cost_usd


@internal
def attempt_failed(site: Site, run: Record, agent: Record) -> int:
    """Back off after an attempt that failed, or give up for a while."""
    record_failed_attempt(site, run, agent, records.FAILED)
    agent.failures += 1
    if agent.failures <= run.retries:
        wakes_after(site, run, agent, back_off_ns(agent.failures), scheduling.END)
    else:
        wakes_after(site, run, agent, agent.giving_up_ns, scheduling.END)
        agent.failures = 0
    agent.state = states.TRIES
    return states.WAITS


@internal
def record_failed_attempt(site: Site, run: Record, agent: Record, outcome: int) -> None:
    """Record an attempt that bills nothing.

    Args:
        site: the arrays of the run.
        run: the run's record.
        agent: the agent's record.
        outcome: one of `OUTCOMES`, by its number.
    """
    if run.records:
        number = add_agent_entry(site, run, agent, agent.request_kind, agent.entry_began, outcome)
        site.entries[number].model = site.clients[agent.client].model
        site.entries[number].service = site.clients[agent.client].service


@internal
def answered(site: Site, run: Record, agent: Record, outcome: int) -> int:
    """Add the answer to the context, or replace the context by it after a compaction.

    Args:
        site: the arrays of the run.
        run: the run's record.
        agent: the agent's record.
        outcome: one of `OUTCOMES`, by its number.
    """
    is_billed(run, agent)
    if run.records:
        add_call_entry(site, run, agent, outcome)
    _is_over(site, agent)
    # A compaction is answered before the call for which it makes room.
    if agent.request_kind == records.COMPACTION:
        empty_context(agent, agent.first_prompt_tokens + agent.request_output, 0)
        return _requests_call(run, agent)
    agent.context[HELD] += agent.call_joins
    if agent.call_kind == records.CALL:
        return states.TURN_ANSWERED
    if agent.call_kind == records.POST:
        return states.POST_ANSWERED
    if agent.call_kind == records.POLL:
        return states.POLL_ANSWERED
    return states.JUDGED if agent.call_kind == records.JUDGE else states.REVIEW_ANSWERED


@internal
def is_billed(run: Record, agent: Record) -> None:
    """Count a call that has ended towards the budget."""
    if run.counts_when_billed:
        run.unbilled_usd -= agent.unbilled_usd


@internal
def break_off_call(site: Site, run: Record, agent: Record) -> None:
    """Abort the call in whatever state it is, because the agent is interrupted."""
    # Whoever is interrupted in a line leaves it, so that those behind move up.
    if agent.state in (states.AT_HEAD_OF_LINE, states.LEAVES_LINE):
        _leave_line(site, run, agent)
    elif agent.state == states.ATTEMPT_FAILED:
        record_failed_attempt(site, run, agent, records.CUT)
    elif agent.state == states.AT_PLAN:
        leave_plan_line(site, run, agent)
    elif agent.state == states.ANSWERED:
        is_billed(run, agent)
        if run.records:
            add_call_entry(site, run, agent, records.CUT)
        _is_over(site, agent)
