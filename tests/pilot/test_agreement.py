"""A pilot and the simulation of the same scenario, without randomness, agree on what happened, count by count."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from simbudget.ledger.store import LedgerStore
from tests.pilot.provider import MODEL
from tests.pilot.test_pilot import pilot

PROGRAM = """
import json, sys, time
task = json.load(open("experiment.json")).get("task", 0)
time.sleep(0.2)
if "--fails" in sys.argv:
    sys.exit(1)
print("metric:", 1 if task % 2 == 0 else 0)
"""
TASK = """
name: half
what: Every other task can be solved.
files: [solve.py]
run: [python, solve.py, "{task}"%s]
metric: '^metric: (.*)'
direction: maximise
solved_from: 1
"""
COMMON = f"""
simbudget: 1
turn: {{output_tokens: 60, tool_result_tokens: 100, tool_time: 1 s}}
context: {{first_prompt_tokens: 2000}}
models: {{{MODEL}: {{first_token: 1 s, output_speed: 60 tokens/s}}}}
prices: {{on: 2026-06-01}}
scorer: {{time: 1 s, price: 0.01 $/call}}
gpus: {{count: 1, price: 2 $/h, billing: on demand}}
"""
SIDE_BY_SIDE = """
fleet: [{agents: 2, model: %s}]
cycle:
  - think: {turns: 3}
  - experiment: {at_once: 3, wait_for: 2, time: 12 s}
  - score: {each: yes}
  - think: {turns: 2, if: succeeded}
  - experiment: {time: 12 s, if: failed}
  - share: {if: succeeded}
stop: {after: 1 day, cycles_per_agent: 2}
"""
IMPROVED = """
fleet: [{agents: 1, model: %s}]
cycle: [{think: {turns: 2}}, {experiment: {time: 12 s}}, score, {think: {turns: 3, if: improved}}]
stop: {after: 1 day, cycles_per_agent: 3}
"""
ALL_FAIL = """
fleet: [{agents: 1, model: %s}]
cycle:
  - think: {turns: 2}
  - experiment: {attempts: 2, time: 12 s, fails: 100%%}
  - think: {turns: 1, if: failed}
  - think: {turns: 4, if: succeeded}
  - think: {turns: 1}
  - experiment: {attempts: 1, on_failure: end cycle, time: 12 s, fails: 100%%}
  - share
stop: {after: 1 day, cycles_per_agent: 2}
"""
TASKS = """
fleet: [{agents: 2, model: %s}]
tasks: {count: 6, attempts: 2, solved: %s, limit: {turns: 5}}
cycle:
  - think: {turns: 2}
  - experiment: {time: 12 s}
  - think: {turns: %s}
  - score
stop: {after: 1 day}
"""
OWN_LIMITS = """
fleet: [{agents: 2, model: %s, stop: {turns: 7}}]
cycle: [{think: {turns: 3}}, {experiment: {time: 12 s}}, score]
stop: {after: 1 day}
"""


def piloted(folder: Path, scenario: str, *, fails: bool = False) -> dict[str, Any]:
    """Return the summary of a pilot of a scenario, over a task whose every other instance can be solved."""
    (folder / "solve.py").write_text(PROGRAM)
    (folder / "half.yaml").write_text(TASK % (", --fails" if fails else ""))
    (folder / "s.yaml").write_text(COMMON + scenario)
    ran = pilot(
        folder / "s.yaml", "--out", str(folder / "out"), "--task", "half.yaml", "--for", "5min", "--json"
    )
    assert ran.returncode == 0, ran.stderr
    summary: dict[str, Any] = json.loads(ran.stdout)
    assert summary["reconciliation"]["agrees"]
    return summary


def simulated(folder: Path) -> dict[str, Any]:
    """Return the summary of the projection of the same scenario."""
    command = [
        sys.executable,
        "-m",
        "simbudget",
        "project",
        str(folder / "s.yaml"),
        "--json",
        "--engine",
        "reference",
    ]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600)
    summary: dict[str, Any] = json.loads(ran.stdout)
    return summary


def counts(summary: dict[str, Any]) -> dict[str, float]:
    """Return the counts of a pilot, or of a projection in which nothing is random."""
    scorings = "scorer_calls" if "scorer_calls" in summary else "submissions"
    names = ("model_calls", "experiments", "jobs", "jobs_cancelled", scorings)
    found = {name if name != "submissions" else "scorer_calls": summary[name] for name in names}
    tasks = summary.get("tasks") or {}
    found |= {f"tasks {name}": tasks[name] for name in ("attempts", "solved") if tasks}
    return {name: value["mean"] if isinstance(value, dict) else value for name, value in found.items()}


def test_jobs_side_by_side_and_conditions_happen_as_they_are_simulated(tmp_path: Path) -> None:
    summary = piloted(tmp_path, SIDE_BY_SIDE % MODEL)
    assert counts(summary) == counts(simulated(tmp_path))
    # Two agents of two cycles: five turns and a post each, and three jobs, of which the last is cancelled.
    by_hand = {"model_calls": 4 * 6, "experiments": 8, "jobs": 8, "jobs_cancelled": 4, "scorer_calls": 8}
    assert counts(summary) == by_hand


def test_a_step_that_asks_for_an_improvement_is_done_when_a_score_beats_all_that_are_known(
    tmp_path: Path,
) -> None:
    summary = piloted(tmp_path, IMPROVED % MODEL)
    assert summary["submissions"] == 3, "all of the same score, of which only the first is an improvement"
    assert summary["model_calls"] == 3 * 2 + 3


def test_failed_jobs_are_tried_again_and_end_the_cycle_as_they_are_simulated(tmp_path: Path) -> None:
    summary = piloted(tmp_path, ALL_FAIL % MODEL, fails=True)
    assert counts(summary) == counts(simulated(tmp_path))
    assert summary["experiments_failed"] == 2 * (2 + 1), "attempts, of which two belong to one job"


@pytest.mark.parametrize(("turns", "solved"), [(2, 3), (4, 0)])
def test_attempts_at_tasks_are_those_simulated_and_the_ledger_names_them(
    tmp_path: Path, turns: int, solved: int
) -> None:
    # Every other task can be solved, so each half is simulated by itself. With four more turns, the limit of an
    # attempt is reached before its score.
    summary = piloted(tmp_path, TASKS % (MODEL, "50%", turns))
    halves = []
    for share, count in (("100%", 3), ("0%", 3)):
        text = TASKS % (MODEL, share, turns)
        (tmp_path / "s.yaml").write_text(COMMON + text.replace("count: 6", f"count: {count}"))
        halves.append(counts(simulated(tmp_path)))
    assert counts(summary) == {name: halves[0][name] + halves[1][name] for name in halves[0]}
    assert summary["tasks"]["solved"] == solved
    assert summary["ended_because"] == "tasks"
    with LedgerStore(tmp_path / "out" / "ledger.sqlite") as store:
        attempts = store.query(
            "SELECT a.task, count(DISTINCT a.attempt), count(*) FROM entries AS e JOIN task_attempts AS a ON a.agent"
            " = e.agent AND a.cycle = e.cycle AND a.task = e.task_number AND a.attempt = e.attempt"
            " WHERE e.kind = 'call' GROUP BY a.task ORDER BY a.task"
        )
        waits = store.query("SELECT duration_s FROM entries WHERE kind = 'wait'")
    assert [task for task, _, _ in attempts] == list(range(6))
    assert all(waited_s > 1.0 for (waited_s,) in waits), (
        "only who waited for a task has an entry that says so"
    )
    assert sum(calls for _, _, calls in attempts) == summary["model_calls"]
    assert sum(number for _, number, _ in attempts) == summary["tasks"]["attempts"]


def test_an_agents_own_limit_ends_it_in_a_pilot_as_in_the_simulation(tmp_path: Path) -> None:
    summary = piloted(tmp_path, OWN_LIMITS % MODEL)
    assert counts(summary) == counts(simulated(tmp_path))
    assert summary["model_calls"] == 2 * 7
    assert summary["ended_because"] == "its limit of turns"
