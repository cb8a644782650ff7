"""Jobs side by side reproduce the order statistics of exponential times; each check fails for a wrong theory."""

import pytest

from tests.theory.test_queues import exponential, outcomes, z_score

CYCLES = 40


def waves(more: str, gpus: int) -> str:
    people = "fleet: [{kind: people, agents: 1, staff: {price: 0 $/h}}]"
    cycle = f"cycle: [experiment: {{time: {exponential('1 h')}, {more}}}]"
    stop = f"stop: {{after: 365 days, cycles_per_agent: {CYCLES}}}"
    return f"{people}\n{cycle}\ngpus: {{count: {gpus}, price: 1 $/h}}\n{stop}"


def mean_of_order_statistic(jobs: int, which: int) -> float:
    """Return the mean of the `which`-th smallest of independent exponential times of mean 1.

    A. Renyi, "On the theory of order statistics", Acta Mathematica Hungarica 4 (1953): gaps between order statistics
    are independent exponentials of means 1/n, 1/(n - 1), ...
    """
    return sum(1.0 / (jobs - ended) for ended in range(which))


@pytest.mark.parametrize(("jobs", "wait_for"), [(6, 1), (6, 2), (6, 6), (3, 2)])
def test_the_time_of_a_wave_is_that_of_an_order_statistic(jobs: int, wait_for: int) -> None:
    text = waves(f"at_once: {jobs}, wait_for: {wait_for}", gpus=jobs)
    found = [outcome.totals["wall_clock_hours"] / CYCLES for outcome in outcomes(text)]
    assert abs(z_score(found, mean_of_order_statistic(jobs, wait_for))) < 4
    assert abs(z_score(found, 1.5 * mean_of_order_statistic(jobs, wait_for))) > 4


def test_jobs_that_are_cancelled_are_paid_for_as_far_as_they_got() -> None:
    # All run until the second ends. By Wald's identity the hours that they have run then are one for each that ended.
    found = [
        outcome.totals["gpu_hours_used"] / CYCLES
        for outcome in outcomes(waves("at_once: 5, wait_for: 2", gpus=5))
    ]
    assert abs(z_score(found, 2.0)) < 4
    assert abs(z_score(found, 5 * mean_of_order_statistic(5, 2))) > 4


@pytest.mark.parametrize("attempts", [1, 2, 5])
def test_as_many_jobs_end_well_as_tries_in_a_row_leave(attempts: int) -> None:
    # A job of so many tries, each of which fails with 40 %, fails for good with 0.4 to the number of tries.
    text = waves(f"fails: 40%, attempts: {attempts}", gpus=1)
    found = [outcome.totals["experiments"] / CYCLES for outcome in outcomes(text)]
    expected = 1.0 - 0.4**attempts
    assert abs(z_score(found, expected)) < 4
    assert abs(z_score(found, 1.0 - 0.6**attempts)) > 4


def test_a_step_is_done_as_often_as_its_part_says() -> None:
    people = "fleet: [{kind: people, agents: 1, staff: {price: 0 $/h}}]"
    cycle = "cycle: [think: {time: 1 h}, score: {if: 30%}]"
    text = f"{people}\n{cycle}\nstop: {{after: 365 days, cycles_per_agent: 200}}"
    found = [outcome.totals["scorer_calls"] / 200 for outcome in outcomes(text)]
    assert abs(z_score(found, 0.3)) < 4
    assert abs(z_score(found, 0.35)) > 4
