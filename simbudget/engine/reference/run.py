"""One run: a fleet from its start to its end, and what it adds up to."""

from functools import partial

import numpy as np
from simpy.events import AllOf

from simbudget.engine import totals
from simbudget.engine.laws.accounts import (
    FIXED,
    GPU,
    time_cost_usd,
)
from simbudget.engine.laws.draws import Floats, Integers
from simbudget.engine.laws.pools import due_at_end_ns
from simbudget.engine.laws.provider import MONTH_NS
from simbudget.engine.laws.tally import research_tally, results_by_time
from simbudget.engine.laws.tasks import task_tally
from simbudget.engine.lowering import lower
from simbudget.engine.outcome import Outcome, Sums
from simbudget.engine.program import Program
from simbudget.engine.reference.agent import Agent
from simbudget.engine.reference.judging import review_by_model
from simbudget.engine.reference.provider import Subscription
from simbudget.engine.reference.scheduling import Phase
from simbudget.engine.reference.site import Key, Site, begin_serving, end_serving
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
    figures = totals.totals(program, sums[np.newaxis])
    return Outcome(
        {name: float(of_run[0]) for name, of_run in figures.items()}, site.accounts.by_time_usd, ledger
    )


def simulate_many(program: Program, seed: int, worlds: Integers, replications: Integers) -> Sums:
    """Return the outcomes of runs of a program, each given by its world and replication.

    Args:
        program: the program.
        seed: seed of all draws.
        worlds: [runs] worlds.
        replications: [runs] replications.

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
        if pool.bills_run:
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
    _pay_pools(site)
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


def _pay_pools(site: Site) -> None:
    """Pay for what is charged for whole pools when the run ends."""
    now_ns = site.clock.now
    for number, (pool, meter) in enumerate(zip(site.program.pools, site.gpu_meters, strict=True)):
        if pool.bills_run:
            meter.stop(0, now_ns, pool.gpus)
        used_ns = site.tally.gpu_ns[number] + float(pool.held) * float(now_ns)
        due_ns = float(due_at_end_ns(pool, used_ns, float(now_ns)))
        if pool.bills_run or due_ns > 0.0:
            cost_usd = time_cost_usd(meter.usd_per_hour, 1.0, due_ns)
            site.accounts.pay_for_time(GPU, cost_usd, 0, now_ns)
            columns = {"component": "gpu", "cost_usd": cost_usd, "gpus": pool.gpus}
            site.record.add(FLEET, "reserved", 0, now_ns, columns)


def _sums(site: Site, agents: list[Agent], ended_ns: int) -> Floats:
    """Return the sums of a run that ended at `ended_ns`."""
    accounts, tally, limiters = site.accounts, site.tally, site.limiters
    sums: Floats = np.zeros(totals.sums_length(site.program))
    sums[totals.SPENT_USD] = accounts.spent_usd
    sums[totals.COMPONENT_USD : totals.ACTIVITY_NS] = accounts.by_component_usd
    for agent in agents:
        sums[totals.ACTIVITY_NS : totals.LIFE_NS] += agent.timesheet.spent_ns
        sums[totals.LIFE_NS] += agent.timesheet.life_ns
        sums[totals.SUMS + totals.POOL_WAITED_NS :: totals.POOL_SUMS] += agent.timesheet.waited_ns_by_pool
        if not agent.group.is_people:
            sums[totals.LIFE_OF_GPU_USERS_NS] += agent.timesheet.life_ns
    sums[totals.ENDED_NS] = ended_ns
    sums[totals.CONCLUDED_NS] = max(ended_ns, site.board.concluded_ns)
    sums[totals.MODEL_CALLS] = tally.model_calls
    sums[totals.TOKENS : totals.GPU_NS] = tally.tokens
    sums[totals.GPU_NS] = sum(tally.gpu_ns)
    sums[totals.SUMS + totals.POOL_GPU_NS :: totals.POOL_SUMS] = tally.gpu_ns
    sums[totals.EXPERIMENTS] = tally.experiments
    sums[totals.JOBS], sums[totals.JOBS_CANCELLED] = tally.jobs, tally.cancelled_jobs
    sums[totals.SCORER_CALLS] = tally.scorer_calls
    sums[totals.SCORER_NS] = tally.scorer_ns
    sums[totals.CYCLES] = tally.cycles
    sums[totals.LIMIT_QUEUED_NS : totals.LIMIT_USED] = np.sum(
        [limiter.queued_ns for limiter in limiters], axis=0
    )
    sums[totals.LIMIT_USED : totals.RESEARCH] = limiters[0].used
    sums[totals.BUSIEST_LINE : totals.BUSIEST_LINE + len(totals.API_LIMITS)] = np.max(
        [limiter.used_minutes for limiter in limiters], axis=0
    )
    sums[totals.FULL_CONTEXTS] = tally.full_contexts
    sums[totals.PLAN_QUEUED_NS] = 0.0 if site.plan is None else site.plan.queued_ns
    if site.board.is_on:
        board = site.board
        research_tally(board.lab, board.notebook, sums[totals.RESEARCH : totals.RESULTS])
        results_by_time(
            board.lab, board.notebook, site.program.settings.horizon_ns, sums[totals.RESULTS : totals.JOBS]
        )
    if site.tasks.are_given:
        task_tally(site.tasks.list, sums[totals.TASKS : totals.SUMS])
    return sums
