"""Tracks: the rows of a chart or timeline of one replication, one per agent and per sub-agent."""

import re
from dataclasses import dataclass
from typing import Final

import pandas as pd

from simbudget.ledger.entry import FLEET

_NUMBER: Final = re.compile(r"\d+$")


@dataclass(frozen=True)
class Track:
    """An agent, or one of the sub-agents that work for it in parallel."""

    agent: int
    sub_agent: str = ""
    """Its name in the ledger, such as `sub-agent 2`; empty for the agent itself."""

    def label(self, agent_names: tuple[str, ...]) -> str:
        """Return the label of the track; that of a sub-agent includes its agent.

        Args:
            agent_names: [agents] names of the agents, by number.
        """
        name = agent_names[self.agent]
        return f"{name}: {self.sub_agent}" if self.sub_agent else name


def sub_agents_of(ledger: pd.DataFrame) -> pd.Series:
    """Return for each entry of a simulated ledger the name of the sub-agent that it belongs to, or an empty text.

    Only entries of sub-agents have a `parent` there. An agent starts its next sub-agents when the last of the ones
    before has ended, so that those of one name never overlap and share a track.

    Args:
        ledger: the entries of one replication, shape (entries,).
    """
    return ledger["name"].astype(str).where(ledger["parent"].astype(str) != "", "")


def tracks(ledger: pd.DataFrame, agents: int) -> tuple[Track, ...]:
    """Return the tracks of a simulated ledger: every agent, followed by its sub-agents by number.

    Args:
        ledger: the entries of one replication.
        agents: number of agents.
    """
    shown = pd.DataFrame({"agent": ledger["agent"], "sub_agent": sub_agents_of(ledger)})
    pairs = shown[(shown["agent"] != FLEET) & (shown["sub_agent"] != "")].drop_duplicates()
    found = [Track(int(agent), str(name)) for agent, name in pairs.itertuples(index=False)]
    return tuple(sorted([*map(Track, range(agents)), *found], key=_place))


def _place(track: Track) -> tuple[int, int]:
    number = _NUMBER.search(track.sub_agent)
    return track.agent, int(number.group()) if number else 0
