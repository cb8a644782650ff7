"""What a model call sends, costs and takes: the context, its cache, the price list, the speed of the model.

Token classes exclude each other (`pricing.charge.TOKEN_CLASSES`); what a call uses is an array with a number for each.
"""

import math
from typing import Final

import numpy as np

from simbudget.compilation import compiled
from simbudget.engine.laws.draws import (
    NANOSECOND,
    Floats,
    Integers,
    differs,
    draw_at_level,
    draw_count,
    draw_count_at_level,
    draw_count_here,
    draw_here,
    draw_ns,
    draw_ns_here,
    nanoseconds,
)
from simbudget.engine.streams import (
    BATCH,
    CACHE,
    CALL,
    COMPACTION,
    CONTEXT,
    LEVELS,
    POLL,
    POST,
    SUB_AGENT,
    TURN,
    lanes,
    stream_key,
)
from simbudget.pricing.charge import TOKEN_CLASSES, tokens_usd

_tokens_usd = compiled(tokens_usd)

CLASSES: Final = len(TOKEN_CLASSES)
PRICES: Final = 1 + 2 * CLASSES
"""A model's prices: where the long-context tier begins, the prices by class, and those of that tier."""

_UNCACHED: Final = TOKEN_CLASSES.index("uncached_input")
_WRITE: Final = TOKEN_CLASSES.index("cache_write")
_READ: Final = TOKEN_CLASSES.index("cache_read")
_OUTPUT: Final = TOKEN_CLASSES.index("output")

NEVER: Final = -1
"""The start of a call that has not been made."""

NO_CACHE: Final = -1
"""The life of a cache that is off, in nanoseconds."""

COMPACT: Final = 0
RESTART: Final = 1
DROP: Final = 2
"""What is done with a full context."""

NONE: Final = -1
"""The number of a quantity that a group does not have."""

MOST_SUB_AGENTS: Final = 10_000
"""Side by side; the language allows no more."""

_GRACE_NS: Final = 1_000
"""A cache that dies within a microsecond of the call that reads it still lives: durations were rounded."""

_FIRST_WAIT_NS: Final = NANOSECOND // 2
_LONGEST_WAIT_NS: Final = 8 * NANOSECOND
"""As in the clients of Anthropic and OpenAI for Python (`INITIAL_RETRY_DELAY`, `MAX_RETRY_DELAY`), without jitter."""


@compiled
def _draw_turn_at_levels(
    rows: Floats, table: Floats, quantities: Integers, stream: Integers, turn: int, context: int
) -> tuple[int, int, int, int]:
    """Return what `draw_turn` returns, where typical values differ between contexts."""
    u_output, u_thinking, u_result, u_time = lanes(stream, TURN, turn)
    levels = lanes(stream, LEVELS, context)
    return (
        draw_count_at_level(rows, table, quantities[0], u_output, levels[0]),
        draw_count_at_level(rows, table, quantities[1], u_thinking, levels[1]),
        draw_count_at_level(rows, table, quantities[2], u_result, levels[2]),
        nanoseconds(draw_at_level(rows, table, quantities[3], u_time, levels[3])),
    )


@compiled
def draw_turn(
    rows: Floats, table: Floats, quantities: Integers, stream: Integers, turn: int, context: int
) -> tuple[int, int, int, int]:
    """Return a turn's output, thinking and tool result tokens, and its tool time in nanoseconds.

    Args:
        rows: [quantities, 8] the world's quantities; see `laws.draws`.
        table: numbers that the rows refer to.
        quantities: [4] the rows of these four quantities, in this order.
        stream: [4] seed, world, replication and agent.
        turn: the number of the agent's turn.
        context: the number of the agent's context; typical values may differ between contexts.
    """
    u_output, u_thinking, u_result, u_time = lanes(stream, TURN, turn)
    for k in range(len(quantities)):
        if differs(rows, quantities[k]):
            return _draw_turn_at_levels(rows, table, quantities, stream, turn, context)
    return (
        draw_count_here(rows, table, quantities[0], u_output),
        draw_count_here(rows, table, quantities[1], u_thinking),
        draw_count_here(rows, table, quantities[2], u_result),
        draw_ns_here(rows, table, quantities[3], u_time),
    )


@compiled
def draw_first_prompt(rows: Floats, table: Floats, quantity: int, stream: Integers, context: int) -> int:
    """Return the tokens with which a context begins.

    Args:
        rows: [quantities, 8] the world's quantities; see `laws.draws`.
        table: numbers that the rows refer to.
        quantity: the row of the quantity.
        stream: [4] seed, world, replication and agent.
        context: the number of the agent's context.
    """
    return draw_count(rows, table, quantity, lanes(stream, CONTEXT, context)[0])


@compiled
def draw_returned(
    rows: Floats, table: Floats, quantity: int, stream: Integers, purpose: int, cycle: int
) -> int:
    """Return the tokens that join the group's context when a step with a context of its own ends.

    Args:
        rows: [quantities, 8] the world's quantities; see `laws.draws`.
        table: numbers that the rows refer to.
        quantity: the row of the quantity.
        stream: [4] seed, world, replication and agent.
        purpose: the purpose of the step's stream.
        cycle: the number of the agent's cycle; 0 for a sub-agent.
    """
    return 0 if quantity == NONE else draw_count(rows, table, quantity, lanes(stream, purpose, 4 * cycle)[1])


@compiled
def draw_sub_agents(
    rows: Floats, table: Floats, quantity: int, stream: Integers, purpose: int, cycle: int
) -> int:
    """Return the number of sub-agents that a step starts: a whole number, which may be 0.

    Args:
        rows: [quantities, 8] the world's quantities; see `laws.draws`.
        table: numbers that the rows refer to.
        quantity: the row of the quantity.
        stream: [4] seed, world, replication and agent.
        purpose: the purpose of the step's stream.
        cycle: the number of the agent's cycle.
    """
    drawn = draw_count(rows, table, quantity, lanes(stream, purpose, 4 * cycle)[0])
    return min(max(drawn, 0), MOST_SUB_AGENTS)


@compiled
def sub_agent_key(stream: Integers, delegation: int, sub_agent: int) -> int:
    """Return the number of the random streams of a sub-agent: a draw of 63 bits.

    Args:
        stream: [4] seed, world, replication and agent.
        delegation: the number of the agent's delegation.
        sub_agent: the number of the sub-agent within it.
    """
    return stream_key(stream, SUB_AGENT, (delegation << 14) + sub_agent)


@compiled
def draw_carried(rows: Floats, table: Floats, quantity: int, stream: Integers, context: int) -> int:
    """Return the tokens that a restarted context carries over.

    Args:
        rows: [quantities, 8] the world's quantities; see `laws.draws`.
        table: numbers that the rows refer to.
        quantity: the row of the quantity.
        stream: [4] seed, world, replication and agent.
        context: the number of the agent's new context.
    """
    return 0 if quantity == NONE else draw_count(rows, table, quantity, lanes(stream, CONTEXT, context)[1])


@compiled
def draw_shared_prefix(rows: Floats, table: Floats, quantity: int, stream: Integers, context: int) -> int:
    """Return the number of tokens that a context shares with others.

    Args:
        rows: [quantities, 8] the world's quantities; see `laws.draws`.
        table: numbers that the rows refer to.
        quantity: the row of the quantity.
        stream: [4] seed, world, replication and agent.
        context: the number of the agent's context.
    """
    return 0 if quantity == NONE else draw_count(rows, table, quantity, lanes(stream, CONTEXT, context)[2])


@compiled
def draw_returns_ns(rows: Floats, table: Floats, quantity: int, stream: Integers, attempt: int) -> int:
    """Return how long a batch takes to return an attempt at a call, in nanoseconds.

    Args:
        rows: [quantities, 8] the world's quantities; see `laws.draws`.
        table: numbers that the rows refer to.
        quantity: the row of the quantity.
        stream: [4] seed, world, replication and agent.
        attempt: the number of the agent's attempt.
    """
    return draw_ns(rows, table, quantity, lanes(stream, BATCH, attempt)[0])


@compiled
def draw_compacted(rows: Floats, table: Floats, quantity: int, stream: Integers, compaction: int) -> int:
    """Return the tokens that remain of a context after a compaction.

    Args:
        rows: [quantities, 8] the world's quantities; see `laws.draws`.
        table: numbers that the rows refer to.
        quantity: the row of the quantity.
        stream: [4] seed, world, replication and agent.
        compaction: the number of the agent's compaction.
    """
    return draw_count(rows, table, quantity, lanes(stream, COMPACTION, compaction)[0])


@compiled
def draw_post(rows: Floats, table: Floats, quantity: int, stream: Integers, post: int) -> int:
    """Return the tokens of a post.

    Args:
        rows: [quantities, 8] the world's quantities; see `laws.draws`.
        table: numbers that the rows refer to.
        quantity: the row of the quantity.
        stream: [4] seed, world, replication and agent.
        post: the number of the agent's post.
    """
    return draw_count(rows, table, quantity, lanes(stream, POST, post)[0])


@compiled
def draw_poll(
    rows: Floats, table: Floats, quantities: Integers, stream: Integers, poll: int
) -> tuple[int, int, int]:
    """Return a poll: the time since the last one in nanoseconds, its output and its result in tokens.

    Args:
        rows: [quantities, 8] the world's quantities; see `laws.draws`.
        table: numbers that the rows refer to.
        quantities: [3] the rows of these three quantities, in this order.
        stream: [4] seed, world, replication and agent.
        poll: the number of the agent's poll.
    """
    u_every, u_output, u_result, _ = lanes(stream, POLL, poll)
    return (
        draw_ns(rows, table, quantities[0], u_every),
        draw_count(rows, table, quantities[1], u_output),
        draw_count(rows, table, quantities[2], u_result),
    )


@compiled
def draw_attempt(
    rows: Floats, table: Floats, quantities: Integers, stream: Integers, attempt: int
) -> tuple[int, float, bool, int]:
    """Return an attempt at a call: first token (ns), speed (tokens/s), whether it fails, time until a failure (ns).

    Args:
        rows: [quantities, 8] the world's quantities; see `laws.draws`.
        table: numbers that the rows refer to.
        quantities: [4] the rows of first token, speed, error rate and time until a failure.
        stream: [4] seed, world, replication and agent.
        attempt: the number of the agent's attempt.
    """
    u_first, u_speed, u_error, u_giving_up = lanes(stream, CALL, attempt)
    return (
        draw_ns_here(rows, table, quantities[0], u_first),
        draw_here(rows, table, quantities[1], u_speed),
        u_error < rows[quantities[2], 1],
        draw_ns_here(rows, table, quantities[3], u_giving_up),
    )


@compiled
def tokens_at_start(rows: Floats, quantity: int) -> int:
    """Return the tokens of the context with which an agent starts; 0: it begins as any other.

    Args:
        rows: [quantities, 8] the world's quantities; see `laws.draws`.
        quantity: the row of the tokens, or `NONE`: the group's contexts are not under way.
    """
    return 0 if quantity == NONE else int(np.rint(rows[quantity, 1]))


@compiled
def is_full(rows: Floats, limit: int, context_tokens: int) -> bool:
    """Return whether a context has passed its limit, and is compacted before the next call.

    Args:
        rows: [quantities, 8] the world's quantities; see `laws.draws`.
        limit: the row of the limit, in tokens.
        context_tokens: tokens of the context.
    """
    return context_tokens > np.rint(rows[limit, 1])


@compiled
def part_of_limit(rows: Floats, part: int, limit: int) -> int:
    """Return the tokens that are left of a context when its oldest part is dropped.

    Args:
        rows: [quantities, 8] the world's quantities; see `laws.draws`.
        part: the row of the part of the limit that is left.
        limit: the row of the limit, in tokens.
    """
    return int(np.rint(rows[part, 1] * rows[limit, 1]))


@compiled
def opened_result(rows: Floats, times: int, turns: int, tool_result: int, turn: int) -> int:
    """Return the tokens of a tool result, which are more in the first turns of a context.

    Args:
        rows: [quantities, 8] the world's quantities; see `laws.draws`.
        times: the row of the factor of the first turns, or `NONE`.
        turns: the row of the number of such turns.
        tool_result: tokens of the result without the factor.
        turn: the number of the turn within its context, from 0.
    """
    if times == NONE or rows[times, 1] == 1.0:
        return tool_result
    factor = 1.0 + (rows[times, 1] - 1.0) * math.exp(-turn / rows[turns, 1])
    return int(np.rint(tool_result * factor))


@compiled
def finds_cache(rows: Floats, misses: int, stream: Integers, attempt: int) -> bool:
    """Return whether an attempt at a call finds its cache, given that the cache is young enough.

    Args:
        rows: [quantities, 8] the world's quantities; see `laws.draws`.
        misses: the row of the probability that it does not.
        stream: [4] seed, world, replication and agent.
        attempt: the number of the agent's attempt.
    """
    chance = rows[misses, 1]
    return chance <= 0.0 or lanes(stream, CACHE, attempt)[0] >= chance


@compiled
def call_duration_ns(first_token_ns: int, output_tokens: int, speed: float) -> int:
    """Return the duration of a call, in nanoseconds.

    Args:
        first_token_ns: time until the first token.
        output_tokens: output tokens, including thinking.
        speed: tokens per second after the first.
    """
    return first_token_ns + nanoseconds(output_tokens / speed)


@compiled
def shared_speed(rows: Floats, throughput: int, replicas: int, at_most: int, calls: int) -> float:
    """Return the output speed of a call to a served model, in tokens/s.

    Args:
        rows: [quantities, 8] the world's quantities; see `laws.draws`.
        throughput: the row of the throughput of one replica, in tokens/s.
        replicas: number of replicas, which share the calls equally.
        at_most: the row of the highest speed of one call, or `NONE`.
        calls: calls to the model in flight, including this one.
    """
    speed = replicas * rows[throughput, 1] / calls
    return speed if at_most == NONE else min(rows[at_most, 1], speed)


@compiled
def back_off_ns(failures: int) -> int:
    """Return how long is waited after the `failures`-th failure in a row: 0.5 s, 1 s, 2 s ... at most 8 s.

    Args:
        failures: number of failures in a row, from 1.
    """
    return min(_FIRST_WAIT_NS << min(failures - 1, 4), _LONGEST_WAIT_NS)


@compiled
def cache_lives(began_ns: int, now_ns: int, life_ns: int) -> bool:
    """Return whether the cache of a context still holds.

    Args:
        began_ns: the start of the context's last call, which renewed the cache.
        now_ns: the current time, in nanoseconds.
        life_ns: the life of the cache, or `NO_CACHE`.
    """
    return began_ns != NEVER and life_ns != NO_CACHE and now_ns - began_ns <= life_ns + _GRACE_NS


@compiled
def cached_tokens(context: Integers, prefix_tokens: int, prefix_began_ns: int, now_ns: int) -> int:
    """Return how many of a context's tokens the cache holds.

    The cache holds everything that the last call sent. Once that has expired, it may still hold the prefix that
    the context shares with others.

    Args:
        context: [4] tokens of the context, tokens of its last call, the start of that call and the life of the cache
            (ns).
        prefix_tokens: tokens that the context shares with others.
        prefix_began_ns: the start of the last call with that prefix.
        now_ns: the current time, in nanoseconds.
    """
    if cache_lives(context[2], now_ns, context[3]):
        return int(context[1])
    if cache_lives(prefix_began_ns, now_ns, context[3]):
        return min(prefix_tokens, int(context[0]))
    return 0


@compiled
def split_tokens(
    tokens: Integers, context_tokens: int, cached: int, life_ns: int, output_tokens: int
) -> None:
    """Write what a call uses, by class.

    Args:
        tokens: [CLASSES] is written.
        context_tokens: tokens that the call sends.
        cached: how many of them the cache holds.
        life_ns: the life of the cache, or `NO_CACHE`: then nothing is written to it.
        output_tokens: output tokens, including thinking.
    """
    tokens[:] = 0
    if life_ns == NO_CACHE:
        tokens[_UNCACHED] = context_tokens
    else:
        tokens[_WRITE] = context_tokens - cached
        tokens[_READ] = cached
    tokens[_OUTPUT] = output_tokens


@compiled
def all_tokens(tokens: Integers) -> int:
    """Return the tokens that a call uses, of all classes.

    Args:
        tokens: [CLASSES] what the call uses.
    """
    total = 0
    for token_class in range(CLASSES):
        total += tokens[token_class]
    return total


@compiled
def limited_input_tokens(tokens: Integers) -> int:
    """Return the tokens of a call that count towards a limit on input: all of its prompt but what the cache holds.

    Args:
        tokens: [CLASSES] what the call uses.
    """
    return int(all_tokens(tokens) - tokens[_READ] - tokens[_OUTPUT])


@compiled
def call_cost_usd(prices: Floats, tokens: Integers) -> float:
    """Return the cost of a call, in US dollars.

    Args:
        prices: [PRICES] tokens above which the long-context tier holds for the whole call; prices by class, in $/Mtok;
            the same in the long-context tier. A context's cache has one life, so that its writes have one price.
        tokens: [CLASSES] what the call uses.
    """
    prompt_tokens = float(all_tokens(tokens) - tokens[_OUTPUT])
    first = 1 + CLASSES if prompt_tokens > prices[0] else 1
    cost: float = _tokens_usd(tokens, prices[first : first + CLASSES])
    return cost
