"""Simulated histories of scores by a scenario's `research` block, one campaign per world.

The compiled laws of a projection are simulated without the events between submissions: agents submit in turn, and all
know every submission, as if they shared one table of results. Thousands of campaigns are simulated per second, each in
a different world; `yields` compares them with a real one.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from simbudget.arrays import Flags, Floats, Integers
from simbudget.compilation import compiled
from simbudget.engine.laws.draws import draw_world
from simbudget.engine.laws.notebook import LEADS, SCORE, Notebook, best_known, clear, empty_notebook, learn
from simbudget.engine.laws.research import Lab, submit
from simbudget.engine.program import Program

_FIRST: Final = 1
"""The first submission is the baseline, not an experiment."""


@dataclass(frozen=True, eq=False)
class Histories:
    """Simulated campaigns, one world per row."""

    kept: Flags
    """[worlds, experiments] whether an experiment's score was above all before it."""
    best: npt.NDArray[np.float32]
    """[worlds, experiments] the best score so far, less the one that the campaign began with."""
    first: Floats
    """[worlds] the score that the campaign began with."""
    worlds: Floats
    """[worlds, quantities, columns] the rows that the world's draws are made from."""


@compiled
def _play(lab: Lab, notebook: Notebook, agents: int, kept: Flags, best: Floats) -> float:
    """Simulate submissions in turn with shared results, record the leaders, and return the first score."""
    clear(notebook)
    first, leader = 0.0, 0.0
    for turn in range(_FIRST + len(kept)):
        parent = best_known(notebook, turn % agents, 0)
        submission = submit(lab, notebook, turn % agents, turn // agents, parent, 0)
        score = notebook.worths[submission, SCORE]
        leads = notebook.submissions[submission, LEADS] == 1
        if turn == 0:
            first = score
        if leads:
            leader = score
            for agent in range(agents):
                learn(notebook, agent, submission, 0)
        if turn >= _FIRST:
            kept[turn - _FIRST] = leads
            best[turn - _FIRST] = leader - first
    return first


def play_histories(program: Program, worlds: int, experiments: int, seed: int) -> Histories:
    """Return campaigns with the given number of experiments, one in each of the scenario's worlds.

    Args:
        program: of the scenario, which has research.
        worlds: number of campaigns.
        experiments: number of experiments of each.
        seed: of the simulation.
    """
    kept = np.zeros((worlds, experiments), dtype=np.bool_)
    best, of_world = np.zeros((worlds, experiments), dtype=np.float32), np.zeros(experiments)
    rows = program.rows.copy()
    notebook = empty_notebook(
        program.agent_directions, program.direction_keys, program.reviewers, experiments + 1
    )
    first, facts = np.zeros(worlds), np.empty((worlds, *rows.shape))
    for world in range(worlds):
        stream: Integers = np.array([seed, world, 0], dtype=np.int64)
        draw_world(
            rows, program.rows, program.table, program.kinds, program.spreads, program.purposes, stream
        )
        facts[world] = rows
        lab = program.lab(rows, seed, world, 0)
        first[world] = _play(lab, notebook, program.agents, kept[world], of_world)
        best[world] = of_world
    return Histories(kept, best, first, facts)
