"""Who calls: agents themselves, their sub-agents, helpers, and steps with a model of their own.

A sub-agent has a context of its own, which the ledger keeps apart. A helper's calls stand among the agent's own
(a title, a summary, a look at a web page): another model is asked, with a context that is not the agent's, and the
agent's own context goes on afterwards as if nothing had happened. In ledgers that record contexts, an agent's contexts
of another model than its own are those of steps that name one. All cost what their own model costs, and none belongs to
the agent's turns.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Final

import numpy as np

from simbudget.arrays import Flags, Floats, Integers
from simbudget.calibration.observed.sessions import Session

_GOES_ON: Final = 0.75
"""A context of at least this fraction of the one before goes on; a smaller one may have been compacted."""
_ALIKE: Final = 0.5
"""Largest helper's context as a fraction of the agent's: a model that takes over sends about all of it."""
_FIRST: Final = 0.1
"""The same before an agent's first call, where a larger context may be the session itself, which another model goes on
with; a title is asked for with the prompt alone."""


SUB_AGENT: Final = "sub-agent"
HELPER: Final = "helper"
STEP: Final = "step"


@dataclass(frozen=True)
class Role:
    """What agents delegate to one model, or do in steps of their own with it."""

    model: str
    contexts: tuple[Session, ...]
    """One for each sub-agent, or for each helper's call."""
    counts: Floats
    """[cycles] sub-agents started in each; a session whose log records no cycles is one."""
    runs: Integers
    """[cycles] the run of each."""
    kind: str = SUB_AGENT
    """`sub-agent`, `helper` or `step`."""

    @property
    def calls(self) -> int:
        """Return the number of calls of all its contexts."""
        return sum(map(len, self.contexts))

    def by_run(self) -> tuple[Floats, Floats]:
        """Return [runs] the cycles that delegate, and all cycles."""
        _, run = np.unique(self.runs, return_inverse=True)
        return np.bincount(run, self.counts > 0).astype(np.float64), np.bincount(run).astype(np.float64)

    @property
    def cost_usd(self) -> float:
        """Return what its calls cost, as `usage` counts it; without outputs that the logs do not say."""
        return float(sum(np.nansum(session.cost_usd) for session in self.contexts))


@dataclass(frozen=True)
class Callers:
    """The callers of a ledger's sessions."""

    own: tuple[Session, ...]
    """Sessions of agents, without helpers' calls and without steps of other models."""
    roles: tuple[Role, ...]
    """What they delegate, and their steps of other models, by model, the most frequent first."""


def callers_of(sessions: Sequence[Session], agents: Collection[str] = ()) -> Callers:
    """Return sessions by who called: agents, and by model what they delegated.

    Args:
        sessions: all sessions of a ledger, those of sub-agents included.
        agents: models of a scenario's agents, by which their own contexts are told from those of steps with another
            model; without them an agent's own model is that of most of its calls.
    """
    delegated = [session for session in sessions if session.is_delegated]
    alone = [session for session in sessions if not session.is_delegated]
    models = _own_models(alone, agents)
    own: list[Session] = []
    helped: list[Session] = []
    stepped: list[Session] = []
    for session in alone:
        if session.steps is not None and session.model != models[session.run, session.agent]:
            stepped.append(session)
            continue
        left, helpers = _without_helpers(session)
        own.append(left)
        helped.extend(helpers)
    roles = [*_roles(own, delegated, SUB_AGENT), *_roles(own, helped, HELPER), *_roles(own, stepped, STEP)]
    return Callers(tuple(own), tuple(sorted(roles, key=lambda role: -role.calls)))


def is_same_model(model: str, logged: str) -> bool:
    """Return whether a scenario's model is that of logs, which may add a date or a provider to its name.

    Args:
        model: as a scenario names it.
        logged: as a log names it.
    """
    return logged.rpartition("/")[2].startswith(model.rpartition("/")[2])


def _own_models(sessions: Sequence[Session], agents: Collection[str]) -> dict[tuple[int, int], str]:
    """Return the own model of each agent of each run."""
    calls: dict[tuple[int, int], dict[str, int]] = {}
    for session in sessions:
        of_agent = calls.setdefault((session.run, session.agent), {})
        of_agent[session.model] = of_agent.get(session.model, 0) + len(session)

    def rank(model: str, count: int) -> tuple[bool, int]:
        return any(is_same_model(agent, model) for agent in agents if agent), count

    return {
        agent: max(by_model, key=lambda model: rank(model, by_model[model]))
        for agent, by_model in calls.items()
    }


def _roles(own: Sequence[Session], contexts: Sequence[Session], kind: str) -> list[Role]:
    """Return contexts by model, with their number in each cycle that has ended."""
    cycles = {key: 0 for session in own for key in _cycles(session)}
    in_order = sorted(contexts, key=lambda session: session.model)
    found = []
    for model, alike in groupby(in_order, key=lambda session: session.model):
        of_model = tuple(alike)
        counts = dict(cycles)
        for session in of_model:
            key = (session.run, session.agent, session.cycle) if session.steps is not None else (session.run,)
            if key in counts:
                counts[key] += 1
        started, runs = np.array(list(counts.values()), np.float64), np.array([key[0] for key in counts])
        found.append(Role(model, of_model, started, runs, kind))
    return found


def _cycles(session: Session) -> list[tuple[int, ...]]:
    """Return what identifies the ended cycles of a session; where its log records none, it is one."""
    if session.steps is None:
        return [(session.run,)]
    return [(session.run, session.agent, int(cycle)) for cycle in session.steps.cycles]


def _without_helpers(session: Session) -> tuple[Session, list[Session]]:
    """Return a session without the calls of helpers, and each of these as a context of its own."""
    models = session.models
    if models is None or session.steps is not None:
        return session, []
    helps = _are_helpers(models == session.model, session.context)
    calls = np.flatnonzero(helps)
    goes_on = (
        (np.diff(calls) == 1)
        & (np.diff(session.context[calls]) >= 0)
        & (models[calls[1:]] == models[calls[:-1]])
    )
    helpers = [
        _helper(session.part(int(part[0]), int(part[-1]) + 1), str(models[part[0]]))
        for part in np.split(calls, np.flatnonzero(~goes_on) + 1)
        if len(part)
    ]
    return (session.taken(~helps), helpers) if helpers else (session, [])


def _helper(part: Session, model: str) -> Session:
    return replace(part, model=model, models=None, is_delegated=True)


def _are_helpers(is_main: Flags, context: Floats) -> Flags:
    """Return [calls] which calls of other models send a small context of their own, after which the agent's goes on."""
    own = np.where(is_main, context, np.nan)
    before, after = _last_known(own), _last_known(own[::-1])[::-1]
    most = np.where(np.isnan(before), _FIRST * np.nan_to_num(after), _ALIKE * np.nan_to_num(before))
    goes_on = np.isnan(before) | np.isnan(after) | (after >= _GOES_ON * before)
    return np.asarray(~is_main & goes_on & (context <= most))


def _last_known(values: Floats) -> Floats:
    """Return at each place the last value that is not NaN; NaN before the first."""
    places = np.where(np.isnan(values), -1, np.arange(len(values)))
    last = np.maximum.accumulate(places)
    return np.where(last >= 0, values[np.maximum(last, 0)], np.nan)
