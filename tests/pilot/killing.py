"""A pilot as a process whose parts are killed (-9), for tests and for `benchmarks/pilot_kills.py`."""

import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final

import psutil

from simbudget import interrupts
from simbudget.ledger.store import LedgerStore
from tests.pilot.provider import FAST
from tests.pilot.test_command_task import DESCRIBED, described

PARTS: Final = {
    "agent": "simbudget.pilot.agents",
    "service": "simbudget.pilot.service",
    "model server": "simbudget.pilot.model_server",
}
_PATIENCE_S: Final = 120.0
CLOCKS_DIFFER_S: Final = 15.0
"""Seconds of the run, a quarter of a second of real time, by which the runner learns of a death later."""
LISTED: Final = (
    DESCRIBED.replace('train.py, "{lr}"]\nmetric', 'train.py, "{lr}", "{task}"]\nmetric') + "solved_from: 0\n"
)
"""A list of tasks that all run the same program."""
BUSY: Final = FAST.replace(
    "{experiment: {gpus: 1, time: 1 min}}, {score: {}}",
    "{experiment: {at_once: 3, wait_for: 2, time: 1 min}}, {score: {each: yes}}, {think: {turns: 2, if: improved}}",
).replace("stop:", "tasks: {count: 1000, attempts: 3, solved: 50%, limit: {turns: 40}}\nstop:")
"""Tasks, with several jobs at once; their attempts never run out."""


class KilledPilot:
    """One pilot over all the lives of its runner."""

    def __init__(self, folder: Path, agents: int = 2, scenario: str = FAST) -> None:
        self.out, self._scenario, self._agents = folder / "out", folder / "killed.yaml", agents
        self._scenario.write_text(scenario)
        self._task = described(folder, LISTED)
        self._runner: subprocess.Popen[str] | None = None
        self.lives = 0

    def start(self) -> None:
        """Start the pilot, or go on with it."""
        command = [sys.executable, "-m", "simbudget", "pilot", str(self._scenario), "--out", str(self.out)]
        command += ["--for", "1 h", "--budget", "$50", "--agents", str(self._agents)]
        command += ["--task", self._task.name, "--json"]
        self._runner = subprocess.Popen(
            [*command, *(["--resume"] if self.lives else [])],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.lives += 1

    @property
    def runner(self) -> "subprocess.Popen[str]":
        """Return the runner's process."""
        assert self._runner is not None
        return self._runner

    def wait_for(self, more: int, kinds: str = "'call', 'post'") -> None:
        """Return when so many more calls, or others, have been written down. Raises AssertionError: it has ended."""
        wanted = self.calls(kinds) + more
        give_up = time.monotonic() + _PATIENCE_S
        while self.calls(kinds) < wanted:
            assert self.runner.poll() is None, self.runner.communicate()
            assert time.monotonic() < give_up, "the pilot stands still"
            time.sleep(0.05)

    def calls(self, kinds: str = "'call', 'post'") -> int:
        """Return how many entries of some kinds the ledger has that are over."""
        if not (self.out / "ledger.sqlite").exists():
            return 0
        with LedgerStore(self.out / "ledger.sqlite") as store:
            query = f"SELECT count(*) FROM entries WHERE kind IN ({kinds}) AND outcome = 'ok'"
            return int(store.query(query)[0][0])

    def kill(self, part: str, chance: random.Random) -> None:
        """Kill a part at once: `runner`, `agent` (one of them), `service` or `model server`."""
        if part == "runner":
            self.runner.send_signal(signal.SIGKILL)
            self.runner.communicate()
            return
        found = [
            child for child in psutil.Process(self.runner.pid).children() if PARTS[part] in child.cmdline()
        ]
        if found:
            chance.choice(found).kill()

    def end(self) -> dict[str, Any]:
        """Interrupt the pilot, and return its summary."""
        self.runner.send_signal(signal.SIGINT)
        said, wrong = self.runner.communicate(timeout=_PATIENCE_S)
        assert self.runner.returncode == interrupts.STATUS, wrong
        summary: dict[str, Any] = json.loads(said)
        return summary

    def check(self, summary: dict[str, Any]) -> None:
        """Check the books: what was billed is in the ledger, once; nothing is open; and no one lived two lives."""
        books = summary["reconciliation"]
        assert books["agrees"], books
        assert books["billed_and_missing"] == books["recorded_and_not_billed"] == books["at_worst_case"] == 0
        with LedgerStore(self.out / "ledger.sqlite") as store:
            assert store.open_entries(0) == []
            scored = store.query("SELECT count(*) FROM entries WHERE kind = 'score' AND outcome = 'ok'")[0][0]
            names = store.query("SELECT name FROM entries WHERE component = 'tokens' AND name != ''")
            listed = store.query("SELECT count(*) FROM sqlite_master WHERE name = 'task_attempts'")[0][0]
            attempts = store.query("SELECT * FROM task_attempts ORDER BY task, began_s") if listed else []
        assert len(names) == len(set(names)), "a message is in the ledger twice"
        assert summary["submissions"] == scored
        self._check_tasks(attempts)

    @staticmethod
    def _check_tasks(attempts: list[tuple[Any, ...]]) -> None:
        """Check that attempts at a task are numbered one by one, that one ends before the next begins, and all do."""
        ended_s: dict[int, float] = {}
        number: Counter[int] = Counter()
        for task, attempt, _, _, began_s, ended, _, _ in attempts:
            assert ended is not None, "an attempt is still under way"
            assert attempt == number[task] < 3
            assert began_s >= ended_s.get(task, 0.0) - CLOCKS_DIFFER_S
            ended_s[task] = ended
            number[task] += 1
