"""What comes from strangers: text that hides itself, scenarios that are code, paths that lead out, damaged stores."""

import json
import os
import random
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from socket import create_server
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import urlopen

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from simbudget.errors import UserError, visible
from simbudget.ledger.store import LedgerStore
from simbudget.pilot.service.store import Store, SubmissionRow
from simbudget.scenario.language import trust as trusting
from simbudget.scenario.language.trust import Trust, comes_from_a_fork, trust
from simbudget.scenario.loading import load_scenario

HIDING = "fine\x1b[2K\x1b]0;title\x07\u202egnihtyna\u2066\x9b1A\rover\u200b"
"""Erases its line, sets a title, shows itself from right to left, moves up, goes back, and has no width."""

OWN_STEP = """
simbudget: 1
fleet: [{agents: 1}]
cycle: [{python: {file: FILE, function: warm_up}}, {think: {turns: 1}}]
stop: {after: 1 h, cycles_per_agent: 1}
"""
STEPS = "open('ran', 'w')\ndef warm_up(agent):\n    yield from agent.line.turn()\n"
PLAIN = "simbudget: 1\nfleet: [{agents: 1}]\ncycle: [{think: {turns: COUNT}}]\nstop: {after: 1 h}\n"


@pytest.fixture(autouse=True)
def as_at_the_start() -> Iterator[None]:
    yield
    trusting._allowed = Trust()


def simbudget(folder: Path, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "simbudget", *words],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )


def assert_one_line(done: "subprocess.CompletedProcess[str]", *said: str) -> None:
    assert done.returncode == 2, done
    *before, last = done.stderr.splitlines()
    assert last.startswith("error: ")
    assert all(line.startswith("Compiling (once") for line in before), done.stderr
    assert "Traceback" not in done.stderr
    for one in said:
        assert one in done.stderr


# Text that would hide itself.


def test_nothing_hides_in_a_text_that_is_made_visible() -> None:
    shown = visible(HIDING)
    assert shown.isprintable()
    assert r"\x1b[2K" in shown
    assert r"\u202e" in shown
    assert visible("plain, naïve, 漢字\n\ttabbed") == "plain, naïve, 漢字\n\ttabbed"
    assert not HIDING.isprintable(), "raw, it is what a terminal would obey"


def submission(number: int, **changed: object) -> SubmissionRow:
    own: dict[str, object] = {
        "number": number, "agent": 0, "submitted_at_s": 1.0, "method": "own", "seed": 0, "hyperparameters": {},
        "code": "", "answer": {"a": [number, 2]}, "score": 0.5, "parts": {"a": 0.5}, "shown_score": 0.5,
        "majority_share": {"a": 1.0},
    }  # fmt: skip
    return SubmissionRow(**{**own, **changed})  # type: ignore[arg-type]


def pilot_folder(folder: Path) -> Path:
    """Return a folder with the site of a pilot whose agent would hide what it did."""
    store = Store(folder / "site.sqlite")
    code = store.add_code(0, f"labels = open('labels.csv')  # {HIDING}\nexec('x')\n")
    with store.change():
        for number in range(1, 4):
            store.add_submission(
                submission(number, code=code, method=HIDING, hyperparameters={HIDING: HIDING})
            )
    store.decide(1, False, HIDING)
    store.close()
    return folder


def test_review_shows_what_an_agent_wrote_and_does_not_obey_it(tmp_path: Path) -> None:
    pilot_folder(tmp_path)
    for words in ((), ("--all",), ("--show", "2"), ("--json",)):
        done = simbudget(tmp_path, "review", ".", *words)
        assert done.returncode == 0, done.stderr
        for line in done.stdout.split("\n"):
            assert line.isprintable(), line
    assert r"\u202e" in simbudget(tmp_path, "review", ".", "--show", "2").stdout


def test_an_error_and_a_table_show_a_name_and_do_not_obey_it(tmp_path: Path) -> None:
    name = tmp_path / f"a{HIDING}.yaml".replace("/", "")
    name.write_text(PLAIN.replace("COUNT", f"'{HIDING[1:4]}'"))
    done = simbudget(tmp_path, "check", str(name))
    assert done.returncode == 2
    assert all(line.isprintable() for line in done.stderr.split("\n")), done.stderr
    name.write_text(PLAIN.replace("COUNT", "3"))
    done = simbudget(tmp_path, "check", str(name))
    assert all(line.isprintable() for line in (done.stdout + done.stderr).split("\n"))


def on_a_terminal(folder: Path, *words: str) -> str:
    """Run a command whose output goes to a terminal, and return everything that is written there."""
    master, slave = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "simbudget", *words], cwd=folder, stdin=slave, stdout=slave, stderr=slave
    )
    os.close(slave)
    said = bytearray()
    with suppress(OSError):  # which is how a terminal says that nobody writes to it any more
        while some := os.read(master, 65536):
            said += some
    os.close(master)
    process.wait(60)
    return said.decode("utf-8", "replace")


def test_names_of_logs_are_shown_and_not_obeyed_on_a_terminal_where_progress_is_shown(tmp_path: Path) -> None:
    log = json.dumps(
        {"type": "assistant", "sessionId": "s", "requestId": "r", "timestamp": "2026-11-01T10:00:00Z",
         "message": {"id": "m", "role": "assistant", "model": "claude-opus-4-6", "content": [],
                     "usage": {"input_tokens": 100, "output_tokens": 5}}}
    )  # fmt: skip
    hiding = HIDING.replace("/", "")
    for name in (hiding, "plain"):
        (tmp_path / "logs" / name / "[").mkdir(parents=True)
        (tmp_path / "logs" / name / "[" / "x].jsonl").write_text(log)
    for words in (("usage", "logs"), ("import", "logs", "-o", f"{hiding}.parquet"), ("usage", f"{hiding}")):
        said = on_a_terminal(tmp_path, *words)
        assert "Traceback" not in said, said
        plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said)
        raw = [character for character in HIDING if not character.isprintable() and character not in "\x1b\r"]
        assert not [character for character in raw if character in plain], words
        assert "\x1b]" not in plain


# Scenarios that are code, and paths that lead out.


def with_steps(folder: Path, file: str = "steps.py", where: Path | None = None) -> Path:
    (where or folder / "steps.py").write_text(STEPS)
    path = folder / "scenario.yaml"
    path.write_text(OWN_STEP.replace("FILE", file))
    return path


def test_check_says_which_code_a_scenario_runs_and_does_not_run_it(tmp_path: Path) -> None:
    with_steps(tmp_path)
    done = simbudget(tmp_path, "check", "scenario.yaml")
    assert done.returncode == 0
    said = " ".join(done.stdout.split())
    assert "function `warm_up` of steps.py: code, with all the rights of the user who runs it" in said
    assert not (tmp_path / "ran").exists()


def test_without_python_a_scenario_with_code_is_refused_by_every_command(tmp_path: Path) -> None:
    with_steps(tmp_path)
    for words in (("check",), ("project",), ("report", "--markdown"), ("trace",)):
        done = simbudget(tmp_path, words[0], "scenario.yaml", *words[1:], "--no-python")
        assert_one_line(done, "steps.py is code", "--python")
    assert not (tmp_path / "ran").exists()


def test_in_a_pull_request_from_a_fork_code_is_off_unless_told(tmp_path: Path) -> None:
    with_steps(tmp_path)
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"pull_request": {"head": {"repo": {"full_name": "stranger/simbudget"}}}}))
    stranger = {
        "GITHUB_EVENT_NAME": "pull_request",
        "GITHUB_EVENT_PATH": str(event),
        "GITHUB_REPOSITORY": "team/plans",
    }
    assert_one_line(simbudget(tmp_path, "check", "scenario.yaml", **stranger), "steps.py is code")
    assert simbudget(tmp_path, "check", "scenario.yaml", "--python", **stranger).returncode == 0
    assert comes_from_a_fork({**stranger, "GITHUB_EVENT_PATH": str(tmp_path / "none")})
    assert not comes_from_a_fork({**stranger, "GITHUB_REPOSITORY": "stranger/simbudget"})
    assert not comes_from_a_fork({"GITHUB_EVENT_NAME": "push"})
    gitlab: Mapping[str, str] = {"CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "1", "CI_PROJECT_ID": "2"}
    assert comes_from_a_fork(gitlab)
    assert not comes_from_a_fork({**gitlab, "CI_PROJECT_ID": "1"})


def test_code_and_columns_outside_the_scenarios_folder_are_refused_unless_told(tmp_path: Path) -> None:
    inside = tmp_path / "plan"
    inside.mkdir()
    outside = tmp_path / "steps.py"
    outside.write_text(STEPS)
    (inside / "link.py").symlink_to(outside)
    for file in ("../steps.py", str(outside), "link.py"):
        (inside / "scenario.yaml").write_text(OWN_STEP.replace("FILE", file))
        with pytest.raises(UserError, match="outside the scenario's folder"):
            load_scenario(inside / "scenario.yaml")
    (tmp_path / "turns.csv").write_text("turns\n3\n4\n")
    (inside / "scenario.yaml").write_text(
        PLAIN.replace("COUNT", "{distribution: empirical, file: ../turns.csv, column: turns}")
    )
    with pytest.raises(UserError, match="outside the scenario's folder"):
        load_scenario(inside / "scenario.yaml")
    trust(leaves_folder=True)
    load_scenario(inside / "scenario.yaml")


def test_a_calibration_outside_the_scenarios_folder_is_refused_and_a_folder_or_a_bomb_is_none(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "scenario"
    (folder / "folder").mkdir(parents=True)
    (folder / "circle").symlink_to("circle")
    (tmp_path / "outside").write_bytes(b"")
    bomb = pa.table({"x": pa.array(np.zeros(2_000_000, dtype=np.int8))})
    pq.write_table(bomb.replace_schema_metadata({b"simbudget calibration": b"{}"}), folder / "bomb")
    assert (folder / "bomb").stat().st_size < 10_000
    plain = PLAIN.replace("COUNT", "1")
    for name, said in (
        ("../outside", "outside the scenario's folder"),
        ("/dev/zero", "outside the scenario's folder"),
        ("folder", "not a regular file"),
        ("circle", "not written by|no such file"),
        ("bomb", "more than 1,000,000 rows"),
        ("'a\\0b'", "calibrat"),
    ):
        (folder / "s.yaml").write_text(f"{plain}calibration: {name}\n")
        with pytest.raises(UserError, match=said):
            load_scenario(folder / "s.yaml")
    column = "{distribution: empirical, file: circle, column: hours}"
    (folder / "s.yaml").write_text(PLAIN.replace("COUNT", column))
    with pytest.raises(UserError, match="cannot be read"):
        load_scenario(folder / "s.yaml")
    trust(leaves_folder=True)
    (folder / "s.yaml").write_text(f"{plain}calibration: ../outside\n")
    with pytest.raises(UserError, match="not written by"):
        load_scenario(folder / "s.yaml")


@pytest.mark.parametrize(
    ("environment", "event", "is_a_strangers"),
    [
        ({"GITHUB_EVENT_NAME": "issue_comment"}, {"issue": {"pull_request": {}}}, True),
        ({"GITHUB_EVENT_NAME": "issue_comment"}, {"issue": {}}, False),
        ({"GITHUB_EVENT_NAME": "workflow_run"}, {"workflow_run": {"head_repository": {"full_name": "x/y"}}}, True),
        ({"GITHUB_EVENT_NAME": "workflow_run"}, {"workflow_run": {"head_repository": {"full_name": "a/b"}}}, False),
        ({"GITHUB_EVENT_NAME": "pull_request"}, {"pull_request": None}, True),
        ({"GITHUB_EVENT_NAME": "push"}, {}, False),
        ({"SYSTEM_PULLREQUEST_ISFORK": "True"}, {}, True),
        ({"CIRCLE_PR_REPONAME": "fork"}, {}, True),
        ({"CHANGE_FORK": "someone"}, {}, True),
        ({}, {}, False),
    ],
)  # fmt: skip
def test_what_starts_a_job_says_whether_strangers_may_have_written_what_it_reads(
    tmp_path: Path, environment: dict[str, str], event: dict[str, object], is_a_strangers: bool
) -> None:
    (tmp_path / "event.json").write_text(json.dumps(event))
    places = {"GITHUB_EVENT_PATH": str(tmp_path / "event.json"), "GITHUB_REPOSITORY": "a/b"}
    assert comes_from_a_fork({**environment, **places}) is is_a_strangers


def test_an_error_about_a_file_does_not_print_what_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("root:x:hunter2,password\nhunter2,hunter2\n")
    for column in ("turns", "password"):
        (tmp_path / "scenario.yaml").write_text(
            PLAIN.replace("COUNT", f"{{distribution: empirical, file: secret.csv, column: {column}}}")
        )
        with pytest.raises(UserError) as caught:
            load_scenario(tmp_path / "scenario.yaml")
        assert "hunter2" not in str(caught.value)


# Damaged stores.


def mutated(content: bytes, luck: random.Random) -> bytes:
    """Return a file with a few bytes changed, cut out, or gone from its end."""
    data = bytearray(content)
    for _ in range(luck.choice((1, 4, 40))):
        at = luck.randrange(len(data))
        kind = luck.random()
        if kind < 0.6:
            data[at] = luck.randrange(256)
        elif kind < 0.8:
            del data[at : at + luck.randrange(64)]
        else:
            data[at : at + 16] = bytes(16)
        if len(data) < 200:
            break
    return bytes(data[: luck.randrange(100, len(data) + 1)] if luck.random() < 0.2 else data)


def test_a_damaged_site_is_one_line_whatever_is_damaged(tmp_path: Path) -> None:
    from simbudget.pilot.review.queue import case_of, decide, open_store, review, source_of  # noqa: PLC0415

    whole = (pilot_folder(tmp_path) / "site.sqlite").read_bytes()
    luck, refused = random.Random(1), 0
    path = tmp_path / "damaged.sqlite"
    for _ in range(150):
        for old in tmp_path.glob("damaged.sqlite*"):
            old.unlink()
        path.write_bytes(mutated(whole, luck))
        try:
            store = open_store(path)
            state = review(store)
            for case in state.cases[:1]:
                source_of(store, case_of(state, case.row.number))
                decide(store, [(case.row.number, True)], "")
        except UserError as error:
            refused += 1
            assert "\n" not in str(error)
    assert refused > 20, "most of what is changed in a small database is noticed"


def test_wrong_types_in_a_site_are_one_line_of_the_command(tmp_path: Path) -> None:
    pilot_folder(tmp_path)
    for column, value in (("score", "'high'"), ("parts", "'[1'"), ("answer", "'3'"), ("method", "x'ff'")):
        store = Store(tmp_path / "site.sqlite")
        store._connection.execute(f"update submissions set {column} = {value} where number = 2")
        store.close()
        assert_one_line(simbudget(tmp_path, "review", "."), "damaged")
        pilot = Store(tmp_path / "site.sqlite")
        pilot._connection.execute(
            "update submissions set score = 0.5, parts = '{}', answer = '{}', method = 'm'"
        )
        pilot.close()


def test_a_damaged_ledger_is_one_line_of_each_command_that_reads_it(tmp_path: Path) -> None:
    with LedgerStore(tmp_path / "ledger.sqlite") as store:
        store._execute("create table filler (x)")
        store._execute("insert into filler values (?)", [b"x" * 40_000])
    whole = (tmp_path / "ledger.sqlite").read_bytes()
    (tmp_path / "ledger.sqlite").write_bytes(whole[:4096] + os.urandom(8192) + whole[12288:])
    done = simbudget(tmp_path, "import", "ledger.sqlite", "-o", "out.parquet")
    assert_one_line(done)


@contextmanager
def dask_s_usual_port_taken() -> Iterator[None]:
    """As when another cluster runs here: Dask then warns, and in these tests a warning is an error."""
    with ExitStack() as held:
        with suppress(OSError):  # taken already, by somebody else
            held.enter_context(create_server(("", 8787)))
        yield


@pytest.mark.skipif(find_spec("cryptography") is None, reason="the extra dask is not installed whole")
def test_a_cluster_of_this_machine_speaks_to_nobody_without_its_certificate() -> None:
    from distributed import Client  # noqa: PLC0415

    from simbudget.projection.executors import cluster  # noqa: PLC0415

    with dask_s_usual_port_taken(), cluster._local_cluster(1) as local:
        assert local.scheduler_address.startswith("tls://")
        assert local.scheduler.http_server.address == "127.0.0.1"
        host = urlsplit(local.scheduler_address).hostname
        for page in ("status", "json/counts.json", "metrics", "info/main/workers.html"):
            with pytest.raises(HTTPError, match="404"):
                urlopen(f"http://{host}:{local.scheduler.http_server.port}/{page}", timeout=5)
        with pytest.raises((OSError, TypeError)):
            Client(local.scheduler_address, timeout=2, set_as_default=False)
        with Client(local, set_as_default=False) as client:
            assert client.submit(sum, (1, 2)).result(timeout=60) == 3
