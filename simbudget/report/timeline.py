"""One replication as a timeline in the Chrome trace-event format, which Perfetto opens.

Format: "Trace Event Format", Google, https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU.
"""

from typing import Any

import pandas as pd

from simbudget.ledger.entry import FLEET

_AGENTS, _MONEY = 1, 2
_BACKGROUND = ("sandbox", "reserved", "staff", "fixed")


def timeline(ledger: pd.DataFrame, agent_names: list[str]) -> dict[str, Any]:
    """Return the trace: a thread for each agent, jobs on a second one beside it, and the money spent so far.

    Times are microseconds. What costs money by merely being there (sandboxes, pools, pay) shows in the counter.
    """
    events = [_named("process_name", _AGENTS, 0, "agents"), _named("process_name", _MONEY, 0, "money")]
    for agent, name in enumerate(agent_names):
        events.append(_named("thread_name", _AGENTS, 2 * agent, name))
        events.append(_named("thread_name", _AGENTS, 2 * agent + 1, f"{name}: jobs"))
    rows: list[dict[str, Any]] = ledger.to_dict("records")  # type: ignore[assignment]
    for row in rows:
        if row["kind"] not in _BACKGROUND and row["agent"] != FLEET:
            events.append(_complete(row))
    return {"displayTimeUnit": "ms", "traceEvents": [*events, *_spending(ledger)]}


def _named(what: str, process: int, thread: int, name: str) -> dict[str, Any]:
    return {"name": what, "ph": "M", "pid": process, "tid": thread, "args": {"name": name}}


def _complete(row: dict[str, Any]) -> dict[str, Any]:
    names = ("cycle", "session", "turn", "queued_s", "model", "gpus", "cost_usd", "outcome")
    tokens = ("uncached_input_tokens", "cache_write_tokens", "cache_read_tokens", "output_tokens")
    shown = {name: row[name] for name in (*names, *tokens) if row[name] not in ("", 0)}
    return {
        "name": row["kind"] if row["outcome"] == "ok" else f"{row['kind']} ({row['outcome']})",
        "cat": row["kind"],
        "ph": "X",
        "ts": row["started_s"] * 1e6,
        "dur": row["duration_s"] * 1e6,
        "pid": _AGENTS,
        "tid": 2 * row["agent"] + (row["kind"] == "experiment"),
        "args": shown,
    }


def _spending(ledger: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the counter of money: a call's at its start, what accrues at its end."""
    paid = ledger[ledger["cost_usd"] > 0]
    accrues = paid["component"].isin(["gpu", "sandbox", "staff"])
    at = paid["started_s"] + paid["duration_s"].where(accrues, 0.0)
    spent = paid.assign(at=at).sort_values("at", kind="stable")
    total = spent["cost_usd"].cumsum()
    return [
        {"name": "spent", "ph": "C", "ts": ts * 1e6, "pid": _MONEY, "args": {"usd": round(usd, 6)}}
        for ts, usd in zip(spent["at"], total, strict=True)
    ]
