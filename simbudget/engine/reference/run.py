"""One run: a fleet from its start to its end, and what it adds up to."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from simpy.events import AllOf

from simbudget.engine.laws.draws import Floats
from simbudget.engine.lowering import lower
from simbudget.engine.program import Billing, Program
from simbudget.engine.reference.accounts import HOUR_NS
from simbudget.engine.reference.agent import HORIZON, Agent
from simbudget.engine.reference.clock import Phase
from simbudget.engine.reference.site import FIXED, GPU, Key, Site
from simbudget.engine.reference.timesheet import DOWN
from simbudget.ledger.entry import ACTIVITIES, COMPONENTS, FLEET
from simbudget.ledger.frame import ledger_frame
from simbudget.scenario.model import Scenario

TOKEN_CLASSES: Final = ("uncached_input", "cache_write", "cache_read", "output")
API_LIMITS: Final = ("api_requests", "api_input", "api_output")

_MINUTE_NS: Final = 60e9
_NAN: Final = float("nan")


@dataclass(frozen=True)
class Outcome:
    """What one run came to."""

    totals: dict[str, float]
    """Sums over the fleet, by name; see `_totals`."""
    by_time_usd: Floats
    """[components, `accounts.BINS`] what was spent in each span of time from 0 to the horizon."""
    ledger: pd.DataFrame | None
    """Every entry, in the order of their starts; None if they were not recorded."""


def simulate(
    scenario: Scenario | Program, seed: int = 1, world: int = 0, replication: int = 0, record: bool = True
) -> Outcome:
    """Return what one possible run of a scenario comes to: one replication in one world.

    Args:
        scenario: what is run, or the program that it was lowered to.
        seed: of all draws.
        world: which draw of everything unknown.
        replication: which draw of everything that varies.
        record: whether to keep every entry.

    Raises:
        UserError: the scenario needs what does not exist, or never ends.
    """
    program = scenario if isinstance(scenario, Program) else lower(scenario)
    site = Site(program, Key(seed, world, replication), record)
    agents = [Agent(site, number) for number in range(program.agents)]
    _spend_fixed(site)
    if program.settings.billing == Billing.RESERVED:
        site.gpu_meter.start(0, program.settings.gpus)
    horizon = site.clock.after(program.settings.horizon_ns, Phase.HORIZON)
    assert horizon.callbacks is not None
    horizon.callbacks.append(lambda _: _cut(agents))
    site.clock.run(until=AllOf(site.clock, [agent.process for agent in agents]))
    _pay_reserved_pool(site)
    ledger = None
    if record:
        ledger = ledger_frame(sorted(site.record.entries, key=lambda entry: (entry.started_s, entry.agent)))
    return Outcome(_totals(site, agents), site.accounts.by_time_usd, ledger)


def _cut(agents: list[Agent]) -> None:
    for agent in agents:
        if agent.process.is_alive:
            agent.process.interrupt(HORIZON)


def _spend_fixed(site: Site) -> None:
    fixed_usd = site.fact(site.program.settings.fixed)
    if fixed_usd:
        site.accounts.pay(FIXED, fixed_usd)
        site.record.add(FLEET, "fixed", 0, 0, {"component": "fixed", "cost_usd": fixed_usd})


def _pay_reserved_pool(site: Site) -> None:
    settings, now_ns = site.program.settings, site.clock.now
    if settings.billing == Billing.RESERVED:
        cost_usd = site.gpu_meter.stop(0, now_ns, settings.gpus)
        site.accounts.pay_for_time(GPU, cost_usd, 0, now_ns)
        columns = {"component": "gpu", "cost_usd": cost_usd, "gpus": settings.gpus}
        site.record.add(FLEET, "reserved", 0, now_ns, columns)


def _totals(site: Site, agents: list[Agent]) -> dict[str, float]:
    """Return the run's sums: money in US dollars, times in hours, shares of the agents' lives."""
    accounts, tally = site.accounts, site.tally
    spent_ns = np.array([agent.timesheet.spent_ns for agent in agents], dtype=np.int64).sum(axis=0)
    life_ns = sum(agent.timesheet.life_ns for agent in agents)
    agent_hours = float(life_ns - spent_ns[DOWN]) / HOUR_NS
    budget_usd = site.program.budget_usd
    return {
        "spend_usd": accounts.spent_usd,
        **{f"spend_{name}_usd": usd for name, usd in zip(COMPONENTS, accounts.by_component_usd, strict=True)},
        "agent_hours": agent_hours,
        "cost_per_agent_hour_usd": accounts.spent_usd / agent_hours if agent_hours else _NAN,
        "wall_clock_hours": site.clock.now / HOUR_NS,
        "overrun_usd": max(0.0, accounts.spent_usd - budget_usd),
        "model_calls": tally.model_calls,
        **{f"tokens_{name}": count for name, count in zip(TOKEN_CLASSES, tally.tokens, strict=True)},
        "gpu_hours_used": tally.gpu_ns / HOUR_NS,
        "gpu_hours_billed": _billed_gpu_hours(site, agents),
        "experiments": tally.experiments,
        "scorer_calls": tally.scorer_calls,
        "cycles": tally.cycles,
        **{
            f"share_{name}": float(ns) / max(1, life_ns)
            for name, ns in zip(ACTIVITIES, spent_ns, strict=True)
        },
        **_utilisation(site),
        "queued_gpu_hours": float(spent_ns[ACTIVITIES.index("waiting_gpu")]) / HOUR_NS,
        "queued_scorer_hours": float(spent_ns[ACTIVITIES.index("waiting_scorer")]) / HOUR_NS,
        **{
            f"queued_{name}_hours": ns / HOUR_NS
            for name, ns in zip(API_LIMITS, site.limiter.queued_ns, strict=True)
        },
    }


def _billed_gpu_hours(site: Site, agents: list[Agent]) -> float:
    settings = site.program.settings
    if settings.billing == Billing.RESERVED:
        return settings.gpus * site.clock.now / HOUR_NS
    if settings.billing == Billing.PER_AGENT:
        lives_ns = sum(agent.timesheet.life_ns for agent in agents if not agent.group.is_people)
        return lives_ns * settings.gpus / max(1, settings.gpu_users) / HOUR_NS
    return site.tally.gpu_ns / HOUR_NS


def _utilisation(site: Site) -> dict[str, float]:
    """Return the part of each resource that was used over the run; NaN for what has no limit."""
    settings, run_ns = site.program.settings, site.clock.now
    parts = {
        "gpu": site.tally.gpu_ns / (settings.gpus * run_ns) if settings.gpus and run_ns else _NAN,
        "scorer": site.tally.scorer_ns / (settings.servers * run_ns) if run_ns else _NAN,
    }
    for name, used, limit in zip(API_LIMITS, site.limiter.used, site.program.limits_per_min, strict=True):
        parts[name] = used / (float(limit) * run_ns / _MINUTE_NS) if limit and run_ns else _NAN
    return {f"utilisation_{name}": part for name, part in parts.items()}
