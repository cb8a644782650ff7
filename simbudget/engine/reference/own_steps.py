"""Steps that a user wrote in Python: a generator function of an agent, in a file beside the scenario.

    def warm_up(agent):
        # looks at what there is for ten minutes, then makes two calls
        yield from agent.spends("tool", "tool", 10 * 60 * 10**9)
        for _ in range(2):
            yield from agent.line.turn()

It may use of an agent: `spends(activity, kind, duration_ns)`, `line.turn()`, `line.context.tokens`, `cycle`,
`number`, `stream` (four numbers that key `engine.streams.lanes`, with a purpose of your own above 1,000,000), and
`site.clock.now` in nanoseconds.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from contextlib import closing
from functools import lru_cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simpy.events import Event
from simpy.exceptions import Interrupt

from simbudget.engine.reference.accounts import BudgetReachedError
from simbudget.engine.reference.scheduling import Happens
from simbudget.errors import Place, Problem, UserError
from simbudget.scenario.language.trust import allowed

if TYPE_CHECKING:
    from simbudget.engine.reference.agent import Agent


def own_step(agent: Agent, step: tuple[str, str]) -> Happens:
    """Do the step of an agent that is the function of this name in this file.

    Args:
        agent: the agent.
        step: the file, and the name of the function.

    Raises:
        UserError: the file or the function fails, or yields what is no event.
    """
    file, name = step
    try:
        yield from _events(_function(file, name)(agent))
    except (Interrupt, BudgetReachedError, UserError):
        raise
    except Exception as error:
        raise UserError(_problem(file, name, error)) from None


def _events(steps: Happens) -> Happens:
    """Pass on what a user's generator yields, if it can be waited for; interrupts end it."""
    happened = None
    with closing(steps):
        while True:
            try:
                event = steps.send(happened)
            except StopIteration:
                return
            if not isinstance(event, Event):
                raise TypeError(f"it yields {event!r}, for which nobody can wait; write `yield from agent.…`")
            happened = yield event


@lru_cache(maxsize=64)
def _function(file: str, name: str) -> Callable[[Agent], Happens]:
    if not allowed().runs_python:
        raise UserError(Problem(f"{Path(file).name} is code, and `python` steps do not run here"))
    spec = spec_from_file_location(f"simbudget_own_{Path(file).stem}", file)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    function: Any = getattr(module, name)

    def steps(agent: Agent) -> Happens:
        yield from function(agent) or ()

    return steps


def _problem(file: str, name: str, error: Exception) -> Problem:
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    place = Place(Path(file).name, lines[-1] if lines else None)
    return Problem(f"the step `{name}` failed: {type(error).__name__}: {error}", place, "mend the step")
