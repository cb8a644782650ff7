"""Tasks reproduce what is known of list scheduling and of logit-normal mixtures; each check fails for a wrong theory.

Statistical checks allow |z| < 4 over independent replications with a fixed seed: one false alarm in 16,000.
"""

import math

import numpy as np
import pytest

from simbudget.engine.laws.tasks import chance_of_solving
from tests.theory.test_queues import exponential, outcomes, z_score


def people(workers: int, time: str, tasks: str) -> str:
    """Return the text of workers whose attempts take a time and cost $1 an hour."""
    fleet = f"fleet: [{{kind: people, agents: {workers}, staff: {{price: 1 $/h}}}}]"
    return f"{fleet}\ncycle: [think: {{time: {time}}}]\ntasks: {{{tasks}}}\nstop: {{after: 3000 days}}"


def makespan(tasks: int, workers: int, mean: float) -> float:
    """Return the mean time after which exponential tasks are done that workers take from one list.

    While all work, tasks end at the rate workers ÷ mean; of the last ones each that ends leaves one fewer at work.
    """
    return mean * ((tasks - workers) / workers + sum(1.0 / left for left in range(1, workers + 1)))


@pytest.mark.parametrize(("tasks", "workers"), [(40, 5), (7, 7), (60, 20)])
def test_exponential_tasks_without_attempts_take_the_time_of_list_scheduling(
    tasks: int, workers: int
) -> None:
    text = people(workers, exponential("2 h"), f"count: {tasks}, solved: 50%")
    found = [outcome.totals["run_hours"] for outcome in outcomes(text, 200)]
    assert abs(z_score(found, makespan(tasks, workers, 2.0))) < 4
    assert abs(z_score(found, 2.0 * tasks / workers)) > 4  # as if nobody were ever without a task at the end


@pytest.mark.parametrize("workers", [1, 3, 10])
def test_no_list_is_longer_than_grahams_bound(workers: int) -> None:
    """R. L. Graham, "Bounds for certain multiprocessing anomalies", Bell System Technical Journal 45 (1966).

    Work on a list ends no sooner than all of it divided by the workers, and than its longest task; and no later than
    the first of these plus (1 - 1 ÷ workers) of the second.
    """
    text = people(workers, "10 min to 1 h", "count: 60, solved: 50%")
    passed = 0
    for outcome in outcomes(text, 20, record=True):
        ledger = outcome.ledger
        assert ledger is not None
        work = ledger[ledger["kind"] == "tool"]  # one entry for each day of it
        lengths = work.groupby(["agent", "cycle"])["duration_s"].sum() / 3600
        assert len(lengths) == 60
        hours, share, longest = outcome.totals["run_hours"], lengths.sum() / workers, lengths.max()
        assert max(share, longest) - 1e-9 <= hours <= share + (1.0 - 1.0 / workers) * longest + 1e-9
        passed += hours > lengths.sum() / (2 * workers) + (1.0 - 1.0 / (2 * workers)) * longest
    assert passed > 10  # twice as many workers would have been done sooner


def solved_share(solved: float, difficulty: float, attempts: int) -> float:
    """Return the share of tasks that one of so many attempts solves, by Gauss-Hermite quadrature."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    chances = np.array([chance_of_solving(solved, difficulty, node) for node in nodes])
    return float((1.0 - (1.0 - chances) ** attempts) @ weights / weights.sum())


@pytest.mark.parametrize(
    ("solved", "difficulty", "attempts"), [(0.4, 0.0, 2), (0.4, 1.5, 1), (0.6, 3.0, 3), (0.8, 2.0, 3)]
)
def test_tasks_are_solved_as_a_logit_normal_mixture_says(
    solved: float, difficulty: float, attempts: int
) -> None:
    terms = f"count: 200, attempts: {attempts}, solved: {solved}, difficulty: {difficulty}"
    found = [outcome.totals["tasks_solved"] / 200 for outcome in outcomes(people(7, "1 min", terms), 40)]
    assert abs(z_score(found, solved_share(solved, difficulty, attempts))) < 4
    # Wrong: one attempt more, and all tasks alike.
    assert abs(z_score(found, solved_share(solved, difficulty, attempts + 1))) > 4
    if difficulty and attempts > 1:
        assert abs(z_score(found, solved_share(solved, 0.0, attempts))) > 4


@pytest.mark.parametrize("until", ["solved", "all attempts"])
def test_attempts_are_counted_as_a_geometric_that_is_cut(until: str) -> None:
    terms = f"count: 300, attempts: 3, solved: 40%, until: {until}"
    found = [outcome.totals["tasks_attempts"] / 300 for outcome in outcomes(people(9, "1 min", terms), 30)]
    if until == "all attempts":
        assert set(found) == {3.0}
    else:
        assert abs(z_score(found, 1 + 0.6 + 0.36)) < 4
        assert abs(z_score(found, 1 + 0.4 + 0.16)) > 4


def test_tasks_of_one_probability_are_those_of_no_difficulty() -> None:
    """Without difficulty every task has the same probability, and 0 and 1 hold whatever the difficulty."""
    assert chance_of_solving(0.3, 0.0, 2.5) == pytest.approx(0.3, abs=1e-15)
    assert [chance_of_solving(0.0, 9.0, 3.0), chance_of_solving(1.0, 9.0, -3.0)] == [0.0, 1.0]
    assert chance_of_solving(0.5, 2.0, 1.0) == pytest.approx(1.0 / (1.0 + math.exp(-2.0)))


def test_the_same_task_has_the_same_luck_whoever_attempts_it() -> None:
    few, many = (people(workers, "1 min", "count: 100, solved: 50%, difficulty: 1") for workers in (1, 20))
    solved = [[outcome.totals["tasks_solved"] for outcome in outcomes(text, 5)] for text in (few, many)]
    assert solved[0] == solved[1]
