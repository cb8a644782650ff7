"""The kernel: the loop over what happens, and the runs of many replications one after the other.

What happens is handed to whom it happens to; `life` and `jobs` say what follows. A replication uses the same arrays as
the one before it, so that a block of replications needs the memory of one.
"""

import numpy as np

from simbudget.compilation import compiled, internal
from simbudget.compilation.references import by_reference
from simbudget.engine import totals
from simbudget.engine.compiled import scheduling
from simbudget.engine.compiled.accounts import (
    begin_pools,
    begin_serving,
    end_serving,
    pay,
    pay_month,
    pay_pools,
)
from simbudget.engine.compiled.advance import BY_CRASH, BY_HORIZON, advance, interrupt, note_jobs_over
from simbudget.engine.compiled.board import Desk, answer, ask_for_late_reviews, conclude, open_board
from simbudget.engine.compiled.calls import LIFE
from simbudget.engine.compiled.delegates import interrupt_sub_agent
from simbudget.engine.compiled.experiments import break_off_job, play_job
from simbudget.engine.compiled.judging import open_reviews
from simbudget.engine.compiled.records import FIXED_COSTS, NOTHING, add_fleet_entry
from simbudget.engine.compiled.scheduling import after, at_once, next_slot, open_pools, rank_of, wakes_after
from simbudget.engine.compiled.states import JOBS_ENDED, STARTS
from simbudget.engine.compiled.tables import Record, Site
from simbudget.engine.laws.accounts import (
    BINS,
    FIXED,
    GPU,
    SANDBOX,
    SCORER,
    STAFF,
    TURNS,
    USED_TOKENS,
    settle_limits,
)
from simbudget.engine.laws.accounts import SPENT_USD as SPEND
from simbudget.engine.laws.calls import (
    CLASSES,
    NEVER,
)
from simbudget.engine.laws.draws import Floats, Integers, draw_world
from simbudget.engine.laws.pools import unit_usd_per_hour
from simbudget.engine.laws.provider import BUCKETS, MONTH_NS, SPANS
from simbudget.engine.laws.tally import research_tally, results_by_time
from simbudget.engine.laws.tasks import NO_TASK, open_tasks, task_tally
from simbudget.engine.program import NONE
from simbudget.ledger.entry import ACTIVITIES, COMPONENTS

_unit_usd_per_hour = internal(unit_usd_per_hour)


@compiled
def play_many(  # noqa: PLR0913, PLR0917  a site, how its worlds are drawn, which replications, and where results go
    site: Site,
    desk: Desk,
    rows: Floats,
    kinds: Integers,
    spreads: Floats,
    purposes: Integers,
    keys: Integers,
    sums: Floats,
    by_time_usd: Floats,
) -> None:
    """Run replications, and write the results of each.

    After a run that could not be finished the others are left undone; `site.run` says why.

    Args:
        site: the arrays of the run.
        desk: the board's tables.
        rows: [quantities, 8] the program's quantities.
        kinds: [quantities] when each is drawn, see `laws.draws`.
        spreads: [quantities] scatter around an unknown typical value, as p90 / median.
        purposes: [quantities] the purpose of each one's stream.
        keys: [runs, 3] seed, world and replication of each run.
        sums: [runs, sums] is written, see `engine.totals`.
        by_time_usd: [runs, components, BINS] is written, in US dollars.
    """
    here, board = by_reference(site), by_reference(desk)
    for number in range(len(keys)):
        # The rows are written in place: laws hold on to `site.rows`, whose address must not change.
        draw_world(site.rows, rows, site.table, kinds, spreads, purposes, keys[number])
        _begin(here, site.run[0], keys[number])
        open_board(here, site.run[0], board, keys[number])
        _play(here, site.run[0], board)
        _add_up(here, site.run[0], sums[number])
        _add_up_research(site.run[0], board, sums[number])
        _copy_spans(site.run[0], by_time_usd[number])
        # Compiled code cannot allocate, so Python makes more room and plays all runs again.
        if site.run[0].never_ends or site.run[0].forum_is_short or site.run[0].notebook_is_short:
            return
        if site.run[0].jobs_are_short or site.run[0].sub_agents_are_short:
            return
        if site.run[0].reviewers_are_short:
            return


@internal
def _play(site: Site, run: Record, desk: Desk) -> None:
    """Handle all events in order, until the last agent's end."""
    begin_pools(site, run)
    begin_serving(site, run)
    _goes_on(site, run, desk)
    if run.never_ends:
        return
    run.ended = run.now
    pay_pools(site, run)
    end_serving(site, run)
    if run.reviewer != NONE:
        _await_reviews(site, run, desk)
    conclude(site, run, desk)


@internal
def _goes_on(site: Site, run: Record, desk: Desk) -> None:
    """Handle scheduled events until the run is over."""
    # Slots of callers come first, then those of the run, then those of jobs; see `scheduling`.
    of_run = scheduling.SLOTS * run.callers
    run.is_over = 0
    while run.is_over == 0 and run.never_ends == 0:
        slot = next_slot(site, run)
        if slot < of_run:
            _happens(site, run, site.agents[slot // scheduling.SLOTS], slot % scheduling.SLOTS)
        elif slot >= of_run + scheduling.SLOTS_OF_RUN:
            _happens_to_job(site, run, slot - of_run - scheduling.SLOTS_OF_RUN)
        elif slot == of_run + scheduling.MONTH:
            _begin_month(site, run)
        elif slot == of_run + scheduling.OVER:
            run.is_over = 1
        else:
            _meet_horizon(site, run)
        # The answer may let the agent ask again at once, before anything else happens.
        while run.board_asked:
            answer(site, run, desk)
            agent = site.agents[run.board_agent]
            advance(site, run, agent, agent.state)


@internal
def _await_reviews(site: Site, run: Record, desk: Desk) -> None:
    """Run the clock until every review by a model is over, including those of finalists that had none."""
    asked = run.reviews_asked
    while True:
        if asked:
            run.awaits_reviews = 1
            if run.reviews_in_flight == 0:
                at_once(site, run, scheduling.SLOTS * run.callers + scheduling.OVER, scheduling.AT_ONCE)
            _goes_on(site, run, desk)
            run.awaits_reviews = 0
        asked = ask_for_late_reviews(site, run, desk)
        if asked == 0 or run.reviewers_are_short or run.never_ends:
            return


@internal
def _happens(site: Site, run: Record, agent: Record, what: int) -> None:
    """Handle an event of an agent."""
    if what == scheduling.ITSELF:
        advance(site, run, agent, agent.state)
    elif what == scheduling.JOBS_OVER:
        note_jobs_over(site, run, agent)
    elif what == scheduling.CRASH:
        # An event of its own, as SimPy's interrupts are: it comes before all else that is due at this instant.
        agent.interrupted_by = BY_CRASH
        at_once(site, run, scheduling.SLOTS * agent.number + scheduling.INTERRUPTION, scheduling.URGENT)
    elif what == scheduling.STOP:
        agent.interrupted_by = BY_HORIZON
        at_once(site, run, scheduling.SLOTS * agent.number + scheduling.INTERRUPTION, scheduling.URGENT)
    elif agent.sub_agent:
        interrupt_sub_agent(site, run, agent)
    else:
        interrupt(site, run, agent)


@internal
def _happens_to_job(site: Site, run: Record, slot: int) -> None:
    """Handle an event of a job; `slot` counts from the first of the jobs' slots."""
    job = site.jobs[slot // scheduling.JOB_SLOTS]
    agent = site.agents[job.agent]
    if slot % scheduling.JOB_SLOTS == scheduling.JOB_INTERRUPTION:
        break_off_job(site, run, agent, job)
        return
    play_job(site, run, agent, job, job.state)
    # The only job of an agent that does not poll is the agent's own doing: no event stands between their ends.
    if agent.jobs_are_over and agent.jobs_are_beside == 0:
        advance(site, run, agent, JOBS_ENDED)


@internal
def _meet_horizon(site: Site, run: Record) -> None:
    for number in range(run.agents):
        agent = site.agents[number]
        if agent.is_alive:
            agent.interrupted_by = BY_HORIZON
            at_once(site, run, scheduling.SLOTS * number + scheduling.INTERRUPTION, scheduling.URGENT)


# How a run begins.


@internal
def _begin(site: Site, run: Record, key: Integers) -> None:
    """Reset everything to the start of a run."""
    run.now = run.ended = run.alive = run.scheduled = run.heap_size = run.entries = run.never_ends = 0
    run.posts = run.posted_tokens = run.forum_is_short = 0
    run.spent_usd = run.unbilled_usd = run.scorer_ns = 0.0
    run.by_component_usd[:] = 0.0
    run.by_time_usd[:] = 0.0
    run.tokens[:] = 0
    run.model_calls = run.full_contexts = run.experiments = run.scorer_calls = run.cycles = 0
    run.jobs = run.cancelled_jobs = 0
    # The heap is emptied by its length alone; only the slots' places in it have to be wiped.
    site.places[:] = scheduling.NOWHERE
    open_pools(site)
    run.jobs_are_short = run.sub_agents_are_short = 0
    open_reviews(site, run)
    _fill_buckets(site)
    _settle_facts(site, run)
    _open_plan(site, run)
    for number in range(run.agents):
        _place(site, run, site.agents[number], key)
    # Nobody starts before the horizon: the run is over at its first instant.
    if run.alive == 0:
        at_once(site, run, scheduling.SLOTS * run.callers + scheduling.OVER, scheduling.AT_ONCE)
    pay_fixed(site, run)
    if run.has_plan:
        _begin_month(site, run)
    after(site, run, scheduling.SLOTS * run.callers, run.horizon_ns, scheduling.HORIZON, 0)


@internal
def _fill_buckets(site: Site) -> None:
    """Begin with full buckets, and no call for any prefix."""
    site.prefixes[:] = NEVER
    for number in range(len(site.limits)):
        limits = site.limits[number]
        limits.held_up_by = 0
        for limit in range(BUCKETS):
            limits.buckets[limit, 0] = limits.buckets[limit, 1] = limits.per_min[limit]
            limits.buckets[limit, 2] = 0.0
            limits.queued_ns[limit] = 0.0
            limits.used[limit] = 0
    for number in range(len(site.served)):
        site.served[number].calls = 0


@internal
def _open_plan(site: Site, run: Record) -> None:
    """Begin with an unused subscription."""
    run.plan_places = run.plan_waiting = run.plan_queued_ns = 0
    run.plan_month_usd = run.plan_seats * _fact(site, run.plan_price) * run.charged[FIXED]
    for span in range(SPANS):
        run.plan_ends[span] = 0
        run.plan_used_usd[span] = 0.0
        run.plan_allows_usd[span] = run.plan_seats * _fact(site, run.plan_allows[span])


@internal
def _begin_month(site: Site, run: Record) -> None:
    """Pay for a month of the subscription, and for the next one when that begins."""
    pay_month(site, run)
    after(site, run, scheduling.SLOTS * run.callers + scheduling.MONTH, MONTH_NS, scheduling.ASK, 0)


@internal
def pay_fixed(site: Site, run: Record) -> None:
    """Pay the run's fixed costs."""
    fixed_usd = _fact(site, run.fixed) * run.charged[FIXED]
    if fixed_usd != 0.0:
        pay(run, FIXED, fixed_usd)
        add_fleet_entry(site, run, FIXED_COSTS, FIXED, fixed_usd, 0)


@internal
def _fact(site: Site, quantity: int) -> float:
    """Return the one value that a fact has in this run; 0 for none."""
    return 0.0 if quantity == NONE else site.rows[quantity, 1]


@internal
def _settle_facts(site: Site, run: Record) -> None:
    """Note this world's prices, on the meters and elsewhere."""
    for component in range(len(COMPONENTS)):
        run.charged[component] = 1.0 - _fact(site, run.discounts[component])
    run.score_price_usd = _fact(site, run.score_price) * run.charged[SCORER]
    groups = len(site.groups)
    for number in range(len(site.meters)):
        site.meters[number].units = site.meters[number].sum_of_starts_ns = 0.0
    pools = run.gpu_pools
    for number in range(pools):
        pool = site.pools[number]
        site.meters[number].usd_per_hour = (
            _unit_usd_per_hour(pool, _fact(site, pool.price)) * run.charged[GPU]
        )
    for number in range(groups):
        group = site.groups[number]
        site.meters[pools + number].usd_per_hour = _fact(site, group.sandbox_price) * run.charged[SANDBOX]
        staff_usd_per_hour = _fact(site, group.staff_price) * run.charged[STAFF]
        site.meters[pools + groups + number].usd_per_hour = staff_usd_per_hour
        stop = group.stop
        settle_limits(site.rows, NONE, stop[SPEND], stop[USED_TOKENS], stop[TURNS], group.limits)
    for number in range(len(site.clients)):
        client = site.clients[number]
        # The first number is a count of tokens, not a price.
        client.prices[0] = float(client.price_row[0])
        for price in range(1, len(client.prices)):
            client.prices[price] = _fact(site, client.price_row[price])
            if client.price_factor != NONE:
                client.prices[price] *= _fact(site, client.price_factor)
    terms = site.terms
    settle_limits(site.rows, terms.time, terms.spend, terms.tokens, terms.turns, run.task_limits)
    open_tasks(site.tasks)


@internal
def _place(site: Site, run: Record, agent: Record, key: Integers) -> None:
    """Reset an agent's record, and schedule its start."""
    group = site.groups[agent.group]
    for part in range(len(key)):
        agent.stream[part] = key[part]
    agent.is_alive = agent.has_lived = agent.interrupted_by = 0
    agent.is_judged = agent.judge_attempts = agent.judge_calls = 0
    # Fields that a step or a call sets before it reads them are left as the run before left them.
    agent.needs_context = 1
    agent.cycle = -1
    agent.completed_cycles = agent.idle_cycles = agent.crashes = 0
    agent.owner, agent.sub_agent = agent.number, 0
    agent.rank = rank_of(run, agent.number, 0)
    agent.delegations = agent.team = 0
    agent.sessions = agent.is_on_own_context = agent.prefix_tokens = agent.waits_for_bell = 0
    agent.session = agent.context_number = -1
    for place in range(site.kept.shape[1]):
        site.kept[agent.number, place].is_kept = 0
    agent.contexts = agent.context_turns = agent.context_results = agent.turns = agent.attempts = (
        agent.compactions
    ) = 0
    agent.context[:] = 0
    agent.client = group.client
    agent.turn_row = group.turn
    agent.context_row = group.context
    agent.context[LIFE] = site.clients[agent.client].cache_life_ns
    agent.submissions = agent.submissions_that_day = agent.posts = agent.posts_seen = agent.polls = 0
    agent.own_post = -1
    agent.own_post_tokens = agent.polls_now = agent.waits_for_poll = agent.waits_for_job = 0
    agent.jobs = agent.jobs_are_over = agent.stretches = agent.is_up = 0
    agent.ended_well = agent.pool = 0
    agent.activity = agent.activity_of_job = NOTHING
    agent.started = agent.ended = 0
    agent.spent_ns[:] = 0
    agent.account[:] = 0.0
    agent.marks[:] = 0.0
    agent.task = NO_TASK
    agent.waits_for_task = agent.attempt_is_over = agent.job_is_over_limit = 0
    # An agent that would start at the horizon or later never lives, and has no event.
    start = group.first_start_ns + (agent.number - group.first_agent) * group.start_every_ns
    if start < run.horizon_ns:
        agent.is_alive = 1
        run.alive += 1
        agent.state = STARTS
        wakes_after(site, run, agent, start, scheduling.ASK)


# Results of a run.


@internal
def _add_up(site: Site, run: Record, sums: Floats) -> None:
    """Write a run's sums; see `engine.totals`."""
    sums[:] = 0.0
    sums[totals.SPENT_USD] = run.spent_usd
    for component in range(len(COMPONENTS)):
        sums[totals.COMPONENT_USD + component] = run.by_component_usd[component]
    for number in range(run.agents):
        _add_up_life(site, site.agents[number], sums)
    sums[totals.ENDED_NS] = run.ended
    sums[totals.CONCLUDED_NS] = max(run.ended, run.concluded)
    sums[totals.MODEL_CALLS] = run.model_calls
    for token_class in range(CLASSES):
        sums[totals.TOKENS + token_class] = run.tokens[token_class]
    for number in range(run.gpu_pools):
        pool, place = site.pools[number], totals.SUMS + totals.POOL_SUMS * number
        sums[totals.GPU_NS] += pool.used_ns
        sums[place + totals.POOL_GPU_NS] = pool.used_ns
        sums[place + totals.POOL_WAITED_NS] = np.float64(pool.waited_ns)
    sums[totals.EXPERIMENTS] = run.experiments
    sums[totals.JOBS] = run.jobs
    sums[totals.JOBS_CANCELLED] = run.cancelled_jobs
    sums[totals.SCORER_CALLS] = run.scorer_calls
    sums[totals.SCORER_NS] = run.scorer_ns
    sums[totals.CYCLES] = run.cycles
    if run.has_tasks:
        task_tally(site.tasks, sums[totals.TASKS : totals.SUMS])
    for limit in range(BUCKETS):
        # Only the line that models share counts as the fleet's use of its limits.
        sums[totals.LIMIT_USED + limit] = site.limits[0].used[limit]
        for number in range(len(site.limits)):
            limits = site.limits[number]
            sums[totals.LIMIT_QUEUED_NS + limit] += limits.queued_ns[limit]
            if limits.per_min[limit] > 0.0:
                minutes = limits.used[limit] / limits.per_min[limit]
                sums[totals.BUSIEST_LINE + limit] = max(sums[totals.BUSIEST_LINE + limit], minutes)
    sums[totals.FULL_CONTEXTS] = run.full_contexts
    sums[totals.PLAN_QUEUED_NS] = run.plan_queued_ns


@internal
def _add_up_research(run: Record, desk: Desk, sums: Floats) -> None:
    if run.has_research:
        research_tally(desk.lab, desk.notebook, sums[totals.RESEARCH : totals.RESULTS])
        results_by_time(desk.lab, desk.notebook, run.horizon_ns, sums[totals.RESULTS : totals.JOBS])


@internal
def _copy_spans(run: Record, by_time_usd: Floats) -> None:
    for component in range(len(COMPONENTS)):
        for span in range(BINS):
            by_time_usd[component, span] = run.by_time_usd[component, span]


@internal
def _add_up_life(site: Site, agent: Record, sums: Floats) -> None:
    for activity in range(len(ACTIVITIES)):
        sums[totals.ACTIVITY_NS + activity] += np.float64(agent.spent_ns[activity])
    life_ns = np.float64(agent.ended - agent.started) if agent.has_lived else 0.0
    sums[totals.LIFE_NS] += life_ns
    if site.groups[agent.group].is_people == 0:
        sums[totals.LIFE_OF_GPU_USERS_NS] += life_ns
