"""Random streams: uniforms keyed by (seed, world, replication, agent, purpose, index), never by order of use.

A stream is Philox4x64-10, a counter-based generator (Salmon, Moraes, Dror and Shaw, "Parallel random numbers:
as easy as 1, 2, 3", SC 2011): the key is (seed, world), the counter is (index, purpose, agent, replication), and
each counter gives four words, the four *lanes* of a draw. So a draw is the same on any number of workers and in
any engine, adding one draw leaves all others as they were, and two scenarios compared share their luck.
"""

import hashlib
from typing import Any, Final

import numba
import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba.extending import intrinsic

from simbudget.compilation import compiled

Integers = npt.NDArray[np.int64]

# Purposes of an agent's draws. Steps of a cycle have their own: `step_purpose`.
CALL: Final = 1  # lanes: first token, speed, error, giving up; index: the agent's attempts at calls
TURN: Final = 2  # lanes: output, thinking, tool result, tool time; index: the agent's turns
CONTEXT: Final = 3  # lanes: first prompt, carried over, shared prefix; index: the agent's contexts
COMPACTION: Final = 4  # lane: compacted size; index: the agent's compactions
POLL: Final = 5  # lanes: every, output, result; index: the agent's polls
POST: Final = 6  # lane: post tokens; index: the agent's posts
SUBMISSION: Final = 7  # lane: scoring time; index: the agent's submissions
CRASH: Final = 8  # lanes: up time, restart time; index: the agent's crashes
PREEMPTION: Final = 9  # lane: GPU time to the next pre-emption; index: the agent's stretches on GPUs
IDEA: Final = 10  # lanes: explores, follows, alike, which one; index: the agent's submissions
ATTEMPT: Final = 11  # lanes: refines, gain, hacks, hack score; index: the agent's submissions
MEASUREMENT: Final = 12  # lanes: noise, chosen for review, review's verdict, review's time; index: as above
# Of a direction, not an agent; lanes: first quality, real core; index: its methods. Of an agent: the lane of the real
# core says whether a refinement that is a result of its own is real; index: the agent's submissions.
WORTH: Final = 13
# As above; lanes: keeps, noise, time; index: 64 times the direction's method, or the agent's submission, plus the gate.
TRY: Final = 14
LEVELS: Final = (
    15  # lanes: as of TURN, how much more or less than typical in one context; index: the agent's contexts
)
CACHE: Final = 16  # lane: whether the cache is missed; index: the agent's attempts at calls
BATCH: Final = 18  # lane: when a batch returns; index: the agent's attempts at calls
JUDGE: Final = 19  # the word of lane 0 is the number of the streams of an agent's judge; index: 0
JUDGING: Final = 20  # of a judge; lane: calls of a scoring; index: the agent's submissions
JUDGE_CALL: Final = 21  # of a judge; lanes: input, output; index: its calls
REVIEWER: Final = (
    22  # the word of lane 0 is the number of the streams of a model's review; index: the submissions
)
SUB_AGENT: Final = 17  # the word of lane 0 is the number of a sub-agent's streams; index: see `laws.calls`
TASK: Final = 19  # of a task, not an agent; lane: difficulty; index: 0
TASK_ATTEMPT: Final = 20  # of a task; lane: whether it solves the task; index: the task's attempts
STEPS: Final = (
    1024  # lanes: size, GPUs, failure, where it fails; index: 4 times the agent's cycle plus the attempt
)
FURTHER_TRIES: Final = (
    1 << 32  # added to a step's purpose; lanes as there; index: the try's number among all, see `laws.work`
)
STEP_ITSELF: Final = (
    2 << 32  # added to a step's purpose; lanes: whether it is done, jobs at once; index: the agent's cycle
)

WORLD_ITSELF: Final = (1 << 63) - 1
"""The `agent` under whose number the facts of a world are drawn."""

_unsigned: Any = numba.uint64
_machine_instruction: Any = intrinsic  # its own annotations describe the generator, not what it generates
# The constants of Philox4x64-10, from the reference implementation Random123 (philox.h).
_MULTIPLIER_0: Final = 0xD2E7470EE14C6C93
_MULTIPLIER_1: Final = 0xCA5A826395121157
_WEYL_0: Final = 0x9E3779B97F4A7C15
_WEYL_1: Final = 0xBB67AE8584CAA73B
_ROUNDS: Final = 10
_UNIT: Final = 2.0**-53
"""Doubles hold 53 bits, so that many of a word are used."""


@_machine_instruction  # type: ignore[untyped-decorator]
def _high_word(typing_context: Any, left: Any, right: Any) -> Any:
    """Return the high 64 bits of the 128-bit product of two unsigned words: one machine instruction."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        wide = ir.IntType(128)
        product = builder.mul(builder.zext(arguments[0], wide), builder.zext(arguments[1], wide))
        return builder.trunc(builder.lshr(product, ir.Constant(wide, 64)), ir.IntType(64))

    return numba.uint64(numba.uint64, numba.uint64), generate


@compiled
def philox(
    seed: int, world: int, replication: int, agent: int, purpose: int, index: int
) -> tuple[int, int, int, int]:
    """Return the four words that Philox4x64-10 gives for this key and counter.

    Args:
        seed: first word of the key.
        world: second word of the key.
        replication: fourth word of the counter.
        agent: third word of the counter: the number of the streams.
        purpose: second word of the counter: what the draw is for.
        index: first word of the counter: the number of the draw.
    """
    key_0, key_1 = _unsigned(seed), _unsigned(world)
    word_0, word_1 = _unsigned(index), _unsigned(purpose)
    word_2, word_3 = _unsigned(agent), _unsigned(replication)
    multiplier_0, multiplier_1 = _unsigned(_MULTIPLIER_0), _unsigned(_MULTIPLIER_1)
    for _ in range(_ROUNDS):
        high_0, low_0 = _high_word(multiplier_0, word_0), multiplier_0 * word_0
        high_1, low_1 = _high_word(multiplier_1, word_2), multiplier_1 * word_2
        word_0, word_1, word_2, word_3 = high_1 ^ word_1 ^ key_0, low_1, high_0 ^ word_3 ^ key_1, low_0
        key_0 += _unsigned(_WEYL_0)
        key_1 += _unsigned(_WEYL_1)
    return word_0, word_1, word_2, word_3


@compiled
def unit(word: int) -> float:
    """Return the uniform in (0, 1), both ends excluded, that a word stands for.

    Args:
        word: 64 bits, of which the upper 53 are used.
    """
    return (float(word >> _unsigned(11)) + 0.5) * _UNIT


@compiled
def uniforms(
    seed: int, world: int, replication: int, agent: int, purpose: int, index: int
) -> tuple[float, float, float, float]:
    """Return the four uniforms in (0, 1) of one draw: its lanes.

    Args:
        seed: seed of all draws.
        world: the number of the world.
        replication: the number of the replication.
        agent: the number of the streams.
        purpose: what the draw is for.
        index: the number of the draw.
    """
    word_0, word_1, word_2, word_3 = philox(seed, world, replication, agent, purpose, index)
    return unit(word_0), unit(word_1), unit(word_2), unit(word_3)


def step_purpose(kind: int, ordinal: int) -> int:
    """Return the purpose of the draws of the `ordinal`-th step of a kind, whatever other steps stand around it.

    Args:
        kind: the kind of the step.
        ordinal: which of its kind it is in the cycle, from 0.
    """
    return STEPS * (1 + kind) + ordinal


def named_purpose(name: str) -> int:
    """Return the purpose that a quantity's name stands for: the same on every machine and in every version.

    Args:
        name: the quantity's path in the scenario.
    """
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little") >> 1


def direction_key(group: str, direction: int) -> int:
    """Return the number of the streams of one of the directions in which a group's agents look for ideas.

    Args:
        group: the group's name.
        direction: the number of the direction within the group.
    """
    return (named_purpose(f"direction of {group}") & 0x7FFFFFFF) << 32 | direction


def agent_key(group: str, member: int) -> int:
    """Return the number of an agent's streams: other groups may grow and its luck stays the same.

    Args:
        group: the group's name.
        member: the number of the agent within the group.
    """
    return (named_purpose(f"group {group}") & 0x7FFFFFFF) << 32 | member


@compiled
def lanes(stream: Integers, purpose: int, index: int) -> tuple[float, float, float, float]:
    """Return the four uniforms in (0, 1) of one draw.

    Args:
        stream: [4] seed, world, replication and agent.
        purpose: what the draw is for.
        index: the number of the draw.
    """
    return uniforms(stream[0], stream[1], stream[2], stream[3], purpose, index)


@compiled
def stream_key(stream: Integers, purpose: int, index: int) -> int:
    """Return the number of the streams of something that a stream's owner begins: a draw of 63 bits.

    Args:
        stream: [4] seed, world, replication and agent.
        purpose: what it is.
        index: its number.
    """
    word, _, _, _ = philox(stream[0], stream[1], stream[2], stream[3], purpose, index)
    return int(word >> _unsigned(1))
