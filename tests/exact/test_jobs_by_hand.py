"""Jobs side by side, conditions and pools equal a calculation by hand, to the last cent and second."""

from typing import Any

import pandas as pd
import pytest

from simbudget.engine.lowering import lower
from simbudget.engine.outcome import Outcome
from tests.running import CENT, run, scenario

GPUS = "gpus: {count: 2, price: 6 $/h}"


def fleet(cycle: str, more: str = "", agents: int = 1) -> str:
    return f"fleet: [{{agents: {agents}}}]\ncycle: {cycle}\n{more}\n"


def entries(outcome: Outcome, kind: str) -> pd.DataFrame:
    assert outcome.ledger is not None
    return outcome.ledger[outcome.ledger["kind"] == kind]


def counts(outcome: Outcome) -> tuple[float, float, float]:
    """Return how many jobs ended well, ended, and were cancelled."""
    totals = outcome.totals
    return totals["experiments"], totals["jobs"], totals["jobs_cancelled"]


def test_jobs_of_a_step_ask_in_their_order_and_the_agent_goes_on_when_all_have_ended() -> None:
    # Five jobs of an hour on two GPUs: two, two, one; the sixth hour is the score's.
    cycle = "[experiment: {time: 1 h, at_once: 5}, score]"
    outcome = run(fleet(cycle, f"{GPUS}\nscorer: {{time: 1 h}}\nstop: {{cycles_per_agent: 1}}"))
    jobs = entries(outcome, "experiment")
    assert (jobs["started_s"] / 3600).tolist() == [0, 0, 1, 1, 2]
    assert (jobs["queued_s"] / 3600).tolist() == [0, 0, 1, 1, 2]
    assert counts(outcome) == (5, 5, 0)
    assert outcome.totals["spend_usd"] == pytest.approx(5 * 6, abs=CENT)
    assert outcome.totals["share_experiment"] == pytest.approx(3 / 4)
    assert outcome.totals["share_waiting_gpu"] == 0  # while one of its jobs runs, an agent does not wait


def test_jobs_of_several_agents_stand_in_one_line() -> None:
    outcome = run(fleet("[experiment: {time: 1 h, at_once: 2}]", f"{GPUS}\nstop: {{cycles_per_agent: 1}}", 2))
    assert entries(outcome, "experiment")["agent"].tolist() == [0, 0, 1, 1]
    assert outcome.totals["wall_clock_hours"] == pytest.approx(2)
    assert outcome.totals["queued_gpu_hours"] == pytest.approx(1)


def test_of_jobs_that_end_at_one_instant_those_beyond_what_is_waited_for_are_cancelled() -> None:
    # All three have run their hour when the second one ends it; the third is paid for, and is no experiment.
    cycle = "[experiment: {time: 1 h, at_once: 3, wait_for: 2}]"
    outcome = run(fleet(cycle, "gpus: {count: 3, price: 2 $/h}\nstop: {cycles_per_agent: 1}"))
    assert counts(outcome) == (2, 2, 1)
    assert entries(outcome, "experiment")["outcome"].tolist() == ["ok", "ok", "cut"]
    assert outcome.totals["spend_usd"] == pytest.approx(3 * 2, abs=CENT)


def test_jobs_that_wait_for_gpus_when_enough_have_ended_leave_the_line_and_cost_nothing() -> None:
    cycle = "[experiment: {time: 1 h, at_once: 3, wait_for: 1}]"
    outcome = run(fleet(cycle, "gpus: {count: 1, price: 2 $/h}\nstop: {cycles_per_agent: 1}"))
    assert counts(outcome) == (1, 1, 2)
    jobs = entries(outcome, "experiment")
    assert sorted(jobs["outcome"]) == ["ok", "unserved", "unserved"]
    assert outcome.totals["spend_usd"] == pytest.approx(2, abs=CENT)
    assert outcome.totals["wall_clock_hours"] == pytest.approx(1)


def test_to_wait_for_more_jobs_than_there_are_is_to_wait_for_all() -> None:
    more = f"{GPUS}\nstop: {{cycles_per_agent: 1}}"
    of_all = run(fleet("[experiment: {time: 1 h, at_once: 3}]", more))
    of_nine = run(fleet("[experiment: {time: 1 h, at_once: 3, wait_for: 9}]", more))
    assert of_nine.totals == pytest.approx(of_all.totals, nan_ok=True)


def test_a_budget_refuses_the_jobs_that_have_not_begun_and_lets_the_others_end() -> None:
    # $1 an hour on one GPU. The second job is granted at 1 h with $1 spent, the third at 2 h with $2: refused.
    cycle = "[experiment: {time: 1 h, at_once: 3}, score]"
    outcome = run(fleet(cycle, "gpus: {count: 1, price: 1 $/h}\nstop: {budget: $1.5}"))
    assert counts(outcome) == (2, 2, 1)
    assert outcome.totals["spend_usd"] == pytest.approx(2, abs=CENT)
    assert outcome.totals["wall_clock_hours"] == pytest.approx(2)
    assert outcome.totals["cycles"] == 0


def test_jobs_under_way_when_the_budget_refuses_another_are_waited_for() -> None:
    # At 1 h $8 are spent or accrued (2 GPUs at $3, the long job's hour with it): the third job is refused.
    text = (
        "fleet: [{agents: 1}, {group: b, agents: 1, cycle: [experiment: {time: 3 h}]}]\n"
        "cycle: [experiment: {time: 1 h, at_once: 2}]\n"
        "gpus: {count: 2, price: 3 $/h}\n"
        "stop: {budget: $6, cycles_per_agent: 1}"
    )
    outcome = run(text)
    # Agent 0's two jobs run from 0 to 1 h ($6); b's is granted at 1 h and refused.
    assert counts(outcome) == (2, 2, 1)
    assert outcome.totals["spend_usd"] == pytest.approx(6, abs=CENT)


def test_the_horizon_cuts_every_job_that_runs_or_waits() -> None:
    cycle = "[experiment: {time: 1 h, at_once: 4}]"
    outcome = run(fleet(cycle, f"{GPUS}\nstop: {{after: 90 min}}"))
    # Two have ended at 1 h, two are cut half an hour later: 2 h and 1 h of GPUs.
    assert counts(outcome) == (2, 2, 2)
    assert outcome.totals["gpu_hours_used"] == pytest.approx(3)
    assert outcome.totals["spend_usd"] == pytest.approx(18, abs=CENT)


def test_polls_are_one_series_until_enough_jobs_have_ended() -> None:
    text = (
        "models: {claude-opus-4-6: {first_token: 2 s, output_speed: 50 tokens/s}}\nprices: {on: 2026-06-01}\n"
        "fleet: [{agents: 1}]\n"
        "cycle: [experiment: {time: 10 min, at_once: 3, wait_for: 2, polls: {every: 4 min}}]\n"
        "gpus: {count: 1, price: 6 $/h}\nstop: {cycles_per_agent: 1}"
    )
    outcome = run(text)
    # Jobs end at 10 and 20 min; polls begin at 4, 8, 12 and 16 min, and one at 20 min that is not made.
    assert (entries(outcome, "poll")["started_s"] / 60).tolist() == pytest.approx([4, 8, 12, 16])
    assert counts(outcome) == (2, 2, 1)
    assert outcome.totals["spend_gpu_usd"] == pytest.approx(2, abs=CENT)


def test_a_poll_under_way_does_not_keep_jobs_alive_that_are_not_waited_for() -> None:
    text = (
        "models: {claude-opus-4-6: {first_token: 60 s, output_speed: 50 tokens/s}}\nprices: {on: 2026-06-01}\n"
        "fleet: [{agents: 1}]\n"
        "cycle: [experiment: {time: 10 min, at_once: 2, wait_for: 1, polls: {every: 590 s, output_tokens: 0}}]\n"
        "gpus: {count: 1, price: 6 $/h}\nstop: {cycles_per_agent: 1}"
    )
    outcome = run(text)
    # The poll takes from 590 to 650 s; the first job ends at 600 s, and the second is cancelled there.
    assert outcome.totals["wall_clock_hours"] * 3600 == pytest.approx(650)
    assert outcome.totals["spend_gpu_usd"] == pytest.approx(1, abs=CENT)


@pytest.mark.parametrize(("on_failure", "scores"), [("go on", 2), ("end cycle", 0)])
def test_a_job_that_fails_for_good_ends_the_cycle_where_that_is_said(on_failure: str, scores: int) -> None:
    cycle = f"[experiment: {{time: 1 h, fails: 100%, attempts: 4, on_failure: {on_failure}}}, score: {{}}]"
    outcome = run(fleet(cycle, "scorer: {time: 1 h}\nstop: {cycles_per_agent: 2}"))
    assert counts(outcome) == (0, 2, 0)
    assert len(entries(outcome, "experiment")) == 2 * 4
    assert outcome.totals["cycles"] == 2
    assert outcome.totals["scorer_calls"] == scores


@pytest.mark.parametrize(
    ("condition", "fails", "done"),
    [
        ("succeeded", "0%", True),
        ("failed", "0%", False),
        ("succeeded", "100%", False),
        ("failed", "100%", True),
        ("100%", "0%", True),
        ("0%", "0%", False),
    ],
)
def test_a_step_is_done_if_its_condition_holds(condition: str, fails: str, done: bool) -> None:
    cycle = f"[experiment: {{time: 1 h, fails: {fails}}}, score: {{if: {condition}}}]"
    outcome = run(fleet(cycle, "stop: {cycles_per_agent: 3}"))
    assert outcome.totals["scorer_calls"] == (3 if done else 0)
    assert outcome.totals["cycles"] == 3


def test_a_condition_on_a_step_that_was_left_out_does_not_hold() -> None:
    for condition in ("succeeded", "failed"):
        cycle = f"[experiment: {{time: 1 h, if: 0%}}, score: {{if: {condition}}}, think: {{time: 1 h}}]"
        people = f"fleet: [{{agents: 1, kind: people, staff: {{price: 1 $/h}}}}]\ncycle: {cycle}\n"
        outcome = run(people + "stop: {cycles_per_agent: 2}")
        assert outcome.totals["scorer_calls"] == 0
        assert outcome.totals["jobs"] == 0


IDEAS = "research: {first_quality: 0.2, explores: 0%, refines: 100%, gain: 0.5, hacks: 0%}"


def test_a_score_has_improved_if_it_beats_all_that_its_author_knew() -> None:
    # Scores: 0.2, 0.6, 0.8: each beats the ones before, and is followed by a job.
    cycle = "[score, experiment: {time: 1 h, if: improved}]"
    more = "scorer: {time: 1 min}\nstop: {cycles_per_agent: 3}"
    assert counts(run(fleet(cycle, f"{IDEAS}\n{more}")))[0] == 3
    # Refinements that never succeed score 0.2 again, which beats nothing but the nothing before it.
    assert counts(run(fleet(cycle, f"{IDEAS.replace('refines: 100%', 'refines: 0%')}\n{more}")))[0] == 1


def test_each_job_that_ended_well_is_submitted_with_an_idea_from_what_was_known_at_the_cycles_start() -> None:
    # Nothing is known at first: two new methods of 0.2. Then each of two refines the best: 0.6 twice, 0.8 twice.
    cycle = "[experiment: {time: 1 h, at_once: 2}, score: {each: yes}]"
    outcome = run(
        fleet(cycle, f"{IDEAS}\ngpus: {{count: 2}}\nscorer: {{time: 1 min}}\nstop: {{cycles_per_agent: 3}}")
    )
    scores = entries(outcome, "score")
    assert scores["score"].tolist() == pytest.approx([0.2, 0.2, 0.6, 0.6, 0.8, 0.8])
    assert (scores["started_s"] / 60).tolist() == pytest.approx([60, 61, 122, 123, 184, 185])


def test_nothing_is_submitted_for_jobs_that_ended_without_a_result() -> None:
    cycle = "[experiment: {time: 1 h, fails: 100%}, score: {each: yes}]"
    outcome = run(fleet(cycle, "stop: {cycles_per_agent: 2}"))
    assert outcome.totals["scorer_calls"] == 0
    assert len(entries(outcome, "score")) == 0


def test_cool_down_and_quota_hold_for_each_submission() -> None:
    cycle = "[experiment: {time: 1 h, at_once: 3}, score: {each: yes}]"
    more = "gpus: {count: 3}\nscorer: {time: 1 min, cool_down: 10 min, price: 1 $/call}\nstop: {cycles_per_agent: 1}"
    outcome = run(fleet(cycle, more))
    assert (entries(outcome, "score")["started_s"] / 60).tolist() == pytest.approx([60, 70, 80])
    assert outcome.totals["spend_scorer_usd"] == pytest.approx(3, abs=CENT)


POOLS = """
gpus:
  - {name: cheap, count: 2, price: 1 $/h, billing: reserved}
  - {name: dear, count: 1, price: 8 $/h, speed: 4}
  - {name: shared, count: 3, price: 2 $/h, billing: per agent}
"""


def test_each_pool_has_its_own_line_speed_price_and_billing() -> None:
    # Two agents: an hour on cheap side by side, then a quarter of an hour each on dear, one after the other.
    cycle = "[experiment: {time: 1 h}, experiment: {time: 1 h, on: dear}]"
    outcome = run(fleet(cycle, f"{POOLS}\nstop: {{cycles_per_agent: 1}}", 2))
    totals = outcome.totals
    assert totals["wall_clock_hours"] == pytest.approx(1.5)
    assert totals["gpu_pool_cheap_used_hours"] == pytest.approx(2)
    assert totals["gpu_pool_cheap_billed_hours"] == pytest.approx(2 * 1.5)
    assert totals["gpu_pool_dear_used_hours"] == pytest.approx(0.5)
    assert totals["gpu_pool_dear_billed_hours"] == pytest.approx(0.5)
    assert totals["gpu_pool_dear_utilisation"] == pytest.approx(0.5 / 1.5)
    assert totals["gpu_pool_dear_queued_hours"] == pytest.approx(0.25)
    assert totals["gpu_pool_shared_used_hours"] == 0
    lives = 1.25 + 1.5
    assert totals["gpu_pool_shared_billed_hours"] == pytest.approx(3 / 2 * lives)
    assert totals["gpu_hours_used"] == pytest.approx(2.5)
    assert totals["gpu_hours_billed"] == pytest.approx(3 + 0.5 + 1.5 * lives)
    assert totals["spend_usd"] == pytest.approx(1 * 3 + 8 * 0.5 + 2 * 1.5 * lives, abs=CENT)


def test_a_speed_divides_the_time_of_jobs_and_not_that_between_checkpoints() -> None:
    one: dict[str, Any] = run(fleet("[experiment: {time: 3 h}]", "gpus: {speed: 1.5}")).totals
    assert one["experiments"] == 12  # two hours each, in a day
    halves = scenario(fleet("[experiment: {time: 3 h}]", "gpus: {speed: 1 to 2}"))
    assert {quantity.name: str(quantity.kind) for quantity in halves.quantities()}["gpus.speed"] == "unknown"


@pytest.mark.parametrize(("part", "is_certain"), [("0%", True), ("100%", True), ("30%", False)])
def test_a_condition_that_surely_holds_or_surely_does_not_is_no_chance(part: str, is_certain: bool) -> None:
    program = lower(scenario(fleet(f"[experiment: {{time: 1 h}}, score: {{if: {part}}}]")))
    assert program.is_deterministic() == is_certain
