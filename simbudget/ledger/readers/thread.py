"""What one agent did, in the order in which its log tells it: calls, tools, failures, pauses, compactions.

Logs say when something was written down, and seldom when it began. A call begins when what it answers was
there: the person's prompt, the last tool's result, the end of a compaction (`ready_s`). A tool begins with the
call that asked for it. A clock that goes back makes a duration that is not known, and is noted.
"""

import math
from typing import Any, Final, NamedTuple

from simbudget.ledger.entry import Entry
from simbudget.ledger.frame import PROMPT_COLUMNS
from simbudget.ledger.readers.gathering import Gathering, RunInMaking
from simbudget.ledger.readers.values import NOT_KNOWN
from simbudget.pricing.charge import COUNTS

PERSON: Final = "person"
"""The name of entries of kind `wait` in which a person was waited for."""

_CLOCK_TOLERANCE_S: Final = 1.0
"""Lines of one log may be written this far out of order without the clock having gone back."""


class LoggedUsage(NamedTuple):
    """What a call used; None is not known. Classes exclude each other."""

    uncached: int | None = None
    write: int | None = None
    read: int | None = None
    output: int | None = None
    write_1h: int | None = None
    thinking: int | None = None
    context: int | None = None
    web_searches: int | None = None
    service: str = ""
    """By which service the call was made, where the provider has several: `batch`, `flex`, `priority`, `fast`."""
    inference_geo: str = ""
    """The place that the call was bound to."""

    def columns(self) -> dict[str, Any]:
        """Return the usage by the ledger's column names."""
        return {**self.counts(), "service": self.service, "inference_geo": self.inference_geo}

    def counts(self) -> dict[str, int | None]:
        """Return the counts of the usage by the ledger's column names."""
        found = {f"{name}_tokens": getattr(self, _FIELDS.get(name, name)) for name in COUNTS}
        classes = [found[name] for name in PROMPT_COLUMNS]
        context = self.context
        if context is None and None not in classes:
            context = sum(known or 0 for known in classes)
        return found | {"context_tokens": context, "web_searches": self.web_searches}


_FIELDS: Final = {
    "uncached_input": "uncached",
    "cache_write": "write",
    "cache_write_1h": "write_1h",
    "cache_read": "read",
}
"""Fields of a logged usage whose names are shorter than those of the counts."""


NO_USAGE: Final = LoggedUsage()


class _Tool(NamedTuple):
    name: str
    asked_s: float
    turn: int


class Thread:
    """One agent's doings, to which its reader adds in the log's order. Times are seconds since 1970."""

    def __init__(self, gathering: Gathering, run: RunInMaking, agent: str = "") -> None:
        self.run = run
        self.ready_s = NOT_KNOWN
        """Since when the next call could begin."""
        self.last_s = NOT_KNOWN
        """When the log last noted anything of this agent."""
        self.session = 0
        self.cycle = -1
        self._gathering = gathering
        self._agent = run.agent(agent)
        self.turn = run.last_turns[self._agent] - 1
        self._model = ""
        self._tools: dict[str, _Tool] = {}
        self._interruption: tuple[float, float] | None = None

    def sees(self, at_s: float) -> None:
        """Note the time of a line."""
        if at_s < self.last_s - _CLOCK_TOLERANCE_S:
            self.run.odd["the clock went back"] += 1
        if not math.isnan(at_s):
            self.last_s = at_s

    def lasted_s(self, started_s: float, ended_s: float) -> float:
        """Return how long something lasted; NaN if that is not known or the clock went back."""
        lasted = ended_s - started_s
        if math.isnan(lasted) or lasted < -_CLOCK_TOLERANCE_S:
            return NOT_KNOWN
        return max(0.0, lasted)

    def call(self, usage: LoggedUsage, model: str, started_s: float, ended_s: float, **columns: Any) -> int:
        """Add a call, and return its row."""
        if self._tools:
            self._drop_tools()
        self.turn += 1
        self.run.last_turns[self._agent] = self.turn + 1
        self._model = model
        known = {"component": "tokens", "cost_usd": NOT_KNOWN, **usage.columns(), **columns}
        duration_s = self.lasted_s(started_s, ended_s)
        if math.isnan(started_s):  # how long it took is not known; on which day it was, and so its price, is
            started_s = ended_s
        return self.add("call", started_s, duration_s, model=model, **known)

    def put_off(self, row: int, asked_s: float, lasted_s: float, queued_s: float) -> None:
        """Say of a call that it queued before it began."""
        for name, value in (
            ("started_s", asked_s + queued_s),
            ("duration_s", lasted_s),
            ("queued_s", queued_s),
        ):
            self._gathering.columns.set(row, name, value)

    def fails(self, at_s: float, status: str, model: str = "") -> None:
        """Add an attempt at a call that failed when the log says so; it bills nothing."""
        duration_s = self.lasted_s(self.ready_s, at_s)
        self.add("call", self.ready_s, duration_s, model=model, outcome="failed", status=status)

    def compacts(self, started_s: float, ended_s: float, usage: LoggedUsage, **columns: Any) -> None:
        """Add a compaction; the next call can begin when it has ended."""
        duration_s = self.lasted_s(started_s, ended_s)
        known = {"component": "tokens", "cost_usd": NOT_KNOWN, **usage.columns(), **columns}
        self.add("compaction", started_s, duration_s, model=self._model, **known)
        self.ready_s = ended_s

    def waits_for_person(self, until_s: float) -> None:
        """Add the pause from the last line to a person's word.

        While tools are under way it may be a word in between; that shows when they end, or are broken off.
        """
        if self.turn < 0:
            return
        if self._tools:
            self._interruption = (self.last_s, until_s)
            return
        self._pause(self.last_s, until_s)

    def _pause(self, began_s: float, until_s: float) -> None:
        paused_s = self.lasted_s(began_s, until_s)
        if paused_s > 0:
            self.add("wait", began_s, paused_s, name=PERSON)

    def _drop_tools(self) -> None:
        """Cut the tools that were never answered before the next call, which a person broke off."""
        dropped = [key for key, tool in self._tools.items() if tool.turn <= self.turn]
        for key in dropped:
            tool = self._tools.pop(key)
            self.add("tool", tool.asked_s, NOT_KNOWN, turn=tool.turn, name=tool.name, outcome="cut")
        if dropped and self._interruption:
            self._pause(*self._interruption)
        self._interruption = None

    def asks_tool(self, tool_id: str, name: str, at_s: float, turn: int | None = None) -> None:
        """Note that a call asks for a tool: the last call, if no other turn is named."""
        self._tools[tool_id] = _Tool(name, at_s, self.turn if turn is None else turn)

    def tool_name(self, tool_id: str) -> str:
        """Return the name of a tool that is under way."""
        tool = self._tools.get(tool_id)
        return tool.name if tool else ""

    def tool_ends(
        self, tool_id: str, at_s: float, worked_s: float = NOT_KNOWN, kind: str = "tool", **columns: Any
    ) -> None:
        """Add a tool's use. `worked_s` is how long the tool itself took, if the log says so; the rest queued."""
        self.ready_s = at_s
        tool = self._tools.pop(tool_id, None)
        if tool is None:
            self.run.odd["tool results without a call that asked for them"] += 1
            return
        lasted_s = self.lasted_s(tool.asked_s, at_s)
        queued_s = 0.0
        if worked_s <= lasted_s:
            lasted_s, queued_s = worked_s, lasted_s - worked_s
        self.add(kind, tool.asked_s + queued_s, lasted_s, queued_s, turn=tool.turn, name=tool.name, **columns)

    def breaks_off(self) -> None:
        """Note that the log ends: tools that were under way are cut."""
        for tool in self._tools.values():
            cut_s = self.lasted_s(tool.asked_s, self.last_s)
            self.add("tool", tool.asked_s, cut_s, turn=tool.turn, name=tool.name, outcome="cut")
        self._tools.clear()

    def add(
        self, kind: str, started_s: float, duration_s: float, queued_s: float = 0.0, **columns: Any
    ) -> int:
        """Add an entry of this agent, and return its row."""
        turn = columns.pop("turn", self.turn)
        run = self.run
        return self._gathering.add(
            Entry(
                run.number,
                self._agent,
                self.cycle,
                self.session,
                turn,
                kind,
                started_s,
                duration_s,
                queued_s,
                source=run.source,
                **columns,
            )
        )
