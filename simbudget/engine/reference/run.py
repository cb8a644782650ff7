"""One run: a fleet from its start to its end, and what it adds up to."""

from functools import partial

import numpy as np
from simpy.events import AllOf

from simbudget.engine.laws.draws import Floats, Integers
from simbudget.engine.laws.plans import MONTH_NS
from simbudget.engine.laws.tally import research_tally, results_by_time
from simbudget.engine.laws.tasks import task_tally
from simbudget.engine.lowering import lower
from simbudget.engine.outcome import Outcome, Sums
from simbudget.engine.program import Billing, Program
from simbudget.engine.reference.agent import Agent
from simbudget.engine.reference.clock import Phase
from simbudget.engine.reference.plan import Subscription
from simbudget.engine.reference.reviewer import review_by_model
from simbudget.engine.reference.served import begin_serving, end_serving
from simbudget.engine.reference.site import FIXED, GPU, Key, Site
from simbudget.engine.totals import (
    ACTIVITY_NS,
    API_LIMITS,
    BUSIEST_LINE,
    COMPONENT_USD,
    CONCLUDED_NS,
    CYCLES,
    ENDED_NS,
    EXPERIMENTS,
    FULL_CONTEXTS,
    GPU_NS,
    JOBS,
    JOBS_CANCELLED,
    LIFE_NS,
    LIFE_OF_GPU_USERS_NS,
    LIMIT_QUEUED_NS,
    LIMIT_USED,
    MODEL_CALLS,
    PLAN_QUEUED_NS,
    POOL_GPU_NS,
    POOL_SUMS,
    POOL_WAITED_NS,
    RESEARCH,
    RESULTS,
    SCORER_CALLS,
    SCORER_NS,
    SPENT_USD,
    SUMS,
    TASKS,
    TOKENS,
    sums_length,
    totals,
)
from simbudget.ledger.entry import FLEET
from simbudget.ledger.frame import ledger_frame
from simbudget.scenario.scenario import Scenario


def simulate(
    scenario: Scenario | Program, seed: int = 1, world: int = 0, replication: int = 0, record: bool = True
) -> Outcome:
    """Return the outcome of one possible run of a scenario: one replication in one world.

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
    site, sums = _play(program, Key(seed, world, replication), record)
    ledger = None
    if record:
        ledger = ledger_frame(sorted(site.record.entries, key=lambda entry: (entry.started_s, entry.agent)))
    figures = totals(program, sums[np.newaxis])
    return Outcome(
        {name: float(of_run[0]) for name, of_run in figures.items()}, site.accounts.by_time_usd, ledger
    )


def simulate_many(program: Program, seed: int, worlds: Integers, replications: Integers) -> Sums:
    """Return the outcomes of runs of a program, each given by its world and replication.

    Raises:
        UserError: the scenario never ends.
    """
    sums, by_time_usd = [], []
    for world, replication in zip(worlds.tolist(), replications.tolist(), strict=True):
        site, of_run = _play(program, Key(seed, world, replication), record=False)
        sums.append(of_run)
        by_time_usd.append(site.accounts.by_time_usd)
    return Sums(np.array(sums), np.array(by_time_usd))


def _play(program: Program, key: Key, record: bool) -> tuple[Site, Floats]:
    """Play one run to its end; return what the fleet shared, and the run's sums."""
    site = Site(program, key, record)
    agents = [Agent(site, number) for number in range(program.agents)]
    _spend_fixed(site)
    for pool, meter in zip(program.pools, site.gpu_meters, strict=True):
        if pool.billing == Billing.RESERVED:
            meter.start(0, pool.gpus)
    begin_serving(site)
    if site.plan is not None:
        _pay_month(site, site.plan)
    horizon = site.clock.after(program.settings.horizon_ns, Phase.HORIZON)
    assert horizon.callbacks is not None
    horizon.callbacks.append(lambda _: _cut(agents))
    site.board.end_run = site.tasks.end_run = lambda: _cut(agents)
    site.board.review_by_model = partial(review_by_model, site)
    site.board.begin()
    site.clock.run(until=AllOf(site.clock, [agent.process for agent in agents]))
    _pay_reserved_pools(site)
    end_serving(site)
    ended_ns = site.clock.now
    site.board.conclude()  # reviews by a model may take longer than the run
    return site, _sums(site, agents, ended_ns)


def _cut(agents: list[Agent]) -> None:
    for agent in agents:
        agent.cut()


def _spend_fixed(site: Site) -> None:
    fixed_usd = site.fact(site.program.settings.fixed) * site.charged[FIXED]
    if fixed_usd:
        site.accounts.pay(FIXED, fixed_usd)
        site.record.add(FLEET, "fixed", 0, 0, {"component": "fixed", "cost_usd": fixed_usd})


def _pay_month(site: Site, plan: Subscription) -> None:
    """Pay for a month of the subscription that begins now, and for the next one when that begins."""
    cost_usd = plan.month_usd * site.charged[FIXED]
    site.accounts.pay(FIXED, cost_usd)
    now_ns = site.clock.now
    site.record.add(FLEET, "plan", now_ns, now_ns, {"component": "fixed", "cost_usd": cost_usd})
    next_month = site.clock.after(MONTH_NS, Phase.ASK)
    assert next_month.callbacks is not None
    next_month.callbacks.append(lambda _: _pay_month(site, plan))


def _pay_reserved_pools(site: Site) -> None:
    now_ns = site.clock.now
    for pool, meter in zip(site.program.pools, site.gpu_meters, strict=True):
        if pool.billing == Billing.RESERVED:
            cost_usd = meter.stop(0, now_ns, pool.gpus)
            site.accounts.pay_for_time(GPU, cost_usd, 0, now_ns)
            columns = {"component": "gpu", "cost_usd": cost_usd, "gpus": pool.gpus}
            site.record.add(FLEET, "reserved", 0, now_ns, columns)


def _sums(site: Site, agents: list[Agent], ended_ns: int) -> Floats:
    """Return the sums of a run that ended at `ended_ns`."""
    accounts, tally, limiters = site.accounts, site.tally, site.limiters
    sums: Floats = np.zeros(sums_length(site.program))
    sums[SPENT_USD] = accounts.spent_usd
    sums[COMPONENT_USD:ACTIVITY_NS] = accounts.by_component_usd
    for agent in agents:
        sums[ACTIVITY_NS:LIFE_NS] += agent.timesheet.spent_ns
        sums[LIFE_NS] += agent.timesheet.life_ns
        sums[SUMS + POOL_WAITED_NS :: POOL_SUMS] += agent.timesheet.waited_ns_by_pool
        if not agent.group.is_people:
            sums[LIFE_OF_GPU_USERS_NS] += agent.timesheet.life_ns
    sums[ENDED_NS] = ended_ns
    sums[CONCLUDED_NS] = max(ended_ns, site.board.concluded_ns)
    sums[MODEL_CALLS] = tally.model_calls
    sums[TOKENS:GPU_NS] = tally.tokens
    sums[GPU_NS] = sum(tally.gpu_ns)
    sums[SUMS + POOL_GPU_NS :: POOL_SUMS] = tally.gpu_ns
    sums[EXPERIMENTS] = tally.experiments
    sums[JOBS], sums[JOBS_CANCELLED] = tally.jobs, tally.cancelled_jobs
    sums[SCORER_CALLS] = tally.scorer_calls
    sums[SCORER_NS] = tally.scorer_ns
    sums[CYCLES] = tally.cycles
    sums[LIMIT_QUEUED_NS:LIMIT_USED] = np.sum([limiter.queued_ns for limiter in limiters], axis=0)
    sums[LIMIT_USED:RESEARCH] = limiters[0].used
    sums[BUSIEST_LINE : BUSIEST_LINE + len(API_LIMITS)] = np.max(
        [limiter.used_minutes for limiter in limiters], axis=0
    )
    sums[FULL_CONTEXTS] = tally.full_contexts
    sums[PLAN_QUEUED_NS] = 0.0 if site.plan is None else site.plan.queued_ns
    if site.board.is_on:
        board = site.board
        research_tally(board.lab, board.notebook, sums[RESEARCH:RESULTS])
        results_by_time(board.lab, board.notebook, site.program.settings.horizon_ns, sums[RESULTS:JOBS])
    if site.tasks.are_given:
        task_tally(site.tasks.list, sums[TASKS:SUMS])
    return sums
