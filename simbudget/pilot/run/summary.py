"""The summary of a pilot: spend, usage, time and scores, and whether ledger and provider agree."""

from typing import TYPE_CHECKING, Any, Final

from simbudget.guard.usage import usage_of
from simbudget.ledger.entry import ACTIVITIES, COMPONENTS
from simbudget.ledger.frame import TOKEN_COLUMNS
from simbudget.ledger.store import OPEN, WORST_CASE, LedgerStore
from simbudget.pilot.agents.laboratory import TRIED_AGAIN
from simbudget.pilot.draws import Draws
from simbudget.pilot.rates import pilot_rates
from simbudget.pilot.task_list import TaskList
from simbudget.pricing.charge import (
    TOKEN_CLASSES,
    charge,
)
from simbudget.scenario.scenario import Tasks
from simbudget.units import HOUR_S

if TYPE_CHECKING:
    from simbudget.pilot.run.pilot import Prepared

_RUN: Final = 0
_CALLS: Final = ("call", "post", "compaction", "poll")
_A_CENT_S_HUNDREDTH: Final = 1e-6
"""Dollars by which ledger and provider may differ: rounding errors of sums, far below the price of a token."""


def summarise(store: LedgerStore, prepared: "Prepared") -> dict[str, Any]:
    """Return the summary of a pilot, as printed by `simbudget pilot --json`."""
    row = store.runs()[_RUN]
    spend = store.spend(_RUN)
    hours = _agent_hours(store)
    by_component = {
        name: store.spend(_RUN, name).worst_usd for name in COMPONENTS if store.spend(_RUN, name).worst_usd
    }
    total = sum(by_component.values())
    return {
        "scenario": row.name,
        "source": row.source,
        "ledger": str(store.path),
        "agents": row.agents,
        "run_hours": float(store.recall("clock") or 0.0) / HOUR_S,
        "time_scale": row.time_scale,
        "cap_usd": row.cap_usd,
        "billed_usd": spend.settled_usd,
        "open_usd": spend.open_usd,
        "spend_usd": total,
        "spend_by_component_usd": by_component,
        "agent_hours": hours,
        "cost_per_agent_hour_usd": total / hours if hours else None,
        **_counts(store),
        **_tasks(store, prepared.plan.scenario.tasks, total),
        "best_score": store.query("SELECT max(score) FROM entries WHERE run = ?", (_RUN,))[0][0],
        "agent_time_share": _time_shares(store),
        "reconciliation": _reconcile(store, prepared),
        "notes": list(prepared.plan.notes),
    }


def _counts(store: LedgerStore) -> dict[str, Any]:
    marks = ", ".join("?" * len(_CALLS))
    totals = ", ".join(f"total({name})" for name in TOKEN_COLUMNS)
    calls, *tokens = store.query(
        f"SELECT count(*), {totals} FROM entries"
        f" WHERE run = ? AND component = 'tokens' AND outcome != '{OPEN}'",
        (_RUN,),
    )[0]
    failed = store.query(
        f"SELECT count(*) FROM entries WHERE run = ? AND outcome = 'failed' AND kind IN ({marks})",
        (_RUN, *_CALLS),
    )[0][0]
    turned_away = store.query("SELECT count(*) FROM attempts WHERE run = ? AND status = 429", (_RUN,))[0][0]
    ended_well, failed_jobs, cancelled, failed_attempts = store.query(
        "SELECT count(CASE WHEN outcome = 'ok' THEN 1 END),"
        " count(CASE WHEN outcome = 'failed' AND coalesce(status, '') != ? THEN 1 END),"
        " count(CASE WHEN outcome IN ('cut', 'unserved') THEN 1 END), count(CASE WHEN outcome = 'failed' THEN 1 END)"
        " FROM entries WHERE run = ? AND kind = 'experiment'",
        (TRIED_AGAIN, _RUN),
    )[0]
    scores = store.query(
        "SELECT count(*) FROM entries WHERE run = ? AND kind = 'score' AND outcome = 'ok'", (_RUN,)
    )[0][0]
    return {
        "model_calls": calls,
        "failed_calls": failed,
        "turned_away": turned_away,
        "tokens": {name: int(total) for name, total in zip(TOKEN_CLASSES, tokens, strict=True)},
        "experiments": ended_well,
        "experiments_failed": failed_attempts,
        "jobs": ended_well + failed_jobs,
        "jobs_cancelled": cancelled,
        "submissions": scores,
    }


def _tasks(store: LedgerStore, terms: Tasks | None, spend_usd: float) -> dict[str, Any]:
    """Return what has come of the list of tasks, as a projection reports it; nothing without a list."""
    if terms is None:
        return {}
    tasks = TaskList(store.path, terms)
    counts = tasks.counts()
    tasks.close()
    return {
        "tasks": {
            "count": counts.count,
            "attempts": counts.attempts,
            "solved": counts.solved,
            "unsolved": counts.count - counts.solved,
            "spend_per_task_usd": spend_usd / counts.count,
            "spend_per_attempt_usd": spend_usd / counts.attempts if counts.attempts else None,
            "cost_per_solved_usd": spend_usd / counts.solved if counts.solved else None,
        }
    }


def _agent_hours(store: LedgerStore) -> float:
    """Return the sum of the agents' lives without downtime, in hours of the run."""
    lives = store.query(
        "SELECT max(started_s + duration_s) - min(started_s) FROM entries WHERE run = ? AND agent >= 0"
        " GROUP BY agent",
        (_RUN,),
    )
    down = store.query("SELECT total(duration_s) FROM entries WHERE run = ? AND kind = 'down'", (_RUN,))[0][0]
    return float(sum(life for (life,) in lives if life) - down) / HOUR_S


def time_spent_s(store: LedgerStore) -> dict[str, float]:
    """Return the agents' time by activity, in seconds of the run."""
    spent = dict.fromkeys(ACTIVITIES, 0.0)
    rows = store.query(
        "SELECT kind, outcome, total(duration_s), total(queued_s) FROM entries WHERE run = ? AND agent >= 0"
        " GROUP BY kind, outcome",
        (_RUN,),
    )
    for kind, outcome, duration_s, queued_s in rows:
        if kind in _CALLS:
            if outcome != "failed":  # a failed attempt is part of the waiting time of its call
                spent["model"] += duration_s
                spent["waiting_api"] += queued_s
        elif kind == "score":
            spent["scoring"] += duration_s
            spent["waiting_scorer"] += queued_s
        elif kind == "wait":
            spent["waiting_other"] += duration_s
        elif kind in ("tool", "down"):
            spent[kind] += duration_s
    spent["experiment"], spent["waiting_gpu"] = _time_with_jobs_s(store)
    return spent


def _time_with_jobs_s(store: LedgerStore) -> tuple[float, float]:
    """Return for how long agents had a job running, and for how long all their jobs were queued.

    Jobs of one agent may run side by side; a moment counts once, as running if any of them ran.
    """
    rows = store.query(
        "SELECT agent, started_s - queued_s, started_s, started_s + duration_s FROM entries"
        " WHERE run = ? AND agent >= 0 AND kind = 'experiment'",
        (_RUN,),
    )
    running_s = either_s = 0.0
    for agent in {row[0] for row in rows}:
        jobs = [row[1:] for row in rows if row[0] == agent]
        running_s += _covered_s([(started_s, ended_s) for _, started_s, ended_s in jobs])
        either_s += _covered_s([(asked_s, ended_s) for asked_s, _, ended_s in jobs])
    return running_s, either_s - running_s


def _covered_s(spans: list[tuple[float, float]]) -> float:
    """Return the length of the union of some spans."""
    covered_s, until_s = 0.0, float("-inf")
    for from_s, to_s in sorted(spans):
        covered_s += max(0.0, to_s - max(from_s, until_s))
        until_s = max(until_s, to_s)
    return covered_s


def _time_shares(store: LedgerStore) -> dict[str, float]:
    spent = time_spent_s(store)
    total = sum(spent.values())
    return {activity: (seconds / total if total else 0.0) for activity, seconds in spent.items()}


def _reconcile(store: LedgerStore, prepared: "Prepared") -> dict[str, Any]:
    """Compare the ledger with the provider's own record, if that can be read."""
    worst = store.query(
        "SELECT count(*), total(cost_usd) FROM entries WHERE run = ? AND (source = ? OR outcome = ?)"
        " AND component = 'tokens'",
        (_RUN, WORST_CASE, OPEN),
    )[0]
    said = {"at_worst_case": worst[0], "at_worst_case_usd": worst[1], "provider_usd": None, "agrees": None}
    if prepared.plan.options.live or not prepared.folder.provider.exists():
        return said
    from simbudget.pilot.model_server.journal import Journal  # noqa: PLC0415  only with the local model server

    journal = Journal(prepared.folder.provider)
    try:
        billed = journal.usages()
        models = journal.models()
    finally:
        journal.close()
    options = prepared.plan.options
    rates = pilot_rates(prepared.plan.scenario, Draws(options.seed, options.luck), False)
    provider_usd = sum(
        charge(usage_of(usage), rates[models[name]]).total_usd for name, usage in billed.items()
    )
    known = {
        name
        for (name,) in store.query(
            "SELECT request_id FROM entries WHERE run = ? AND component = 'tokens' AND outcome != ?",
            (_RUN, OPEN),
        )
    }
    ledger_usd = store.spend(_RUN).settled_usd
    agrees = known == set(billed) and abs(provider_usd - ledger_usd) < _A_CENT_S_HUNDREDTH
    return {
        **said,
        "provider_usd": provider_usd,
        "billed_and_missing": len(set(billed) - known),
        "recorded_and_not_billed": len(known - set(billed)),
        "agrees": agrees,
    }
