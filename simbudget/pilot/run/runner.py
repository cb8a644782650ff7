"""The runner: starts a pilot's processes, supervises them until the end, and completes the ledger.

Agents, service and model server are separate processes; any of them may be killed, and is restarted where it was. If
the runner itself is killed, the others end, and the pilot can be resumed.
"""

import asyncio
import datetime
import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from simbudget.errors import Problem, UserError
from simbudget.ledger.entry import Entry
from simbudget.ledger.store import LedgerStore, RunRow
from simbudget.pilot.clock import RunClock
from simbudget.pilot.locks import hold_lock
from simbudget.pilot.rates import pilot_rates
from simbudget.pilot.run.children import Addresses, Children
from simbudget.pilot.run.folder import Folder, Keys
from simbudget.pilot.run.plan import AgentPlan, Plan
from simbudget.pilot.run.processes import Child
from simbudget.pilot.run.progress import Progress, look
from simbudget.pilot.run.resolving import Resolver
from simbudget.pilot.run.standing import gpu_usd_per_hour_of_use, standing_entries
from simbudget.pilot.sandbox.slots import SlotPool
from simbudget.pilot.slot_server import SlotServer
from simbudget.pilot.task_list import TaskList

RUN: Final = 0
"""A pilot's ledger has one run."""
INTERRUPTED: Final = "interrupted"
"""The reason recorded when a pilot is stopped by a signal."""

_LOOK_EVERY_S: Final = 0.25
"""Real time between two looks at the processes."""
_GRACE_S: Final = 60.0
"""Real time for agents to finish: calls in flight are billed anyway, and are awaited."""
_QUICK_DEATH_S: Final = 5.0
_MOST_QUICK_DEATHS: Final = 5
"""An agent that dies this often in a row, each time within `_QUICK_DEATH_S`, is not restarted again."""
_AGENT_GONE_WITHIN_S: Final = 30.0
"""Real time for the agents of a killed runner to notice and end."""


@dataclass
class _Member:
    """An agent's process and its history."""

    plan: AgentPlan
    child: Child
    started_at: float = 0.0
    died_s: float | None = None
    """When it died, until it has been restarted."""
    ended: str | None = None
    quick_deaths: int = 0


@dataclass
class Runner:
    """Runs one pilot, from the start or from where it was interrupted."""

    plan: Plan
    folder: Folder
    keys: Keys
    show: Callable[[Progress], None]
    """Called a few times a second with the pilot's progress."""
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    """Set to end the pilot early and cleanly."""

    async def run(self) -> str:
        """Run the pilot to its end, and return why it ended.

        Raises:
            UserError: a process does not start, or an agent keeps failing.
        """
        lock = hold_lock(self.folder.root / "runner.lock", 0.0)
        self._store = self.folder.store()
        terms = self.plan.scenario.tasks
        self._tasks = None if terms is None else TaskList(self.folder.ledger, terms)
        try:
            self._begin()
            return await self._run()
        finally:
            self._store.close()
            if self._tasks is not None:
                self._tasks.close()
            lock.close()

    # The beginning.

    def _begin(self) -> None:
        """Write the run's row, and continue its clock."""
        options, scenario = self.plan.options, self.plan.scenario
        self._store.begin_run(
            RunRow(
                run=RUN,
                name=scenario.name,
                source=self._source,
                began_at=datetime.datetime.now(datetime.UTC).isoformat(),
                model=", ".join(dict.fromkeys(each.model for each in self.plan.agents)),
                agents=len(self.plan.agents),
                cap_usd=options.budget_usd,
                time_scale=options.scale,
                task=options.task,
                scenario=self.plan.scenario_text,
            )
        )
        self._store.update_run(RUN, cap_usd=options.budget_usd, ended_at=None, ended_because=None)
        at_s = max(self._last_s(self._store), float(self._store.recall("clock") or 0.0))
        self._clock = RunClock(time.time(), at_s, options.scale)
        """For the servers, which start first; the clock of the agents starts when all of them are ready."""
        used_s = float(self._store.recall("used wall seconds") or 0.0)
        self._used_before_s = used_s
        self._ends_at_s = at_s + max(0.0, options.lasts_s - used_s) * options.scale
        self._ends_at_s = min(self._ends_at_s, scenario.stop.after.exact_value)

    @staticmethod
    def _last_s(store: LedgerStore) -> float:
        last = store.query("SELECT max(started_s + duration_s) FROM entries WHERE run = ?", (RUN,))[0][0]
        return float(last or 0.0)

    @property
    def _source(self) -> str:
        return "pilot live" if self.plan.options.live else "pilot"

    async def _run(self) -> str:
        self._children = Children(self.plan, self.folder, self.keys)
        self._pool = SlotPool(self.plan.slots)
        self._slots = SlotServer(self._pool)
        await self._slots.start()
        self._model_server: Child | None = None
        self._model_url: str | None = None
        self._members: list[_Member] = []
        try:
            reason = await self._watch() if await self._start_all() else INTERRUPTED
        finally:
            await self._end_all()
        self._close_books(reason)
        self.show(self._look())
        return reason

    async def _start_all(self) -> bool:
        """Start everything; return whether that was not interrupted, as it may take a while."""

        async def start() -> None:
            await self._start_servers()
            await self._close_old_entries()
            await self._start_agents()

        starting, stopping = asyncio.create_task(start()), asyncio.create_task(self.stopping.wait())
        try:
            await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            if not starting.done():
                starting.cancel()
                await asyncio.gather(starting, return_exceptions=True)
        if starting.cancelled():
            return False
        starting.result()
        return True

    async def _start_servers(self) -> None:
        """Start the service and, unless the provider's is used, the model server."""
        if not self.plan.options.live:
            self._model_server = self._child("model_server", self._children.model_server(self._clock, 0))
            self._model_url = await self._model_server.start()
        self._service = self._child("service", self._children.service(self._clock, 0))
        self._site_url = await self._service.start()
        rates = pilot_rates(self.plan.scenario, self._children.draws, self.plan.options.live)
        self._resolver = Resolver(
            self._store, RUN, rates, self._model_url, gpu_usd_per_hour_of_use(self.plan)
        )

    async def _close_old_entries(self) -> None:
        """Settle what an earlier stretch of the run left open, once its agents have certainly ended."""
        for each in self.plan.agents:
            hold_lock(self.folder.agent(each.agent) / "lock", _AGENT_GONE_WITHIN_S).close()
            await self._resolver.resolve(each.agent, self._clock.at_s)
            if self._tasks is not None:
                self._tasks.abandon(each.agent, self._clock.at_s)

    def _child(self, name: str, settings: Any) -> Child:
        path = self.folder.write_settings(name, settings)
        return Child(f"simbudget.pilot.{name}", path, self.folder.logs / f"{name}.log")

    # Agents.

    async def _start_agents(self) -> None:
        """Start the agents, and the run's clock once all of them are ready."""
        self._members = [self._member(each) for each in self.plan.agents]
        loading = asyncio.Semaphore(os.cpu_count() or 1)

        async def load(member: _Member) -> None:
            async with loading:
                await member.child.start()

        await asyncio.gather(*(load(member) for member in self._members))
        self._clock = RunClock(time.time(), self._clock.at_s, self._clock.time_scale)
        for member in self._members:
            await self._let_go(member)

    async def _let_go(self, member: _Member) -> None:
        """Send a ready agent the clock, upon which it begins."""
        member.started_at = time.monotonic()
        await member.child.tell(json.dumps(asdict(self._clock)))

    def _member(self, each: AgentPlan) -> _Member:
        settings = self._children.agent(
            each, self._ends_at_s, Addresses(self._model_url, self._site_url, self._slots.port)
        )
        name = f"agent-{each.agent}"
        path = self.folder.write_settings(name, settings)
        child = Child("simbudget.pilot.agents", path, self.folder.logs / f"{name}.log")
        self._store.remember(f"agent {each.agent} ended", None)
        member = _Member(each, child)
        last = self._store.recall(f"agent {each.agent} began")
        member.died_s = self._clock.at_s if last is not None else None
        return member

    async def _watch(self) -> str:
        """Supervise the processes until the run is over; return why it ended."""
        while True:
            now_s = self._clock.now_s()
            self._store.remember("clock", now_s)
            self._store.remember(
                "used wall seconds", self._used_before_s + time.time() - self._clock.began_unix_s
            )
            await self._look_after_servers()
            for member in self._members:
                await self._look_after(member, now_s)
            self.show(self._look())
            if all(member.ended for member in self._members):
                return ", ".join(dict.fromkeys(str(member.ended) for member in self._members))
            if self.stopping.is_set():
                return INTERRUPTED
            if now_s >= self._ends_at_s + _GRACE_S * self.plan.options.scale:
                return "time"
            try:
                await asyncio.wait_for(self.stopping.wait(), _LOOK_EVERY_S)
            except TimeoutError:
                continue

    async def _look_after_servers(self) -> None:
        """Restart a server that has ended, at its old address."""
        if self._model_server is not None and self._model_server.has_ended:
            port = int(str(self._model_url).rpartition(":")[2])
            self.folder.write_settings("model_server", self._children.model_server(self._clock, port))
            await self._model_server.start()
        if self._service.has_ended:
            port = int(self._site_url.rpartition(":")[2])
            self.folder.write_settings("service", self._children.service(self._clock, port))
            await self._service.start()

    async def _look_after(self, member: _Member, now_s: float) -> None:
        """Check whether an agent is running again, has finished, or has died and has to be restarted."""
        agent = member.plan.agent
        if member.died_s is not None:
            began_s = self._store.recall(f"agent {agent} began")
            if began_s is not None and began_s > member.died_s:
                self._write_down(agent, member.died_s, began_s)
                member.died_s = None
        if member.ended or not member.child.has_ended:
            return
        reason = self._store.recall(f"agent {agent} ended")
        if member.child.ended_well and reason:
            member.ended = reason
            return
        await self._died(member, now_s)

    async def _died(self, member: _Member, now_s: float) -> None:
        """Settle what a dead agent left open, and restart it.

        Raises:
            UserError: it keeps dying immediately.
        """
        agent = member.plan.agent
        lived = time.monotonic() - member.started_at
        member.quick_deaths = member.quick_deaths + 1 if lived < _QUICK_DEATH_S else 0
        if member.quick_deaths >= _MOST_QUICK_DEATHS:
            raise UserError(Problem(f"agent {agent} keeps failing: {member.child.said()}"))
        await self._resolver.resolve(agent, now_s)
        if self._tasks is not None:
            self._tasks.abandon(agent, now_s)
        self._account_until(agent, now_s)
        member.died_s = now_s if member.died_s is None else member.died_s
        await member.child.start()
        await self._let_go(member)

    def _account_until(self, agent: int, died_s: float) -> None:
        """Record the time between an agent's last entry and its death."""
        last = self._store.query(
            "SELECT max(started_s + duration_s) FROM entries WHERE run = ? AND agent = ?", (RUN, agent)
        )[0][0]
        if last is not None and died_s > last:
            self._store.add(self._entry(agent, "tool", last, died_s)._replace(outcome="cut"))

    def _write_down(self, agent: int, died_s: float, began_s: float) -> None:
        self._store.add(self._entry(agent, "down", died_s, began_s))

    def _entry(self, agent: int, kind: str, from_s: float, to_s: float) -> Entry:
        return Entry(RUN, agent, -1, -1, -1, kind, from_s, to_s - from_s, 0.0, source=self._source)

    # The end.

    async def _end_all(self) -> None:
        """End the agents first, as they pay for calls in flight, then the servers."""
        for member in self._members:
            member.child.ask_to_end()
        await asyncio.gather(*(self._end(member) for member in self._members))
        self._slots.close()
        for server in (self._service_or_none(), self._model_server):
            if server is not None:
                await server.stop(5.0)

    async def _end(self, member: _Member) -> None:
        process = member.child.process
        if process is not None and process.returncode is None:
            try:
                await asyncio.wait_for(process.wait(), _GRACE_S)
            except TimeoutError:
                await member.child.stop(0.0)
        await self._resolver.resolve(member.plan.agent, self._clock.now_s())
        if self._tasks is not None:
            self._tasks.abandon(member.plan.agent, self._clock.now_s())

    def _service_or_none(self) -> Child | None:
        return getattr(self, "_service", None)

    def _close_books(self, reason: str) -> None:
        """Record the costs of sandboxes and reserved GPUs, and that the pilot has ended."""
        ended_s = self._last_s(self._store)
        lives = {
            int(agent): (float(from_s), float(to_s))
            for agent, from_s, to_s in self._store.query(
                "SELECT agent, min(started_s), max(started_s + duration_s) FROM entries"
                " WHERE run = ? AND agent >= 0 AND kind NOT IN ('sandbox', 'reserved') GROUP BY agent",
                (RUN,),
            )
        }
        self._store.remove_kinds(RUN, ("sandbox", "reserved"))
        for entry in standing_entries(self.plan, lives, ended_s, self._source):
            self._store.add(entry)
        now = datetime.datetime.now(datetime.UTC).isoformat()
        self._store.update_run(RUN, ended_at=now, ended_because=reason)
        self._store.remember("clock", ended_s)

    def _look(self) -> Progress:
        return look(self._store, RUN, self._clock, self._pool, self.plan, self._ends_at_s)
