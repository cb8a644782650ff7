"""Runs an agent's experiments: the queue for slots, the sandbox, and the resulting idea."""

import asyncio
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from simbudget.pilot.agents.diary import Diary
from simbudget.pilot.agents.settings import AgentSettings
from simbudget.pilot.sandbox.limits import Completed, Limits
from simbudget.pilot.sandbox.sandbox import Sandbox
from simbudget.pilot.slot_server import hold_slots
from simbudget.pilot.tasks.task import Answer, Experiment, NoAnswerError, Task

_OUTPUT_CHARACTERS: Final = 2_000
"""Length of a run's output that the agent is shown: some 500 tokens."""
MOST_ATTEMPTS: Final = 3
"""Attempts at an experiment whose run is cancelled by the machine rather than failing."""


@dataclass
class Idea:
    """An experiment that was run, and its outcome so far."""

    number: int
    experiment: Experiment
    answer: Answer | None = None
    said: str = ""
    why_not: str = ""
    wall_s: float = 0.0
    score: float | None = None
    submission: int | None = None
    code: str | None = None
    parts: Mapping[str, float] = field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        """Return the idea as a record."""
        record: dict[str, Any] = {
            "experiment": self.number,
            "method": self.experiment.method,
            "hyperparameters": dict(self.experiment.hyperparameters),
            "seed": self.experiment.seed,
            "ok": self.answer is not None,
            "mine": True,
        }
        if self.score is not None:
            record["score"] = self.score
        return record


class Laboratory:
    """One agent's experiments."""

    def __init__(self, settings: AgentSettings, task: Task, diary: Diary) -> None:
        self._settings, self._task, self._diary = settings, task, diary
        self.folder = settings.folder / "sandbox"
        self._sandbox = Sandbox(self.folder, Limits())
        self._is_set_up = False
        self.runs = 0

    async def run(self, experiment: Experiment, number: int, gpus: int) -> Idea:
        """Wait for slots, run an experiment, repeat it if it was cancelled, and return the idea.

        Args:
            experiment: what to run.
            number: the idea's number.
            gpus: slots that the experiment takes.

        Raises:
            SlotsGoneError: the run is over.
        """
        idea = Idea(number, experiment)
        for _ in range(MOST_ATTEMPTS):
            completed = await self._attempt(experiment, gpus)
            idea.wall_s += completed.wall_s
            idea.said = _shown(completed)
            if completed.killed_because is None or completed.killed_because != "cancelled":
                break
        self._read_answer(idea, completed)
        return idea

    async def _attempt(self, experiment: Experiment, gpus: int) -> Completed:
        diary, settings = self._diary, self._settings
        diary.close_gap()
        asked_s = diary.clock.now_s()
        price = settings.gpu_usd_per_hour * gpus / 3600.0
        worst_usd = price * settings.experiment_timeout_s * settings.time_scale
        paid = {"component": "gpu"} if worst_usd else {}
        try:
            async with hold_slots(settings.slots_port, gpus):
                queued_s = diary.clock.now_s() - asked_s
                columns = {"gpus": gpus, "queued_s": queued_s, "name": experiment.method, **paid}
                with diary.doing("experiment", worst_usd, **columns) as came_to:
                    began_s = diary.clock.now_s()
                    try:
                        completed = await self._run_in_sandbox(experiment)
                    finally:
                        came_to["cost_usd"] = price * (diary.clock.now_s() - began_s)
                    came_to["outcome"] = "ok" if completed.ok else "failed"
        except asyncio.CancelledError:
            if diary.until_s < asked_s + 1e-9:  # no entry since the request: it was still waiting for slots
                diary.write(
                    "experiment", gpus=gpus, queued_s=diary.clock.now_s() - asked_s, outcome="unserved"
                )
            raise
        return completed

    async def _run_in_sandbox(self, experiment: Experiment) -> Completed:
        if not self._is_set_up:
            self._set_up()
        answer = self.folder / self._task.answer_file
        answer.unlink(missing_ok=True)
        self._sandbox.write(self._task.experiment_files(experiment))
        return await self._sandbox.run(self._task.command(experiment), self._settings.experiment_timeout_s)

    def _set_up(self) -> None:
        """Copy the task's files to where the agent sees them."""
        self.folder.mkdir(parents=True, exist_ok=True)
        shutil.copytree(self._settings.public, self.folder, dirs_exist_ok=True)
        self._is_set_up = True

    def _read_answer(self, idea: Idea, completed: Completed) -> None:
        if not completed.ok:
            idea.why_not = completed.killed_because or f"exit status {completed.returncode}"
            return
        try:
            raw = self._sandbox.read(self._task.answer_file)
            idea.answer = self._task.read_answer(completed.stdout, raw)
        except NoAnswerError as error:
            idea.why_not = str(error)

    def files(self) -> list[str]:
        """Return the names of the task's files that the agent may read."""
        root: Path = self._settings.public
        return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())

    def read(self, path: str) -> str:
        """Return the text of a file of the sandbox, truncated if it is long.

        Raises:
            FileNotFoundError: there is no such file.
        """
        if not self._is_set_up:
            self._set_up()
        raw = self._sandbox.read(path)
        if raw is None:
            raise FileNotFoundError(path)
        return raw.decode("utf-8", errors="replace")


def _shown(completed: Completed) -> str:
    """Return the part of a run's output that the agent is shown: its beginning and its end."""
    text = completed.stdout.strip()
    if not completed.ok and completed.stderr.strip():
        text = f"{text}\n{completed.stderr.strip()}".strip()
    if len(text) > _OUTPUT_CHARACTERS:
        half = _OUTPUT_CHARACTERS // 2
        text = f"{text[:half]}\n...\n{text[-half:]}"
    return text
