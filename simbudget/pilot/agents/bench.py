"""An agent's tools, except for those that end a step, which the cycle handles."""

from collections.abc import Mapping
from typing import Any, Final

from simbudget.pilot.agents.laboratory import Idea, Laboratory
from simbudget.pilot.agents.notebook import Notebook
from simbudget.pilot.conversation import record_line
from simbudget.pilot.service.client import RefusedError, SiteClient
from simbudget.pilot.service.messages import Post
from simbudget.pilot.tasks.task import Experiment, Task

ENDINGS: Final = frozenset({"run_experiment", "submit", "post", "next_step"})
"""The tools that end a step."""

_SHOWN_CHARACTERS: Final = 6_000
"""Of a file or a source: some 1,500 tokens, so that one tool call does not fill the context."""
_MOST_CODE: Final = 100_000
"""Characters of a submitted method, far above any real one."""


class MistakeError(Exception):
    """A tool was called with invalid arguments; the text is for the model."""


class Bench:
    """One agent's tools."""

    def __init__(self, laboratory: Laboratory, notebook: Notebook, site: SiteClient, task: Task) -> None:
        self._laboratory, self._notebook, self._site, self._task = laboratory, notebook, site, task

    async def use(self, tool: str, given: Mapping[str, Any]) -> str:
        """Return the result of a tool.

        Raises:
            MistakeError: the call is invalid.
        """
        try:
            if tool == "list_files":
                return record_line({"files": self._laboratory.files()})
            if tool == "read_file":
                return self._laboratory.read(_text(given, "path"))[:_SHOWN_CHARACTERS]
            if tool == "write_note":
                self._notebook.write({"note": _text(given, "text")[:2000]})
                return "noted"
            if tool == "read_forum":
                return await self.read_forum(at_most=50)
            if tool == "read_code":
                return (await self._site.fetch(_text(given, "code")))[:_SHOWN_CHARACTERS]
        except FileNotFoundError as error:
            raise MistakeError(f"there is no file {error}") from None
        except RefusedError as error:
            raise MistakeError(error.refusal.what) from None
        raise MistakeError(f"there is no tool {tool}")

    async def read_forum(self, at_most: int) -> str:
        """Return the latest `at_most` posts by others since the agent last looked, as records."""
        found: list[Post] = []
        more = True
        while more:
            page = await self._site.posts(self._notebook.posts_seen, 50)
            found += page.posts
            if page.posts:
                self._notebook.posts_seen = page.posts[-1].number
            more = page.more and bool(page.posts)
        if not found:
            return "nothing new on the forum"
        for post in found:
            if post.score is not None:
                self._notebook.write({"from": post.agent, **_of_post(post)})
        shown = found[-at_most:] if at_most else []
        return "\n".join(f"agent {post.agent}: {post.text}\n{record_line(_of_post(post))}" for post in shown)

    def experiment(self, given: Mapping[str, Any]) -> Experiment:
        """Parse the experiment that a call of `run_experiment` asks for.

        Raises:
            MistakeError: the call is invalid.
        """
        method = _text(given, "method")[:100]
        code, seed, knobs = given.get("code"), given.get("seed", 0), given.get("hyperparameters") or {}
        if code is not None and (not isinstance(code, str) or len(code) > _MOST_CODE):
            raise MistakeError("code has to be the text of a Python file of at most 100,000 characters")
        if code is None and method not in {known.name for known in self._task.methods}:
            raise MistakeError(f"there is no method {method}; provide its code, or name a known method")
        if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**31:
            raise MistakeError("seed has to be a whole number from 0 to 2147483647")
        if not isinstance(knobs, Mapping) or not all(
            isinstance(value, int | float | str) for value in knobs.values()
        ):
            raise MistakeError("hyperparameters have to be numbers or texts by name")
        return Experiment(method, {str(name): value for name, value in list(knobs.items())[:50]}, seed, code)

    async def code_of(self, idea: Idea) -> str:
        """Return the name in the code store of an idea's source, which is stored first if necessary."""
        if idea.code is None:
            idea.code = await self._site.store(self._task.source(idea.experiment))
        return idea.code


def _of_post(post: Post) -> dict[str, Any]:
    """Return a post as a record."""
    record: dict[str, Any] = {"method": post.method, "hyperparameters": dict(post.hyperparameters)}
    if post.score is not None:
        record["score"] = post.score
    if post.code is not None:
        record["code"] = post.code
    return record


def _text(given: Mapping[str, Any], name: str) -> str:
    value = given.get(name)
    if not isinstance(value, str) or not value:
        raise MistakeError(f"{name} is missing")
    return value
