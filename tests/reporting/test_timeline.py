"""The timeline of a run: threads on which nothing overlaps in part, so that every viewer draws them right."""

from collections import defaultdict
from itertools import pairwise
from typing import Any

import pytest

from simbudget.engine.reference import simulate
from simbudget.projection.figures import MOST_ROWS, gantt
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


DELEGATING = """
fleet: [{group: a, agents: 2, model: claude-opus-4-6, crashes: {every: 20 min, restart: 1 min}}]
cycle:
  - think: {turns: 2}
  - delegate: {agents: 2 to 5, model: claude-haiku-4-5, turns: 3}
turn: {output_tokens: 100 to 900, tool_time: 5 s}
prices: {on: 2026-06-01}
stop: {after: 1 h}
"""


def test_sub_agents_have_threads_of_their_own_below_their_agent() -> None:
    ledger = simulate(scenario(DELEGATING), 3).ledger
    assert ledger is not None
    events = timeline(ledger, ("a-1", "a-2"))["traceEvents"]
    named = {event["tid"]: event["args"]["name"] for event in events if event["name"] == "thread_name"}
    places = {
        event["tid"]: event["args"]["sort_index"] for event in events if event["name"] == "thread_sort_index"
    }
    in_order = [named[thread] for thread in sorted(named, key=lambda thread: places[thread])]
    numbers = [
        len({row.name for row in ledger.itertuples() if row.parent == f"agent {agent}"}) for agent in (0, 1)
    ]
    assert min(numbers) >= 2
    assert in_order == [
        label
        for name, count in zip(("a-1", "a-2"), numbers, strict=True)
        for label in (name, *(f"{name}: sub-agent {number + 1}" for number in range(count)))
    ]
    calls, tools = spans(events, "call"), spans(events, "tool")
    for thread, name in named.items():
        done = sorted(calls.get(thread, []) + tools.get(thread, []))
        assert all(ends <= begins + 1e-3 for (_, ends), (begins, _) in pairwise(done))  # microseconds
        models = {
            event["args"]["model"]
            for event in events
            if event["ph"] == "X" and event["tid"] == thread and "model" in event["args"]
        }
        assert models == {"claude-haiku-4-5" if "sub-agent" in name else "claude-opus-4-6"}


def test_the_gantt_picture_has_a_row_for_each_sub_agent() -> None:
    ledger = simulate(scenario(DELEGATING), 3).ledger
    assert ledger is not None
    figure, bars = gantt(ledger, ("a-1", "a-2"))
    rows = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert rows[:3] == ["a-1", "sub-agent 1", "sub-agent 2"]
    assert rows.count("sub-agent 1") == 2
    lasting = ledger[ledger["kind"].isin(["call", "tool", "down"])]
    by_track = lasting["duration_s"].groupby([lasting["agent"], lasting["parent"] != ""]).sum() / 3600
    drawn = bars["length_hours"].groupby([bars["agent"], bars["sub_agent"] != ""]).sum()
    assert drawn.to_numpy() == pytest.approx(by_track.to_numpy())
    names = tuple(f"a-{number}" for number in range(MOST_ROWS))
    cut, _ = gantt(ledger, names)
    assert len(cut.axes[0].get_yticklabels()) == MOST_ROWS
