"""What a model call sends, costs and takes: the context, its cache, the price list, the speed of the model.

Token classes exclude each other: uncached input, cache write, cache read, output (thinking included).
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
from simbudget.pricing.charge import tokens_usd

_tokens_usd = compiled(tokens_usd)

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

    `quantities` are the four quantities in this order; `turn` counts the agent's turns, `context` its contexts.
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
    """Return the tokens with which the agent's `context`-th context begins."""
    return draw_count(rows, table, quantity, lanes(stream, CONTEXT, context)[0])


@compiled
def draw_returned(
    rows: Floats, table: Floats, quantity: int, stream: Integers, purpose: int, cycle: int
) -> int:
    """Return the tokens that join the group's context when a step with a context of its own ends.

    `purpose` is the step's; of a sub-agent's stream the cycle is always 0.
    """
    return 0 if quantity == NONE else draw_count(rows, table, quantity, lanes(stream, purpose, 4 * cycle)[1])


@compiled
def draw_sub_agents(
    rows: Floats, table: Floats, quantity: int, stream: Integers, purpose: int, cycle: int
) -> int:
    """Return how many sub-agents a step starts: a whole number, which may be 0."""
    drawn = draw_count(rows, table, quantity, lanes(stream, purpose, 4 * cycle)[0])
    return min(max(drawn, 0), MOST_SUB_AGENTS)


@compiled
def sub_agent_key(stream: Integers, delegation: int, sub_agent: int) -> int:
    """Return the number of the streams of a sub-agent: the how-manieth of the agent's `delegation`-th delegation."""
    return stream_key(stream, SUB_AGENT, (delegation << 14) + sub_agent)


@compiled
def draw_carried(rows: Floats, table: Floats, quantity: int, stream: Integers, context: int) -> int:
    """Return the tokens that a restarted context, the agent's `context`-th, carries over."""
    return 0 if quantity == NONE else draw_count(rows, table, quantity, lanes(stream, CONTEXT, context)[1])


@compiled
def draw_shared_prefix(rows: Floats, table: Floats, quantity: int, stream: Integers, context: int) -> int:
    """Return how many tokens the agent's `context`-th context shares with others."""
    return 0 if quantity == NONE else draw_count(rows, table, quantity, lanes(stream, CONTEXT, context)[2])


@compiled
def draw_returns_ns(rows: Floats, table: Floats, quantity: int, stream: Integers, attempt: int) -> int:
    """Return after how long the agent's `attempt`-th attempt returns in a batch, in nanoseconds."""
    return draw_ns(rows, table, quantity, lanes(stream, BATCH, attempt)[0])


@compiled
def draw_compacted(rows: Floats, table: Floats, quantity: int, stream: Integers, compaction: int) -> int:
    """Return the tokens to which the agent's `compaction`-th compaction sums up its context."""
    return draw_count(rows, table, quantity, lanes(stream, COMPACTION, compaction)[0])


@compiled
def draw_post(rows: Floats, table: Floats, quantity: int, stream: Integers, post: int) -> int:
    """Return the tokens of the agent's `post`-th post."""
    return draw_count(rows, table, quantity, lanes(stream, POST, post)[0])


@compiled
def draw_poll(
    rows: Floats, table: Floats, quantities: Integers, stream: Integers, poll: int
) -> tuple[int, int, int]:
    """Return the agent's `poll`-th poll: time since the one before in nanoseconds, output and result tokens."""
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
    """Return an attempt at a call: first token (ns), speed (tokens/s), whether it fails, giving up for (ns).

    `quantities` are first token, speed, error rate and giving up; `attempt` counts the agent's attempts.
    """
    u_first, u_speed, u_error, u_giving_up = lanes(stream, CALL, attempt)
    return (
        draw_ns_here(rows, table, quantities[0], u_first),
        draw_here(rows, table, quantities[1], u_speed),
        u_error < rows[quantities[2], 1],
        draw_ns_here(rows, table, quantities[3], u_giving_up),
    )


@compiled
def tokens_under_way(rows: Floats, quantity: int) -> int:
    """Return the tokens of the context with which an agent starts; 0: it begins as any other."""
    return 0 if quantity == NONE else int(np.rint(rows[quantity, 1]))


@compiled
def is_full(rows: Floats, limit: int, context_tokens: int) -> bool:
    """Return whether a context has passed the quantity `limit`, and is compacted before the next call."""
    return context_tokens > np.rint(rows[limit, 1])


@compiled
def part_of_limit(rows: Floats, part: int, limit: int) -> int:
    """Return the tokens that are left of a context when its oldest part is dropped."""
    return int(np.rint(rows[part, 1] * rows[limit, 1]))


@compiled
def opened_result(rows: Floats, times: int, turns: int, tool_result: int, turn: int) -> int:
    """Return the tokens of a tool result in a context's `turn`-th turn, from 0: the first ones are larger.

    `times` and `turns` are the quantities of `turn.opening`, or `NONE`.
    """
    if times == NONE or rows[times, 1] == 1.0:
        return tool_result
    factor = 1.0 + (rows[times, 1] - 1.0) * math.exp(-turn / rows[turns, 1])
    return int(np.rint(tool_result * factor))


@compiled
def finds_cache(rows: Floats, misses: int, stream: Integers, attempt: int) -> bool:
    """Return whether the agent's `attempt`-th attempt at a call finds its cache, if that is young enough."""
    chance = rows[misses, 1]
    return chance <= 0.0 or lanes(stream, CACHE, attempt)[0] >= chance


@compiled
def call_duration_ns(first_token_ns: int, output_tokens: int, speed: float) -> int:
    """Return how long a call takes that puts out `output_tokens`, thinking included, at `speed` tokens/s."""
    return first_token_ns + nanoseconds(output_tokens / speed)


@compiled
def shared_speed(rows: Floats, throughput: int, replicas: int, at_most: int, calls: int) -> float:
    """Return the output speed (tokens/s) of a call to a served model that has `calls` in flight, this one included."""
    speed = replicas * rows[throughput, 1] / calls
    return speed if at_most == NONE else min(rows[at_most, 1], speed)


@compiled
def back_off_ns(failures: int) -> int:
    """Return how long is waited after the `failures`-th failure in a row: 0.5 s, 1 s, 2 s ... at most 8 s."""
    return min(_FIRST_WAIT_NS << min(failures - 1, 4), _LONGEST_WAIT_NS)


@compiled
def cache_lives(began_ns: int, now_ns: int, life_ns: int) -> bool:
    """Return whether the cache of a context whose last call began at `began_ns` still holds at `now_ns`."""
    return began_ns != NEVER and life_ns != NO_CACHE and now_ns - began_ns <= life_ns + _GRACE_NS


@compiled
def cached_tokens(context: Integers, prefix_tokens: int, prefix_began_ns: int, now_ns: int) -> int:
    """Return how many of a context's tokens the cache holds at `now_ns`.

    `context` is its tokens, those of its last call, when that call began and the life of the cache, in nanoseconds.
    What the last call sent is held; failing that, what the context shares with others, the last of whose calls began
    at `prefix_began_ns`.
    """
    if cache_lives(context[2], now_ns, context[3]):
        return int(context[1])
    if cache_lives(prefix_began_ns, now_ns, context[3]):
        return min(prefix_tokens, int(context[0]))
    return 0


@compiled
def token_classes(context_tokens: int, cached: int, life_ns: int) -> tuple[int, int, int]:
    """Return how a call's context splits into uncached input, cache write and cache read.

    The cache holds `cached` of its tokens, and lives for `life_ns`.
    """
    if life_ns == NO_CACHE:
        return context_tokens, 0, 0
    return 0, context_tokens - cached, cached


@compiled
def call_cost_usd(prices: Floats, uncached: int, write: int, read: int, output: int) -> float:
    """Return what a call costs.

    `prices` are the tokens above which the long-context tier holds for the call as a whole, then four prices
    in $/Mtok (uncached input, cache write, cache read, output), then the same four of the long-context tier.
    """
    tier = 5 if float(uncached + write + read) > prices[0] else 1
    plain, written, cached, out = prices[tier], prices[tier + 1], prices[tier + 2], prices[tier + 3]
    # A group's cache has one life, so that its writes are of one class and have one price.
    cost: float = _tokens_usd(uncached, write, 0, read, output, plain, written, 0.0, cached, out)
    return cost
