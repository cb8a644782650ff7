"""What a pilot cannot do is refused before anything starts, by key, place and remedy; the rest is a note."""

from pathlib import Path

import pytest

from simbudget.pilot.run.what_cannot_run import what_cannot_run, what_differs
from simbudget.pilot.tasks.loading import load_task
from simbudget.scenario.loading import loads_scenario
from tests.pilot.test_agreement import ALL_FAIL, COMMON, IMPROVED, OWN_LIMITS, SIDE_BY_SIDE, TASK, TASKS
from tests.pilot.test_command_task import described

FLEET = "fleet: [{agents: 1%s}]\n"
CYCLE = "cycle: [{think: {turns: 1}}, {experiment: {time: 1 min}}, score]\n"


def said(folder: Path, text: str, task: str = "task.yaml") -> list[str]:
    described(folder)
    (folder / "solve.py").write_text("")
    (folder / "list.yaml").write_text(TASK % "")
    (folder / "open.yaml").write_text((TASK % "").replace("solved_from: 1", ""))
    loaded = loads_scenario(text, "s.yaml", folder)
    return [str(problem) for problem in what_cannot_run(loaded, load_task(task, 0, folder))]


@pytest.mark.parametrize(
    ("fleet", "more", "found"),
    [
        ("", "cycle: [{delegate: {agents: 2, turns: 3}}]", "`cycle.delegate[0]`: agents of a pilot have no sub-agents"),
        ("", "cycle: [{think: {turns: 2, model: claude-haiku-4-5}}]", "`cycle.think[0].model`: all steps"),
        ("", "cycle: [{think: {turns: 2, context: {first_prompt_tokens: 9}}}]", "`cycle.think[0].context`"),
        ("", "cycle: [{think: {turns: 2, service: batch}}]", "`cycle.think[0].service`: a pilot calls the standard"),
        (", service: batch", CYCLE, "`fleet[agents].service`"),
        (", start: {context_tokens: 5000}", CYCLE, "`fleet[agents].start.context_tokens`: agents of a pilot begin"),
        ("", CYCLE + "context: {when_full: restart}", "`context.when_full`: a pilot compacts full contexts"),
        ("", CYCLE + "context: {shared_prefix_tokens: 500}", "`context.shared_prefix_tokens`"),
        (
            "",
            CYCLE + "turn: {thinking_tokens: 9}\ncontext: {keeps_thinking: no}",
            "`context.keeps_thinking`: the provider keeps",
        ),
        ("", CYCLE + "api: {plan: {price: 200 $/month, week: {allows: $50}}}", "`api.plan`: a pilot pays list prices"),
        ("", CYCLE + "gpus: [{name: a, count: 1}, {name: b, count: 1}]", "`gpus`: a pilot has one pool of slots"),
        (
            "",
            CYCLE + "scorer: {model: claude-haiku-4-5, input_tokens: 100, output_tokens: 10}",
            "`scorer.model`: a pilot's submissions are scored by its task",
        ),
        ("", CYCLE + "tasks: {count: 3, solved: 50%}", "`tasks`: the task tiny is a single task"),
    ],
)  # fmt: skip
def test_a_key_that_a_pilot_cannot_do_is_refused_by_name(
    tmp_path: Path, fleet: str, more: str, found: str
) -> None:
    (only,) = said(tmp_path, FLEET % fleet + more)
    assert found in only
    assert "; " in only, "the remedy"


def test_a_refusal_names_the_line(tmp_path: Path) -> None:
    (only,) = said(tmp_path, FLEET % "" + CYCLE + "context:\n  lasts: cycle\n  when_full: restart\n")
    assert only.startswith("s.yaml:5: ")


def test_tasks_need_a_score_and_a_list_that_says_when_one_is_solved(tmp_path: Path) -> None:
    tasks = FLEET % "" + "tasks: {count: 3, solved: 50%}\n"
    assert said(tmp_path, tasks + CYCLE, "list.yaml") == []
    (only,) = said(tmp_path, tasks + CYCLE, "open.yaml")
    assert "add `solved_from: SCORE` to its file" in only
    (only,) = said(tmp_path, tasks + "cycle: [{think: {turns: 1}}]", "list.yaml")
    assert "add `- score`" in only


@pytest.mark.parametrize("text", [SIDE_BY_SIDE, ALL_FAIL, OWN_LIMITS, IMPROVED])
def test_what_a_pilot_can_do_is_not_refused(tmp_path: Path, text: str) -> None:
    assert said(tmp_path, COMMON + text % "claude-opus-4-6") == []


def test_what_is_replaced_by_something_real_is_a_note(tmp_path: Path) -> None:
    text = FLEET % ", crashes: {every: 5 h}" + CYCLE.replace("1 min", "1 min, polls: {every: 1 min}")
    text += "stop: {budget: $5, budget_counts: when billed}\nprices: {discount: {tokens: 15%}}\n"
    assert said(tmp_path, text) == []
    notes = list(what_differs(loads_scenario(text, "s.yaml", tmp_path).scenario))
    assert [note.split()[0] for note in notes] == ["the", "agents", "discounts", "calls"]


def test_a_scenario_of_tasks_is_run_on_a_list(tmp_path: Path) -> None:
    assert said(tmp_path, COMMON + TASKS % ("claude-opus-4-6", "50%", 2), "list.yaml") == []
