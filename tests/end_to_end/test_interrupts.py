"""Ctrl-C ends a command within two seconds, in one line, with status 130, and keeps what there is."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from simbudget import interrupts

LONG = """
simbudget: 1
fleet: [{agents: 100000}]
cycle: [{think: {turns: 3}}]
stop: {after: 60 days}
"""
"""One replication takes minutes."""

SHORT = """
simbudget: 1
fleet: [{agents: 30}]
cycle: [{think: {turns: 30 to 60}}]
stop: {after: 10 days}
"""
"""One takes part of a second, and many are made."""

MOST_S = 2.0


def interrupted(
    folder: Path, after_s: float, *words: str
) -> tuple[float, "subprocess.CompletedProcess[str]"]:
    """Interrupt a command after a while; return how long it then took to end, and how it did."""
    process = subprocess.Popen(
        [sys.executable, "-m", "simbudget", *words],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    time.sleep(after_s)
    assert process.poll() is None, process.communicate()
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    said, wrong = process.communicate(timeout=60)
    return time.monotonic() - began, subprocess.CompletedProcess(words, process.returncode, said, wrong)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_replication_of_minutes_is_broken_off(tmp_path: Path, workers: str) -> None:
    (tmp_path / "long.yaml").write_text(LONG)
    took_s, done = interrupted(tmp_path, 12, "project", "long.yaml", "--workers", workers, "--quiet")
    assert took_s < MOST_S
    assert done.returncode == interrupts.STATUS
    assert done.stderr.strip().splitlines()[-1] == "interrupted"
    assert "Traceback" not in done.stderr


def test_commands_that_are_at_something_else_end_as_soon(tmp_path: Path) -> None:
    (tmp_path / "long.yaml").write_text(LONG)
    for words in (
        ("trace", "long.yaml"),
        ("sensitivity", "long.yaml"),
        ("report", "long.yaml", "--markdown"),
    ):
        took_s, done = interrupted(tmp_path, 6, *words)
        assert took_s < MOST_S, words
        assert done.returncode == interrupts.STATUS
        assert "Traceback" not in done.stderr


STARTED = """
import signal
from simbudget.cli.start import main

handle = signal.signal

def noted(*which):
    signal.signal = handle
    handle(*which)
    print("started", flush=True)

signal.signal = noted
main()
"""
"""The command line; it says when it handles interrupts: before that, Python itself is starting."""

LOG = Path(__file__).parents[1] / "data" / "logs" / "pi-autoresearch"


@pytest.mark.parametrize(
    "words",
    [
        ("project", "short.yaml"),
        ("compare", "short.yaml", "long.yaml"),
        ("sensitivity", "short.yaml"),
        ("plan", "short.yaml", "--vary", "agents=1:5", "--for", "spend"),
        ("import", str(LOG), "-o", "x.parquet"),
        ("usage", str(LOG)),
        ("calibrate", "short.yaml", str(LOG), "-o", "c.yaml"),
        ("forecast", str(LOG)),
        ("watch", str(LOG)),
        ("backtest", str(LOG)),
        ("review", "pilot"),
        ("pilot", "short.yaml", "--out", "out"),
    ],
    ids=lambda words: words[0],
)
def test_a_command_ends_in_one_line_at_whatever_moment_of_its_beginning(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    (tmp_path / "long.yaml").write_text(LONG)
    (tmp_path / "short.yaml").write_text(SHORT)
    ended = []
    for after_s in (0.0, 0.1, 0.4):
        process = subprocess.Popen(
            [sys.executable, "-c", STARTED, *words],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        time.sleep(after_s)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)  # as a terminal does
            ended.append((process.communicate(timeout=60)[1].strip(), process.returncode))
        else:
            process.communicate()
    assert ended
    assert set(ended) == {("interrupted", interrupts.STATUS)}
    assert {path.name for path in tmp_path.iterdir()} == {"long.yaml", "short.yaml"}, (
        "nothing half-made is left"
    )


def test_what_was_done_before_is_shown(tmp_path: Path) -> None:
    (tmp_path / "short.yaml").write_text(SHORT)
    words = ("project", "short.yaml", "--json", "--replications", "100000")
    warm = [sys.executable, "-m", "simbudget", *words[:2], "--replications", "2", "--quiet"]
    subprocess.run(warm, cwd=tmp_path, check=True)  # so that what is interrupted is no compilation
    for patience_s in (12, 40, 120):  # how long it takes to begin depends on the machine
        _, done = interrupted(tmp_path, patience_s, *words)
        if done.stdout:
            break
    assert done.returncode == interrupts.STATUS
    said = json.loads(done.stdout)
    assert said["interrupted"] is True
    assert 0 < said["replications"] < 100_000


def test_what_runs_is_asked_to_stop_as_long_as_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interrupts, "_PATIENCE_S", 0.2)
    interrupts._shows.set()
    asked: list[float] = []
    try:
        with interrupts.while_running(lambda: asked.append(time.monotonic())):
            interrupts._stop_all()
        interrupts._stop_all()
    finally:
        interrupts._shows.clear()
    assert len(asked) > 3
    assert not interrupts._stoppers


@pytest.mark.skipif(
    not hasattr(asyncio, "PidfdChildWatcher"), reason="asyncio collects children in another way"
)
def test_a_signal_to_a_process_that_has_just_ended_leaves_its_status() -> None:
    async def status_after(signalled: Callable[[asyncio.subprocess.Process], None]) -> int:
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", "raise SystemExit(7)")
        while Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
            time.sleep(0.01)  # asyncio does not get to see that it has ended
        signalled(process)
        return await process.wait()

    async def watched(signalled: Callable[[asyncio.subprocess.Process], None]) -> int:
        policy = asyncio.get_event_loop_policy()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of child watchers, which later versions do without
            before, watcher = policy.get_child_watcher(), asyncio.PidfdChildWatcher()  # as in those versions
            watcher.attach_loop(asyncio.get_running_loop())
            policy.set_child_watcher(watcher)
            try:
                return await status_after(signalled)
            finally:
                policy.set_child_watcher(before)

    def run(signalled: Callable[[asyncio.subprocess.Process], None]) -> int:
        return asyncio.run(watched(signalled))

    assert run(lambda process: interrupts.send(process.pid, signal.SIGTERM)) == 7
    assert run(lambda process: process.send_signal(signal.SIGTERM)) == 255, (
        "what the process's own method does"
    )


WITHIN_A_CLASS = """
from simbudget.cli import main

class Interrupted:
    def __set_name__(self, owner, name):
        raise KeyboardInterrupt

def command(**options):
    type("Imported", (), {"field": Interrupted()})

main.commands.main = command
main.main()
"""
"""A command whose imports are interrupted while a class is made."""


def test_an_interrupt_that_python_wraps_is_one() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHIN_A_CLASS], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stderr.strip(), done.returncode) == ("interrupted", interrupts.STATUS)
