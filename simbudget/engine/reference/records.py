"""What is written down during a run: the entries of its ledger, if requested, and how agents spend their time."""

from types import TracebackType
from typing import Any, Final

from simbudget.engine.reference.scheduling import Clock
from simbudget.ledger.entry import ACTIVITIES, Entry

_SECOND_NS = 1e9


class OpenEntry:
    """A context manager around something that takes time; its entry says `cut` if that was interrupted."""

    def __init__(self, record: "Record", agent: int, kind: str, columns: dict[str, Any]) -> None:
        self.columns = columns
        self._record, self._agent, self._kind = record, agent, kind
        self._started_ns = record.clock.now

    def __enter__(self) -> "OpenEntry":
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

    def entry(self, agent: int, kind: str, columns: dict[str, Any]) -> OpenEntry:
        """Return the context manager that records what happens within it.

        Args:
            agent: the number of the agent.
            kind: the kind of entry, see `ledger.entry`.
            columns: columns of `Entry`, by name.
        """
        return OpenEntry(self, agent, kind, columns)

    def add(self, agent: int, kind: str, started_ns: int, ended_ns: int, columns: dict[str, Any]) -> None:
        """Add an entry; `columns` are those of `Entry` that this kind has, and `queued_ns` for its time waited.

        Args:
            agent: the number of the agent.
            kind: the kind of entry, see `ledger.entry`.
            started_ns: when it began, in nanoseconds.
            ended_ns: when it ended, in nanoseconds.
            columns: columns of `Entry`, by name.
        """
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


_WAITING_GPU: Final = ACTIVITIES.index("waiting_gpu")


class Timesheet:
    """At every moment of its life an agent does exactly one thing; this adds up for how long, in nanoseconds.

    While an agent waits for an experiment, it counts as doing what the experiment does (queueing or running), even if
    it polls meanwhile.
    """

    def __init__(self, clock: Clock, pools: int) -> None:
        self.spent_ns = [0] * len(ACTIVITIES)
        self.waited_ns_by_pool = [0] * pools
        """For how long the agent has waited for GPUs, by pool."""
        self.started_ns: int | None = None
        self.ended_ns: int | None = None
        self._clock = clock
        self._since_ns = 0
        self._own: int | None = None
        self._of_experiment: int | None = None
        self._pool = 0

    def start(self) -> None:
        """Begin the agent's life."""
        self.started_ns = self._since_ns = self._clock.now

    def does(self, activity: int) -> None:
        """Switch the agent's activity.

        Args:
            activity: the number of the activity in `ACTIVITIES`.
        """
        self._add_up()
        self._own = activity

    def waits_for_experiment(self, activity: int | None, pool: int) -> None:
        """Switch the activity of the experiment that the agent waits for; None: it has ended.

        Args:
            activity: the number of the activity; None: it has ended.
            pool: the number of the pool.
        """
        self._add_up()
        self._of_experiment, self._pool = activity, pool

    def end(self) -> None:
        """End the agent's life."""
        self._add_up()
        self.ended_ns = self._clock.now

    @property
    def life_ns(self) -> int:
        """Return the length of the agent's life including downtime, in nanoseconds."""
        if self.started_ns is None or self.ended_ns is None:
            return 0
        return self.ended_ns - self.started_ns

    def _add_up(self) -> None:
        activity = self._own if self._of_experiment is None else self._of_experiment
        now_ns = self._clock.now
        if activity is not None:
            self.spent_ns[activity] += now_ns - self._since_ns
            if activity == _WAITING_GPU:
                self.waited_ns_by_pool[self._pool] += now_ns - self._since_ns
        self._since_ns = now_ns
