"""Ledgers that record cycles, contexts and agents' actions between calls, such as a pilot's.

Other logs contain only the calls of a session, and the time between calls has to be taken as tool time. These ledgers
have separate entries for experiments, submissions and waits, mark the calls that are turns of think steps, and separate
contexts, so that nothing has to be guessed.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from simbudget.arrays import Flags, Floats, Integers

STEP_COLUMNS: Final = ("agent", "session", "cycle", "kind", "started_s", "duration_s", "outcome")
"""Columns that steps are read from: a context's part of a frame with all of them takes five times as long."""
_AFTER_THINKING: Final = ("experiment", "score", "post")


@dataclass(frozen=True, eq=False)
class Steps:
    """Additional data on the calls of one context from a ledger with steps."""

    is_turn: Flags
    """[calls] whether it is a turn of a think step."""
    is_post: Flags
    """[calls] whether it is a post to other agents."""
    tool_s: Floats
    """[calls] seconds of tool use between it and the agent's next turn; 0 for calls that are not turns."""
    posts_read: Floats
    """[calls] number of others' posts that joined the context just before it."""
    turns: Floats
    """[cycles] turns of completed think steps."""
    turns_cut: Floats
    """[cycles] turns so far of think steps that the end of the run cut off."""
    cycles: Integers
    """Numbers of this context's cycles that came to their end."""
    is_left: Flags
    """[calls] whether the agent, or its sub-agents, worked in other contexts between it and the next."""

    @property
    def has_result(self) -> Flags:
        """Return [calls - 1] after which calls nothing but their own tools' results joined the context."""
        return np.asarray(self.is_turn[:-1] & ~self.is_left[:-1])


def without_failed_calls(entries: pd.DataFrame) -> pd.DataFrame:
    """Return entries without failed attempts at calls, which belong to no turn."""
    return entries[~(entries["kind"].isin(("call", "post")) & entries["outcome"].astype(str).eq("failed"))]


def are_sub_agents(entries: pd.DataFrame) -> Flags:
    """Return [entries] whether each is of a sub-agent, as the engine and pilots name them.

    The `parent` of an experiment is another experiment, and never an agent.
    """
    named, parent = entries["name"].astype(str), entries["parent"].astype(str)
    return (named.str.startswith("sub-agent ") & parent.str.startswith("agent ")).to_numpy(np.bool_)


def runs_that_tell(entries: pd.DataFrame) -> list[int]:
    """Return the runs whose entries record cycles, contexts and tool use.

    Attempts that failed need not: a pilot writes them down apart, before it is known what they belong to.
    """
    calls = without_failed_calls(entries[entries["kind"] == "call"])
    told = ((calls["cycle"] >= 0) & (calls["session"] >= 0)).fillna(False).groupby(calls["run"]).all()
    with_tools = set(entries.loc[entries["kind"] == "tool", "run"])
    return [int(run) for run in told.index[told.to_numpy(np.bool_)] if run in with_tools]


def contexts_of(entries: pd.DataFrame) -> pd.Series:
    """Return the context of each entry of runs that record steps: its own, or its agent's context at that time."""
    in_order = entries.sort_values("started_s", kind="stable")
    told = in_order["session"].astype("Float64").where(in_order["session"] >= 0)
    of_agent = told.groupby([in_order["run"], in_order["agent"]])
    return of_agent.ffill().fillna(of_agent.bfill()).reindex(entries.index).fillna(-1).astype("int64")


def scoring_times(entries: pd.DataFrame) -> list[Floats]:
    """Return durations of scoring, one array for each agent of runs that record steps."""
    scores = entries[(entries["kind"] == "score") & (entries["outcome"].astype(str) == "ok")]
    telling = runs_that_tell(entries) if len(scores) else []
    found = [
        of_agent["duration_s"].dropna().to_numpy(np.float64)
        for (run, _), of_agent in scores.groupby(["run", "agent"])
        if run in telling
    ]
    return [times for times in found if len(times)]


class RunWithSteps:
    """A run whose ledger records steps: its entries by caller, sorted once for all its contexts."""

    def __init__(self, entries: pd.DataFrame) -> None:
        delegated = are_sub_agents(entries)
        entries = entries[[*STEP_COLUMNS]]
        own = entries[~delegated]
        self._of_agent = dict(iter(own.groupby("agent")))
        # Sub-agents run in parallel, so the entries of each are those of its own context.
        self._of_sub_agent = dict(iter(entries[delegated].groupby(["agent", "session"])))
        posts = own[own["kind"] == "post"]
        self._posters = posts["agent"].to_numpy(np.int64)
        self._posted_s = posts["started_s"].to_numpy(np.float64)
        calls = entries[entries["kind"] == "call"].sort_values("started_s", kind="stable")
        self._begun = {
            agent: (of_agent["session"].to_numpy(np.int64), of_agent["started_s"].to_numpy(np.float64))
            for agent, of_agent in calls.groupby("agent")
        }

    def steps_of(self, calls: pd.DataFrame, is_sub_agent: bool) -> Steps:
        """Return the steps of one context.

        Args:
            calls: the context's answered calls, by their start.
            is_sub_agent: whether it is a sub-agent's.
        """
        agent, context = (int(calls[name].to_numpy(np.int64)[0]) for name in ("agent", "session"))
        of_caller = self._of_sub_agent[agent, context] if is_sub_agent else self._of_agent[agent]
        is_turn = calls["kind"].eq("call").to_numpy()
        is_post = calls["kind"].eq("post").to_numpy()
        started_s = calls["started_s"].to_numpy(np.float64)
        return Steps(
            is_turn,
            is_post,
            _tool_s(started_s, is_turn, of_caller),
            self._posts_read(started_s, is_post, agent),
            *_turns(calls, of_caller),
            _ended(calls, of_caller),
            np.zeros(len(calls), np.bool_) if is_sub_agent else self._is_left(started_s, agent, context),
        )

    def _is_left(self, started_s: Floats, agent: int, context: int) -> Flags:
        """Return [calls] whether calls of other contexts of the agent begin between it and the next."""
        contexts, begun_s = self._begun.get(agent, (np.zeros(0, np.int64), np.zeros(0)))
        # what begins at the same instant as the next call begins after it
        before = np.searchsorted(begun_s[contexts != context], started_s, side="left")
        return np.asarray(np.diff(before, append=before[-1:]) > 0)

    def _posts_read(self, started_s: Floats, is_post: Flags, agent: int) -> Floats:
        """Return [calls] the number of others' posts between the agent's previous post and each of its posts."""
        found = np.zeros(len(started_s))
        if not is_post.any():
            return found
        others_s, own_s = (np.sort(self._posted_s[which]) for which in _apart(self._posters == agent))
        counts = np.diff(np.searchsorted(others_s, own_s), prepend=0)
        found[is_post] = counts[np.searchsorted(own_s, started_s[is_post])]
        return found


def _apart(is_own: Flags) -> tuple[Flags, Flags]:
    return ~is_own, is_own


def _tool_s(started_s: Floats, is_turn: Flags, of_caller: pd.DataFrame) -> Floats:
    """Return [calls] seconds of tool use after each call, until the caller's next turn."""
    turns_s = np.sort(of_caller.loc[of_caller["kind"] == "call", "started_s"].to_numpy(np.float64))
    tools = of_caller[of_caller["kind"] == "tool"]
    belongs_to = np.searchsorted(turns_s, tools["started_s"].to_numpy(np.float64), side="right") - 1
    totals = np.bincount(
        belongs_to[belongs_to >= 0],
        weights=tools["duration_s"].to_numpy(np.float64)[belongs_to >= 0],
        minlength=len(turns_s),
    )
    found = np.zeros(len(started_s))
    found[is_turn] = totals[np.searchsorted(turns_s, started_s[is_turn])]
    return found


def _turns(calls: pd.DataFrame, of_agent: pd.DataFrame) -> tuple[Floats, Floats]:
    """Return [cycles] the turns of cycles whose thinking has ended, and of those that were cut off.

    An agent's only cycle has ended if nothing says that it was cut off.
    """
    counts = calls.loc[calls["kind"] == "call"].groupby("cycle").size()
    ended = of_agent.loc[of_agent["kind"].isin(_AFTER_THINKING), "cycle"].unique()
    last = of_agent["cycle"].max()
    is_whole = _is_whole(of_agent)
    has_ended = [cycle in ended or cycle < last or is_whole for cycle in counts.index]
    turns: Floats = np.array(counts, np.float64)
    return turns[np.array(has_ended, np.bool_)], turns[~np.array(has_ended, np.bool_)]


def _is_whole(of_agent: pd.DataFrame) -> bool:
    """Return whether an agent's only cycle has ended: nothing says that it was cut off."""
    return bool(of_agent["cycle"].nunique() == 1 and not of_agent["outcome"].eq("cut").any())


def _ended(calls: pd.DataFrame, of_agent: pd.DataFrame) -> Integers:
    """Return the cycles of a context that ended: all but its agent's last, which may have been cut off."""
    cycles = np.unique(calls["cycle"].to_numpy(np.int64))
    return cycles if _is_whole(of_agent) else cycles[cycles < of_agent["cycle"].max()]
