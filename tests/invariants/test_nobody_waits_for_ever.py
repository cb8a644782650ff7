"""A run whose agents have a few cycles to do ends by itself, long before a horizon that is ten years away.

Whoever waited for something that never comes (a task, a GPU, a place in a line, a verdict) would wait until then.
"""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simbudget.engine import compiled, reference
from simbudget.engine.lowering import lower
from simbudget.engine.program import Program
from simbudget.engine.reference.scheduling import Pool
from simbudget.engine.reference.site import Tasks
from simbudget.testing import documents, load, with_calls
from tests.running import scenario

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
some = settings(max_examples=60, deadline=None, suppress_health_check=SLOW, derandomize=True)

TEN_YEARS_H = 3650 * 24


def few_cycles(document: dict[str, Any]) -> Program | None:
    """Return the program of a scenario that is over when its agents have done two cycles each.

    Without crashes and preemptions, after which a long cycle may begin again and again for years.
    """
    fleet = [{key: group[key] for key in group.keys() - {"crashes"}} for group in document["fleet"]]
    pools = document["gpus"] if isinstance(document["gpus"], list) else [document["gpus"]]
    pools = [{key: pool[key] for key in pool.keys() - {"preempted", "checkpoint_every"}} for pool in pools]
    pools = [pool | {"billing": "on demand"} if pool["billing"] == "spot" else pool for pool in pools]
    gpus = pools if isinstance(document["gpus"], list) else pools[0]
    stop = {
        key: document["stop"][key] for key in document["stop"].keys() & {"budget", "budget_counts", "begins"}
    }
    stop |= {"after": "3650 days", "cycles_per_agent": 2}
    which = load(document | {"fleet": fleet, "gpus": gpus, "stop": stop})
    return None if which is None else lower(which)


def programs() -> st.SearchStrategy[Program]:
    made = (documents(beyond=True) | documents(beyond=True).flatmap(with_calls)).map(few_cycles)
    return made.filter(lambda program: program is not None)  # type: ignore[return-value]


@some
@given(programs(), st.integers(0, 1000))
def test_a_run_of_few_cycles_ends_by_itself(program: Program, seed: int) -> None:
    outcome = compiled.simulate(program, seed, record=False)
    assert outcome.totals["run_hours"] < TEN_YEARS_H
    assert reference.simulate(program, seed, record=False).totals["run_hours"] == outcome.totals["run_hours"]


def a_line_is_not_served_when_its_head_leaves(patch: pytest.MonkeyPatch) -> None:
    def leave(pool: Any, grant: Any, units: int = 1) -> None:
        if grant.triggered:
            pool._free += units
        else:
            pool._line.remove((grant, units))

    patch.setattr(Pool, "leave", leave)


def nobody_is_asked_anew_when_an_attempt_has_ended(patch: pytest.MonkeyPatch) -> None:
    def end(tasks: Any, attempt: Any, is_whole: bool) -> None:
        waiting, tasks._waiting = tasks._waiting, {}
        real(tasks, attempt, is_whole)
        tasks._waiting = waiting

    real = Tasks.end
    patch.setattr(Tasks, "end", end)


CROWDED = """
fleet: [{agents: 3}]
gpus: {count: 1, price: 1 $/h}
cycle: [experiment: {time: 1 h to 2 h}]
tasks: {count: 2, attempts: 9, solved: 50%}
stop: {after: 3650 days, cycles_per_agent: 2}
"""


@pytest.mark.parametrize(
    "fault", [a_line_is_not_served_when_its_head_leaves, nobody_is_asked_anew_when_an_attempt_has_ended]
)
def test_a_fault_that_lets_somebody_wait_for_ever_is_seen(
    fault: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = lower(scenario(CROWDED))
    seeds = range(10)
    ended_h = [reference.simulate(program, seed, record=False).totals["run_hours"] for seed in seeds]
    assert max(ended_h) < 24
    fault(monkeypatch)
    ended_h = [reference.simulate(program, seed, record=False).totals["run_hours"] for seed in seeds]
    assert max(ended_h) == TEN_YEARS_H
