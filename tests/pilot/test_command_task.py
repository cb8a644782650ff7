"""Tasks that run a described command: an autoresearch-style train.py against a metric it prints."""

import asyncio
from pathlib import Path

import pytest

from simbudget.errors import UserError
from simbudget.pilot.sandbox.sandbox import Sandbox
from simbudget.pilot.tasks.loading import load_task
from simbudget.pilot.tasks.task import Answer, Experiment, MalformedAnswerError, NoAnswerError

TRAIN = """
import json, sys
lr = float(sys.argv[1]); held_out = "--held-out" in sys.argv
seed = json.load(open("experiment.json"))["seed"]
print("step 1 val_bpb: 9.9")
print(f"val_bpb: {1 + (lr - 0.3) ** 2 + seed / 1e6 + (0.5 if held_out else 0)}")
"""
DESCRIBED = r"""
name: tiny
what: Lower val_bpb by changing train.py.
files: [train.py, data]
run: [python, train.py, "{lr}"]
metric: '^val_bpb:\s*([0-9.]+)'
direction: minimise
baseline: 1.09
edits: train.py
knobs: {lr: {low: 0.01, high: 1, default: 0.6, logarithmic: true}}
gates: [{name: other data, run: [python, train.py, "{lr}", --held-out], files: [secret.txt], smallest_effect: 0.01}]
"""


def described(folder: Path, text: str = DESCRIBED) -> Path:
    """Return the path of a description, with its files beside it."""
    (folder / "train.py").write_text(TRAIN)
    (folder / "data").mkdir(exist_ok=True)
    (folder / "data" / "in.txt").write_text("x")
    (folder / "secret.txt").write_text("held out")
    (folder / "task.yaml").write_text(text)
    return folder / "task.yaml"


def answer(folder: Path, experiment: Experiment) -> Answer:
    """Return what an experiment finds in a sandbox."""
    task = load_task("task.yaml", 0, folder)
    box = Sandbox(folder / "sandbox", kind=None)
    box.write(task.public_files())
    box.write(task.experiment_files(experiment))
    done = asyncio.run(box.run(task.command(experiment), 30))
    assert done.ok, done
    return task.read_answer(done.stdout, box.read(task.answer_file))


def test_an_experiment_runs_and_its_last_metric_is_scored_as_an_improvement(tmp_path: Path) -> None:
    described(tmp_path)
    task = load_task("task.yaml", 0, tmp_path)
    assert set(task.public_files()) == {"train.py", "data/in.txt"}
    assert task.scorer().score(answer(tmp_path, Experiment("program"))).value == pytest.approx(0)
    better = answer(tmp_path, Experiment("program", {"lr": 0.3}))
    assert task.scorer().score(better).value == pytest.approx(0.09)
    own = "print('val_bpb: 0.5')"
    assert answer(tmp_path, Experiment("mine", code=own)) == {"metric": 0.5}
    assert task.source(Experiment("mine", code=own)) == own
    assert "val_bpb" in task.source(Experiment("program"))


def test_a_gate_compares_with_the_program_as_it_is_on_files_that_agents_do_not_see(tmp_path: Path) -> None:
    described(tmp_path)
    (gate,) = load_task("task.yaml", 0, tmp_path).gates()
    trials = gate.trials(Experiment("program", {"lr": 0.3}))
    assert len(trials) == 6
    assert all("secret.txt" in trial.files for trial in trials)
    assert [trial.command[2] for trial in trials] == ["0.3"] * 3 + ["0.6"] * 3
    assert gate.judge([{"metric": m} for m in (1.0, 1.01, 1.0, 1.1, 1.12, 1.1)]).passed
    assert not gate.judge([{"metric": m} for m in (1.1, 1.01, 1.3, 1.1, 1.12, 1.1)]).passed
    assert not gate.judge([None] * 6).passed


@pytest.mark.parametrize(
    ("stdout", "wrong"),
    [("", "no line"), ("val_bpb: .\n", "not a number"), ("val_bpb: 1.2.3\n", "not a number")],
)
def test_output_without_a_metric_is_no_answer(tmp_path: Path, stdout: str, wrong: str) -> None:
    with pytest.raises(NoAnswerError, match=wrong):
        load_task("task.yaml", 0, described(tmp_path).parent).read_answer(stdout, None)


@pytest.mark.parametrize(
    "sent", [{}, {"metric": "1"}, {"metric": True}, {"metric": float("nan")}, {"metric": 1, "x": 2}]
)
def test_a_malformed_metric_is_refused(tmp_path: Path, sent: Answer) -> None:
    with pytest.raises(MalformedAnswerError):
        load_task("task.yaml", 0, described(tmp_path).parent).scorer().score(sent)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (DESCRIBED.replace("direction: minimise", "direction: down"), r"task\.yaml:7:1: direction"),
        (DESCRIBED.replace("baseline", "base_line"), r"task\.yaml:8:1: .*`base_line`.* `baseline`"),
        (DESCRIBED.replace("default: 0.6", "defalt: 0.6"), r"task\.yaml:10:.*`defalt`.* `default`"),
        (DESCRIBED.replace("default: 0.6", "defalt: 0.6"), r"task\.yaml:10:.*`default` is missing"),
        (DESCRIBED.replace("[0-9.]+)", "[0-9.]+"), r"task\.yaml:6:1: metric"),
        (DESCRIBED.replace("secret.txt", "nowhere.txt"), "no nowhere.txt"),
        (DESCRIBED.replace("default: 0.6", "default: high"), r"task\.yaml:10:.*knobs\.lr\.default"),
        (
            DESCRIBED.replace("files: [train.py, data]", "files: [../outside, data]"),
            "leads out of its folder",
        ),
        ("", "a task is keys"),
        ("- a\n- b\n", "a task is keys"),
        ("name: [", "task.yaml"),
    ],
)
def test_a_wrong_description_is_told_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    described(tmp_path, text)
    with pytest.raises(UserError, match=said):
        load_task("task.yaml", 0, tmp_path)


@pytest.mark.parametrize(
    "name", ["weak-to-srong", "no.such.module:Task", "json:JSONDecoder", "nowhere.yaml", ":", ""]
)
def test_a_task_that_is_not_there_is_told(tmp_path: Path, name: str) -> None:
    with pytest.raises((UserError, OSError)):
        load_task(name, 0, tmp_path)
