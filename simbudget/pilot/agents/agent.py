"""An agent: its life from start to end, as the story of its cycles and their steps."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from anthropic.types import Message

from simbudget.pilot.agents.bench import ENDINGS, Bench, MistakeError
from simbudget.pilot.agents.conversation import Block, Conversation
from simbudget.pilot.agents.diary import Diary, NeverHappenedError
from simbudget.pilot.agents.laboratory import Idea, Laboratory
from simbudget.pilot.agents.line import Line, StoppedError
from simbudget.pilot.agents.notebook import Notebook
from simbudget.pilot.agents.prompts import filled, system_prompt, tools
from simbudget.pilot.agents.settings import AgentSettings
from simbudget.pilot.conversation import SUMMARISE, Status, ending, record_line
from simbudget.pilot.draws import Draws
from simbudget.pilot.service.client import RefusedError, SiteClient
from simbudget.pilot.service.messages import NewPost, Submission
from simbudget.pilot.tasks.task import Experiment, Task
from simbudget.scenario.model import Experiment as ExperimentStep
from simbudget.scenario.model import Group, Scenario, Share, Step, Think

_TOOL_THAT_ENDS: Final = {"experiment": "run_experiment", "score": "submit"}
_TURNS_BEYOND: Final = 3
"""A thinking step is ended after this many times the scenario's p90 of turns, in case the model never ends it."""


class Agent:
    """One agent: its settings, its state and its next action."""

    def __init__(
        self,
        settings: AgentSettings,
        scenario: Scenario,
        task: Task,
        site: SiteClient,
        line: Line,
        diary: Diary,
    ) -> None:
        self._settings, self._scenario, self._task, self._site = settings, scenario, task, site
        self._line, self._diary = line, diary
        self._group: Group = scenario.fleet[settings.group]
        self._draws = Draws(settings.seed, settings.luck)
        self._notebook = Notebook(settings.folder)
        self._laboratory = Laboratory(settings, task, diary)
        self._bench = Bench(self._laboratory, self._notebook, site, task)
        self._conversation: Conversation | None = None
        self._compactions = 0
        self._pending_use: Any = None
        """The model's call of a tool that ends a step, kept until that step is done."""
        self._idea: Idea | None = None
        self._ideas: dict[int, Idea] = {}
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
            await self._cycle(cycle)
            cycle += 1
        raise StoppedError("cycles")

    async def _cycle(self, cycle: int) -> None:
        self._diary.cycle = cycle
        if self._conversation is None or self._group.context.lasts == "cycle":
            self._open_context(cycle)
        for index, step in enumerate(self._group.cycle):
            self._status = Status(cycle, index, step.kind, 0)
            if isinstance(step, Think):
                await self._think(step, index)
            elif isinstance(step, ExperimentStep):
                await self._experiment(step)
            elif isinstance(step, Share):
                await self._share()
            else:
                await self._score()

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
        self._pending_use = None
        self._conversation = self._new_conversation()
        lines = [record_line(line) for line in self._notebook.lines()]
        if lines:
            self._context.say("\n".join(["Your notebook, latest last:", *lines]))
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
        """Make one call, compacting the context first if it is full."""
        limit = self._group.context.limit_tokens.typical
        if self._context.tokens > limit and self._context.messages:
            await self._compact()
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
        ends_with = _ends_with(self._group.cycle, index)
        most = _TURNS_BEYOND * (step.turns.highest if step.turns is not None else 1.0)
        turn = 0
        while self._pending_use is None:
            self._status = Status(self._status.cycle, index, step.kind, turn)
            self._context.say(f"{self._status} {ending(ends_with)}")
            forced = {"type": "tool", "name": ends_with}
            message = await self._call("call", forced if turn + 1 >= most else {"type": "auto"})
            await self._use_tools(message, ends_with)
            turn += 1
        if ends_with == "next_step":
            self._context.result(self._pending_use.id, "ok")
            self._pending_use = None

    async def _use_tools(self, message: Message, ends_with: str) -> None:
        """Return to the model the results of the tools that it called, except for the one that ends the step."""
        uses = [block for block in message.content if block.type == "tool_use"]
        for use in uses:
            self._diary.tools_used.append(use.name)
            if use.name == ends_with and self._pending_use is None:
                self._pending_use = use
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

    async def _experiment(self, step: ExperimentStep) -> None:
        """Run the experiment that the model asked for, or else repeat the last one with another seed."""
        use, self._pending_use = self._pending_use, None
        number = len(self._ideas) + 1
        try:
            experiment = self._again() if use is None else self._bench.experiment(dict(use.input))
        except MistakeError as error:
            if use is not None:
                self._context.result(use.id, str(error), is_error=True)
            return
        gpus = max(1, self._draws.count(step.gpus, self._settings.agent, self._diary.cycle))
        idea = await self._laboratory.run(experiment, number, gpus)
        self._idea = self._ideas[number] = idea
        text = "\n".join(part for part in (idea.said, idea.why_not, record_line(idea.record())) if part)
        if use is not None:
            self._context.result(use.id, text, is_error=idea.answer is None)
        else:
            self._context.say(text)
        if idea.answer is None:
            self._notebook.write({**idea.record(), "why_not": idea.why_not})

    def _again(self) -> Experiment:
        """Return the last experiment with another seed, or the task's first method if there was none."""
        if self._idea is None:
            if not self._task.methods:
                raise MistakeError("there is nothing to run")
            return Experiment(self._task.methods[0].name, self._task.methods[0].defaults())
        last = self._idea.experiment
        return Experiment(last.method, last.hyperparameters, last.seed + 1, last.code)

    async def _score(self) -> None:
        """Submit an answer to the scorer: the one that the model named, or the latest."""
        use, self._pending_use = self._pending_use, None
        idea = self._idea
        if use is not None:
            idea = (
                self._ideas.get(use.input.get("experiment", -1), idea)
                if isinstance(use.input, dict)
                else idea
            )
        text, is_error = await self._send_in(idea)
        if use is not None:
            self._context.result(use.id, text, is_error)
        else:
            self._context.say(text)

    async def _send_in(self, idea: Idea | None) -> tuple[str, bool]:
        """Have an idea scored; return the text for the model and whether it is an error."""
        if idea is None or idea.answer is None:
            return "there is no answer to score", True
        if idea.score is not None:
            return f"it has been scored already\n{record_line(idea.record())}", False
        code = await self._bench.code_of(idea)
        experiment = idea.experiment
        submission = Submission(
            method=experiment.method,
            seed=experiment.seed,
            hyperparameters=experiment.hyperparameters,
            code=code,
            answer=idea.answer,
        )
        key = f"score-{self._diary.cycle}-{self._diary.session}-{idea.number}-{self._diary.until_s:.3f}"
        while True:
            try:
                return await self._scored(idea, submission, key), False
            except NeverHappenedError as error:
                assert isinstance(error.__cause__, RefusedError)
                refusal = error.__cause__.refusal
                again_s = refusal.retry_after_s
                if again_s is None:
                    return f"the scorer refused it: {refusal.what}", True
                self._diary.close_gap()
                await asyncio.sleep(again_s)
                self._diary.write("wait", name=refusal.reason)

    async def _scored(self, idea: Idea, submission: Submission, key: str) -> str:
        diary, price = self._diary, self._settings.scorer_usd
        diary.close_gap()
        paid = {"component": "scorer"} if price else {}
        began_s = diary.clock.now_s()
        with diary.doing("score", price, name=idea.experiment.method, **paid) as came_to:
            try:
                scored = await self._site.submit(submission, key)
            except RefusedError as refused:
                raise NeverHappenedError from refused
            queued_s = scored.queued_s * diary.clock.time_scale
            took_s = diary.clock.now_s() - began_s
            came_to |= {"score": scored.score, "cost_usd": price, "queued_s": queued_s}
            came_to |= {"started_s": began_s + queued_s, "duration_s": max(0.0, took_s - queued_s)}
        idea.score, idea.submission, idea.parts = scored.score, scored.submission, scored.parts
        self._notebook.write(idea.record())
        parts = {name: round(value, 4) for name, value in idea.parts.items()}
        return "\n".join([f"scored: {parts}", record_line(idea.record())])

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
        idea = self._idea
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


def _ends_with(cycle: tuple[Step, ...], index: int) -> str:
    """Return the tool that ends the thinking step at a position of the cycle."""
    following = cycle[index + 1] if index + 1 < len(cycle) else None
    return _TOOL_THAT_ENDS.get(following.kind, "next_step") if following is not None else "next_step"
