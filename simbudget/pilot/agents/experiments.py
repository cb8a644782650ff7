"""An agent's experiment steps: from the model's tool calls to jobs, and from their ends to the results it is given.

A step of several jobs runs the experiments that the model asked for in one answer. If these are fewer than the jobs,
the others repeat them with other seeds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from simbudget.pilot.agents.allowance import Allowance
from simbudget.pilot.agents.bench import Bench, MistakeError
from simbudget.pilot.agents.diary import Diary
from simbudget.pilot.agents.laboratory import Idea, Job, Laboratory
from simbudget.pilot.agents.notebook import Notebook
from simbudget.pilot.agents.settings import AgentSettings
from simbudget.pilot.agents.wave import Wave, run_side_by_side
from simbudget.pilot.conversation import record_line
from simbudget.pilot.draws import Draws
from simbudget.pilot.tasks.task import Experiment, Task
from simbudget.scenario.scenario import Experiment as ExperimentStep


@dataclass
class Reply:
    """The reply to the model after a step."""

    results: dict[str, tuple[str, bool]] = field(default_factory=dict)
    """By the id of each of its tool calls: the result, and whether it is an error."""
    text: str = ""
    """Text beside the results."""


class Experiments:
    """The experiments of one agent."""

    def __init__(
        self,
        settings: AgentSettings,
        task: Task,
        laboratory: Laboratory,
        bench: Bench,
        notebook: Notebook,
        allowance: Allowance,
    ) -> None:
        self._settings, self._task, self._laboratory = settings, task, laboratory
        self._bench, self._notebook, self._allowance = bench, notebook, allowance
        self._draws = Draws(settings.seed, settings.luck)
        self.ideas: dict[int, Idea] = {}
        """Every idea that was run, by its number."""
        self.latest: Idea | None = None
        self.unscored: list[Idea] = []
        """Ideas of jobs that ended well since the last score, in the order of their ends."""
        self.has_succeeded: bool | None = None
        """Whether a job of this cycle's last experiment step ended well; None before the first."""
        self.task_number: int | None = None
        """The task that the agent works on, if there is a list of tasks."""

    def at_once(self, step: ExperimentStep, cycle: int, index: int) -> int:
        """Return the number of jobs of the step at a position of a cycle."""
        return max(1, self._draws.count(step.at_once, self._settings.agent, cycle, index))

    async def run(
        self, step: ExperimentStep, place: tuple[int, int], uses: Sequence[Any], diary: Diary
    ) -> Reply:
        """Run the experiments that the model asked for, or else repeat the last one with another seed.

        Args:
            step: the step.
            place: the cycle, and the step's index in it.
            uses: the model's calls of `run_experiment`.
            diary: the agent's diary.

        Raises:
            StoppedError: the agent has used what it may use.
            CycleOverError: its attempt at a task has.
        """
        self._allowance.look()
        reply, asked = self._read(uses, self.at_once(step, *place))
        if not asked:
            self.has_succeeded = False
            return reply
        jobs = self._jobs(step, place, asked)
        diary.close_gap()
        wave = await run_side_by_side(jobs, step.wait_for, self._laboratory.run)
        diary.note_end(diary.clock.now_s())
        self._remember(wave)
        if wave.refused is not None:
            raise wave.refused
        self._reply(reply, wave, [use_id for use_id, _ in asked])
        return reply

    def _read(self, uses: Sequence[Any], at_once: int) -> tuple[Reply, list[tuple[str, Experiment]]]:
        """Return the experiments to run, each with the tool call that asked for it; none if all calls are invalid."""
        reply, asked = Reply(), []
        for use in uses[:at_once]:
            try:
                asked.append((str(use.id), self._bench.experiment(dict(use.input))))
            except MistakeError as error:
                reply.results[use.id] = (str(error), True)
        for use in uses[at_once:]:
            reply.results[use.id] = (f"not run: at most {at_once} at once in this step", True)
        if not uses:
            try:
                asked.append(("", self._again()))
            except MistakeError as error:
                reply.text = str(error)
        repeated = len(asked)
        while repeated and len(asked) < at_once:
            use_id, experiment = asked[-repeated]
            asked.append((use_id, replace(experiment, seed=experiment.seed + 1)))
        return reply, asked

    def _again(self) -> Experiment:
        """Return the last experiment with another seed, or the task's first method if there was none."""
        if self.latest is None:
            if not self._task.methods:
                raise MistakeError("there is nothing to run")
            return Experiment(self._task.methods[0].name, self._task.methods[0].defaults())
        last = self.latest.experiment
        return replace(last, seed=last.seed + 1)

    def _jobs(
        self, step: ExperimentStep, place: tuple[int, int], asked: Sequence[tuple[str, Experiment]]
    ) -> list[Job]:
        drawn = ((), *((job,) for job in range(1, len(asked))))
        return [
            Job(
                number=len(self.ideas) + 1 + job,
                experiment=replace(experiment, task=self.task_number),
                place=job,
                gpus=max(1, self._draws.count(step.gpus, self._settings.agent, place[0], *drawn[job])),
                attempts=step.attempts,
                look=self._allowance.look,
            )
            for job, (_, experiment) in enumerate(asked)
        ]

    def _remember(self, wave: Wave) -> None:
        """Keep the ideas of a step's jobs; those that were cancelled keep their numbers."""
        first = len(self.ideas) + 1
        for number, idea in enumerate(wave.ideas, first):
            self.ideas[number] = idea or Idea(number, Experiment(""), why_not="cancelled")
            if idea is not None and idea.answer is None:
                self._notebook.write({**idea.record(), "why_not": idea.why_not})
        ended = [idea for idea in wave.ideas if idea is not None]
        self.has_succeeded = bool(wave.ended_well)
        self.unscored += wave.ended_well
        if ended:
            self.latest = (wave.ended_well or ended)[-1]

    @staticmethod
    def _reply(reply: Reply, wave: Wave, use_ids: Sequence[str]) -> None:
        """Add the outcome of the jobs of each tool call to the reply."""
        for use_id in dict.fromkeys(use_ids):
            ideas = [idea for idea, its in zip(wave.ideas, use_ids, strict=True) if its == use_id]
            texts = [text_of(idea) if idea else "cancelled, as enough others had ended" for idea in ideas]
            is_error = all(idea is None or idea.answer is None for idea in ideas)
            if use_id:
                reply.results[use_id] = ("\n".join(texts), is_error)
            else:
                reply.text = "\n".join(texts)


def text_of(idea: Idea) -> str:
    """Return an idea's outcome as the model reads it: the run's output, why there is no answer, and the record."""
    return "\n".join(part for part in (idea.said, idea.why_not, record_line(idea.record())) if part)
