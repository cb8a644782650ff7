"""GPUs, scorer, people, horizon and budget equal a calculation by hand, to the last cent and second."""

from collections.abc import Callable

import pytest

from simbudget.engine import compiled, reference
from simbudget.engine.lowering import lower
from simbudget.engine.outcome import Outcome
from simbudget.scenario.resources import BILLINGS
from tests.running import CENT, run, scenario


@pytest.mark.parametrize(
    ("billing", "gpu_hours_billed"),
    [("on demand", 2.0), ("spot", 2.0), ("reserved", 3 * 2.0), ("per agent", 1.5 * (1.0 + 2.0))],
)
def test_gpus_are_billed_as_they_are_paid_for(billing: str, gpu_hours_billed: float) -> None:
    # Two agents, one starting an hour later, each with a job of an hour on one of three GPUs.
    fleet = "fleet: [{agents: 2, start: {then_every: 1 h}}]\ncycle: [experiment: {time: 1 h}]"
    if billing == "per agent":  # the second agent goes on for two cycles' time: one of waiting is not needed
        fleet = (
            "fleet: [{agents: 1}, {group: b, agents: 1, "
            "cycle: [{experiment: {time: 2 h}}]}]\ncycle: [experiment: {time: 1 h}]"
        )
    more = f"gpus: {{count: 3, price: 4 $/h, billing: {billing}}}\nstop: {{cycles_per_agent: 1}}"
    totals = run(f"{fleet}\n{more}").totals
    assert totals["gpu_hours_billed"] == pytest.approx(gpu_hours_billed)
    assert totals["spend_usd"] == pytest.approx(4 * gpu_hours_billed, abs=CENT)
    assert totals["gpu_hours_used"] == pytest.approx(3.0 if billing == "per agent" else 2.0)


@pytest.mark.parametrize("billing", BILLINGS)
@pytest.mark.parametrize("simulate", [compiled.simulate, reference.simulate])
def test_what_is_billed_is_what_is_paid_whatever_the_kind_of_billing(
    billing: str, simulate: Callable[..., Outcome]
) -> None:
    program = lower(
        scenario(
            "fleet: [{agents: 2}, {group: late, agents: 1, start: {first: 3 h}}]\n"
            "cycle: [experiment: {gpus: 1 to 2, time: 20 min to 2 h}, think: {turns: 3}]\n"
            "models: {own: {served_on: hall, throughput: 2500 tokens/s}}\n"
            f"gpus: {{name: hall, count: 4, price: 4 $/h, billing: {billing}}}\n"
            "stop: {after: 12 h}".replace("agents: 2", "agents: 2, model: own")
        )
    )
    totals = simulate(program, 1, record=False).totals
    assert totals["gpu_hours_billed"] > 0
    assert totals["spend_gpu_usd"] == pytest.approx(4 * totals["gpu_hours_billed"])


def test_jobs_queue_first_come_first_served_and_a_gpu_given_back_is_free_at_once() -> None:
    text = (
        "fleet: [{agents: 3}]\n"
        "cycle: [experiment: {time: 1 h}]\n"
        "gpus: {count: 1, price: 1 $/h}\n"
        "stop: {cycles_per_agent: 2}"
    )
    outcome = run(text)
    ledger = outcome.ledger
    assert ledger is not None
    jobs = ledger[ledger["kind"] == "experiment"]
    assert jobs["agent"].tolist() == [0, 1, 2, 0, 1, 2]
    assert (jobs["started_s"] / 3600).tolist() == pytest.approx([0, 1, 2, 3, 4, 5])
    assert outcome.totals["share_waiting_gpu"] == pytest.approx((0 + 1 + 2 + 2 + 2 + 2) / (4 + 5 + 6))
    assert outcome.totals["utilisation_gpu"] == pytest.approx(1.0)


def test_a_cool_down_runs_from_submission_to_submission() -> None:
    text = (
        "fleet: [{agents: 1}]\n"
        "cycle: [score]\n"
        "scorer: {time: 1 min, cool_down: 10 min, price: 0.5 $/call}\n"
        "stop: {cycles_per_agent: 3}"
    )
    totals = run(text).totals
    assert totals["wall_clock_hours"] * 60 == pytest.approx(21)
    assert totals["spend_usd"] == pytest.approx(1.5)
    assert totals["share_waiting_other"] == pytest.approx(18 / 21)


def test_a_quota_that_is_used_up_waits_for_the_next_day_of_the_run() -> None:
    text = (
        "fleet: [{agents: 1}]\n"
        "cycle: [score]\n"
        "scorer: {time: 1 h, quota_per_agent_per_day: 2}\n"
        "stop: {cycles_per_agent: 5, after: 1 week}"
    )
    assert run(text).totals["wall_clock_hours"] == pytest.approx(49)


def test_the_horizon_cuts_a_job_which_is_paid_for_as_far_as_it_got() -> None:
    text = (
        "fleet: [{agents: 1, sandbox: {price: 0.1 $/h}}]\n"
        "cycle: [experiment: {time: 5 h}]\n"
        "gpus: {price: 2 $/h}\n"
        "stop: {after: 3 h}"
    )
    outcome = run(text)
    assert outcome.totals["spend_usd"] == pytest.approx(6.3, abs=CENT)
    assert outcome.totals["experiments"] == 0
    ledger = outcome.ledger
    assert ledger is not None
    assert ledger.loc[ledger["kind"] == "experiment", "outcome"].tolist() == ["cut"]


def test_what_ends_at_the_horizon_is_complete_and_nothing_starts_there() -> None:
    text = "fleet: [{agents: 1}]\ncycle: [experiment: {time: 1 h}]\ngpus: {price: 2 $/h}\nstop: {after: 3 h}"
    totals = run(text).totals
    assert totals["experiments"] == 3
    assert totals["spend_usd"] == pytest.approx(6.0, abs=CENT)


def test_the_budget_stops_new_work_and_not_what_is_being_paid_for() -> None:
    # $2 an hour each: after 2 h of the two jobs $8 are spent or accrued, which is past $7 at the next look.
    text = "fleet: [{agents: 2}]\ncycle: [experiment: {time: 1 h}]\ngpus: {price: 2 $/h}\nstop: {budget: $7}"
    totals = run(text).totals
    assert totals["spend_usd"] == pytest.approx(8.0, abs=CENT)
    assert totals["overrun_usd"] == pytest.approx(1.0, abs=CENT)
    assert totals["wall_clock_hours"] == pytest.approx(2.0)


def test_what_accrues_counts_at_the_look() -> None:
    # A job of 10 h at $1/h, and an agent that starts a job of 1 h every hour: at 5 h $5 + $5 have come together.
    text = (
        "fleet: [{agents: 1, cycle: [{experiment: {time: 10 h}}]}, {group: b, agents: 1}]\n"
        "cycle: [experiment: {time: 1 h}]\ngpus: {price: 1 $/h}\nstop: {budget: $10}"
    )
    totals = run(text).totals
    assert totals["spend_usd"] == pytest.approx(15.0, abs=CENT)
    assert totals["experiments"] == 6


def test_people_work_and_are_paid_in_office_hours() -> None:
    text = (
        "fleet: [{kind: people, agents: 2, staff: {price: 95 $/h, hours: Mon-Fri 9-17}}]\n"
        "cycle: [think: {time: 12 h}]\nstop: {begins: Fri 12:00, cycles_per_agent: 1, after: 2 weeks}"
    )
    # Friday 12-17 (5 h), Monday 9-16 (7 h): ends Monday 16:00, 76 h after the start.
    totals = run(text).totals
    assert totals["wall_clock_hours"] == pytest.approx(76)
    assert totals["spend_staff_usd"] == pytest.approx(2 * 12 * 95, abs=CENT)
    assert totals["share_tool"] == pytest.approx(12 / 76)
    assert totals["share_waiting_other"] == pytest.approx(64 / 76)
