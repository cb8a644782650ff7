"""Tasks: which one an agent takes next, whether an attempt solves it, and the figures of the whole list.

The list is a few arrays of numbers. Tasks that can be taken stand in a binary heap in the order in which they are
taken: the one with the fewest attempts begun first, then the one with the lowest number.
"""

import math
from typing import Final, NamedTuple

import numpy as np

from simbudget.compilation import compiled
from simbudget.distributions.sampling import normal_score
from simbudget.engine.laws.draws import Floats, Integers
from simbudget.engine.streams import TASK, TASK_ATTEMPT, uniforms

NO_TASK: Final = -1

TENTHS: Final = 10
"""Parts of equal size into which tasks are divided by what they cost."""

TWENTIETHS: Final = 20
"""Number of steps, each a 20th of all tasks, at which the money spent until then is recorded."""

# Places of `TaskList.counts`.
IN_QUEUE: Final = 0
IN_FLIGHT: Final = 1  # attempts
RETURNABLE: Final = 2  # attempts under way after which, if unsolved, their task can be taken again
ATTEMPTS: Final = 3  # begun
SOLVED: Final = 4
_COUNTS: Final = 5


class TaskTerms(NamedTuple):
    """The terms on which tasks are worked on. From `solved` on, fields are quantities, or -1 for none."""

    total: int = 0
    """How many tasks there are; 0: agents do not work on tasks."""
    attempts: int = 1
    """Attempts at each, at most."""
    takes_all: int = 0
    """Whether all attempts are made, even after one has solved the task."""
    solved: int = -1
    difficulty: int = -1
    time: int = -1
    """What an attempt may use: from here on."""
    spend: int = -1
    tokens: int = -1
    turns: int = -1


class TaskList(NamedTuple):
    """The tasks of a run."""

    counts: Integers
    """[5] those in the queue, attempts under way, those of them that may be returned, attempts begun, tasks solved."""
    queue: Integers
    """[tasks] a binary heap of those that can be taken: attempts begun × tasks + number."""
    begun: Integers
    """[tasks] attempts begun."""
    solved: Integers
    """[tasks] 1 for those that an attempt has solved."""
    spent_usd: Floats
    """[tasks] what the attempts at each have cost."""
    money_usd: Floats
    """[TWENTIETHS] US dollars spent when each 20th of the tasks had been solved; NaN if that was not reached."""


def empty_task_list(tasks: int) -> TaskList:
    """Return the list at the start of a run.

    Args:
        tasks: number of tasks.
    """
    listed = TaskList(
        counts=np.zeros(_COUNTS, dtype=np.int64),
        queue=np.zeros(tasks, dtype=np.int64),
        begun=np.zeros(tasks, dtype=np.int64),
        solved=np.zeros(tasks, dtype=np.int64),
        spent_usd=np.zeros(tasks),
        money_usd=np.zeros(TWENTIETHS),
    )
    open_tasks(listed)
    return listed


@compiled
def open_tasks(tasks: TaskList) -> None:
    """Reset a list to the start of a run: all tasks can be taken.

    Args:
        tasks: the run's list of tasks.
    """
    tasks.counts[:] = 0
    tasks.counts[IN_QUEUE] = len(tasks.queue)
    for task in range(len(tasks.queue)):
        tasks.queue[task] = task
    tasks.begun[:] = 0
    tasks.solved[:] = 0
    tasks.spent_usd[:] = 0.0
    tasks.money_usd[:] = math.nan


@compiled
def take_task(tasks: TaskList, attempts: int, takes_all: int) -> int:
    """Begin an attempt at the next task, and return its number; NO_TASK if none can be taken now.

    Args:
        tasks: the run's list of tasks.
        attempts: maximum number of attempts at a task.
        takes_all: whether all of them are made, even after one has solved the task.
    """
    counts = tasks.counts
    if counts[IN_QUEUE] == 0:
        return NO_TASK
    task = _first(tasks) % len(tasks.queue)
    tasks.begun[task] += 1
    counts[IN_FLIGHT] += 1
    counts[ATTEMPTS] += 1
    if tasks.begun[task] < attempts:
        if takes_all:
            _put_back(tasks, task)
        else:
            counts[RETURNABLE] += 1
    return task


@compiled
def may_be_returned(tasks: TaskList) -> bool:
    """Return whether an attempt is under way after which its task may be free again.

    Args:
        tasks: the run's list of tasks.
    """
    return tasks.counts[RETURNABLE] > 0


@compiled
def all_is_done(tasks: TaskList) -> bool:
    """Return whether no task is open and nobody is at one.

    Args:
        tasks: the run's list of tasks.
    """
    return tasks.counts[IN_QUEUE] == 0 and tasks.counts[IN_FLIGHT] == 0


@compiled
def end_attempt(tasks: TaskList, terms: TaskTerms, task: int, solves: bool, cost_usd: float) -> bool:
    """Record the end of an attempt; return whether it is the first to solve its task.

    Args:
        tasks: the state of the task list.
        terms: the terms of the tasks.
        task: the number of the task.
        solves: whether the attempt solves it.
        cost_usd: the cost of the attempt.
    """
    counts = tasks.counts
    counts[IN_FLIGHT] -= 1
    tasks.spent_usd[task] += cost_usd
    is_first = solves and tasks.solved[task] == 0
    if is_first:
        tasks.solved[task] = 1
        counts[SOLVED] += 1
    if terms.takes_all == 0 and tasks.begun[task] < terms.attempts:
        counts[RETURNABLE] -= 1
        if not solves:
            _put_back(tasks, task)
    return is_first


@compiled
def note_money(tasks: TaskList, spent_usd: float) -> None:
    """Record the money spent when one more task is solved.

    Args:
        tasks: the run's list of tasks.
        spent_usd: what the run has spent, in US dollars.
    """
    count = len(tasks.queue)
    for step in range(TWENTIETHS):
        if tasks.counts[SOLVED] * TWENTIETHS >= (step + 1) * count and math.isnan(tasks.money_usd[step]):
            tasks.money_usd[step] = spent_usd


@compiled
def _put_back(tasks: TaskList, task: int) -> None:
    queue, place = tasks.queue, tasks.counts[IN_QUEUE]
    key = tasks.begun[task] * len(queue) + task
    tasks.counts[IN_QUEUE] += 1
    while place > 0 and queue[(place - 1) // 2] > key:
        queue[place] = queue[(place - 1) // 2]
        place = (place - 1) // 2
    queue[place] = key


@compiled
def _first(tasks: TaskList) -> int:
    """Take the first task out of the queue, and return its key."""
    queue, first = tasks.queue, tasks.queue[0]
    tasks.counts[IN_QUEUE] -= 1
    size = tasks.counts[IN_QUEUE]
    key, place = queue[size], 0
    while 2 * place + 1 < size:
        child = 2 * place + 1
        if child + 1 < size and queue[child + 1] < queue[child]:
            child += 1
        if queue[child] >= key:
            break
        queue[place] = queue[child]
        place = child
    queue[place] = key
    return first


@compiled
def chance_of_solving(solved: float, difficulty: float, score: float) -> float:
    """Return the probability that an attempt solves a task: logit-normal over the tasks.

    Args:
        solved: the probability for a task of middling difficulty; 0 and 1 hold for every task.
        difficulty: the standard deviation of the tasks' difficulty, in logits.
        score: the task's standard normal draw.
    """
    if solved <= 0.0 or solved >= 1.0:
        return min(max(solved, 0.0), 1.0)
    return 1.0 / (1.0 + math.exp(-(math.log(solved / (1.0 - solved)) + difficulty * score)))


@compiled
def attempt_solves(rows: Floats, terms: TaskTerms, run: Integers, task: int, attempt: int) -> bool:
    """Return whether a completed attempt at a task solves it.

    The draws belong to the task, whichever agent makes the attempt.

    Args:
        rows: [quantities, 8] the world's quantities; see `laws.draws`.
        terms: the terms of the tasks.
        run: [3] seed, world and replication.
        task: the number of the task.
        attempt: the number of the attempt at it, from 0.
    """
    u_difficulty = uniforms(run[0], run[1], run[2], task, TASK, 0)[0]
    u_solves = uniforms(run[0], run[1], run[2], task, TASK_ATTEMPT, attempt)[0]
    chance = chance_of_solving(rows[terms.solved, 1], rows[terms.difficulty, 1], normal_score(u_difficulty))
    return u_solves < chance


TASK_TALLY: Final = 3 + TENTHS + TWENTIETHS
"""Number of figures of a run's tasks."""


@compiled
def task_tally(tasks: TaskList, figures: Floats) -> None:
    """Write the [TASK_TALLY] figures of a run's tasks; afterwards `spent_usd` holds running sums, the cheapest first.

    Attempts begun, tasks solved, what attempts have cost together; then what each tenth of the tasks cost, the
    cheapest first (a tenth may hold a part of a task); then the money at each step, see `TaskList`.

    Args:
        tasks: the run's list of tasks.
        figures: [TASK_TALLY] is written.
    """
    count, summed = len(tasks.spent_usd), tasks.spent_usd
    _sort(summed)
    for task in range(1, count):
        summed[task] += summed[task - 1]
    figures[0], figures[1], figures[2] = tasks.counts[ATTEMPTS], tasks.counts[SOLVED], summed[count - 1]
    below = 0.0
    for tenth in range(TENTHS):
        up_to = _summed_up_to(summed, count * (tenth + 1) / TENTHS)
        figures[3 + tenth] = up_to - below
        below = up_to
    for step in range(TWENTIETHS):
        figures[3 + TENTHS + step] = tasks.money_usd[step]


@compiled
def _summed_up_to(summed: Floats, tasks: float) -> float:
    """Return the cost of the first `tasks` tasks, a fraction included, from running sums."""
    whole = min(int(tasks), len(summed))
    below = summed[whole - 1] if whole > 0 else 0.0
    if whole == len(summed):
        return below
    return below + (tasks - whole) * (summed[whole] - below)


@compiled
def _sort(values: Floats) -> None:
    """Sort values in place, the smallest first: J. W. J. Williams, "Algorithm 232: Heapsort", CACM 7 (1964)."""
    for first in range(len(values) // 2 - 1, -1, -1):
        _sink(values, first, len(values))
    for last in range(len(values) - 1, 0, -1):
        values[0], values[last] = values[last], values[0]
        _sink(values, 0, last)


@compiled
def _sink(values: Floats, place: int, size: int) -> None:
    value = values[place]
    while 2 * place + 1 < size:
        child = 2 * place + 1
        if child + 1 < size and values[child + 1] > values[child]:
            child += 1
        if values[child] <= value:
            break
        values[place] = values[child]
        place = child
    values[place] = value
