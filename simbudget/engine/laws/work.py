"""How long work takes: steps, experiments with their failures and pre-emptions, crashes, scoring."""

import math
from typing import Final

from simbudget.compilation import compiled
from simbudget.engine.laws.draws import (
    Floats,
    Integers,
    draw,
    draw_count,
    draw_ns,
    exponential_ns,
    nanoseconds,
)
from simbudget.engine.streams import (
    CRASH,
    FURTHER_TRIES,
    JUDGE,
    JUDGE_CALL,
    JUDGING,
    PREEMPTION,
    STEP_ITSELF,
    SUBMISSION,
    lanes,
    stream_key,
)

_MOST_JOBS: Final = 1 << 14
"""More than the 10,000 jobs that a step may have side by side."""

_MOST_TRIES: Final = 1 << 10
"""More than the 1,000 tries that a job may have."""

_FIRST_TRIES: Final = 3
"""The tries of a step's first job that have the step's own purpose."""

MOST_TURNS: Final = 1_000_000

DAY_NS: Final = 86_400_000_000_000


@compiled
def draw_turns(rows: Floats, table: Floats, step: Integers, stream: Integers, cycle: int) -> int:
    """Return the turns of a think step: a whole number, at least 1. `step` is purpose, size."""
    turns = draw_count(rows, table, step[1], lanes(stream, step[0], 4 * cycle)[0])
    return min(max(turns, 1), MOST_TURNS)


@compiled
def draw_work_ns(rows: Floats, table: Floats, step: Integers, stream: Integers, cycle: int) -> int:
    """Return the time that a person's think step takes, in nanoseconds. `step` is purpose, size."""
    return draw_ns(rows, table, step[1], lanes(stream, step[0], 4 * cycle)[0])


@compiled
def is_done(rows: Floats, part: int, stream: Integers, purpose: int, cycle: int) -> bool:
    """Return whether a step is done that is done with the probability `part`, a quantity."""
    return lanes(stream, purpose + STEP_ITSELF, cycle)[0] < rows[part, 1]


@compiled
def draw_at_once(
    rows: Floats, table: Floats, at_once: int, stream: Integers, purpose: int, cycle: int
) -> int:
    """Return how many jobs a step has side by side: a whole number, at least 1."""
    return max(1, draw_count(rows, table, at_once, lanes(stream, purpose + STEP_ITSELF, cycle)[1]))


@compiled
def job_lanes(
    stream: Integers, purpose: int, cycle: int, job: int, attempt: int
) -> tuple[float, float, float, float]:
    """Return the uniforms of a try of one of a step's jobs; `job` and `attempt` count from 0."""
    if job == 0 and attempt < _FIRST_TRIES:
        return lanes(stream, purpose, 4 * cycle + attempt)
    return lanes(stream, purpose + FURTHER_TRIES, (cycle * _MOST_JOBS + job) * _MOST_TRIES + attempt)


@compiled
def draw_experiment(
    rows: Floats, table: Floats, step: Integers, uniforms: tuple[float, float, float, float]
) -> tuple[int, int]:
    """Return an experiment's time in nanoseconds and its GPUs.

    `step` is purpose, size, GPUs, failures, and the speed of the pool, by which the time is divided; `uniforms` are
    those of the job's first try.
    """
    u_time, u_gpus, _, _ = uniforms
    time_ns = nanoseconds(draw(rows, table, step[1], u_time) / rows[step[4], 1])
    return time_ns, max(1, draw_count(rows, table, step[2], u_gpus))


@compiled
def attempt_ends_ns(
    rows: Floats, failing: int, u_fails: float, u_where: float, duration_ns: int
) -> tuple[int, bool]:
    """Return how much of an experiment an attempt does, in nanoseconds, and whether it fails there."""
    if u_fails < rows[failing, 1]:
        return int(math.floor(u_where * duration_ns)), True
    return duration_ns, False


@compiled
def draw_attempt_at_experiment(
    rows: Floats, step: Integers, uniforms: tuple[float, float, float, float], duration_ns: int
) -> tuple[int, bool]:
    """Return how much of an experiment an attempt does, and whether it fails; `step` as in `draw_experiment`."""
    _, _, u_fails, u_where = uniforms
    return attempt_ends_ns(rows, step[3], u_fails, u_where, duration_ns)


@compiled
def draw_preemption_ns(rows: Floats, every: int, stream: Integers, stretch: int, gpus: int) -> int:
    """Return after how long the agent's `stretch`-th stay on spot GPUs would be pre-empted, in nanoseconds.

    Pre-emptions are a Poisson process in GPU time, so with `gpus` at once they come that much sooner.
    """
    return exponential_ns(rows[every, 1] / gpus, lanes(stream, PREEMPTION, stretch)[0])


@compiled
def saved_ns(done_ns: int, checkpoint_every_ns: int) -> int:
    """Return how much of the work done the last checkpoint holds; without checkpoints nothing."""
    if checkpoint_every_ns <= 0:
        return 0
    return done_ns // checkpoint_every_ns * checkpoint_every_ns


@compiled
def draw_scoring_ns(rows: Floats, table: Floats, quantity: int, stream: Integers, submission: int) -> int:
    """Return how long the scorer takes for the agent's `submission`-th submission, in nanoseconds."""
    return draw_ns(rows, table, quantity, lanes(stream, SUBMISSION, submission)[0])


@compiled
def judge_key(stream: Integers) -> int:
    """Return the number of the streams of the model that judges an agent's submissions."""
    return stream_key(stream, JUDGE, 0)


@compiled
def draw_judging(rows: Floats, table: Floats, quantity: int, stream: Integers, submission: int) -> int:
    """Return how many calls a judge makes for the agent's `submission`-th submission: at least 1."""
    return max(1, draw_count(rows, table, quantity, lanes(stream, JUDGING, submission)[0]))


@compiled
def draw_judge_call(
    rows: Floats, table: Floats, inputs: int, outputs: int, stream: Integers, call: int
) -> tuple[int, int]:
    """Return what a judge's `call`-th call sends and puts out, in tokens."""
    u_input, u_output, _, _ = lanes(stream, JUDGE_CALL, call)
    return draw_count(rows, table, inputs, u_input), draw_count(rows, table, outputs, u_output)


@compiled
def draw_crash(
    rows: Floats, table: Floats, quantities: Integers, stream: Integers, crash: int
) -> tuple[int, int]:
    """Return after how much up time the agent's `crash`-th crash comes, and how long the restart takes (ns).

    `quantities` are the mean up time and the restart. Up times are exponential.
    """
    u_up, u_restart, _, _ = lanes(stream, CRASH, crash)
    up_ns = exponential_ns(rows[quantities[0], 1], u_up)
    return up_ns, draw_ns(rows, table, quantities[1], u_restart)
