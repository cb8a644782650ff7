"""Submissions that a model judges equal a calculation by hand, to the last cent and second."""

import pytest

from simbudget.engine import compiled, reference
from simbudget.engine.lowering import lower
from simbudget.engine.outcome import Outcome
from tests.differential.test_engines_agree import differences
from tests.running import CENT, scenario

BASE = """
models:
  writer: {first_token: 2 s, output_speed: 50 tokens/s}
  judge: {first_token: 1 s, output_speed: 100 tokens/s}
prices:
  writer: {input: 5 $/Mtok, cache_write: 6.25, cache_read: 0.5, output: 25}
  judge: {input: 2 $/Mtok, cache_write: 2.5, cache_read: 0.2, output: 10}
"""
JUDGE = "model: judge, calls: 3, input_tokens: 5000, output_tokens: 200"
CALL_S = 1 + 200 / 100
CALL_USD = (5000 * 2 + 200 * 10) / 1e6


def run(text: str) -> Outcome:
    """Return the outcome of a scenario, to which both engines come."""
    program = lower(scenario(text))
    outcome = reference.simulate(program)
    assert differences(outcome, compiled.simulate(program)) == []
    return outcome


def judged(scorer: str, more: str, agents: int = 1) -> Outcome:
    text = (
        f"{BASE}fleet: [{{agents: {agents}, model: writer}}]\ncycle: [score]\nscorer: {{{scorer}}}\n{more}\n"
    )
    return run(text)


def test_a_scoring_is_that_many_calls_one_after_the_other() -> None:
    outcome = judged(JUDGE, "stop: {cycles_per_agent: 2}")
    totals = outcome.totals
    assert totals["wall_clock_hours"] * 3600 == pytest.approx(2 * 3 * CALL_S)
    assert totals["model_calls"] == 6
    assert totals["scorer_calls"] == 2
    assert totals["tokens_uncached_input"] == 6 * 5000
    assert totals["tokens_output"] == 6 * 200
    assert totals["spend_scorer_usd"] == pytest.approx(6 * CALL_USD, abs=CENT)
    assert totals["spend_tokens_usd"] == 0
    assert totals["share_scoring"] == pytest.approx(1)
    assert outcome.ledger is not None
    calls = outcome.ledger[outcome.ledger["kind"] == "judge"]
    assert calls["component"].tolist() == 6 * ["scorer"]
    assert calls["model"].tolist() == 6 * ["judge"]


def test_time_and_price_of_the_scorer_come_on_top() -> None:
    totals = judged(f"{JUDGE}, time: 10 s, price: 0.5 $/call", "stop: {cycles_per_agent: 2}").totals
    assert totals["wall_clock_hours"] * 3600 == pytest.approx(2 * (3 * CALL_S + 10))
    assert totals["spend_scorer_usd"] == pytest.approx(2 * (3 * CALL_USD + 0.5), abs=CENT)


def test_the_server_is_held_while_the_judge_calls() -> None:
    totals = judged(JUDGE, "stop: {cycles_per_agent: 1}", agents=2).totals
    assert totals["wall_clock_hours"] * 3600 == pytest.approx(2 * 3 * CALL_S)
    assert totals["queued_scorer_hours"] * 3600 == pytest.approx(3 * CALL_S)
    assert totals["utilisation_scorer"] == pytest.approx(1)


def test_a_judge_waits_for_the_providers_limits_as_anybody_does() -> None:
    # Two requests a minute: the third call waits for half a minute after the bucket is empty, from 0 s on.
    totals = judged(JUDGE, "api: {requests_per_min: 2}\nstop: {cycles_per_agent: 1}").totals
    assert totals["wall_clock_hours"] * 3600 == pytest.approx(30 + CALL_S)
    assert totals["queued_api_requests_hours"] * 3600 == pytest.approx(30 - 2 * CALL_S)
    assert totals["share_waiting_api"] == pytest.approx((30 - 2 * CALL_S) / (30 + CALL_S))


def test_the_budget_is_looked_at_before_each_of_a_judges_calls() -> None:
    budget = 1.5 * CALL_USD
    totals = judged(JUDGE, f"stop: {{budget: ${budget}}}").totals
    assert totals["model_calls"] == 2
    assert totals["spend_usd"] == pytest.approx(2 * CALL_USD, abs=CENT)
    assert totals["wall_clock_hours"] * 3600 == pytest.approx(2 * CALL_S)
    assert totals["cycles"] == 0


def test_the_horizon_cuts_a_judges_call_which_is_paid_for_in_full() -> None:
    totals = judged(JUDGE, f"stop: {{after: {1.5 * CALL_S} s}}").totals
    assert totals["model_calls"] == 2
    assert totals["spend_usd"] == pytest.approx(2 * CALL_USD, abs=CENT)
    assert totals["wall_clock_hours"] * 3600 == pytest.approx(1.5 * CALL_S)


def test_a_cool_down_counts_from_the_asking() -> None:
    totals = judged(f"{JUDGE}, cool_down: 60 s", "stop: {cycles_per_agent: 2}").totals
    assert totals["wall_clock_hours"] * 3600 == pytest.approx(60 + 3 * CALL_S)


def test_a_judge_leaves_its_agents_context_and_luck_alone() -> None:
    turn = "turn: {output_tokens: 50 to 500, tool_time: 1 s to 60 s}"
    text = (
        f"fleet: [{{agents: 1, model: writer}}]\ncycle: [think: {{turns: 2 to 6}}, score]\n{turn}\n"
        "stop: {cycles_per_agent: 3}\nscorer: {time: 9 s"
    )
    without = "\n".join(line for line in BASE.splitlines() if "judge" not in line)
    plain, judged_too = run(f"{without}\n{text}}}"), run(f"{BASE}{text}, {JUDGE}}}")
    assert judged_too.totals["spend_tokens_usd"] == plain.totals["spend_tokens_usd"]
    assert judged_too.totals["tokens_cache_read"] == plain.totals["tokens_cache_read"]
    assert judged_too.totals["spend_scorer_usd"] == pytest.approx(9 * CALL_USD, abs=CENT)


REVIEW = "by: judge, input_tokens: 5000, output_tokens: 200"


def reviewed(review: str, more: str, research: str = "{hacks: 0%, first_quality: 0.2}") -> Outcome:
    text = (
        f"{BASE}fleet: [{{agents: 1, model: writer}}]\ncycle: [score]\nscorer: {{time: 1 s}}\n"
        f"research: {research}\nreview: {{{review}}}\n{more}\n"
    )
    return run(text)


def test_reviews_by_a_model_are_calls_so_many_at_a_time_that_hold_nobody_up() -> None:
    # Submissions at 1, 2, 3 and 4 s; each review takes 3 s: 1-4, 4-7, 7-10, 10-13, one after the other.
    outcome = reviewed(f"{REVIEW}, of: all", "stop: {cycles_per_agent: 4}")
    totals = outcome.totals
    assert totals["run_hours"] * 3600 == pytest.approx(4)
    assert totals["wall_clock_hours"] * 3600 == pytest.approx(13)
    assert totals["model_calls"] == 4
    assert totals["spend_review_usd"] == pytest.approx(4 * CALL_USD, abs=CENT)
    assert totals["spend_usd"] == pytest.approx(4 * CALL_USD, abs=CENT)
    assert totals["reviews"] == 4
    assert totals["agent_hours"] * 3600 == pytest.approx(4)
    assert outcome.ledger is not None
    reviews = outcome.ledger[outcome.ledger["kind"] == "review"]
    assert reviews["started_s"].tolist() == pytest.approx([1, 4, 7, 10])
    assert reviews["model"].tolist() == 4 * ["judge"]


def test_two_reviewers_review_two_submissions_at_a_time() -> None:
    # 1-4 and 2-5, then 4-7 and 5-8.
    totals = reviewed(f"{REVIEW}, of: all, people: 2", "stop: {cycles_per_agent: 4}").totals
    assert totals["wall_clock_hours"] * 3600 == pytest.approx(8)


def test_a_review_that_the_budget_does_not_allow_is_not_made() -> None:
    totals = reviewed(
        f"{REVIEW}, of: all", f"stop: {{cycles_per_agent: 4, budget: ${1.5 * CALL_USD}}}"
    ).totals
    assert totals["reviews"] == 2
    assert totals["spend_review_usd"] == pytest.approx(2 * CALL_USD, abs=CENT)


def test_a_hack_is_struck_when_its_review_has_ended_and_not_before() -> None:
    hacks = "{hacks: 100%, hack_score: 0.9, caught: 100%}"
    outcome = reviewed(f"{REVIEW}, of: all", "stop: {cycles_per_agent: 2}", hacks)
    assert outcome.totals["hacks_caught"] == 2
    assert outcome.ledger is not None
    assert outcome.ledger.loc[outcome.ledger["kind"] == "review", "outcome"].tolist() == ["blamed", "blamed"]


def test_finalists_that_had_no_review_are_reviewed_before_the_gates() -> None:
    # Scores 0.2 (leads, is reviewed), then the same again, which does not lead; its method is the one finalist.
    gates = "gates: [{keeps: 100%, price: 1 $/try, time: 1 h}]\nstop: {cycles_per_agent: 2}"
    totals = reviewed(f"{REVIEW}, of: best", gates, "{hacks: 0%, first_quality: 0.2, explores: 100%}").totals
    # Both are new methods of one worth; the second is a finalist without a review, and gets one after the run.
    assert totals["reviews"] == 2
    assert totals["spend_gates_usd"] == pytest.approx(2, abs=CENT)
    # The first review is from 1 to 4 s, the second is asked for when the run's reviews are over; then an hour of gate.
    assert totals["wall_clock_hours"] * 3600 == pytest.approx(3600 + 4 + CALL_S)


def test_a_cycle_of_nothing_but_judging_is_simulated_for_as_long_as_it_is_to_run() -> None:
    totals = judged(JUDGE, "stop: {after: 6 h}").totals
    assert totals["scorer_calls"] == 6 * 3600 / (3 * CALL_S)
