"""Gates of a pilot: every trial of a method runs in a fresh sandbox that agents cannot see, then the gate judges."""

import asyncio
from pathlib import Path

from simbudget.pilot.sandbox.limits import Limits
from simbudget.pilot.sandbox.sandbox import Sandbox, remove_tree
from simbudget.pilot.sandbox.slots import SlotPool
from simbudget.pilot.tasks.task import Answer, Experiment, Gate, GateResult, NoAnswerError, Task, Trial


class Trials:
    """Runs the trials of gates, in one folder, on one pool of slots and with one timeout."""

    def __init__(self, task: Task, folder: Path, pool: SlotPool, timeout_s: float = 600.0) -> None:
        self._task = task
        self._folder = folder
        self._pool = pool
        self._timeout_s = timeout_s

    async def judge(self, gate: Gate, candidate: Experiment, limits: Limits = Limits()) -> GateResult:  # noqa: B008
        """Return a gate's verdict on a method; a trial that fails or times out has no answer."""
        trials = await asyncio.to_thread(gate.trials, candidate)
        answers = await asyncio.gather(*(self._run(k, trial, limits) for k, trial in enumerate(trials)))
        return await asyncio.to_thread(gate.judge, answers)

    async def _run(self, number: int, trial: Trial, limits: Limits) -> Answer | None:
        """Return the answer of one trial, run in a sandbox that is deleted afterwards."""
        async with self._pool.hold():
            box = Sandbox(self._folder / f"trial-{id(trial)}-{number}", limits)
            try:
                box.write(trial.files)
                done = await box.run(trial.command, self._timeout_s)
                return (
                    self._task.read_answer(done.stdout, box.read(self._task.answer_file)) if done.ok else None
                )
            except NoAnswerError:
                return None
            finally:
                remove_tree(box.directory)
