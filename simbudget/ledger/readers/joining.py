"""The run that each gathered row finally belongs to, and what rows say about their runs, counted block by block.

Sub-agents' runs are given to the run that they are part of. What is kept of a run does not grow with its entries.
"""

from typing import Final

import numpy as np
import pandas as pd

from simbudget.arrays import Floats, Integers
from simbudget.ledger.readers.columns import RecordArray, Records
from simbudget.ledger.readers.gathering import Gathering, RunInMaking

Numbers = Integers
Seconds = Floats

_NO_RUN: Final = -1
_NO_WORD: Final = -1


class Joining:
    """The runs that are left when sub-agents have joined theirs, numbered from 0, and what is known of each."""

    def __init__(self, gathering: Gathering, records: Records) -> None:
        tops, self._run_of, self._first_agent = _joined(gathering)
        tally = _Tally(len(gathering.runs), records.words)
        for block in records.blocks():
            tally.add(block, *self.placed(block))
        self.runs = [run for run in tops if tally.entries[run.number] or run.reported_cost_usd >= 0]
        """The runs that have entries, or of which something is reported."""
        kept = np.array([run.number for run in self.runs], dtype=np.int64)
        self._renumber(kept, len(gathering.runs))
        self.entries: Numbers = tally.entries[kept]
        """How many entries each run has."""
        self.first_s: Seconds = tally.first_s[kept]
        """When each run's first entry began."""
        self.last_s: Seconds = tally.last_s[kept]
        """When each run's last entry ended."""
        self.agents: Numbers = tally.agents()[kept]
        """How many agents each run has."""
        models = tally.models()
        self.models = [models[run] for run in kept.tolist()]
        """The model that most of each run's calls were made to."""

    def placed(self, records: RecordArray) -> tuple[Numbers, Numbers]:
        """Return the run and the agent of rows."""
        gathered, agent = records["run"], records["agent"]
        return self._run_of[gathered], np.where(agent < 0, agent, agent + self._first_agent[gathered])

    def _renumber(self, kept: Numbers, runs: int) -> None:
        """Give the runs that are kept their final numbers."""
        number = np.full(runs, _NO_RUN)
        number[kept] = np.arange(len(kept))
        self._run_of = number[self._run_of]
        for new, run in enumerate(self.runs):
            run.number = new


class _Tally:
    """What rows say of their runs, counted block by block."""

    def __init__(self, runs: int, words: dict[str, list[str]]) -> None:
        self.entries = np.zeros(runs, dtype=np.int64)
        self.first_s = np.full(runs, np.nan)
        self.last_s = np.full(runs, np.nan)
        self._agents = [np.empty((0, 2), dtype=np.int64)]
        self._models = [np.empty((0, 3), dtype=np.int64)]
        self._names = words["model"]
        self._tokens = words["component"].index("tokens") if "tokens" in words["component"] else _NO_WORD

    def add(self, block: RecordArray, run: Numbers, agent: Numbers) -> None:
        """Count further rows."""
        self.entries += np.bincount(run, minlength=len(self.entries))
        np.fmin.at(self.first_s, run, block["started_s"])
        np.fmax.at(self.last_s, run, block["started_s"] + np.nan_to_num(block["duration_s"]))
        self._agents.append(np.unique(np.column_stack((run, agent)), axis=0))
        paid = block["component"] == self._tokens
        named = np.column_stack((run[paid], block["model"][paid]))
        self._models.append(np.column_stack(np.unique(named, axis=0, return_counts=True)))

    def agents(self) -> Numbers:
        """Return how many agents each run has."""
        pairs = np.unique(np.concatenate(self._agents), axis=0)
        return np.bincount(pairs[:, 0], minlength=len(self.entries))

    def models(self) -> list[str]:
        """Return the model that most of each run's calls were made to."""
        counts = pd.DataFrame(np.concatenate(self._models), columns=["run", "model", "calls"])
        counts = counts.groupby(["run", "model"], as_index=False).sum()
        most = counts.sort_values(["run", "calls", "model"], ascending=[True, False, True])
        found = [""] * len(self.entries)
        for run, model in most.drop_duplicates("run")[["run", "model"]].itertuples(index=False):
            found[run] = self._names[model]
        return found


def _joined(gathering: Gathering) -> tuple[list[RunInMaking], Numbers, Numbers]:
    """Give the runs of sub-agents to the run that they are part of.

    Returns the runs that are left; for each run as gathered, which it now belongs to, and its first agent there.
    """
    run_of = np.arange(len(gathering.runs))
    first_agent = np.zeros(len(gathering.runs), dtype=np.int64)
    agents = {run.number: len(run.agents) for run in gathering.runs.values()}
    tops = []
    for run in gathering.runs.values():
        top = _top(gathering, run)
        if top is run:
            tops.append(run)
            continue
        run_of[run.number], first_agent[run.number] = top.number, agents[top.number]
        agents[top.number] += len(run.agents)
        for agent in run.agents:
            top.agent(f"{run.name} {agent}")
        top.repeated += run.repeated
        top.missing.update(run.missing)
        top.odd.update(run.odd)
    return tops, run_of, first_agent


def _top(gathering: Gathering, run: RunInMaking) -> RunInMaking:
    """Return the outermost run that contains a run, as far as the logs say."""
    seen = {run.number}
    while (above := gathering.runs.get(run.part_of)) is not None and above.number not in seen:
        seen.add(above.number)
        run = above
    return run
