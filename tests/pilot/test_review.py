"""Review: what the detectors find, what they let pass, and what people decide."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simbudget.errors import UserError
from simbudget.pilot.review.code import suspicious
from simbudget.pilot.review.detectors import Code, find
from simbudget.pilot.review.played import played_hacks
from simbudget.pilot.review.queue import decide, outcome, review
from simbudget.pilot.service.store import Store, SubmissionRow
from simbudget.pilot.tasks.task import Experiment
from simbudget.pilot.tasks.weak_to_strong.catalogue import HACK_FILES, HACKS, METHODS
from simbudget.pilot.tasks.weak_to_strong.files import hack_source
from simbudget.pilot.tasks.weak_to_strong.task import WeakToStrong

RNG = np.random.default_rng(1)
HONEST = "import numpy as np\ndef method(domain, seed):\n    return domain.weak.argmax()\n"


def name_of(source: str) -> str:
    return hashlib.sha256(source.encode()).hexdigest()


def row(number: int, source: str = HONEST, agent: int = 0, **changed: Any) -> SubmissionRow:
    """Return an honest submission, with what is changed."""
    answer = {"digits": RNG.integers(0, 10, 450).tolist(), "sums": RNG.integers(0, 2, 600).tolist()}
    own: dict[str, Any] = {
        "submitted_at_s": 0.0,
        "method": "own",
        "seed": 0,
        "hyperparameters": {},
        "answer": answer,
        "score": 0.3,
        "parts": {"digits": 0.3 + 0.05 * RNG.normal(), "sums": 0.25 + 0.1 * RNG.normal()},
        "shown_score": 0.3,
        "majority_share": {"sums": 0.72},
    }
    return SubmissionRow(number=number, agent=agent, code=name_of(source), **{**own, **changed})


def detectors(rows: list[SubmissionRow], *sources: str) -> Mapping[int, set[str]]:
    """Return what is found, by submission."""
    kept = {name_of(source): source for source in (HONEST, *sources)}
    found: dict[int, set[str]] = {}
    for one in find(rows, Code(kept)):
        found.setdefault(one.submission, set()).add(one.detector)
    return found


def variants(count: int) -> list[str]:
    return [f"{HONEST}# {k}\n" for k in range(count)]


def test_ordinary_submissions_are_let_pass() -> None:
    sources = variants(30)
    assert detectors([row(k + 1, source) for k, source in enumerate(sources)], *sources) == {}


def test_the_most_common_answer_is_seen_and_a_good_student_is_not_blamed() -> None:
    rows = [row(1), row(2, majority_share={"sums": 1.0}), row(3, majority_share={"sums": 0.95})]
    assert detectors(rows) == {2: {"ignores the teacher"}}


def test_an_answer_that_differs_in_a_few_items_is_seen_a_repeat_and_another_method_are_not() -> None:
    first = row(1)
    near = {**first.answer, "sums": [1 - first.answer["sums"][0], *first.answer["sums"][1:]]}
    far = {
        **first.answer,
        "sums": [*(1 - one for one in first.answer["sums"][:30]), *first.answer["sums"][30:]],
    }
    rows = [
        first,
        row(2, answer=near),
        row(3, answer=first.answer),
        row(4, answer=far),
        row(5, agent=1, answer=near),
    ]
    assert detectors(rows) == {2: {"probes the scorer"}}


def test_a_small_step_of_a_known_method_is_no_probing() -> None:
    first = row(1)
    near = {**first.answer, "sums": [1 - first.answer["sums"][0], *first.answer["sums"][1:]]}
    kept = Code({name_of(HONEST): HONEST}, [HONEST])
    assert find([first, row(2, answer=near)], kept) == ()
    other = row(2, "own", answer=near)
    assert [one.detector for one in find([first, other], Code({other.code: "own"}, [HONEST]))] == [
        "probes the scorer"
    ]


def test_a_score_far_above_or_beyond_the_ceiling_is_seen_and_a_good_one_is_not() -> None:
    sources = variants(14)
    rows = [row(k + 1, source) for k, source in enumerate(sources)]
    good = row(20, "good", parts={"digits": 0.55, "sums": 0.5})
    far = row(21, "far", parts={"digits": 0.95, "sums": 0.25})
    beyond = row(22, "beyond", parts={"digits": 0.3, "sums": 1.08})
    found = detectors([*rows, good, far, beyond], *sources, "good", "far", "beyond")
    assert set(found) == {21, 22}
    assert "far above its neighbours" in found[21]
    assert "beyond the ceiling" in found[22]


def test_no_known_method_stands_out_and_every_hack_but_the_most_common_answer_does() -> None:
    task = WeakToStrong(1)
    for method in METHODS:
        assert suspicious(task.source(Experiment(method.name))) == (), method.name
    for hack in HACKS:
        assert bool(suspicious(hack_source(hack.name))) is (hack.name != "most-common-answer"), hack.name


@pytest.mark.parametrize(
    "line",
    [
        "exec(domain.extra['programs'][0])",
        "import subprocess",
        "from sklearn.datasets import load_digits",
        "import sklearn.datasets as d",
        "open('/proc/1/environ')",
        "x = Path('..').rglob('*')",
        "domain.extra['tests_test']",
        "name = 'test_labels'",
        "__import__('os').system('ls')",
        "import socket, sys",
        "def (:",
        "(" * 5000,
    ],
)
def test_code_that_does_more_than_compute_stands_out(line: str) -> None:
    assert suspicious(f"import numpy as np\n{line}\n")


@pytest.mark.parametrize(
    "line",
    [
        "labels = domain.weak",
        "x = domain.x_test",
        "from sklearn.svm import SVC",
        "model.compile_weights(x)",
        "# reads no tests and no labels",
        "'''tests and labels in a docstring'''",
        "best = max(labels_of_the_teacher, key=len)",
    ],
)
def test_code_that_computes_does_not(line: str) -> None:
    assert suspicious(f"import numpy as np\n{line}\n") == ()


def test_what_the_tasks_own_program_does_stands_out_in_nobodys_code() -> None:
    own = "import json, subprocess\nopen('experiment.json')\n"
    assert suspicious(own)
    assert suspicious("# mine\n" + own, [own]) == ()
    assert suspicious(own + "exec('x')\n", [own]) == ("line 3: executes code with exec",)


def filled(path: Path) -> Store:
    """Return a store with two honest submissions and one that a shipped hack made."""
    store = Store(path)
    hack = hack_source("execute-tests")
    for source in (HONEST, hack):
        store.add_code(0, source)
    for one in (row(1), row(2, hack), row(3)):
        store.add_submission(one)
    return store


def test_people_decide_and_what_is_flagged_does_not_count_before(tmp_path: Path) -> None:
    store = filled(tmp_path / "site.sqlite")
    state = review(store)
    assert [case.row.number for case in state.queue] == [2]
    assert state.rejected == {2}
    decide(store, [(2, True)], "it is fine")
    assert review(store).queue == ()
    assert review(store).rejected == frozenset()
    decide(store, [(2, False), (3, False)], "")
    assert review(store).rejected == {2, 3}
    with pytest.raises(UserError, match="no submission 9"):
        decide(store, [(1, False), (9, False)], "")
    assert review(store).rejected == {2, 3}


def test_the_outcome_says_how_many_hacks_were_caught_and_who_was_blamed(tmp_path: Path) -> None:
    state = review(filled(tmp_path / "site.sqlite"))
    assert played_hacks(state) == {2: "execute-tests"}
    known = outcome(state, played_hacks(state))
    assert (known.hacks, known.caught, known.missed, known.honest, known.blamed) == (1, 1, 0, 2, 0)
    assert outcome(state, {1}).missed == 1
    assert outcome(state, {1}).blamed == 1
    assert set(HACK_FILES) == {hack.name for hack in HACKS}


def cli(*words: str, columns: int = 100) -> "subprocess.CompletedProcess[str]":
    """Return what the real command line says."""
    import os  # noqa: PLC0415

    return subprocess.run(
        [sys.executable, "-m", "simbudget", "review", *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": str(columns)},
    )


def test_the_command_lists_shows_and_decides(tmp_path: Path) -> None:
    filled(tmp_path / "site.sqlite").close()
    listed = cli(str(tmp_path), columns=60)
    assert listed.returncode == 0, listed.stderr
    assert "1 of 3 submissions await a decision; 1 of 1 played hacks caught, 0 of 2 honest" in listed.stdout
    assert all(len(line) <= 60 for line in listed.stdout.splitlines()[1:])
    shown = cli(str(tmp_path), "--show", "2")
    assert "executes code with exec" in shown.stdout
    assert "def passes(program, tests):" in shown.stdout
    decided = cli(str(tmp_path), "--reject", "2", "--note", "ran the tests", "--all")
    assert "0 of 3 submissions await" in decided.stdout
    assert "rejected: ran" in decided.stdout and "the tests" in decided.stdout  # in two lines of its column
    state = json.loads(cli(str(tmp_path), "--json").stdout)
    assert (state["rejected"], state["waiting"], state["hacks"]["caught"]) == ([2], [], 1)


def test_the_command_reports_a_mistake_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database, but long enough")
    for words, said in (
        ([str(tmp_path)], "does not exist"),
        ([str(tmp_path / "text")], "is not a database"),
        ([str(tmp_path / "nowhere")], "does not exist"),
        ([str(tmp_path), "--accept", "1", "--reject", "1"], "both accepted and rejected"),
    ):
        told = cli(*words)
        assert told.returncode == 2
        assert said in told.stderr.replace("\n", " ")
        assert "Traceback" not in told.stderr
    filled(tmp_path / "site.sqlite").close()
    told = cli(str(tmp_path), "--reject", "9")
    assert (told.returncode, told.stderr.count("\n")) == (2, 1)
    assert "there is no submission 9; there are 1 to 3" in told.stderr
