"""The list of tasks: who takes which, what is closed when, and what a killed agent leaves."""

import random
from pathlib import Path

import pytest

from simbudget.pilot.task_list import TaskAttempt, TaskList
from simbudget.scenario.loading import loads_scenario
from simbudget.scenario.scenario import Tasks

TEXT = "fleet: [{agents: 1}]\ncycle: [score]\ntasks: {count: %d, attempts: %d, solved: 50%%, until: %s}\n"


def terms(count: int, attempts: int, until: str = "solved") -> Tasks:
    found = loads_scenario(TEXT % (count, attempts, until)).scenario.tasks
    assert found is not None
    return found


def test_the_task_with_the_fewest_attempts_and_the_lowest_number_is_taken(tmp_path: Path) -> None:
    tasks = TaskList(tmp_path / "l.sqlite", terms(2, 2))
    first, second = tasks.take(0, 0, 0.0), tasks.take(1, 0, 0.0)
    assert (first, second) == (TaskAttempt(0, 0), TaskAttempt(1, 0))
    assert tasks.take(2, 0, 0.0) == "wait", "both are being worked on, and may be free again"
    tasks.end(TaskAttempt(1, 0), 1.0, is_solved=False)
    assert tasks.take(2, 0, 1.0) == TaskAttempt(1, 1)
    tasks.end(TaskAttempt(0, 0), 2.0, is_solved=True)
    assert tasks.take(0, 1, 2.0) == "done", "one is solved, and the other is at its last attempt"
    assert (tasks.counts().attempts, tasks.counts().solved) == (3, 1)


def test_with_all_attempts_several_agents_work_on_one_task(tmp_path: Path) -> None:
    tasks = TaskList(tmp_path / "l.sqlite", terms(1, 3, "all attempts"))
    assert [tasks.take(agent, 0, 0.0) for agent in range(4)] == [
        *(TaskAttempt(0, k) for k in range(3)),
        "done",
    ]


def test_what_a_killed_agent_was_at_is_used_up_and_free_again(tmp_path: Path) -> None:
    tasks = TaskList(tmp_path / "l.sqlite", terms(1, 2))
    assert tasks.take(0, 0, 0.0) == TaskAttempt(0, 0)
    again = TaskList(tmp_path / "l.sqlite", terms(1, 2))
    assert again.abandon(0, 5.0) == 1
    assert again.abandon(0, 6.0) == 0
    assert again.take(0, 1, 6.0) == TaskAttempt(0, 1)
    tasks.end(TaskAttempt(0, 0), 7.0, is_solved=False)
    assert again.take(1, 0, 7.0) == "done"


@pytest.mark.parametrize("until", ["solved", "all attempts"])
def test_no_attempt_is_given_out_twice_and_every_list_comes_to_its_end(tmp_path: Path, until: str) -> None:
    luck = random.Random(5)
    tasks = TaskList(tmp_path / "l.sqlite", terms(7, 3, until))
    at: dict[int, TaskAttempt] = {}
    given: list[TaskAttempt] = []
    for moment in range(500):
        agent = luck.randrange(4)
        if agent in at:
            tasks.end(at.pop(agent), float(moment), luck.random() < 0.3)
            continue
        taken = tasks.take(agent, moment, float(moment))
        if isinstance(taken, TaskAttempt):
            others = [each.task for each in at.values()]
            assert until == "all attempts" or taken.task not in others
            at[agent] = taken
            given.append(taken)
        elif taken == "wait":
            assert at, "somebody is at a task that may be free again"
    assert not at
    assert tasks.take(0, 999, 999.0) == "done"
    assert len(set(given)) == len(given) <= 21
    assert until == "solved" or len(given) == 21
