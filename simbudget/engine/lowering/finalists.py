"""The finalists of a scenario's runs: the methods that its search brings to the gates, by the laws of the engines.

The search is played without a clock (`laws.search`), in as many worlds as are wanted: the effects of time, money and
queues are left out, a run has at most `MOST_SUBMISSIONS` submissions, and reviews find what they find at once. A test
compares the finalists with those of the compiled engine.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from simbudget.engine.laws.draws import Floats, Integers, draw_world
from simbudget.engine.laws.notebook import (
    ADDED,
    IS_FIRST,
    IS_HACK,
    IS_TRIED,
    METHOD,
    QUALITY,
    SUBMISSIONS,
    Notebook,
    empty_notebook,
)
from simbudget.engine.laws.research import Lab
from simbudget.engine.laws.search import search_in_turn
from simbudget.engine.lowering.quantities import Quantities, office_hours
from simbudget.engine.lowering.research import directions_of, gates_of, research_of
from simbudget.engine.streams import agent_key
from simbudget.scenario.pace import cycle_s
from simbudget.scenario.scenario import Scenario, Score, Share

MOST_SUBMISSIONS: Final = 300
"""What is found later is hardly ever better, and the time of a search grows with the square of their number."""

_MOST_AGENTS: Final = 50
"""With more agents, each of the submissions at most would hardly have a second turn."""

_MOST_FINALISTS: Final = 20
"""The likelihood of gates counts 60 trials of all runs together, so more finalists of one run add nothing."""

_SEED: Final = 0
"""Always the same, so that evidence says the same in every projection."""

_Methods = tuple[Floats, Floats, npt.NDArray[np.bool_]]


@dataclass(frozen=True, eq=False)
class Finalists:
    """The finalists of many worlds, as flat arrays in the order of the worlds."""

    first: Floats
    """Quality of the method's first version; 0 for an improvement that counts as a result."""
    refined: Floats
    """Quality added by refinements; by this one only, if it counts as a result."""
    is_hack: npt.NDArray[np.bool_]
    begins: Integers
    """[worlds] index of each world's first finalist."""
    counts: Integers
    """[worlds] number of finalists, at least one."""


@dataclass(frozen=True)
class Search:
    """The agents of a search, and its length."""

    agent_keys: Integers
    """[agents] the number of each one's streams."""
    directions: Integers
    """[agents] the direction in which each starts to look for ideas."""
    submissions: int
    reads_at_most: int
    """Maximum number of posts that an agent reads after a submission; 0 where agents do not share."""


def finalists_of(scenario: Scenario, worlds: int, runs_each: int) -> Finalists:
    """Return the finalists of simulated runs of a scenario's search.

    Args:
        scenario: its research is taken as it stands; evidence in it is not looked at.
        worlds: number of worlds; those without any finalist are left out.
        runs_each: runs per world.
    """
    quantities = Quantities()
    research = research_of(scenario, quantities)
    research = research._replace(
        review_time=quantities.number(0.0), finalists=min(research.finalists, _MOST_FINALISTS)
    )
    gates, of = gates_of(scenario, quantities), quantities.arrays()
    search, run = search_of(scenario), np.zeros(3, dtype=np.int64)
    rows, always = np.empty_like(of["rows"]), np.array(office_hours(None), dtype=np.int64)
    lab = Lab(rows, of["table"], research, gates, always, search.agent_keys, run)
    _, direction_keys = directions_of(scenario)
    notebook = empty_notebook(search.directions, direction_keys, 1, search.submissions)
    found: list[_Methods] = []
    for world in range(worlds if research.is_on else 0):
        for replication in range(runs_each):
            run[:] = _SEED, world, replication
            draw_world(rows, of["rows"], of["table"], of["kinds"], of["spreads"], of["purposes"], run)
            search_in_turn(lab, notebook, search.submissions, search.reads_at_most)
            found.append(_tried(notebook, bool(research.counts_improvements)))
    return _flat(found, runs_each)


def search_of(scenario: Scenario) -> Search:
    """Return the search of a scenario, with the number of submissions that typical times allow.

    Args:
        scenario: the scenario.
    """
    of_agents, _ = directions_of(scenario)
    keys: list[int] = []
    directions: list[int] = []
    submissions, first = 0.0, 0
    for group in scenario.fleet:
        steps = sum(isinstance(step, Score) for step in group.cycle)
        members = range(min(group.agents, _MOST_AGENTS) if steps else 0)
        keys.extend(agent_key(group.group, member) for member in members)
        directions.extend(int(of_agents[first + member]) for member in members)
        cycles = scenario.stop.after.exact_value / max(cycle_s(scenario, group), 1.0)
        submissions += group.agents * steps * min(cycles, scenario.stop.cycles_per_agent or np.inf)
        first += group.agents
    shares = any(isinstance(step, Share) for group in scenario.fleet for step in group.cycle)
    return Search(
        agent_keys=np.array(keys[:_MOST_AGENTS], dtype=np.int64),
        directions=np.array(directions[:_MOST_AGENTS], dtype=np.int64),
        submissions=int(min(max(submissions, 1.0), MOST_SUBMISSIONS)),
        reads_at_most=scenario.forum.reads_at_most if shares else 0,
    )


def _tried(notebook: Notebook, improvements_count: bool) -> _Methods:
    """Return first quality, added quality and gaming of the submissions of a run that were tried at gates."""
    made = notebook.submissions[: notebook.counts[SUBMISSIONS]]
    tried = np.flatnonzero(made[:, IS_TRIED])
    rows, worths = made[tried], notebook.worths[tried]
    first = notebook.first_worths[rows[:, METHOD], QUALITY]
    refined = worths[:, QUALITY] - first
    if improvements_count:
        is_first = rows[:, IS_FIRST] == 1
        first, refined = np.where(is_first, first, 0.0), np.where(is_first, 0.0, worths[:, ADDED])
    return first, refined, rows[:, IS_HACK] == 1


def _flat(found: list[_Methods], runs_each: int) -> Finalists:
    counts = (
        np.array([len(first) for first, _, _ in found], dtype=np.int64).reshape(-1, runs_each).sum(axis=1)
    )
    begins = np.cumsum(counts) - counts
    columns = zip(*found, strict=True) if found else ((np.zeros(0),),) * 3
    first, refined, is_hack = (np.concatenate(column) for column in columns)
    return Finalists(first, refined, is_hack.astype(np.bool_), begins[counts > 0], counts[counts > 0])
