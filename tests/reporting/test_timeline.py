"""The timeline of a run: threads on which nothing overlaps in part, so that every viewer draws them right."""

from collections import defaultdict
from itertools import pairwise
from typing import Any

from simbudget.engine.reference import simulate
from simbudget.projection.trace import timeline
from tests.running import scenario

TEXT = """
fleet: [{group: a, agents: 2, kind: people, staff: {price: 1 $/h}}]
cycle: [experiment: {time: 1 h to 9 h, at_once: 4, wait_for: 3}, think: {time: 1 h}]
gpus: {count: 5, price: 1 $/h}
stop: {after: 2 days}
"""


def spans(events: list[dict[str, Any]], kind: str) -> dict[int, list[tuple[float, float]]]:
    """Return the starts and ends of entries of a kind, by thread."""
    found = defaultdict(list)
    for event in events:
        if event["ph"] == "X" and event["cat"] == kind:
            found[event["tid"]].append((event["ts"], event["ts"] + event["dur"]))
    return found


def test_jobs_side_by_side_have_threads_of_their_own() -> None:
    ledger = simulate(scenario(TEXT), 3).ledger
    assert ledger is not None
    events = timeline(ledger, ("a-1", "a-2"))["traceEvents"]
    jobs = spans(events, "experiment")
    assert sum(map(len, jobs.values())) == (ledger["kind"] == "experiment").sum()
    for of_thread in jobs.values():
        in_order = sorted(of_thread)
        assert all(ends <= begins for (_, ends), (begins, _) in pairwise(in_order))
    assert not jobs.keys() & spans(events, "tool").keys()
    named = {event["tid"]: event["args"]["name"] for event in events if event["name"] == "thread_name"}
    assert {"a-1: jobs", "a-1: jobs (2)"} <= {named[thread] for thread in jobs}
