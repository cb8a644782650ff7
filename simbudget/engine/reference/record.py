"""The record of a run: its entries, if requested, each written when the thing it records has ended."""

from types import TracebackType
from typing import Any

from simbudget.engine.reference.clock import Clock
from simbudget.ledger.entry import Entry

_SECOND_NS = 1e9


class EntryInTheMaking:
    """A context manager around something that takes time; its entry says `cut` if that was interrupted."""

    def __init__(self, record: "Record", agent: int, kind: str, columns: dict[str, Any]) -> None:
        self.columns = columns
        self._record, self._agent, self._kind = record, agent, kind
        self._started_ns = record.clock.now

    def __enter__(self) -> "EntryInTheMaking":
        return self

    def __exit__(
        self, raised: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if raised is not None and self.columns.get("outcome") != "unserved":
            self.columns["outcome"] = "cut"
        self._record.add(self._agent, self._kind, self._started_ns, self._record.clock.now, self.columns)


class Record:
    """The entries of a run."""

    def __init__(self, clock: Clock, run: int, wanted: bool) -> None:
        self.clock = clock
        self.entries: list[Entry] = []
        self._run, self._wanted = run, wanted

    def entry(self, agent: int, kind: str, columns: dict[str, Any]) -> EntryInTheMaking:
        """Return the context manager that records what happens within it."""
        return EntryInTheMaking(self, agent, kind, columns)

    def add(self, agent: int, kind: str, started_ns: int, ended_ns: int, columns: dict[str, Any]) -> None:
        """Add an entry; `columns` are those of `Entry` that this kind has, and `queued_ns` for its time waited."""
        if not self._wanted:
            return
        place = {name: columns.pop(name, -1) for name in ("cycle", "session", "turn")}
        self.entries.append(
            Entry(
                run=self._run,
                agent=agent,
                kind=kind,
                started_s=started_ns / _SECOND_NS,
                duration_s=(ended_ns - started_ns) / _SECOND_NS,
                queued_s=columns.pop("queued_ns", 0) / _SECOND_NS,
                **place,
                **columns,
            )
        )
