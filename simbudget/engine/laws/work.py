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

PURPOSE: Final = 0
"""The place of the purpose of a step's stream among what the laws look up for it (`program.WorkDraws`)."""

_MOST_JOBS: Final = 1 << 14
"""Power of two above the 10,000 jobs that a step may run in parallel."""

_MOST_TRIES: Final = 1 << 10
"""Power of two above the 1,000 tries that a job may have."""

_FIRST_TRIES: Final = 3
"""The tries of a step's first job that have the step's own purpose."""

MOST_TURNS: Final = 1_000_000
"""Of one step: far beyond any real one, so that a heavy-tailed draw cannot make a run endless."""

DAY_NS: Final = 86_400_000_000_000


@compiled
def draw_turns(rows: Floats, table: Floats, step: Integers, stream: Integers, cycle: int) -> int:
    """Return the turns of a think step: a whole number, at least 1.

    Args:
        rows: [quantities, 8] the world's quantities; see `laws.draws`.
        table: numbers that the rows refer to.
        step: [2] the purpose of the step's stream, and the row of its size.
        stream: [4] seed, world, replication and agent.
        cycle: the number of the agent's cycle.
    """
    turns = draw_count(rows, table, step[1], lanes(stream, step[0], 4 * cycle)[0])
    return min(max(turns, 1), MOST_TURNS)


@compiled
def draw_work_ns(rows: Floats, table: Floats, step: Integers, stream: Integers, cycle: int) -> int:
    """Return the time that a person's step takes, in nanoseconds.

    Args:
        rows: [quantities, 8] the world's quantities; see `laws.draws`.
        table: numbers that the rows refer to.
        step: [2] the purpose of the step's stream, and the row of its size.
        stream: [4] seed, world, replication and agent.
        cycle: the number of the agent's cycle.
    """
    return draw_ns(rows, table, step[1], lanes(stream, step[0], 4 * cycle)[0])


@compiled
def is_done(rows: Floats, part: int, stream: Integers, purpose: int, cycle: int) -> bool:
    """Return whether a step that is done with some probability is done in this cycle.

    Args:
        rows: [quantities, 8] the world's quantities; see `laws.draws`.
        part: the row of the probability.
        stream: [4] seed, world, replication and agent.
        purpose: the purpose of the step's stream.
        cycle: the number of the agent's cycle.
    """
    return lanes(stream, purpose + STEP_ITSELF, cycle)[0] < rows[part, 1]


@compiled
def draw_at_once(
    rows: Floats, table: Floats, at_once: int, stream: Integers, purpose: int, cycle: int
) -> int:
    """Return the number of jobs that a step runs in parallel: a whole number, at least 1.

    Args:
        rows: [quantities, 8] the world's quantities; see `laws.draws`.
        table: numbers that the rows refer to.
        at_once: the row of that number.
        stream: [4] seed, world, replication and agent.
        purpose: the purpose of the step's stream.
        cycle: the number of the agent's cycle.
    """
    return max(1, draw_count(rows, table, at_once, lanes(stream, purpose + STEP_ITSELF, cycle)[1]))


@compiled
def job_lanes(
    stream: Integers, purpose: int, cycle: int, job: int, attempt: int
) -> tuple[float, float, float, float]:
    """Return the four uniforms of a try of one of a step's jobs.

    The first tries of the first job have the step's own purpose.

    Args:
        stream: [4] seed, world, replication and agent.
        purpose: the purpose of the step's stream.
        cycle: the number of the agent's cycle.
        job: the number of the job within the step, from 0.
        attempt: the number of the try of the job, from 0.
    """
    if job == 0 and attempt < _FIRST_TRIES:
        return lanes(stream, purpose, 4 * cycle + attempt)
    return lanes(stream, purpose + FURTHER_TRIES, (cycle * _MOST_JOBS + job) * _MOST_TRIES + attempt)


@compiled
def draw_experiment(
    rows: Floats, table: Floats, step: Integers, uniforms: tuple[float, float, float, float]
) -> tuple[int, int]:
    """Return an experiment's time in nanoseconds and its number of GPUs.

    Args:
        rows: [quantities, 8] the world's quantities; see `laws.draws`.
        table: numbers that the rows refer to.
        step: [5] the purpose of the step's stream, and the rows of size, GPUs, probability of failure, and speed
            of the pool, by which the time is divided.
        uniforms: the uniforms of the job's first try.
    """
    u_time, u_gpus, _, _ = uniforms
    time_ns = nanoseconds(draw(rows, table, step[1], u_time) / rows[step[4], 1])
    return time_ns, max(1, draw_count(rows, table, step[2], u_gpus))


@compiled
def attempt_ends_ns(
    rows: Floats, failing: int, u_fails: float, u_where: float, duration_ns: int
) -> tuple[int, bool]:
    """Return how far a try of an experiment gets, in nanoseconds, and whether it fails there.

    Args:
        rows: [quantities, 8] the world.
        failing: the quantity of the probability of failure.
        u_fails: uniform that decides whether the try fails.
        u_where: uniform that decides where: failures are equally likely at any time of the try.
        duration_ns: length of the whole experiment, in nanoseconds.
    """
    if u_fails < rows[failing, 1]:
        return int(math.floor(u_where * duration_ns)), True
    return duration_ns, False


@compiled
def draw_attempt_at_experiment(
    rows: Floats, step: Integers, uniforms: tuple[float, float, float, float], duration_ns: int
) -> tuple[int, bool]:
    """Return how far a try of an experiment gets, in nanoseconds, and whether it fails.

    Args:
        rows: [quantities, 8] the world's quantities; see `laws.draws`.
        step: [5] as in `draw_experiment`.
        uniforms: the uniforms of the try.
        duration_ns: length of the whole experiment.
    """
    _, _, u_fails, u_where = uniforms
    return attempt_ends_ns(rows, step[3], u_fails, u_where, duration_ns)


@compiled
def draw_preemption_ns(rows: Floats, every: int, stream: Integers, stretch: int, gpus: int) -> int:
    """Return how long a stay on spot GPUs lasts until it would be pre-empted, in nanoseconds.

    Pre-emptions are a Poisson process in GPU time, so they come sooner with several GPUs.

    Args:
        rows: [quantities, 8] the world's quantities; see `laws.draws`.
        every: the row of the mean GPU time between pre-emptions.
        stream: [4] seed, world, replication and agent.
        stretch: the number of the agent's stay.
        gpus: GPUs in use.
    """
    return exponential_ns(rows[every, 1] / gpus, lanes(stream, PREEMPTION, stretch)[0])


@compiled
def saved_ns(done_ns: int, checkpoint_every_ns: int) -> int:
    """Return how much of the work done is in the last checkpoint, in nanoseconds; without checkpoints 0.

    Args:
        done_ns: work done, in nanoseconds.
        checkpoint_every_ns: time between checkpoints, in nanoseconds; 0: there are none.
    """
    if checkpoint_every_ns <= 0:
        return 0
    return done_ns // checkpoint_every_ns * checkpoint_every_ns


@compiled
def draw_scoring_ns(rows: Floats, table: Floats, quantity: int, stream: Integers, submission: int) -> int:
    """Return how long the scorer takes for a submission, in nanoseconds.

    Args:
        rows: [quantities, 8] the world's quantities; see `laws.draws`.
        table: numbers that the rows refer to.
        quantity: the row of the quantity.
        stream: [4] seed, world, replication and agent.
        submission: the number of the agent's submission.
    """
    return draw_ns(rows, table, quantity, lanes(stream, SUBMISSION, submission)[0])


@compiled
def judge_key(stream: Integers) -> int:
    """Return the number of the streams of the model that judges an agent's submissions.

    Args:
        stream: [4] the agent's stream: seed, world, replication and agent.
    """
    return stream_key(stream, JUDGE, 0)


@compiled
def draw_judging(rows: Floats, table: Floats, quantity: int, stream: Integers, submission: int) -> int:
    """Return the number of calls that a judge makes for a submission: at least 1.

    Args:
        rows: [quantities, 8] the world's quantities; see `laws.draws`.
        table: numbers that the rows refer to.
        quantity: the row of the quantity.
        stream: [4] seed, world, replication and agent.
        submission: the number of the agent's submission.
    """
    return max(1, draw_count(rows, table, quantity, lanes(stream, JUDGING, submission)[0]))


@compiled
def draw_judge_call(
    rows: Floats, table: Floats, inputs: int, outputs: int, stream: Integers, call: int
) -> tuple[int, int]:
    """Return the input and output tokens of a judge's call.

    Args:
        rows: [quantities, 8] the world's quantities; see `laws.draws`.
        table: numbers that the rows refer to.
        inputs: the row of its input.
        outputs: the row of its output.
        stream: [4] seed, world, replication and agent.
        call: the number of the call.
    """
    u_input, u_output, _, _ = lanes(stream, JUDGE_CALL, call)
    return draw_count(rows, table, inputs, u_input), draw_count(rows, table, outputs, u_output)


@compiled
def draw_crash(
    rows: Floats, table: Floats, quantities: Integers, stream: Integers, crash: int
) -> tuple[int, int]:
    """Return the up time until an agent's next crash, and how long the restart takes (both ns).

    Up times are exponential: crashes do not depend on age.

    Args:
        rows: [quantities, 8] the world's quantities; see `laws.draws`.
        table: numbers that the rows refer to.
        quantities: [2] the rows of the mean up time and of the restart.
        stream: [4] seed, world, replication and agent.
        crash: the number of the agent's crash.
    """
    u_up, u_restart, _, _ = lanes(stream, CRASH, crash)
    up_ns = exponential_ns(rows[quantities[0], 1], u_up)
    return up_ns, draw_ns(rows, table, quantities[1], u_restart)
