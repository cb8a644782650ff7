"""Attempts at tasks teach how likely tasks are solved, how much they differ in that, and how few tasks there were."""

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import yaml
from scipy.integrate import quad
from scipy.special import expit

from simbudget.calibration.observed.attempts import attempts_of
from simbudget.calibration.posteriors.tasks import components_of, solved_by_task
from simbudget.calibration.scenarios.calibrate import TURNS, Calibrated, calibrate
from simbudget.calibration.scenarios.fits import fit_ledger
from simbudget.calibration.scenarios.task_fits import DIFFICULTY, SOLVED
from simbudget.distributions.posteriors import Posterior
from simbudget.ledger.imported import ImportedLedger
from simbudget.ledger.readers import column_map, read_logs
from simbudget.ledger.stored import write_ledger
from simbudget.ledger.usage import of_ledger
from simbudget.scenario.loading import loads_scenario
from tests.calibration.logs import runs_table, sessions_ledger

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

WORLDS, TASKS, ATTEMPTS = 60, 40, 3
LOW, HIGH = 0.65, 0.95
"""Bounds of an 80 % interval's coverage in 60 worlds; a sound one falls outside with probability below 0.005."""

SCENARIO = """
fleet: [{group: g, agents: 2, model: m}]
cycle: [{think: {turns: 2}}]
prices: {m: {input: 3 $/Mtok, cache_write: 3.75 $/Mtok, cache_read: 0.3 $/Mtok, output: 15 $/Mtok}}
tasks: {count: 500, attempts: 3, solved: {unknown: 10% to 90%}}   # not known yet
stop: {after: 30 days}
"""


def outcomes(
    rng: np.random.Generator, solved: float, difficulty: float, stops: bool, tasks: int = TASKS
) -> tuple[Integers, Integers]:
    """Return hits and tries of tasks, whose attempts may stop when one solves the task."""
    logit = np.log(solved / (1 - solved)) + difficulty * rng.standard_normal(tasks)
    solves = rng.random((tasks, ATTEMPTS)) < expit(logit)[:, None]
    if not stops:
        return solves.sum(1), np.full(tasks, ATTEMPTS)
    first = np.where(solves.any(1), solves.argmax(1) + 1, ATTEMPTS)
    return solves.any(1).astype(np.int64), first.astype(np.int64)


def coverage(stops: bool, known: float | None = None) -> tuple[float, float]:
    """Return how often the 80 % intervals of `solved` and `difficulty` hold the truth, drawn from the prior."""
    rng = np.random.default_rng(3)
    held = []
    for _ in range(WORLDS):
        difficulty = abs(rng.normal(0, 4))
        solved = float(expit(rng.logistic() * np.sqrt(1 + 0.346 * difficulty**2)))
        hits, tries = outcomes(rng, solved, difficulty, stops)
        drawn = solved_by_task(hits, tries, 300, rng, known)
        intervals = [np.quantile(draws, (0.1, 0.9)) for draws in drawn]
        held.append(
            [low <= truth <= high for (low, high), truth in zip(intervals, (solved, difficulty), strict=True)]
        )
    of_solved, of_difficulty = np.mean(held, axis=0)
    return float(of_solved), float(of_difficulty)


@pytest.mark.parametrize("stops", [False, True])
def test_intervals_of_solved_and_difficulty_hold_the_truth_as_often_as_they_say(stops: bool) -> None:
    of_solved, of_difficulty = coverage(stops)
    assert LOW <= of_solved <= HIGH and LOW <= of_difficulty <= HIGH


def test_attempts_taken_to_be_at_tasks_that_are_all_alike_give_intervals_that_are_too_narrow() -> None:
    assert coverage(stops=False, known=0.0)[0] < LOW


def test_a_probability_learnt_for_a_known_difficulty_is_that_of_the_integral() -> None:
    hits, tries = np.array([1, 0, 1, 1]), np.array([1, 1, 1, 1])

    def likelihood(solved: float) -> float:
        def integrand(z: float) -> float:
            return float(
                expit(np.log(solved / (1 - solved)) + 2.0 * z) * np.exp(-z * z / 2) / np.sqrt(2 * np.pi)
            )

        mean = quad(integrand, -8, 8)[0]
        return float(mean**3 * (1 - mean))

    def prior(solved: float) -> float:
        slope = 1 / np.sqrt(1 + 0.346 * 4)
        mean = expit(slope * np.log(solved / (1 - solved)))
        return float(mean * (1 - mean) * slope / (solved * (1 - solved)))

    def moment(power: int) -> float:
        return quad(lambda s: s**power * likelihood(s) * prior(s), 1e-6, 1 - 1e-6, limit=200)[0]

    draws, difficulty = solved_by_task(hits, tries, 20_000, np.random.default_rng(1), 2.0)
    right, spread = moment(1) / moment(0), np.sqrt(moment(2) / moment(0) - (moment(1) / moment(0)) ** 2)
    assert abs(draws.mean() - right) < 4 * spread / np.sqrt(20_000) + 0.001
    assert set(difficulty) == {2.0}


def test_components_of_variance_are_those_of_a_table_worked_out_by_hand() -> None:
    """Two tasks with two attempts each: 1, 3 and 5, 7; mean squares within 2, between tasks 16, so (16 - 2) / 2 = 7."""
    components = components_of(np.array([1.0, 3.0, 5.0, 7.0]), np.array([0, 0, 1, 1]))
    assert components is not None
    assert components.within == pytest.approx(2.0) and components.between == pytest.approx(7.0)
    assert components.share == pytest.approx(7 / 9) and components.design_effect == pytest.approx(16 / 9)
    posterior = components.widened(Posterior(np.array([[4.0, 1.0, 0.0], [6.0, 1.0, 0.0]])))
    np.testing.assert_allclose(posterior.draws[:, 0], [5 - 4 / 3, 5 + 4 / 3])
    assert components_of(np.array([1.0, 3.0]), np.array([0, 1])) is None


def test_turns_of_few_tasks_are_as_uncertain_as_few_tasks_leave_them() -> None:
    """Each of 4 tasks has two attempts that are alike: the typical turns are known as from 4 runs, not from 8."""
    short, long = sessions_ledger(4, turns=10), sessions_ledger(4, turns=60)
    entries = pd.concat([short.entries, long.entries.assign(run=long.entries["run"] + 4)], ignore_index=True)
    runs = runs_table(8)
    fits = [
        next(fit for fit in fit_ledger(ImportedLedger(entries, runs.assign(task=tasks))) if fit.name == TURNS)
        for tasks in ([f"task {run // 2}" for run in range(8)], [""] * 8)
    ]
    by_task, alone = (fit.quantity.posterior.draws[:, 0].std() for fit in fits if fit.quantity is not None)
    assert 1.3 < by_task / alone <= np.sqrt(2) + 1e-9
    assert "8 attempts at 4 tasks" in fits[0].evidence.remark and "tasks" not in fits[1].evidence.remark


def trials(path: Path, hits: Integers, tries: Integers) -> Path:
    """Write Terminal-Bench trials of so many attempts at each task, of which so many solved it."""
    lines = [
        {
            "trial_name": f"task-{task}.{attempt + 1}-of-{tried}",
            "task_id": f"task-{task}",
            "is_resolved": bool(attempt < solved),
            "total_input_tokens": 10_000 * (task + 1),
            "total_output_tokens": 100,
        }
        for task, (solved, tried) in enumerate(zip(hits.tolist(), tries.tolist(), strict=True))
        for attempt in range(tried)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def learnt(ledger: ImportedLedger, keep: tuple[str, ...] = ()) -> Calibrated:
    return calibrate(loads_scenario(SCENARIO), SCENARIO, ledger, "c.parquet", keep)


def test_trials_teach_a_scenario_how_many_tasks_are_solved_and_how_much_they_differ(tmp_path: Path) -> None:
    hits, tries = outcomes(np.random.default_rng(5), 0.4, 3.0, stops=False)
    found = learnt(read_logs([trials(tmp_path / "trials.jsonl", hits, tries)]))
    low, high = np.quantile(found.calibration.quantities[SOLVED].posterior.draws[:, 0], (0.01, 0.99))
    assert low < 0.4 < high
    low, high = np.quantile(found.calibration.quantities[DIFFICULTY].posterior.draws[:, 0], (0.01, 0.99))
    assert low < 3.0 < high
    evidence = found.calibration.quantities[SOLVED].evidence
    assert evidence.observations == evidence.runs == TASKS * ATTEMPTS and "trials" in evidence.source
    assert f"{hits.sum()} of {tries.sum()} attempts at {TASKS} tasks" in evidence.remark
    written = yaml.safe_load(found.text)["tasks"]
    assert " to " in written["solved"] and " to " in written["difficulty"] and "# not known yet" in found.text
    assert found.after.scenario.tasks is not None


def test_what_is_kept_stays_and_one_attempt_a_task_teaches_no_difficulty(tmp_path: Path) -> None:
    hits, tries = np.array([1, 0, 1, 1]), np.array([1, 1, 1, 1])
    found = learnt(read_logs([trials(tmp_path / "trials.jsonl", hits, tries)]))
    assert [change.name for change in found.changes] == [SOLVED]
    assert any(words.startswith(f"{DIFFICULTY}: no task has two attempts") for words in found.left)
    hits, tries = np.array([1, 0, 3]), np.array([3, 3, 3])
    kept = learnt(read_logs([trials(tmp_path / "more.jsonl", hits, tries)]), keep=(SOLVED,))
    assert [change.name for change in kept.changes] == [DIFFICULTY]


def test_the_last_score_says_whether_an_attempt_solved_its_task_and_a_column_names_it(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(
        "id,what,in,out,usd,points\n"
        "a,t1,100,10,0.5,0\na,t1,100,10,0.25,1\nb,t1,100,10,1,0.5\nc,t2,100,10,2,\n"
    )
    columns = column_map("run=id,task=what,input=in,output=out,cost=usd,score=points,model=claude-opus-4-6")
    ledger = read_logs([path], columns)
    attempts = attempts_of(ledger)
    assert attempts.task.tolist() == [0, 0, 1] and attempts.cost_usd.tolist() == [0.75, 1.0, 2.0]
    np.testing.assert_array_equal(attempts.solved, [1.0, 0.0, np.nan])
    hits, tries = attempts.hits_and_tries()
    assert hits.tolist() == [1] and tries.tolist() == [2]
    groups = of_ledger(ledger, "task").groups()["cost_usd"]
    assert groups.to_dict() == {"t1": 1.75, "t2": 2.0}


def test_scores_that_are_no_shares_say_nothing_of_what_was_solved(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("id,what,in,points\na,t1,100,1\nb,t2,100,73.5\n")
    ledger = read_logs([path], column_map("run=id,task=what,input=in,score=points"))
    assert np.isnan(attempts_of(ledger).solved).all()


def test_a_ledger_written_and_read_again_knows_its_tasks(tmp_path: Path) -> None:
    ledger = read_logs([trials(tmp_path / "trials.jsonl", np.array([1, 2]), np.array([2, 2]))])
    for suffix in ("parquet", "csv"):
        path = tmp_path / f"again.{suffix}"
        write_ledger(ledger, path)
        pd.testing.assert_series_equal(read_logs([path]).runs["task"], ledger.runs["task"])


def test_instances_and_task_ids_of_logs_are_tasks(tmp_path: Path) -> None:
    stats = {"instance_cost": 1.5, "tokens_sent": 90_000, "tokens_received": 4_000, "api_calls": 12}
    trajectory = {"trajectory": [{"action": "ls"}], "info": {"model_stats": stats}}
    line = {"id": "a", "task_id": "t7", "model": "claude-opus-4-6", "cost_usd": 0.5, "input_tokens": 10}
    metrics = {
        "accumulated_cost": 0.5,
        "accumulated_token_usage": {"prompt_tokens": 10, "completion_tokens": 5},
    }
    contents = {
        "astropy__astropy-12907.traj": trajectory,
        "usage.jsonl": line,
        "output.jsonl": {"instance_id": "django__django-1", "metrics": metrics},
    }
    for name, content in contents.items():
        (tmp_path / name).write_text(json.dumps(content) + "\n")
    tasks = {task for name in contents for task in read_logs([tmp_path / name]).runs["task"]}
    assert tasks == {"astropy__astropy-12907", "t7", "django__django-1"}


def coverage_of_tasks_to_come(is_sure: bool) -> float:
    """Return how often 80 % intervals from 20 tasks hold how many of 500 others are solved within three attempts.

    `is_sure`: the medians of both parameters are taken for certain.
    """
    rng = np.random.default_rng(11)
    held = []
    for _ in range(WORLDS):
        difficulty = abs(rng.normal(0, 4))
        solved = float(expit(rng.logistic() * np.sqrt(1 + 0.346 * difficulty**2)))
        hits, tries = outcomes(rng, solved, difficulty, stops=True, tasks=20)
        drawn = np.column_stack(solved_by_task(hits, tries, 200, rng))
        worlds = np.tile(np.median(drawn, axis=0), (200, 1)) if is_sure else drawn
        sample = [outcomes(rng, *world, stops=True, tasks=500)[0].sum() for world in worlds]
        truth = outcomes(rng, solved, difficulty, stops=True, tasks=500)[0].sum()
        low, high = np.quantile(sample, (0.1, 0.9))
        held.append(low <= truth <= high)
    return float(np.mean(held))


def test_twenty_tasks_tell_how_many_of_five_hundred_are_solved_and_how_surely() -> None:
    assert LOW <= coverage_of_tasks_to_come(is_sure=False) <= HIGH
    assert coverage_of_tasks_to_come(is_sure=True) < LOW
