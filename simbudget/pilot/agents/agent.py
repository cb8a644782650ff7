"""An agent: its life from start to end, as the story of its cycles and their steps."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from anthropic.types import Message

from simbudget.pilot.agents.allowance import Allowance, CycleOverError, StoppedError
from simbudget.pilot.agents.bench import ENDINGS, Bench, MistakeError
from simbudget.pilot.agents.conversation import Block, Conversation
from simbudget.pilot.agents.diary import Diary
from simbudget.pilot.agents.experiments import Experiments, Reply
from simbudget.pilot.agents.laboratory import Laboratory
from simbudget.pilot.agents.line import Line
from simbudget.pilot.agents.notebook import Notebook
from simbudget.pilot.agents.prompts import at_once, filled, system_prompt, task_line, tools
from simbudget.pilot.agents.settings import AgentSettings
from simbudget.pilot.agents.submissions import Submissions
from simbudget.pilot.conversation import SUMMARISE, Status, ending, record_line
from simbudget.pilot.draws import Draws
from simbudget.pilot.service.client import SiteClient
from simbudget.pilot.service.messages import NewPost
from simbudget.pilot.task_list import TaskAttempt, TaskList
from simbudget.pilot.tasks.task import Task
from simbudget.scenario.scenario import Experiment as ExperimentStep
from simbudget.scenario.scenario import Group, Scenario, Score, Share, Step, Think

_TOOL_THAT_ENDS: Final = {"experiment": "run_experiment", "score": "submit"}
_TURNS_BEYOND: Final = 3
"""A thinking step is ended after this many times the scenario's p90 of turns, in case the model never ends it."""
_ASKS_FOR_TASK_EVERY_S: Final = 0.1
"""Real time between two attempts to take a task while all open ones are being worked on."""


class Agent:
    """One agent: its settings, its state and its next action."""

    def __init__(  # noqa: PLR0913, PLR0917  an agent works with this many others
        self,
        settings: AgentSettings,
        scenario: Scenario,
        task: Task,
        site: SiteClient,
        line: Line,
        diary: Diary,
        allowance: Allowance,
    ) -> None:
        self._settings, self._scenario, self._task, self._site = settings, scenario, task, site
        self._line, self._diary, self._allowance = line, diary, allowance
        self._group: Group = scenario.fleet[settings.group]
        self._draws = Draws(settings.seed, settings.luck)
        self._notebook = Notebook(settings.folder)
        self._laboratory = Laboratory(settings, task, diary)
        self._bench = Bench(self._laboratory, self._notebook, site, task)
        self._experiments = Experiments(
            settings, task, self._laboratory, self._bench, self._notebook, allowance
        )
        self._submissions = Submissions(site, self._bench, self._notebook, diary, allowance)
        self._tasks = None if scenario.tasks is None else TaskList(settings.ledger, scenario.tasks)
        self._attempt: TaskAttempt | None = None
        self._conversation: Conversation | None = None
        self._compactions = 0
        self._pending: list[Any] = []
        """The model's calls of the tool that ends a step, kept until that step is done."""
        self._status = Status(0, 0, "think", 0)

    async def live(self, first_cycle: int, sessions: int) -> None:
        """Go through cycle after cycle.

        Raises:
            StoppedError: there is a reason to end.
        """
        self._diary.session = sessions - 1
        limit = self._scenario.stop.cycles_per_agent
        cycle = first_cycle
        while limit is None or cycle < limit:
            await self._take_task(cycle)
            why = ""
            try:
                await self._cycle(cycle)
            except CycleOverError as over:
                why = str(over)
                self._drop_pending(why)
            except BaseException as error:
                self._end_attempt(str(error) or "the agent was stopped")
                raise
            self._end_attempt(why)
            cycle += 1
        raise StoppedError("cycles")

    async def _cycle(self, cycle: int) -> None:
        """Go through the steps of a cycle.

        Raises:
            CycleOverError: it ends before its last step.
        """
        self._diary.cycle = cycle
        self._experiments.has_succeeded = None
        self._submissions.begin_cycle()
        if self._conversation is None or self._group.context.lasts == "cycle":
            self._open_context(cycle)
        elif self._attempt is not None:
            self._context.say(task_line(self._attempt))
        for index, step in enumerate(self._group.cycle):
            if not self._holds(step, index):
                continue
            self._status = Status(cycle, index, step.kind, 0)
            if isinstance(step, Think):
                await self._think(step, index)
            elif isinstance(step, ExperimentStep):
                await self._experiment(step, index)
            elif isinstance(step, Share):
                await self._share()
            else:
                assert isinstance(step, Score)
                await self._score(step)

    def _holds(self, step: Step, index: int) -> bool:
        """Return whether the condition of a step of this cycle holds, as far as the cycle has come."""
        condition = step.if_
        if condition is None:
            return True
        if not isinstance(condition, str):
            drawn = self._draws.chance("if", self._settings.agent, self._diary.cycle, index)
            return drawn < self._draws.value(condition)
        if condition == "improved":
            return self._submissions.has_improved is True
        return self._experiments.has_succeeded is (condition == "succeeded")

    # Tasks.

    async def _take_task(self, cycle: int) -> None:
        """Take the next task of the list, if there is one, waiting while others may become free.

        Raises:
            StoppedError: there is nothing left to do, or the agent has used what it may use.
        """
        if self._tasks is None:
            return
        self._diary.close_gap()
        self._diary.cycle, self._diary.attempt = cycle, None
        has_waited = False
        while True:
            self._allowance.look()
            taken = self._tasks.take(self._settings.agent, cycle, self._diary.clock.now_s())
            if taken != "wait":
                break
            has_waited = True
            await asyncio.sleep(_ASKS_FOR_TASK_EVERY_S)
        if has_waited:
            self._diary.write("wait", name="task")
        if not isinstance(taken, TaskAttempt):
            raise StoppedError("tasks")
        self._attempt = self._diary.attempt = taken
        self._experiments.task_number = taken.task
        assert self._scenario.tasks is not None
        self._allowance.begin_attempt(self._scenario.tasks.limit)

    def _end_attempt(self, why: str) -> None:
        """End the attempt at a task, which solves it if it came to its last step with a score that is good enough."""
        if self._tasks is None or self._attempt is None:
            return
        best = self._submissions.best_of_cycle
        assert self._task.solved_from is not None
        is_solved = not why and best is not None and best >= self._task.solved_from
        self._tasks.end(self._attempt, self._diary.clock.now_s(), is_solved, why)
        self._allowance.end_attempt()
        self._attempt = None

    def _drop_pending(self, why: str) -> None:
        """Answer the tool calls of a step that is not done."""
        for use in self._pending:
            self._context.result(use.id, why, is_error=True)
        self._pending = []

    # Contexts.

    @property
    def _context(self) -> Conversation:
        assert self._conversation is not None
        return self._conversation

    def _open_context(self, cycle: int) -> None:
        """Start a new context with the system prompt and the notebook."""
        self._diary.session += 1
        self._diary.turn = -1
        self._compactions = 0
        self._pending = []
        self._conversation = self._new_conversation()
        lines = [record_line(line) for line in self._notebook.lines()]
        if lines:
            self._context.say("\n".join(["Your notebook, latest last:", *lines]))
        if self._attempt is not None:
            self._context.say(task_line(self._attempt))
        self._status = Status(cycle, 0, self._group.cycle[0].kind, 0)

    def _new_conversation(self) -> Conversation:
        settings, diary = self._settings, self._diary
        files = self._laboratory.files()
        prompt = system_prompt(self._task, settings.agents, settings.direction, files)
        own = tools(self._task)
        if not settings.live:
            wanted = self._draws.count(self._group.context.first_prompt_tokens, settings.agent, diary.session)
            # About four bytes per token, and tools count as part of the prompt.
            prompt = filled(prompt, wanted - len(str(own)) // 4)
        first = f"Session {diary.session}.{self._compactions} of agent {settings.agent}, cycle {diary.cycle}."
        return Conversation(f"{first}\n{prompt}", own, self._group.context.cache)

    async def _call(self, kind: str, choice: Block | None = None) -> Message:
        """Make one call, compacting the context first if it is full.

        Raises:
            StoppedError: the agent has used what it may use.
            CycleOverError: its attempt at a task has.
        """
        self._allowance.look()
        limit = self._group.context.limit_tokens.typical
        if self._context.tokens > limit and self._context.messages:
            await self._compact()
            self._allowance.look()
        return await self._line.call(kind, self._context, choice)

    async def _compact(self) -> None:
        """Have the model summarise the context, and continue in a new one that begins with the summary."""
        said = self._context.pending[-1] if self._context.pending else None
        self._context.say(f"{SUMMARISE}: what you tried, what came of it, what you were about to do.")
        message = await self._line.call("compaction", self._context, {"type": "none"})
        summary = "\n".join(block.text for block in message.content if block.type == "text")
        self._compactions += 1
        turns = self._context.calls
        self._conversation = self._new_conversation()
        self._context.calls = turns
        self._context.say(f"Your summary of what came before:\n{summary or 'none'}")
        if said is not None and said["type"] == "text":
            self._context.say(said["text"])

    # The steps of a cycle.

    async def _think(self, step: Think, index: int) -> None:
        """Let the model think, turn by turn, until it ends the step."""
        if self._group.context.lasts == "think" and self._context.messages:
            self._open_context(self._diary.cycle)
            self._status = Status(self._diary.cycle, index, step.kind, 0)
        ends_with, hint = self._ends_with(index)
        most = _TURNS_BEYOND * (step.turns.highest if step.turns is not None else 1.0)
        turn = 0
        while not self._pending:
            self._status = Status(self._status.cycle, index, step.kind, turn)
            self._context.say(f"{self._status} {ending(ends_with)}{hint}")
            forced = {"type": "tool", "name": ends_with}
            message = await self._call("call", forced if turn + 1 >= most else {"type": "auto"})
            await self._use_tools(message, ends_with)
            turn += 1
        if ends_with == "next_step":
            for use in self._pending:
                self._context.result(use.id, "ok")
            self._pending = []

    def _ends_with(self, index: int) -> tuple[str, str]:
        """Return the tool that ends the thinking step at a position of the cycle, and what to say of it."""
        for later, step in enumerate(self._group.cycle[index + 1 :], index + 1):
            if self._holds(step, later):
                hint = ""
                if isinstance(step, ExperimentStep):
                    hint = at_once(self._experiments.at_once(step, self._diary.cycle, later))
                return _TOOL_THAT_ENDS.get(step.kind, "next_step"), hint
        return "next_step", ""

    async def _use_tools(self, message: Message, ends_with: str) -> None:
        """Return to the model the results of the tools that it called, except for the one that ends the step."""
        uses = [block for block in message.content if block.type == "tool_use"]
        for use in uses:
            self._diary.tools_used.append(use.name)
            if use.name == ends_with and (not self._pending or ends_with == "run_experiment"):
                self._pending.append(use)
            elif use.name in ENDINGS:
                self._context.result(use.id, f"not in this step; {ending(ends_with)}", is_error=True)
            else:
                await self._use(use.id, use.name, dict(use.input))
        if not uses:
            words = "Your answer was cut off; go on." if message.stop_reason == "max_tokens" else "Go on."
            self._context.say(words)

    async def _use(self, use_id: str, tool: str, given: Mapping[str, Any]) -> None:
        try:
            self._context.result(use_id, await self._bench.use(tool, given))
        except MistakeError as error:
            self._context.result(use_id, str(error), is_error=True)

    async def _experiment(self, step: ExperimentStep, index: int) -> None:
        """Run the step's jobs.

        Raises:
            CycleOverError: none of them ended well, and the step ends the cycle then.
        """
        reply = await self._experiments.run(step, (self._diary.cycle, index), self._pending, self._diary)
        self._reply(reply)
        if step.on_failure == "end cycle" and not self._experiments.has_succeeded:
            raise CycleOverError("the experiment failed")

    def _reply(self, reply: Reply) -> None:
        """Give the model the results of its pending tool calls, and what is said beside them."""
        for use in self._pending:
            text, is_error = reply.results.get(use.id, ("done", False))
            self._context.result(use.id, text, is_error)
        self._pending = []
        if reply.text:
            self._context.say(reply.text)

    async def _score(self, step: Score) -> None:
        """Submit the answer that the model named, or the latest; or that of every job since the last score."""
        ideas = self._experiments
        chosen = [ideas.latest]
        if step.each:
            chosen = list(ideas.unscored)
        elif self._pending and isinstance(self._pending[0].input, dict):
            chosen = [ideas.ideas.get(self._pending[0].input.get("experiment", -1), ideas.latest)]
        texts, is_error = [], bool(chosen)
        for idea in chosen:
            text, failed = await self._submissions.send_in(idea, self._settings.scorer_usd)
            texts.append(text)
            is_error = is_error and failed
            ideas.unscored = [] if not step.each else ideas.unscored[1:]
        text = "\n".join(texts) or "nothing has ended well since the last score"
        if self._pending:
            self._reply(Reply({self._pending[0].id: (text, is_error)}))
        else:
            self._context.say(text)

    async def _share(self) -> None:
        """Read what others have posted, then post."""
        reads = self._scenario.forum.reads_at_most
        self._context.say(f"New on the forum:\n{await self._bench.read_forum(reads)}")
        self._context.say(f"Tell the others what you found. {self._status} {ending('post')}")
        message = await self._call("post", {"type": "tool", "name": "post"})
        uses = [block for block in message.content if block.type == "tool_use"]
        text = next(
            (
                str(use.input.get("text"))
                for use in uses
                if use.name == "post" and isinstance(use.input, dict)
            ),
            "",
        ) or "\n".join(block.text for block in message.content if block.type == "text")
        idea = self._experiments.latest
        shared: dict[str, Any] = {}
        if idea is not None and idea.score is not None:
            experiment = idea.experiment
            shared = {"method": experiment.method, "hyperparameters": experiment.hyperparameters}
            shared |= {"score": idea.score, "code": idea.code, "submission": idea.submission}
        number = await self._site.post(
            NewPost(text=text[:20_000] or "nothing", **shared),
            f"post-{self._diary.cycle}-{self._diary.session}",
        )
        for use in uses:
            self._context.result(use.id, f"posted as {number}" if use.name == "post" else "not now")
