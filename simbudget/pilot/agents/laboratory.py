"""Runs an agent's experiments: the queue for slots, the sandbox, and the resulting idea."""

import shutil
from collections.abc import Callable, Mapping
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
TRIED_AGAIN: Final = "tried again"
"""Status in the ledger of a failed attempt at a job after which the job was queued again."""


@dataclass(frozen=True)
class Job:
    """One experiment of a step, and the terms on which it is run."""

    number: int
    """The number of the idea that it tries."""
    experiment: Experiment
    place: int = 0
    """Its place among the jobs of its step, from 0."""
    gpus: int = 1
    """Slots that it takes."""
    attempts: int = 1
    look: Callable[[], None] = lambda: None
    """Called when its slots are free; raises if a limit does not allow it to start."""


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
    """One agent's experiments. Jobs side by side have a sandbox each; the first is the one whose files it reads."""

    def __init__(self, settings: AgentSettings, task: Task, diary: Diary) -> None:
        self._settings, self._task, self._diary = settings, task, diary
        self._sandboxes: dict[int, Sandbox] = {}

    async def run(self, job: Job) -> Idea:
        """Wait for slots, run a job's experiment, repeat it if it fails, and return the idea.

        Raises:
            SlotsGoneError: the run is over.
            StoppedError, CycleOverError: as `job.look` does.
        """
        idea = Idea(job.number, job.experiment)
        for attempt in range(job.attempts):
            completed = await self._attempt(job, idea, is_last=attempt + 1 == job.attempts)
            idea.wall_s += completed.wall_s
            idea.said = _shown(completed)
            if idea.answer is not None:
                break
        return idea

    async def _attempt(self, job: Job, idea: Idea, is_last: bool) -> Completed:
        """Make one attempt at a job, and record it; the answer that it leaves goes into the idea."""
        diary, settings = self._diary, self._settings
        asked_s = diary.clock.now_s()
        price = settings.gpu_usd_per_hour * job.gpus / 3600.0
        worst_usd = price * settings.experiment_timeout_s * settings.time_scale
        paid = {"component": "gpu"} if worst_usd else {}
        is_served = False
        try:
            async with hold_slots(settings.slots_port, job.gpus):
                job.look()
                is_served = True
                queued_s = diary.clock.now_s() - asked_s
                columns = {"gpus": job.gpus, "queued_s": queued_s, "name": job.experiment.method, **paid}
                with diary.doing("experiment", worst_usd, **columns) as came_to:
                    began_s = diary.clock.now_s()
                    try:
                        completed = await self._run_in_sandbox(job)
                    finally:
                        came_to["cost_usd"] = price * (diary.clock.now_s() - began_s)
                    self._read_answer(idea, job, completed)
                    if idea.answer is None:
                        came_to |= {"outcome": "failed", "status": "" if is_last else TRIED_AGAIN}
        except BaseException:
            if not is_served:
                queued_s = diary.clock.now_s() - asked_s
                diary.note("experiment", gpus=job.gpus, queued_s=queued_s, outcome="unserved")
            raise
        return completed

    async def _run_in_sandbox(self, job: Job) -> Completed:
        sandbox = self._sandbox(job.place)
        (sandbox.directory / self._task.answer_file).unlink(missing_ok=True)
        sandbox.write(self._task.experiment_files(job.experiment))
        return await sandbox.run(self._task.command(job.experiment), self._settings.experiment_timeout_s)

    def _sandbox(self, place: int) -> Sandbox:
        """Return the sandbox of the job at a place of a step, with the task's files in it."""
        if place not in self._sandboxes:
            folder = self._settings.folder / ("sandbox" if place == 0 else f"sandbox-{place}")
            self._sandboxes[place] = Sandbox(folder, Limits())
            shutil.copytree(self._settings.public, folder, dirs_exist_ok=True)
        return self._sandboxes[place]

    def _read_answer(self, idea: Idea, job: Job, completed: Completed) -> None:
        """Put into an idea the answer that a run left, or why there is none."""
        if not completed.ok:
            idea.why_not = completed.killed_because or f"exit status {completed.returncode}"
            return
        try:
            raw = self._sandbox(job.place).read(self._task.answer_file)
            idea.answer = self._task.read_answer(completed.stdout, raw)
            idea.why_not = ""
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
        raw = self._sandbox(0).read(path)
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
