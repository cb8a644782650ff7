"""Runs one agent until it finishes, receives SIGTERM, the run's time is over, or its parent process is gone.

It prints `ready agent-N` once everything is loaded, and starts when it receives the run's clock on standard input.
It exits with status 0 if it finished in an orderly way; the ledger's store then records the reason.
"""

import asyncio
import json
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

from simbudget.guard import BudgetGuard
from simbudget.ledger.store import LedgerStore
from simbudget.pilot.agents.agent import Agent
from simbudget.pilot.agents.allowance import Allowance, StoppedError
from simbudget.pilot.agents.diary import Diary
from simbudget.pilot.agents.line import Line
from simbudget.pilot.agents.settings import AgentSettings
from simbudget.pilot.clock import RunClock
from simbudget.pilot.draws import Draws
from simbudget.pilot.locks import hold_lock
from simbudget.pilot.rates import pilot_rates
from simbudget.pilot.service.client import ServiceGoneError, SiteClient
from simbudget.pilot.serving import parent_gone
from simbudget.pilot.slot_server import SlotsGoneError
from simbudget.pilot.tasks.loading import load_task
from simbudget.pilot.tasks.task import Task
from simbudget.scenario.loading import load_scenario
from simbudget.scenario.scenario import Scenario

_RUN: Final = 0
"""A pilot's ledger holds a single run."""


async def live(settings: AgentSettings, scenario: Scenario, task: Task, clock: RunClock) -> str:
    """Run an agent to its end, and return why it ended.

    Args:
        settings: the agent's settings.
        scenario: the pilot's scenario.
        task: what it works on.
        clock: the run's clock.
    """
    rates = pilot_rates(scenario, Draws(settings.seed, settings.luck), settings.live)
    guard = BudgetGuard(settings.ledger, settings.cap_usd, rates, _RUN, clock.now_s)
    store = guard.store
    await asyncio.sleep(clock.wall_until_s(settings.starts_at_s))
    diary = Diary(store, _RUN, settings.agent, clock, settings.source)
    store.remember(f"agent {settings.agent} began", clock.now_s())
    first_cycle, sessions = _so_far(store, settings.agent)
    line = Line(settings, scenario, diary, guard)
    allowance = Allowance(settings, scenario.fleet[settings.group], guard, diary)
    async with SiteClient(settings.site_url, settings.agent, settings.site_token) as site:
        agent = Agent(settings, scenario, task, site, line, diary, allowance)
        own_end_s = allowance.ends_at_s
        if own_end_s is None or own_end_s >= settings.ends_at_s:
            return await _until_it_ends(agent, (first_cycle, sessions), (settings.ends_at_s, "time"), diary)
        return await _until_it_ends(agent, (first_cycle, sessions), (own_end_s, "its limit of time"), diary)


async def _until_it_ends(
    agent: Agent, so_far: tuple[int, int], latest: tuple[float, str], diary: Diary
) -> str:
    """Let an agent work until it finishes, receives SIGTERM, or reaches its time limit; return the reason.

    Args:
        agent: the agent.
        so_far: numbers of its next cycle and session.
        latest: when it has to end, in seconds of the run, and the reason that this is.
        diary: its diary.
    """
    working = asyncio.create_task(agent.live(*so_far))
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    over = asyncio.create_task(asyncio.sleep(diary.clock.wall_until_s(latest[0])))
    ends = {
        over: latest[1],
        asyncio.create_task(told.wait()): "told to",
        asyncio.create_task(parent_gone()): "alone",
    }
    done, _ = await asyncio.wait({working, *ends}, return_when=asyncio.FIRST_COMPLETED)
    reason = next((ends[task] for task in ends if task in done), "")
    if reason == "alone":
        os._exit(1)  # calls in flight stay open in the ledger and are settled when the pilot is resumed
    if working not in done:
        working.cancel()
    try:
        with suppress(asyncio.CancelledError):
            await working
    except StoppedError as stopped:
        reason = reason or str(stopped)
    except SlotsGoneError:
        reason = reason or "alone"
    except ServiceGoneError:
        reason = reason or "the service is gone"
    diary.close_gap()
    for task in ends:
        task.cancel()
    return reason


def _so_far(store: LedgerStore, agent: int) -> tuple[int, int]:
    """Return the number of the next cycle and of the next session."""
    cycle, session = store.query(
        "SELECT max(cycle), max(session) FROM entries WHERE run = ? AND agent = ?", (_RUN, agent)
    )[0]
    return (-1 if cycle is None else cycle) + 1, (-1 if session is None else session) + 1


def main() -> None:
    """Run one agent."""
    settings = AgentSettings.model_validate_json(Path(sys.argv[1]).read_bytes())
    lock = hold_lock(settings.folder / "lock", 30.0)
    scenario = load_scenario(settings.scenario).scenario
    task = load_task(settings.task, 0, settings.task_folder)
    print(f"ready agent-{settings.agent}", flush=True)
    go = sys.stdin.buffer.readline()
    if not go:
        return
    reason = asyncio.run(live(settings, scenario, task, RunClock(**json.loads(go))))
    with LedgerStore(settings.ledger) as store:
        store.remember(f"agent {settings.agent} ended", reason)
    lock.close()


main()
