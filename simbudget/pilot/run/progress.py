"""The progress of a pilot, as the live view shows it, read from the ledger."""

from dataclasses import dataclass

from simbudget.ledger.store import OPEN, LedgerStore
from simbudget.pilot.clock import RunClock
from simbudget.pilot.run.plan import Plan
from simbudget.pilot.sandbox.slots import SlotPool

_RATE_OVER_S = 30.0
"""Real time over which the rate of spending is averaged."""


@dataclass(frozen=True)
class AgentProgress:
    """One agent's activity, cycle and spend."""

    agent: int
    doing: str
    cycle: int
    calls: int
    spent_usd: float
    best_score: float | None


@dataclass(frozen=True)
class Progress:
    """The state of a pilot in progress."""

    run_s: float
    """Seconds of the run so far."""
    wall_left_s: float
    spent_usd: float
    open_usd: float
    cap_usd: float
    usd_per_run_hour: float
    calls: int
    experiments: int
    submissions: int
    best_score: float | None
    slots: int
    slots_taken: int
    queue_length: int
    agents: tuple[AgentProgress, ...]


def look(
    store: LedgerStore, run: int, clock: RunClock, pool: SlotPool, plan: Plan, ends_at_s: float
) -> Progress:
    """Return the current state of a pilot.

    Args:
        store: its ledger.
        run: its run in the ledger.
        clock: its clock.
        pool: its slots.
        plan: its plan.
        ends_at_s: its latest end, in seconds of the run.
    """
    now_s = clock.now_s()
    spend = store.spend(run)
    calls, experiments, submissions, best = store.query(
        "SELECT count(CASE WHEN component = 'tokens' AND outcome != 'open' THEN 1 END),"
        " count(CASE WHEN kind = 'experiment' AND outcome = 'ok' THEN 1 END),"
        " count(CASE WHEN kind = 'score' AND outcome = 'ok' THEN 1 END), max(score) FROM entries WHERE run = ?",
        (run,),
    )[0]
    since_s = max(0.0, now_s - _RATE_OVER_S * clock.time_scale)
    recent = store.query(
        "SELECT total(cost_usd) FROM entries WHERE run = ? AND component = 'tokens' AND started_s >= ?",
        (run, since_s),
    )[0][0]
    return Progress(
        run_s=now_s,
        wall_left_s=clock.wall_until_s(ends_at_s),
        spent_usd=spend.settled_usd,
        open_usd=spend.open_usd,
        cap_usd=plan.options.budget_usd,
        usd_per_run_hour=float(recent) / max(1.0, now_s - since_s) * 3600.0,
        calls=calls,
        experiments=experiments,
        submissions=submissions,
        best_score=best,
        slots=pool.slots,
        slots_taken=pool.slots - pool.free,
        queue_length=pool.queue_length,
        agents=tuple(_agent(store, run, each.agent) for each in plan.agents),
    )


def _agent(store: LedgerStore, run: int, agent: int) -> AgentProgress:
    doing = store.query(
        f"SELECT kind FROM entries WHERE run = ? AND agent = ? AND outcome = '{OPEN}' ORDER BY id DESC LIMIT 1",
        (run, agent),
    )
    cycle, calls, spent, best = store.query(
        "SELECT max(cycle), count(CASE WHEN component = 'tokens' THEN 1 END),"
        " total(CASE WHEN component = 'tokens' AND outcome != 'open' THEN cost_usd END), max(score)"
        " FROM entries WHERE run = ? AND agent = ?",
        (run, agent),
    )[0]
    ended = store.recall(f"agent {agent} ended")
    state = f"ended: {ended}" if ended else (doing[0][0] if doing else "tool")
    return AgentProgress(agent, state, -1 if cycle is None else cycle, calls, spent, best)
